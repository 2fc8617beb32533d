/**
 * The log of one partition: record batches by offset, in segments. Owns their bytes, indexes, producers and epochs, and
 * everything that happens to them; knows neither replicas nor groups nor requests. Appends, reads and truncations are
 * synchronous, so that whoever decides and then writes needs no lock. After an I/O error it serves nothing any more.
 */
import { messageOf, SluiceError, systemErrorCode } from '../base/errors.ts';
import type { LeaderEpoch, Offset, Timestamp } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { CorruptRecords } from '../records/corrupt-records.ts';
import { abortedTransactions } from './aborted-transactions.ts';
import { LogInBulk } from './bulk-sync.ts';
import { type Compaction, type CompactionTools, compact } from './cleaner/compact-log.ts';
import { type DirtyRange, dirtyRange, isWorthwhile } from './cleaner/dirty-range.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import {
  type AppendOutcome,
  type AppendRefused,
  appendAsFollower,
  appendAsLeader,
  type FollowerAppendOptions,
  type LeaderAppendOptions,
} from './log-append.ts';
import type { LogConfig } from './log-config.ts';
import { isPassing, LogCore, type LogDependencies, type LogListeners } from './log-core.ts';
import { isSegmentMissing } from './log-directory-errors.ts';
import { LogFlush } from './log-flush.ts';
import { type ReadOptions, type ReadOutcome, read, warm } from './log-read.ts';
import { applyRetention, startMoved } from './log-retention.ts';
import { createSegment, roll } from './log-roll.ts';
import { maxTimestampOffset, offsetForTimestamp, type TimestampedOffset } from './log-timestamps.ts';
import { truncateFullyAndStartAt, truncateTo } from './log-truncate.ts';
import { readPartitionMetadata, writePartitionMetadata } from './partition-metadata.ts';
import { isUnderWay } from './producer-entry.ts';
import type { ActiveProducer } from './producer-state.ts';
import { recover, rememberRecovery, settledNames } from './recovery.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import type { AbortedTransaction } from './transaction-index.ts';
import type { VerificationGuard, VerificationRequest } from './transaction-verification.ts';

export type { Appended, AppendOutcome, AppendRefused, LeaderAppendOptions } from './log-append.ts';
export type { LogDependencies, LogListeners } from './log-core.ts';
export type { Read, ReadOptions, ReadOutcome, ReadRefused } from './log-read.ts';
export type { TimestampedOffset } from './log-timestamps.ts';
export type { ActiveProducer, CompletedTransaction } from './producer-state.ts';
export type { AbortedTransaction } from './transaction-index.ts';
export type { VerificationGuard, VerificationRequest } from './transaction-verification.ts';

export interface LogOptions {
  /** The partition's own directory. */
  readonly directory: string;
  readonly topic: string;
  readonly partition: number;
  readonly config: LogConfig;
  /** Kafka's producer.id.expiration.ms; a day where left out. */
  readonly producerIdExpirationMs?: number;
}

export interface OpenLogOptions extends LogOptions {
  /** What the checkpoints of the log directory say; 0 where left out. */
  readonly recoveryPoint?: Offset;
  readonly startOffset?: Offset;
  /** What the cleaner's checkpoint says; nothing where compaction never was here. */
  readonly cleanedTo?: Offset;
  /** Whether the last process to write here said at its end that everything is in order; not so where left out. */
  readonly cleanShutdown?: boolean;
  /** See RecoveryOptions; 64 KiB where left out. */
  readonly fewestBytesToRemember?: number;
  /** Called after each segment that had to be checked. */
  readonly onProgress?: (segmentsLeft: number) => void;
  /** The caller sees to it, by `makeDurable`, before anything else happens to the log. */
  readonly durableLater?: boolean;
}

export interface CreateLogOptions extends LogOptions {
  readonly topicId?: Uuid;
  /** Compaction has been through everything below, where the log is a copy. */
  readonly cleanedTo?: Offset;
  /** Offset of the first record; 0 where left out. */
  readonly startOffset?: Offset;
}

const DAY_MS = 86_400_000;

/** Opens the log in an existing directory. Rejects with the system's error, or a SluiceError for a broken file. */
export async function openLog(options: OpenLogOptions, dependencies: LogDependencies): Promise<Log> {
  const { fileSystem } = dependencies;
  const topicId = topicIdOf(options, dependencies);
  const names = settledNames(options.directory, fileSystem);
  const core = newCore(options, topicId, names, dependencies);
  core.cleanedTo = options.cleanedTo;
  await recover(core, {
    recoveryPoint: options.recoveryPoint ?? 0,
    startOffset: options.startOffset ?? 0,
    cleanShutdown: options.cleanShutdown ?? false,
    fewestBytesToRemember: options.fewestBytesToRemember,
    onProgress: options.onProgress,
    names,
  });
  const log = new Log(core);
  if (options.cleanShutdown !== true && options.durableLater !== true) await makeDurable(log);
  return log;
}

