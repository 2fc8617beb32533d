/**
 * All logs of a broker, in one or more log directories. Owns the directories' identity, start and stop, where a new
 * partition goes, what happens to deleted ones, and the tasks that keep logs in order: retention, flushing by time,
 * checkpoints, forgetting idle producers. Never knows which partitions this broker ought to host.
 */
import { assert } from '../base/assert.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf, SluiceError, systemErrorCode } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { type Offset, partitionName, type TopicPartition } from '../base/units.ts';
import { newUuid, type Uuid } from '../base/uuid.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { NO_BROKER_EPOCH } from './clean-shutdown.ts';
import { InlineEngine } from './cleaner/cleaning-engine.ts';
import { type CleanerCounters, defaultCleanerSettings, LogCleaner, NOTHING_CLEANED } from './cleaner/log-cleaner.ts';
import { inParallel } from './in-parallel.ts';
import { IndexMemory } from './index-memory.ts';
import { type InterruptedMove, settleInterruptedMoves } from './interrupted-moves.ts';
import { createLog, type Log, type OpenLogOptions, openLog } from './log.ts';
import type { LogConfig } from './log-config.ts';
import { type DirectoryContent, emptiest, LogDirectory } from './log-directory.ts';
import { duplicatePartition, foreignDirectory, storageFailed } from './log-directory-errors.ts';
import { asideDirectoryName } from './log-files.ts';
import type { LogDirectoryState, LogManagerDependencies, LogManagerOptions } from './log-manager-options.ts';
import { isMovable, LogMoves } from './log-moves.ts';
import { startLogTasks } from './log-tasks.ts';
import { OpenFiles } from './open-files.ts';
import { openFileLimit } from './process-limits.ts';

export type {
  LogDirectoryState,
  LogManagerDependencies,
  LogManagerOptions,
  OpenProgress,
} from './log-manager-options.ts';

const LOADS_PER_DIRECTORY = 4;
const CLOSES_PER_DIRECTORY = 16;
const MOST_INDEX_BYTES = 64 * 2 ** 20;
/** Kafka's KRaft log lies beside the topics' but is not theirs. */
const METADATA_TOPIC = '__cluster_metadata';
const ID_BYTES = 16;

export class LogManager {
  readonly #options: LogManagerOptions;
  readonly #fileSystem: FileSystem;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #files: OpenFiles;
  readonly #indexes: IndexMemory;
  readonly #directories: LogDirectory[];
  /** By partition name; those of failed directories too. */
  readonly #logs = new Map<string, { readonly log: Log; readonly directory: LogDirectory }>();
  readonly #highWatermarks = new Map<string, Offset>();
  /** Names of partitions whose directory does not tell what it holds. */
  readonly #unknown = new Set<string>();
  #clusterId: string | undefined;
  #stopTasks: (() => void) | undefined;
  #cleaner: LogCleaner | undefined;
  readonly #removals = new Set<Timer>();
  readonly #moves: LogMoves;
  /** Where logs that do not exist yet are to be created, by partition name. */
  readonly #preferred = new Map<string, LogDirectory>();

