/**
 * One directory of `log.dirs`: its lock, its identity, its checkpoints and the logs in it. Fails alone: an I/O error
 * takes all its logs out of service and leaves other directories be. Never decides where a partition goes.
 */
import type { Clock } from '../base/clock.ts';
import { makeDurableDirectory } from '../base/durable-directory.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import type { DirectoryLock, FileSystem } from '../base/file-system.ts';
import type { Logger } from '../base/logger.ts';
import { type Offset, partitionName, type TopicPartition } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { FEWEST_IN_BULK, syncInBulk } from './bulk-sync.ts';
import { encodeOffsets, type PartitionOffset, readOffsets } from './checkpoint-file.ts';
import { NO_BROKER_EPOCH, takeCleanShutdown, writeCleanShutdown } from './clean-shutdown.ts';
import { inParallel } from './in-parallel.ts';
import { type Log, makeDurable } from './log.ts';
import { parsePartitionDirectory } from './log-files.ts';
import {
  encodeMetaProperties,
  META_PROPERTIES_FILE,
  type MetaProperties,
  readMetaProperties,
} from './meta-properties.ts';

export const RECOVERY_POINT_FILE = 'recovery-point-offset-checkpoint';
export const START_OFFSET_FILE = 'log-start-offset-checkpoint';
export const CLEANER_FILE = 'cleaner-offset-checkpoint';
export const HIGH_WATERMARK_FILE = 'replication-offset-checkpoint';

/** What the files of a directory said when it was opened, by partition name. */
export interface DirectoryContent {
  readonly recoveryPoints: ReadonlyMap<string, Offset>;
  readonly startOffsets: ReadonlyMap<string, Offset>;
  readonly highWatermarks: ReadonlyMap<string, Offset>;
  readonly cleanedTo: ReadonlyMap<string, Offset>;
  /** Directories of partitions, with their names. */
  readonly live: readonly { readonly name: string; readonly partition: TopicPartition }[];
  /** Names of directories that were being deleted when the last process stopped. */
  readonly deleted: readonly { readonly name: string; readonly id: string | undefined }[];
  /** Copies of logs that were on their way here from another directory. */
  readonly futures: readonly { readonly name: string; readonly id: string; readonly partition: TopicPartition }[];
}

const NOTHING: ReadonlyMap<string, Offset> = new Map();

export class LogDirectory {
  readonly path: string;
  /** By partition name. */
  readonly logs = new Map<string, Log>();
  properties: MetaProperties | undefined;
  /** Why the directory is offline. */
  failure: Error | undefined;
  /** What it holds is not known, for it failed before that was read. */
  contentUnknown = false;
  wasCleanShutdown = false;
  previousBrokerEpoch = NO_BROKER_EPOCH;
  /** Every log in it was loaded, so that a clean stop may be claimed. */
  loaded = false;
  readonly #fileSystem: FileSystem;
  readonly #clock: Clock;
  readonly #fewestInBulk: number;
  readonly #logger: Logger;
  readonly #onFailure: (directory: LogDirectory, error: Error) => void;
  /** Content of the checkpoints that are durable. */
  readonly #written = new Map<string, Buffer>();
  /** By file: the write that has not begun, and the newest of all. */
  readonly #waiting = new Map<string, Promise<boolean>>();
  readonly #running = new Map<string, Promise<boolean>>();
  #lock: DirectoryLock | undefined;

  constructor(
    options: {
      readonly path: string;
      readonly fewestInBulk?: number;
      readonly onFailure: (directory: LogDirectory, error: Error) => void;
    },
    dependencies: { readonly fileSystem: FileSystem; readonly clock: Clock; readonly logger: Logger },
  ) {
    this.path = options.path;
    this.#fewestInBulk = options.fewestInBulk ?? FEWEST_IN_BULK;
    this.#onFailure = options.onFailure;
    this.#fileSystem = dependencies.fileSystem;
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger.with({ directory: options.path });
  }

  get online(): boolean {
    return this.failure === undefined;
  }

  get id(): Uuid | undefined {
    return this.properties?.directoryId;
  }