/**
 * For a log that was opened after an unclean stop. A full disk does not keep it from being read: the next flush tries
 * again. Rejects with what made the log fail.
 */
export async function makeDurable(log: Log): Promise<void> {
  try {
    await log.flush();
    log.rememberRecovery();
  } catch {
    if (log.failure !== undefined) throw log.failure;
  }
}

/** A power loss may have torn the file of a log that was never flushed: its owner then tells the topic id again. */
function topicIdOf({ directory, cleanShutdown }: OpenLogOptions, dependencies: LogDependencies): Uuid | undefined {
  try {
    return readPartitionMetadata(directory, dependencies.fileSystem);
  } catch (error) {
    if (cleanShutdown === true || !(error instanceof SluiceError)) throw error;
    dependencies.logger.warn('The topic id of a log is not known', { error: error.message });
    return undefined;
  }
}

/** Creates a log in a directory that does not exist or is empty. Throws the system's error and leaves it empty. */
export function createLog(options: CreateLogOptions, dependencies: LogDependencies): Log {
  const { fileSystem } = dependencies;
  const { directory, topicId, startOffset = 0 } = options;
  fileSystem.makeDirectory(directory);
  if (fileSystem.list(directory).length > 0) {
    throw new SluiceError('DIRECTORY_NOT_EMPTY', `${directory} holds files already; no log is created over them`);
  }
  try {
    if (topicId !== undefined) writePartitionMetadata(directory, topicId, fileSystem);
    const core = newCore(options, topicId, [], dependencies);
    core.cleanedTo = options.cleanedTo;
    core.epochs.begin();
    core.segments = [createSegment(core, startOffset)];
    core.directoryNew = true;
    core.startOffset = startOffset;
    core.endOffset = startOffset;
    core.recoveryPoint = startOffset;
    core.flushRequestedTo = startOffset;
    core.producers.reset(startOffset);
    core.metadataUnsynced = topicId !== undefined;
    return new Log(core);
  } catch (error) {
    for (const { name } of fileSystem.list(directory)) fileSystem.remove(`${directory}/${name}`);
    throw error;
  }
}

function newCore(
  options: LogOptions,
  topicId: Uuid | undefined,
  names: readonly string[],
  dependencies: LogDependencies,
): LogCore {
  const { fileSystem } = dependencies;
  return new LogCore(
    {
      directory: options.directory,
      topic: options.topic,
      partition: options.partition,
      topicId,
      config: options.config,
      producerIdExpirationMs: options.producerIdExpirationMs ?? DAY_MS,
      epochs: (place) => new LeaderEpochs(place, fileSystem),
      snapshots: (place) => new SnapshotFiles({ place, names }, fileSystem),
    },
    dependencies,
  );
}

export class Log {
  readonly #core: LogCore;
  readonly #flush: LogFlush;

  /** Use `openLog` or `createLog`. */
  constructor(core: LogCore) {
    this.#core = core;
    this.#flush = new LogFlush(core);
  }

  get topic(): string {
    return this.#core.topic;
  }

  get partition(): number {
    return this.#core.partition;
  }

  /** Undefined for a directory that no topic id was written to. */
  get topicId(): Uuid | undefined {
    return this.#core.topicId;
  }

  /** Path of the partition's directory; another one after a rename. */
  get directory(): string {
    return this.#core.place.path;
  }

  get config(): LogConfig {
    return this.#core.config;
  }

  /** Offset of the first record that may be read. */
  get startOffset(): Offset {
    return this.#core.startOffset;
  }

  /** Offset that the next record gets. */
  get endOffset(): Offset {
    return this.#core.endOffset;
  }

  /** Everything below is durable. */
  get recoveryPoint(): Offset {
    return this.#core.recoveryPoint;
  }

  /** What `updateHighWatermark` was told last; the end offset as long as it was told nothing. */
  get highWatermark(): Offset {
    return this.#core.highWatermark;
  }

  /** Compaction has been through everything below; undefined where it never was here. */
  get cleanedTo(): Offset | undefined {
    return this.#core.cleanedTo;
  }

  /** Bytes of all segments. */
  get size(): number {
    return this.#core.sizeBytes;
  }