  constructor(options: LogManagerOptions, dependencies: LogManagerDependencies) {
    assert(options.directories.length > 0, 'a broker has a log directory');
    this.#options = options;
    this.#fileSystem = dependencies.fileSystem;
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger;
    this.#random = dependencies.random;
    this.#files = new OpenFiles(
      { limit: options.maxOpenFiles ?? openFileLimit(dependencies.fileSystem) },
      dependencies,
    );
    this.#indexes = new IndexMemory({ limitBytes: options.maxIndexBytes ?? MOST_INDEX_BYTES });
    this.#directories = options.directories.map(
      (path) =>
        new LogDirectory(
          {
            path,
            fewestInBulk: options.fewestInBulk,
            onFailure: (directory, error) => this.#directoryFailed(directory, error),
          },
          dependencies,
        ),
    );
    this.#moves = new LogMoves(
      {
        host: {
          createCopy: (log, path, startOffset) => this.#createCopy(log, path, startOffset),
          announce: (future, destination) => this.#announce(future, destination),
          replace: (current, future, destination) => this.#replace(current, future, destination),
          removeLater: (path, delayMs) => this.#removeLater(path, delayMs),
        },
        bytesPerSecond: options.moveBytesPerSecond ?? (() => undefined),
      },
      dependencies,
    );
  }

  /** The cluster that the directories belong to. Known after `open`. */
  get clusterId(): string {
    assert(this.#clusterId !== undefined, 'the cluster id is known once the log directories are open');
    return this.#clusterId;
  }

  /** Epoch of the broker at its last stop, where that was a clean one in every directory; otherwise -1 (KIP-966). */
  get previousBrokerEpoch(): number {
    const epochs = new Set(this.#directories.map((directory) => directory.previousBrokerEpoch));
    const [epoch = NO_BROKER_EPOCH] = epochs;
    return epochs.size === 1 ? epoch : NO_BROKER_EPOCH;
  }

  /** `claim` and `load`, for callers that have nothing to do in between. */
  async open(): Promise<void> {
    this.claim();
    await this.load();
  }

  /**
   * Claims the directories and checks whose they are; nothing is read or written in them before. A directory with an
   * I/O error goes offline; throws a SluiceError where another process has one, where they belong to different clusters
   * or nodes, or where none is left.
   */
  claim(): void {
    try {
      this.#claimDirectories();
      this.#settleIdentity();
    } catch (error) {
      this.#abandon();
      throw error;
    }
  }

  /** Loads every log. Needs `claim`. Rejects with a SluiceError where no directory is left, or one log lies in two. */
  async load(): Promise<void> {
    let again: readonly InterruptedMove[] = [];
    try {
      const read = this.#readContents();
      const allOnline = this.#directories.every((directory) => directory.online);
      const settled = settleInterruptedMoves(
        read,
        { allOnline },
        { fileSystem: this.#fileSystem, logger: this.#logger },
      );
      for (const path of settled.useless) this.#removeLater(path, 0);
      again = settled.again;
      await Promise.all([...settled.contents].map(([directory, content]) => this.#load(directory, content)));
      this.#assertSomeOnline();
    } catch (error) {
      this.#abandon();
      throw error;
    }
    this.#stopTasks = startLogTasks(
      { logs: () => this.all(), directories: this.#directories, highWatermarkOf: this.#options.highWatermarkOf },
      this.#options,
      { clock: this.#clock, logger: this.#logger },
    );
    this.#startCleaner();
    for (const { partition, destination } of again) this.move(partition, destination.path);
  }

  #startCleaner(): void {
    const { cleaner, cleaningEngine } = this.#options;
    const dependencies = { clock: this.#clock, logger: this.#logger, random: this.#random };
    this.#cleaner = new LogCleaner(
      {
        settings: cleaner ?? (() => defaultCleanerSettings),
        busyShare: this.#options.busyShare,
        engine: cleaningEngine ?? (() => new InlineEngine(dependencies)),
        logs: () => this.all(),
        onCleaned: async (log) => {
          await this.#logs.get(partitionName(log.topic, log.partition))?.directory.checkpointCleaned();
        },
      },
      dependencies,
    );
    this.#cleaner.start();
  }

  #abandon(): void {
    for (const { log } of this.#logs.values()) log.abandon();
    for (const directory of this.#directories) directory.release();
  }

  #claimDirectories(): void {
    for (const directory of this.#directories) {
      this.#guard(directory, 'open the log directory', () => directory.claim());
      if (!directory.online) directory.contentUnknown = true;
    }
    this.#assertSomeOnline();
  }

  /** Runs something of which an I/O error concerns this directory only. */
  #guard(directory: LogDirectory, doing: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      if (systemErrorCode(error) === undefined || error instanceof SluiceError) throw error;
      directory.fail(error instanceof Error ? error : new Error(messageOf(error)), doing);
    }
  }

  #assertSomeOnline(): void {
    if (this.#directories.some((directory) => directory.online)) return;
    const reasons = this.#directories.map(({ path, failure }) => `${path}: ${messageOf(failure)}`);
    const failure = this.#directories[0]?.failure;
    const remedy = failure instanceof SluiceError ? failure.remedy : undefined;
    throw new SluiceError('NO_LOG_DIRECTORY', `no log directory can be used (${reasons.join('; ')})`, {
      remedy: remedy ?? 'Repair the disk, or take its directory out of log.dirs.',
      cause: failure,
    });
  }

  #settleIdentity(): void {
    const online = this.#directories.filter((directory) => directory.online);
    const ids = new Set<string>();
    for (const { path, properties } of online) {
      const { clusterId, nodeId, directoryId } = properties ?? {};
      this.#clusterId ??= this.#options.clusterId ?? clusterId;
      if (clusterId !== undefined && clusterId !== this.#clusterId) {
        throw foreignDirectory(path, `cluster ${clusterId}`, `cluster ${this.#clusterId}`);
      }
      if (nodeId !== undefined && nodeId !== this.#options.nodeId) {
        throw foreignDirectory(path, `node ${nodeId}`, `node ${this.#options.nodeId}`);
      }
      if (directoryId === undefined) continue;
      if (ids.has(directoryId))
        throw foreignDirectory(path, `directory ${directoryId}, a copy of another one`, 'one place');
      ids.add(directoryId);
    }
    this.#clusterId ??= newUuid(this.#random);
    const { nodeId } = this.#options;
    for (const directory of online) {
      const directoryId = directory.id ?? newUuid(this.#random);
      const identity = { clusterId: this.#clusterId, nodeId, directoryId };
      this.#guard(directory, 'write meta.properties', () => directory.settle(identity));
    }
  }

  #readContents(): Map<LogDirectory, DirectoryContent> {
    const contents = new Map<LogDirectory, DirectoryContent>();
    for (const directory of this.#directories) {
      if (!directory.online) continue;
      this.#guard(directory, 'read the log directory', () => void contents.set(directory, directory.readContent()));
      if (!directory.online) directory.contentUnknown = true;
    }
    return contents;
  }

  async #load(directory: LogDirectory, content: DirectoryContent): Promise<void> {
    const { recoveryPoints, startOffsets, highWatermarks, cleanedTo, live, deleted } = content;
    for (const [name, offset] of highWatermarks) this.#highWatermarks.set(name, offset);
    for (const { name } of deleted) this.#removeLater(`${directory.path}/${name}`, 0);
    const total = live.length;
    const cleanShutdown = directory.wasCleanShutdown;
    if (total > 0) this.#logger.info('Loading logs', { directory: directory.path, total, cleanShutdown });
    let loaded = 0;
    await inParallel(live, this.#options.loadsPerDirectory ?? LOADS_PER_DIRECTORY, async ({ name, partition }) => {
      if (partition.topic === METADATA_TOPIC || !directory.online) return;
      await this.#loadLog(directory, name, partition, {
        recoveryPoint: recoveryPoints.get(name) ?? 0,
        startOffset: startOffsets.get(name) ?? 0,
        cleanedTo: cleanedTo.get(name),
        cleanShutdown,
      });
      this.#options.onProgress?.({ directory: directory.path, loaded: ++loaded, total });
    });
    if (!cleanShutdown) await directory.makeDurable(this.#options.loadsPerDirectory ?? LOADS_PER_DIRECTORY);
    directory.loaded = directory.online;
    if (!directory.online) directory.contentUnknown = directory.logs.size < total;
  }

  async #loadLog(
    directory: LogDirectory,
    name: string,
    { topic, partition }: TopicPartition,
    checkpoints: Pick<OpenLogOptions, 'recoveryPoint' | 'startOffset' | 'cleanedTo' | 'cleanShutdown'>,
  ): Promise<void> {
    const path = `${directory.path}/${name}`;
    try {
      const { producerIdExpirationMs, fewestBytesToRemember } = this.#options;
      const config = this.#options.configOf(topic);
      const own = { directory: path, topic, partition, config, producerIdExpirationMs, fewestBytesToRemember };
      const log = await openLog({ ...own, durableLater: true, ...checkpoints }, this.#logDependencies());
      const other = this.#logs.get(name);
      if (other !== undefined) throw duplicatePartition(name, other.directory.path, directory.path);
      if (this.#options.isStray?.(log) === true) {
        this.#logger.warn('A log that belongs to no topic is set aside; delete it once nobody misses it', {
          directory: `${path}*-stray`,
          topicId: log.topicId,
        });
        this.#setAside(directory, log, 'stray');
      } else this.#register(directory, log);
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'DUPLICATE_PARTITION') throw error;
      // Whose log it is cannot be told: nobody gets it, and nobody a new one beside it. Its neighbours are as they were.
      if (error instanceof SluiceError && error.code === 'CORRUPT_PARTITION_METADATA') {
        this.#logger.error('A partition is offline', { name, error: error.message, remedy: error.remedy });
        this.#unknown.add(name);
        return;
      }
      directory.fail(error instanceof Error ? error : new Error(messageOf(error)), `load ${path}`);
    }
  }

  #logDependencies(): Parameters<typeof openLog>[1] {
    return {
      fileSystem: this.#fileSystem,
      clock: this.#clock,
      logger: this.#logger,
      random: this.#random,
      files: this.#files,
      indexes: this.#indexes,
    };
  }

  #register(directory: LogDirectory, log: Log): void {
    const name = partitionName(log.topic, log.partition);
    log.listeners.onFailure = (error) => directory.fail(error, `use ${name}`);
    // The checkpoint on disk claims more than is there now; a crash must not trust it.
    log.listeners.onTruncated = () => {
      log.checkpointing(directory.checkpointRecoveryPoints());
      if (log.cleanedTo !== undefined) void directory.checkpointCleaned();
    };
    log.listeners.onStaleCheckpoint = () => directory.checkpointRecoveryPointsNow();
    log.listeners.onStartLowered = () => directory.checkpointStartOffsetsNow();
    log.listeners.onStartOffsetAsked = () => directory.checkpointStartOffsets();
    directory.logs.set(name, log);
    this.#logs.set(name, { log, directory });
  }

  /** The log of a partition, or undefined. It may be offline. */
  get({ topic, partition }: TopicPartition): Log | undefined {
    return this.#logs.get(partitionName(topic, partition))?.log;
  }

  *all(): Iterable<Log> {
    for (const { log } of this.#logs.values()) yield log;
  }

  /** Path of the log directory that a partition's log lies in. */
  directoryOf({ topic, partition }: TopicPartition): string | undefined {
    return this.#logs.get(partitionName(topic, partition))?.directory.path;
  }

  /** What replication-offset-checkpoint said at start. */
  checkpointedHighWatermark({ topic, partition }: TopicPartition): Offset | undefined {
    return this.#highWatermarks.get(partitionName(topic, partition));
  }

  /** Whether there certainly is no log of this partition, in no directory that cannot be looked into either. */
  isAbsent(id: TopicPartition): boolean {
    const name = partitionName(id.topic, id.partition);
    const isUnknown = this.#directories.some((directory) => directory.contentUnknown) || this.#unknown.has(name);
    return !isUnknown && !this.#logs.has(name);
  }

  /**
   * The log of a partition, created in the directory with the fewest where there is none. A log of another topic of the
   * same name is set aside. `isNew` says that the partition was assigned to this broker just now; otherwise its log may
   * lie in a directory that is offline, and none is created. Throws SluiceError STORAGE_FAILED.
   */
  getOrCreate(id: TopicPartition, topicId: Uuid, config: LogConfig, { isNew = false }: { isNew?: boolean } = {}): Log {
    const name = partitionName(id.topic, id.partition);
    const known = this.#logs.get(name);
    if (known !== undefined) {
      if (known.log.topicId === undefined) known.log.setTopicId(topicId);
      if (known.log.topicId === topicId) return known.log;
      this.#logger.warn('The log of a deleted topic of the same name is set aside', {
        name,
        topicId: known.log.topicId,
      });
      this.#setAside(known.directory, known.log, 'stray');
    }
    if (!isNew && this.#directories.some((directory) => directory.contentUnknown)) {
      throw storageFailed(`${name} may lie in a log directory that is offline`);
    }
    if (this.#unknown.has(name)) throw storageFailed(`the directory of ${name} does not tell its topic id`);
    const preferred = this.#preferred.get(name);
    const directory = preferred?.online === true ? preferred : this.#emptiest();
    try {
      const { producerIdExpirationMs } = this.#options;
      const { topic, partition } = id;
      const log = createLog(
        { directory: `${directory.path}/${name}`, topic, partition, topicId, config, producerIdExpirationMs },
        this.#logDependencies(),
      );
      this.#highWatermarks.delete(name);
      this.#preferred.delete(name);
      this.#register(directory, log);
      return log;
    } catch (error) {
      directory.noteError(error, `create the log ${name}`);
      throw storageFailed(`the log ${name} cannot be created`, error);
    }
  }

  #emptiest(): LogDirectory {
    const best = emptiest(this.#directories);
    if (best === undefined) throw storageFailed('every log directory is offline');
    return best;
  }

  /**
   * Deletes a partition's log: it is gone at once, its files after file.delete.delay.ms. False where there is none.
   * Replies that still send from it complete.
   */
  delete(id: TopicPartition): boolean {
    return this.#remove(id, 'deleted');
  }

  /** Sets a log aside that this broker ought not to have, without removing it. False where there is none. */
  quarantine(id: TopicPartition): boolean {
    return this.#remove(id, 'stray');
  }

  #remove({ topic, partition }: TopicPartition, kind: 'deleted' | 'stray'): boolean {
    const known = this.#logs.get(partitionName(topic, partition));
    if (known === undefined) return false;
    this.#setAside(known.directory, known.log, kind);
    return true;
  }

  #setAside(directory: LogDirectory, log: Log, kind: 'deleted' | 'stray'): void {
    const name = partitionName(log.topic, log.partition);
    this.#moves.cancel(name);
    this.#logs.delete(name);
    directory.logs.delete(name);
    this.#highWatermarks.delete(name);
    const id = this.#random.bytes(ID_BYTES).toString('hex');
    const path = `${directory.path}/${asideDirectoryName(log, { kind, id })}`;
    const from = log.directory;
    log.directoryRenamed(path);
    log.abandon();
    try {
      this.#fileSystem.rename(from, path);
    } catch (error) {
      directory.noteError(error, `rename ${from}`);
      return;
    }
    if (kind === 'deleted') this.#removeLater(path, log.config.fileDeleteDelayMs);
    void directory.checkpointRecoveryPoints();
    void directory.checkpointStartOffsets();
    if (log.cleanedTo !== undefined) void directory.checkpointCleaned();
  }

  #removeLater(path: string, delayMs: number): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#removals.delete(timer);
      this.#fileSystem.removeTree(path).catch((error: unknown) => {
        this.#logger.warn('A deleted log stays on disk until the next start', { path, error: messageOf(error) });
      });
    });
    this.#removals.add(timer);
  }

  /**
   * Moves a partition's log to another log directory, while it is used. A log that is there already stays; a move to
   * elsewhere is given up. Of a partition that has no log here yet the directory is remembered: REPLICA_NOT_AVAILABLE.
   */
  move(id: TopicPartition, path: string): ErrorCode {
    const destination = this.#directories.find((directory) => directory.path === path);
    if (destination === undefined) return ErrorCode.LOG_DIR_NOT_FOUND;
    if (!destination.online) return ErrorCode.KAFKA_STORAGE_ERROR;
    const name = partitionName(id.topic, id.partition);
    const known = this.#logs.get(name);
    if (known === undefined) {
      this.#preferred.set(name, destination);
      return ErrorCode.REPLICA_NOT_AVAILABLE;
    }
    const { log, directory } = known;
    if (log.failure !== undefined || !isMovable(log)) return ErrorCode.KAFKA_STORAGE_ERROR;
    if (directory === destination) {
      this.#moves.cancel(name);
      return ErrorCode.NONE;
    }
    if (this.#moves.destinationOf(name) === destination) return ErrorCode.NONE;
    try {
      this.#moves.begin(log, directory, destination);
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error;
      destination.noteError(error, `move ${name} to it`);
      return ErrorCode.KAFKA_STORAGE_ERROR;
    }
    return ErrorCode.NONE;
  }

  #createCopy({ topic, partition, topicId, config, cleanedTo }: Log, directory: string, startOffset: Offset): Log {
    const { producerIdExpirationMs } = this.#options;
    const options = { directory, topic, partition, topicId, config, producerIdExpirationMs, startOffset, cleanedTo };
    return createLog(options, this.#logDependencies());
  }

  /** The checkpoints may tell of a log of that name that was here before; an entry without a log does no harm. */
  #announce(future: Log, destination: LogDirectory): void {
    const name = partitionName(future.topic, future.partition);
    destination.logs.set(name, future);
    try {
      destination.checkpointRecoveryPointsNow();
      destination.checkpointStartOffsetsNow();
      destination.checkpointCleanedNow();
    } finally {
      destination.logs.delete(name);
    }
  }

  #replace(current: Log, future: Log, destination: LogDirectory): void {
    const name = partitionName(current.topic, current.partition);
    const source = this.#logs.get(name)!.directory;
    source.logs.delete(name);
    current.listeners.onFailure = undefined;
    this.#register(destination, future);
    for (const directory of [source, destination]) {
      void directory.checkpointRecoveryPoints();
      void directory.checkpointStartOffsets();
      if (future.cleanedTo !== undefined) void directory.checkpointCleaned();
    }
    this.#options.onMoved?.(future);
  }

  directories(): LogDirectoryState[] {
    return this.#directories.map((directory) => ({
      path: directory.path,
      id: directory.id,
      online: directory.online,
      failure: directory.failure,
      logs: [...directory.logs.values()],
      futures: this.#moves.into(directory),
    }));
  }

  /** What compaction has done since the start. */
  get cleanerCounters(): CleanerCounters {
    return this.#cleaner?.counters ?? NOTHING_CLEANED;
  }

  /** Size of the volume that a log directory lies on. Rejects with the system's error. */
  volume(path: string): Promise<{ totalBytes: number; usableBytes: number }> {
    return this.#fileSystem.volume(path);
  }

  #directoryFailed(directory: LogDirectory, error: Error): void {
    this.#options.onDirectoryFailure?.(directory.path, error);
  }

  /** Makes everything durable and says so, for a start that need not check anything. Never rejects. */
  async close({ brokerEpoch = NO_BROKER_EPOCH }: { brokerEpoch?: number } = {}): Promise<void> {
    this.#stopTasks?.();
    await this.#cleaner?.close();
    await this.#moves.stop();
    for (const timer of this.#removals) timer.cancel();
    await Promise.all(this.#directories.map((directory) => this.#closeDirectory(directory, brokerEpoch)));
    this.#logs.clear();
  }

  async #closeDirectory(directory: LogDirectory, brokerEpoch: number): Promise<void> {
    const logs = [...directory.logs.values()];
    const { highWatermarkOf } = this.#options;
    await directory.checkpointHighWatermarks(highWatermarkOf ?? ((log) => log.highWatermark));
    await directory.syncInBulk({ closing: true });
    let clean = directory.loaded && directory.online;
    await inParallel(logs, CLOSES_PER_DIRECTORY, async (log) => {
      try {
        await log.close();
      } catch (error) {
        clean = false;
        this.#logger.warn('A log was not closed cleanly', { log: log.directory, error: messageOf(error) });
      }
    });
    await directory.checkpointRecoveryPoints();
    await directory.checkpointStartOffsets();
    if (clean && directory.online) directory.markClean(brokerEpoch);
    directory.release();
  }
}