  /** Claims the directory and reads whose it is. Throws SluiceError DIRECTORY_LOCKED, or the system's error. */
  claim(): void {
    makeDurableDirectory(this.path, this.#fileSystem);
    this.#lock = this.#fileSystem.lock(this.path);
    this.properties = readMetaProperties(this.path, this.#fileSystem);
  }

  /** Writes whose the directory is, where it does not say so itself. */
  settle(identity: { readonly clusterId: string; readonly nodeId: number; readonly directoryId: Uuid }): void {
    const known = this.properties;
    if (known?.directoryId !== undefined && known.clusterId !== undefined && known.nodeId !== undefined) return;
    this.#fileSystem.replaceFile(`${this.path}/${META_PROPERTIES_FILE}`, encodeMetaProperties(identity));
    this.properties = identity;
  }

  /** Takes the clean-shutdown marker away and reads what the directory holds. Throws the system's error. */
  readContent(): DirectoryContent {
    const brokerEpoch = takeCleanShutdown(this.path, this.#fileSystem);
    this.wasCleanShutdown = brokerEpoch !== undefined;
    this.previousBrokerEpoch = brokerEpoch ?? NO_BROKER_EPOCH;
    const live: { name: string; partition: TopicPartition }[] = [];
    const deleted: { name: string; id: string | undefined }[] = [];
    const futures: { name: string; id: string; partition: TopicPartition }[] = [];
    for (const entry of this.#fileSystem.list(this.path)) {
      if (!entry.directory) continue;
      const parsed = parsePartitionDirectory(entry.name);
      if (parsed?.kind === 'live') live.push({ name: entry.name, partition: parsed.partition });
      else if (parsed?.kind === 'deleted') deleted.push({ name: entry.name, id: parsed.id });
      else if (parsed?.kind === 'future') futures.push({ ...parsed, name: entry.name, id: parsed.id ?? '' });
      else this.#logger.warn('A directory that is no log of this broker is left alone', { name: entry.name });
    }
    return {
      recoveryPoints: this.#readOffsets(RECOVERY_POINT_FILE),
      startOffsets: this.#readOffsets(START_OFFSET_FILE),
      highWatermarks: this.#readOffsets(HIGH_WATERMARK_FILE),
      cleanedTo: this.#readOffsets(CLEANER_FILE),
      live,
      deleted,
      futures,
    };
  }

  /** A checkpoint that cannot be understood costs time at most: logs are then read from their start. */
  #readOffsets(file: string): ReadonlyMap<string, Offset> {
    try {
      const entries = readOffsets(`${this.path}/${file}`, this.#fileSystem);
      return new Map(entries.map(({ topic, partition, offset }) => [partitionName(topic, partition), offset]));
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      this.#logger.warn('A checkpoint is ignored', { error: error.message });
      return NOTHING;
    }
  }

  checkpointRecoveryPoints(): Promise<boolean> {
    return this.#checkpoint(RECOVERY_POINT_FILE, (log) => log.recoveryPoint);
  }

  /** In this turn. Throws the system's error. */
  checkpointRecoveryPointsNow(): void {
    this.#writeNow(RECOVERY_POINT_FILE, (log) => log.recoveryPoint);
  }

  checkpointStartOffsets(): Promise<boolean> {
    return this.#checkpoint(START_OFFSET_FILE, startOffsetToKeep);
  }

  /** In this turn. Throws the system's error. */
  checkpointStartOffsetsNow(): void {
    this.#writeNow(START_OFFSET_FILE, startOffsetToKeep);
  }

  #writeNow(file: string, offsetOf: (log: Log) => Offset | undefined): void {
    const content = this.#encode(offsetOf);
    this.#written.delete(file);
    this.#fileSystem.replaceFile(`${this.path}/${file}`, content);
    this.#written.set(file, content);
  }

  checkpointCleaned(): Promise<boolean> {
    return this.#checkpoint(CLEANER_FILE, (log) => log.cleanedTo);
  }

  /** In this turn. Throws the system's error. */
  checkpointCleanedNow(): void {
    if (this.#fileSystem.exists(`${this.path}/${CLEANER_FILE}`)) this.#writeNow(CLEANER_FILE, (log) => log.cleanedTo);
  }

  checkpointHighWatermarks(offsetOf: (log: Log) => Offset | undefined): Promise<boolean> {
    return this.#checkpoint(HIGH_WATERMARK_FILE, offsetOf);
  }

  /**
   * Resolves with whether the file durably holds what the logs say when it is written: at the end of this run, or, where
   * it is being written, once that is done. However many ask meanwhile, it is written once more.
   */
  #checkpoint(file: string, offsetOf: (log: Log) => Offset | undefined): Promise<boolean> {
    const known = this.#waiting.get(file);
    if (known !== undefined) return known;
    const begin = (): Promise<boolean> => {
      this.#waiting.delete(file);
      return this.#write(file, offsetOf);
    };
    const waiting = (this.#running.get(file) ?? Promise.resolve(true)).then(begin);
    this.#waiting.set(file, waiting);
    this.#running.set(file, waiting);
    return waiting;
  }

  async #write(file: string, offsetOf: (log: Log) => Offset | undefined): Promise<boolean> {
    if (!this.online) return false;
    const content = this.#encode(offsetOf);
    if (this.#written.get(file)?.equals(content)) return true;
    this.#written.delete(file);
    try {
      await this.#fileSystem.replaceFileAsync(`${this.path}/${file}`, content);
      this.#written.set(file, content);
      return true;
    } catch (error) {
      this.noteError(error, `write ${file}`);
      return false;
    }
  }

  #encode(offsetOf: (log: Log) => Offset | undefined): Buffer {
    const entries: PartitionOffset[] = [];
    for (const log of this.logs.values()) {
      const offset = offsetOf(log);
      if (offset !== undefined) entries.push({ topic: log.topic, partition: log.partition, offset });
    }
    return encodeOffsets(entries);
  }

  /** After an unclean stop, before anybody uses a log: what can be read may be in the page cache only. */
  async makeDurable(logsAtOnce: number): Promise<void> {
    await this.syncInBulk({ closing: false });
    if (!this.online) return;
    await inParallel([...this.logs.values()], logsAtOnce, makeDurable).catch((error: unknown) =>
      this.fail(error instanceof Error ? error : new Error(messageOf(error)), 'make the logs durable'),
    );
  }

  /** Spares the flushes that follow most of their work. Only while nobody appends. */
  async syncInBulk({ closing }: { readonly closing: boolean }): Promise<void> {
    if (!this.online) return;
    const logs = Array.from(this.logs.values(), (log) => log.inBulk);
    await syncInBulk(
      logs,
      { path: this.path, closing, fewest: this.#fewestInBulk },
      { fileSystem: this.#fileSystem, clock: this.#clock },
    ).catch((error: unknown) =>
      this.fail(error instanceof Error ? error : new Error(messageOf(error)), 'make the logs durable'),
    );
  }

  /** Takes the directory out of service, unless the error can pass by itself: then the next checkpoint tries again. */
  noteError(error: unknown, doing: string): void {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EMFILE' || code === 'ENFILE') {
      this.#logger.warn(`Cannot ${doing}`, { error: messageOf(error) });
    } else {
      this.fail(error instanceof Error ? error : new Error(messageOf(error)), doing);
    }
  }

  /** Every log in it is out of service from now on. */
  fail(error: Error, doing: string): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.#logger.error(`Cannot ${doing}; the log directory is offline`, { error: error.message });
    for (const log of this.logs.values()) log.fail(error);
    this.#onFailure(this, error);
  }

  /** Says that all is in order, for the next start. Call after every log in it was closed and checkpoints are written. */
  markClean(brokerEpoch: number): void {
    try {
      writeCleanShutdown(this.path, brokerEpoch, this.#fileSystem);
    } catch (error) {
      this.#logger.warn('The next start will check the logs', { error: messageOf(error) });
    }
  }

  release(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }
}

/** A start inside a segment, or one whose segments before it may come back, for their removal is not durable. */
function startOffsetToKeep(log: Log): Offset | undefined {
  const { startOffset } = log;
  const isKnownByName = startOffset === log.firstSegmentOffset && !log.hasUnsyncedNames;
  return startOffset === 0 || isKnownByName ? undefined : startOffset;
}

/** The usable directory with the fewest logs. */
export function emptiest(directories: readonly LogDirectory[]): LogDirectory | undefined {
  let best: LogDirectory | undefined;
  for (const directory of directories) {
    if (directory.online && (best === undefined || directory.logs.size < best.logs.size)) best = directory;
  }
  return best;
}