  get segmentCount(): number {
    return this.#core.segments.length;
  }

  /** First offset of the oldest segment: below `startOffset` where records were deleted inside it. */
  get firstSegmentOffset(): Offset {
    return this.#core.segments[0]!.baseOffset;
  }

  /**
   * Where a reader of committed records stops: below it every transaction is decided and its marker replicated. The high
   * watermark where none is open.
   */
  get lastStableOffset(): Offset {
    const { firstUnstableOffset: unstable, highWatermark, startOffset } = this.#core;
    return unstable === undefined ? highWatermark : Math.min(Math.max(unstable, startOffset), highWatermark);
  }

  /** Newest leader epoch that a record or `assignEpochStart` told of; -1 for none. */
  get latestEpoch(): LeaderEpoch {
    return this.#core.epochs.latest;
  }

  /** Whether an I/O error took the log out of service. */
  get offline(): boolean {
    return this.#core.failure !== undefined;
  }

  /** That error. */
  get failure(): Error | undefined {
    return this.#core.failure;
  }

  /** Set what should be told of this log. */
  get listeners(): LogListeners {
    return this.#core.listeners;
  }

  /**
   * Appends batches that have no offsets yet. Patches `batches` in place. Refusals are Kafka's error codes;
   * KAFKA_STORAGE_ERROR means that nothing was written.
   */
  appendAsLeader(batches: Buffer, options: LeaderAppendOptions): AppendOutcome {
    return appendAsLeader({ core: this.#core, flush: this.#flush }, batches, options);
  }

  /** Appends batches as a leader's log has them. OFFSET_OUT_OF_RANGE where they begin before this log's end. */
  appendAsFollower(batches: Buffer, options: FollowerAppendOptions = {}): AppendOutcome {
    return appendAsFollower({ core: this.#core, flush: this.#flush }, batches, options);
  }

  /** The bytes that answer a fetch at `offset`. OFFSET_OUT_OF_RANGE outside of start offset to end offset. */
  read(offset: Offset, options: ReadOptions): ReadOutcome {
    return read(this.#core, offset, options);
  }

  /**
   * The aborted transactions with records in `from` .. `to` (exclusive), by rising marker; `to` must not be above the
   * last stable offset. Some may have no record there any more; none is missing.
   */
  abortedTransactions(from: Offset, to: Offset): readonly AbortedTransaction[] {
    return abortedTransactions(this.#core, from, to);
  }

  /** Undefined where a read at `offset` needs no disk; otherwise a promise of that. Never rejects. */
  warm(offset: Offset): Promise<void> | undefined {
    return warm(this.#core, offset);
  }

  /**
   * The first record with `timestamp` or a later one, below `upTo`. Rejects with CorruptRecords where what lies there
   * cannot be read, and with SluiceError STORAGE_FAILED.
   */
  async offsetForTimestamp(timestamp: Timestamp, upTo: Offset): Promise<TimestampedOffset | undefined> {
    return this.#search(() => offsetForTimestamp(this.#core, timestamp, upTo));
  }

  /** The first record with the largest timestamp. Rejects as `offsetForTimestamp`. */
  async maxTimestampOffset(): Promise<TimestampedOffset | undefined> {
    return this.#search(() => maxTimestampOffset(this.#core));
  }

  async #search(search: () => Promise<TimestampedOffset | undefined>): Promise<TimestampedOffset | undefined> {
    if (!this.#core.isUsable) throw this.#core.unusableError();
    try {
      return await search();
    } catch (error) {
      if (error instanceof CorruptRecords || isSegmentMissing(error)) {
        this.#core.damage.report(error.message);
        throw new CorruptRecords(error.message, { cause: error });
      }
      this.#core.logger.error('Cannot search by timestamp', { error: messageOf(error) });
      throw this.#core.unusableError();
    }
  }

  /** The last epoch up to `epoch` and the offset where it ends; (-1, -1) where unknown. */
  endOffsetForEpoch(epoch: LeaderEpoch): { readonly epoch: LeaderEpoch; readonly endOffset: Offset } {
    return this.#core.epochs.endOffsetFor(epoch, this.#core.endOffset);
  }

  /** Epoch of the record at `offset`, or -1. */
  epochAt(offset: Offset): LeaderEpoch {
    return this.#core.epochs.epochOf(offset);
  }

  /** A leader's first act: its epoch begins at `offset`. */
  assignEpochStart(epoch: LeaderEpoch, offset: Offset): void {
    this.#core.epochs.assign(epoch, offset);
  }

  /**
   * Everything below `offset` is replicated: retention and DeleteRecords stay below it, and transactions with a marker
   * above it stay open for readers. May go back, after a truncation.
   */
  updateHighWatermark(offset: Offset): void {
    this.#core.tellHighWatermark(offset);
  }

  /** Makes the log end at `offset` or at the batch boundary before it; false where it did already. */
  truncateTo(offset: Offset): boolean {
    const truncated = this.#change('truncate the log', () => truncateTo(this.#core, offset));
    if (truncated) this.#settleCut();
    return truncated;
  }

  /** The next append waits for the cut to be durable: as a rule it comes later than that. */
  #settleCut(): void {
    this.flush().catch(() => undefined);
  }

  /** Drops every record; the next one gets `offset`. */
  truncateFullyAndStartAt(offset: Offset, startOffset?: Offset): void {
    this.#change('truncate the log', () => truncateFullyAndStartAt(this.#core, offset, startOffset));
    this.#settleCut();
  }

  #change<Result>(doing: string, change: () => Result): Result {
    if (!this.#core.isUsable) throw this.#core.unusableError();
    const { segments, active } = this.#core;
    try {
      return change();
    } catch (error) {
      // Files and memory may disagree half-way: then no error passes by itself.
      const untouched = this.#core.segments === segments && !active.file.isRetired;
      if (untouched && isPassing(error)) throw error;
      this.#core.fail(error, doing);
      throw this.#core.unusableError();
    }
  }

  /**
   * Records below `offset` may not be read any more. OFFSET_OUT_OF_RANGE above the high watermark; NONE also where the
   * log starts there or later already.
   */
  advanceStartOffset(offset: Offset): ErrorCode {
    const core = this.#core;
    if (!core.isUsable) return ErrorCode.KAFKA_STORAGE_ERROR;
    if (offset > core.highWatermark) return ErrorCode.OFFSET_OUT_OF_RANGE;
    if (offset <= core.startOffset) return ErrorCode.NONE;
    core.startOffset = offset;
    startMoved(core);
    return ErrorCode.NONE;
  }

  /** Counts what took the log's end back. */
  get truncations(): number {
    return this.#core.truncations;
  }

  /** Makes the batches durable in this turn; the recovery point stays. Throws SluiceError STORAGE_FAILED. */
  flushNow(): void {
    this.#change('make the log durable', () => {
      for (const segment of this.#core.segments) {
        if (!segment.dirty) continue;
        segment.file.use().syncNow();
        segment.dirty = false;
      }
      this.#core.fileSystem.syncDirectory(this.directory);
    });
  }

  /** Another log holds everything durably: who waits for this one to be durable has what it wanted. */
  supersede(): void {
    this.#core.superseded = true;
    this.#flush.flush().finally(() => this.abandon());
  }

  /** Becomes what `other` is, of which it holds a copy of every batch. */
  takeOver(other: Log): void {
    this.setConfig(other.config);
    this.#core.producers.takeOver(other.#core.producers);
    const { toldHighWatermark } = other.#core;
    if (toldHighWatermark !== undefined) this.updateHighWatermark(toldHighWatermark);
    if (other.latestEpoch > this.latestEpoch) this.assignEpochStart(other.latestEpoch, this.endOffset);
    this.advanceStartOffset(other.startOffset);
  }

  /** Resolves with whether the start offset is durable now. */
  persistStartOffset(): Promise<boolean> {
    return this.#core.listeners.onStartOffsetAsked?.() ?? Promise.resolve(false);
  }

  /** Names of segments that were created or deleted are not durable yet. */
  get hasUnsyncedNames(): boolean {
    return this.#core.directoryDirty;
  }

  /** For the owner of the checkpoints, from `onTruncated`: resolves with whether they are durable again. */
  checkpointing(done: Promise<boolean>): void {
    const core = this.#core;
    const { truncations } = core;
    core.checkpointStale = true;
    void done.then((durable) => {
      if (durable && truncations === core.truncations) core.checkpointStale = false;
    });
  }

  /** Resolves when all that is appended now is durable. Rejects with SluiceError STORAGE_FAILED. */
  flush(): Promise<void> {
    return this.#flush.flush();
  }

  /** After the flush that follows a recovery. Throws the system's error. */
  rememberRecovery(): void {
    rememberRecovery(this.#core);
  }

  /** For whoever makes many logs durable at once. */
  get inBulk(): LogInBulk {
    return new LogInBulk(this.#core);
  }

  /** What is dirty enough at `nowMs` to be compacted; undefined where nothing is. */
  async dirtyRange(nowMs: Timestamp): Promise<DirtyRange | undefined> {
    const core = this.#core;
    if (!core.isUsable || core.compacting) return undefined;
    try {
      const range = await dirtyRange(core, nowMs);
      return range !== undefined && isWorthwhile(core, range) ? range : undefined;
    } catch (error) {
      if (core.isUsable && systemErrorCode(error) === undefined) throw error;
      if (core.isUsable) core.noteError(error, 'see what is to be compacted');
      return undefined;
    }
  }

  /**
   * Replaces closed segments by ones that hold the last record of each key; offsets stay. Undefined where the log ended,
   * failed or was truncated meanwhile. Rejects with CorruptRecords, for one, where it cannot be compacted.
   */
  compact(range: DirtyRange, tools: CompactionTools): Promise<Compaction | undefined> {
    return compact(this.#core, range, tools);
  }

  /** When the log was made durable last, on the monotonic clock. */
  get lastFlushMs(): number {
    return this.#core.lastFlushMs;
  }

  /** Begins a new segment at the log's end. Throws SluiceError STORAGE_FAILED or the system's error of a full disk. */
  roll(): void {
    if (!this.#core.isUsable) throw this.#core.unusableError();
    try {
      roll(this.#core, this.#core.endOffset);
    } catch (error) {
      this.#core.noteError(error, 'roll the log');
      throw error;
    }
  }

  /** Deletes segments by the topic's retention; returns how many. */
  applyRetention(nowMs: Timestamp): number {
    return applyRetention(this.#core, nowMs);
  }

  /** Takes effect with the next append, roll or retention. */
  setConfig(config: LogConfig): void {
    this.#core.config = config;
  }

  setTopicId(topicId: Uuid): void {
    this.#core.topicId = topicId;
    writePartitionMetadata(this.directory, topicId, this.#core.fileSystem);
    this.#core.metadataUnsynced = true;
    this.#core.directoryDirty = true;
  }

  producers(): ActiveProducer[] {
    return this.#core.producers.describe();
  }

  /** Whether the first of these batches, which nobody has looked at yet, is one that its producer sends again. */
  hasAlready(batches: Buffer): boolean {
    return this.#core.producers.hasAlready(batches);
  }

  /**
   * For a producer that wants to begin a transaction (KIP-890): ask its coordinator, and append with the guard then.
   * Undefined where its transaction is under way here and nobody needs to be asked. INVALID_PRODUCER_EPOCH.
   */
  beginVerification(request: VerificationRequest): { readonly guard: VerificationGuard | undefined } | AppendRefused {
    const { producers, verifications, clock } = this.#core;
    const { producerId, producerEpoch } = request;
    const entry = producers.entries.get(producerId);
    if (entry !== undefined && producerEpoch < entry.epoch) {
      const message = `epoch ${producerEpoch} of producer ${producerId} is older than ${entry.epoch}`;
      return { ok: false, errorCode: ErrorCode.INVALID_PRODUCER_EPOCH, message };
    }
    return { guard: isUnderWay(entry, producerEpoch) ? undefined : verifications.begin(request, clock.wallMs()) };
  }

  /** Forgets producers that have been idle for longer than the configured time. */
  expireProducers(nowMs: Timestamp): void {
    this.#core.producers.expire(nowMs, this.#core.producerIdExpirationMs);
    this.#core.verifications.expire(nowMs, this.#core.producerIdExpirationMs);
  }

  /** For the owner of the directory, before or after it renames it. Open files stay open. */
  directoryRenamed(directory: string): void {
    this.#core.place.path = directory;
  }

  /** Takes the log out of service because of an error elsewhere on its disk. */
  fail(error: Error): void {
    this.#core.fail(error, 'use the log directory');
  }

  /**
   * Makes everything durable, writes a producer snapshot, and closes the files once their readers are done. Rejects with
   * SluiceError STORAGE_FAILED; files are closed then too, and the stop was not a clean one.
   */
  async close(): Promise<void> {
    const core = this.#core;
    if (core.closed) return;
    try {
      if (core.failure !== undefined) throw core.unusableError();
      core.finishForClose();
      await this.flush();
    } catch (error) {
      core.fail(error, 'close the log');
      throw core.unusableError();
    } finally {
      this.abandon();
    }
  }

  /** Closes the files without writing anything: for a log that is deleted, or whose disk failed. */
  abandon(): void {
    const core = this.#core;
    if (core.closed) return;
    core.closed = true;
    for (const segment of core.segments) segment.retire();
  }
}
