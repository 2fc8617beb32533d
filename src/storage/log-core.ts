/**
 * What the parts of a log (append, read, roll, flush, retention, truncation) work on together. Internal to this room:
 * everybody else uses `Log`. Every change happens in one synchronous run; nothing here waits.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf, SluiceError, systemErrorCode } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Offset } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { DamageReports } from './damage-reports.ts';
import { IndexMemory } from './index-memory.ts';
import type { LeaderEpochs } from './leader-epochs.ts';
import { type LogConfig, longestSegmentMs } from './log-config.ts';
import { isSegmentMissing } from './log-directory-errors.ts';
import { OpenFiles, type Place } from './open-files.ts';
import { type CompletedTransaction, ProducerStates } from './producer-state.ts';
import { Segment } from './segment.ts';
import type { SnapshotFiles } from './snapshot-files.ts';
import { TailPositions } from './tail-positions.ts';
import { TransactionVerifications } from './transaction-verification.ts';

export interface LogDependencies {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Shared by all logs of a process; own ones where left out. */
  readonly files?: OpenFiles;
  readonly indexes?: IndexMemory;
}

/** Who wants to know what happens to a log. All are called in the run that caused them. */
export interface LogListeners {
  /** The log failed and serves nothing any more; the directory that it lies in is suspect. */
  onFailure?: (error: Error) => void;
  /** The log ends lower than before: checkpoints of it are stale. */
  onTruncated?: () => void;
  /** A segment is about to begin while checkpoints are stale: they must be made durable in this turn. */
  onStaleCheckpoint?: () => void;
  /** The same of a start offset that went back, before anything is appended below the old one. */
  onStartLowered?: () => void;
  /** The log's start is to be made durable; resolves with whether it is. */
  onStartOffsetAsked?: () => Promise<boolean>;
  /** Records were appended; the log ends at `endOffset`. */
  onAppend?: (endOffset: Offset) => void;
}

/** Lengths of a segment's files. */
export interface SegmentFileBytes {
  readonly log: number;
  readonly offsetIndex: number;
  readonly timeIndex: number;
  readonly transactionIndex?: number;
}

const NO_BYTES: SegmentFileBytes = { log: 0, offsetIndex: 0, timeIndex: 0 };
/** Between two lines about the same trouble. */
const TROUBLE_REPEAT_MS = 60_000;
const OPEN_FILES = 256;
const INDEX_BYTES = 16 * 2 ** 20;
const PASSING_ERRORS = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR']);

/** Whether the disk is not broken: the same can succeed when there is room, or a descriptor, again. */
export function isPassing(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code !== undefined && PASSING_ERRORS.has(code);
}

export interface LogCoreOptions {
  readonly directory: string;
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid | undefined;
  readonly config: LogConfig;
  readonly producerIdExpirationMs: number;
  readonly epochs: (place: Place) => LeaderEpochs;
  readonly snapshots: (place: Place) => SnapshotFiles;
}

export class LogCore {
  readonly topic: string;
  readonly partition: number;
  readonly place: Place;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly files: OpenFiles;
  readonly indexes: IndexMemory;
  readonly epochs: LeaderEpochs;
  readonly snapshots: SnapshotFiles;
  readonly producers = new ProducerStates();
  readonly verifications = new TransactionVerifications();
  readonly tail = new TailPositions();
  readonly damage: DamageReports;
  readonly listeners: LogListeners = {};
  topicId: Uuid | undefined;
  config: LogConfig;
  producerIdExpirationMs: number;
  /** Rising base offsets; the last one is active. Empty only while the log is being opened. */
  segments: Segment[] = [];
  startOffset: Offset = 0;
  endOffset: Offset = 0;
  /** Everything below is on disk for certain. */
  recoveryPoint: Offset = 0;
  /** What the log's owner said of its replicas. */
  #toldHighWatermark: Offset | undefined;
  /**
   * The end was cut since the last sync. Until that is durable nothing is appended: a power loss could bring what was
   * cut back behind what came after it, or between.
   */
  cutUnsynced = false;
  /** Writing fails in a way that may pass: since when, and when somebody was told. */
  trouble: { readonly sinceMs: number; readonly toldMs: number } | undefined;
  /** The start offset moved since a checkpoint told of it. */
  startUnsaved = false;
  /** The start offset on disk may lie above the log's: a recovery would drop what is below it. */
  startLowered = false;
  /** The recovery point on disk may lie above what is durable. Segments below it are not checked after a crash. */
  checkpointStale = false;
  /** The log is being closed: nothing will be appended to the active segment either. */
  closing = false;
  /** Counts truncations, so that work that spans some turns notices them. */
  truncations = 0;
  /** Compaction has been through everything below; undefined where it never was here. */
  cleanedTo: Offset | undefined;
  /** A recovery had to check much of the active segment: the next one shall begin behind that. */
  recoveryToRemember = false;
  /** Compaction works on the closed segments. */
  compacting = false;
  #nameChanges = 0;
  #namesSynced = 0;
  /** The directory itself was created since its parent was synced. */
  directoryNew = false;
  /** Newest offset that a flush was asked for because of flush.messages. */
  flushRequestedTo: Offset = 0;
  lastFlushMs: number;
  /** `partition.metadata` was written since it was synced last. */
  metadataUnsynced = false;
  /** Another log holds everything, durably, in another directory, and stands for the partition now. */
  superseded = false;
  failure: Error | undefined;
  closed = false;

  constructor(options: LogCoreOptions, dependencies: LogDependencies) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.topicId = options.topicId;
    this.config = options.config;
    this.producerIdExpirationMs = options.producerIdExpirationMs;
    this.place = { path: options.directory };
    this.fileSystem = dependencies.fileSystem;
    this.clock = dependencies.clock;
    this.random = dependencies.random;
    this.logger = dependencies.logger.with({ topic: options.topic, partition: options.partition });
    this.damage = new DamageReports(this);
    this.files = dependencies.files ?? new OpenFiles({ limit: OPEN_FILES }, dependencies);
    this.indexes = dependencies.indexes ?? new IndexMemory({ limitBytes: INDEX_BYTES });
    this.epochs = options.epochs(this.place);
    this.snapshots = options.snapshots(this.place);
    this.lastFlushMs = this.clock.monotonicMs();
  }

  get active(): Segment {
    const last = this.segments.at(-1);
    assert(last !== undefined, 'an open log has an active segment');
    return last;
  }

  /** Everything below is replicated. A log whose owner never speaks of replicas is the only one: all of it is. */
  get highWatermark(): Offset {
    return this.#toldHighWatermark ?? this.endOffset;
  }

  /** First offset that a reader of committed records must not pass; undefined where there is none. */
  get firstUnstableOffset(): Offset | undefined {
    return this.#toldHighWatermark === undefined ? this.producers.firstOpenOffset : this.producers.firstUnstableOffset;
  }

  /** What the owner said last, where it ever did. */
  get toldHighWatermark(): Offset | undefined {
    return this.#toldHighWatermark;
  }

  tellHighWatermark(offset: Offset): void {
    this.#toldHighWatermark = offset;
    this.producers.replicatedUpTo(offset);
  }

  /** Keeps a high watermark that was told between the ends of the log. */
  boundHighWatermark(): void {
    if (this.#toldHighWatermark === undefined) return;
    this.#toldHighWatermark = Math.min(Math.max(this.#toldHighWatermark, this.startOffset), this.endOffset);
  }

  get sizeBytes(): number {
    let total = 0;
    for (const segment of this.segments) total += segment.size;
    return total;
  }

  /** Index of the segment that `offset` belongs to: the last one whose base is not above it; -1 where it is below all. */
  segmentIndexOf(offset: Offset): number {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.segments[middle]!.baseOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** A segment object for files of these lengths, whose names end with `suffix`. */
  segmentOf(baseOffset: Offset, bytes: SegmentFileBytes = NO_BYTES, suffix = ''): Segment {
    return new Segment(
      {
        place: this.place,
        baseOffset,
        suffix,
        logBytes: bytes.log,
        offsetIndexBytes: bytes.offsetIndex,
        timeIndexBytes: bytes.timeIndex,
        transactionIndexBytes: bytes.transactionIndex,
        jitterMs: this.#jitterMs(),
        indexIntervalBytes: this.config.indexIntervalBytes,
        createdMs: this.clock.monotonicMs(),
      },
      this,
    );
  }

  #jitterMs(): number {
    const bound = Math.min(this.config.segmentJitterMs, this.config.segmentMs);
    return bound <= 0 ? 0 : Math.floor(this.random.fraction() * bound);
  }

  get longestSegmentMs(): number {
    return longestSegmentMs(this.config);
  }

  /** Takes a transaction whose marker was written to `segment` into its index. */
  transactionCompleted(segment: Segment, completed: CompletedTransaction): void {
    if (!completed.aborted) return;
    if (segment.transactionIndex.count === 0) this.directoryDirty = true;
    segment.transactionIndex.append(completed);
  }

  /** Whether appends and reads are served. */
  get isUsable(): boolean {
    return this.failure === undefined && !this.closed && !this.superseded;
  }

  get unusableReason(): string {
    if (this.superseded) return 'the log has moved to another directory';
    return this.failure === undefined ? 'the log is closed' : `the log failed: ${this.failure.message}`;
  }

  /** Makes checkpoints durable, in this turn, that claim more than is. Throws the system's error. */
  settleCheckpoint(): void {
    if (!this.checkpointStale) return;
    this.listeners.onStaleCheckpoint?.();
    this.checkpointStale = false;
  }

  /** Counts what created, renamed or removed files. */
  get nameChanges(): number {
    return this.#nameChanges;
  }

  /** Files were created or renamed since the directory was synced. */
  get directoryDirty(): boolean {
    return this.#namesSynced < this.#nameChanges;
  }

  /** Set it after the change. */
  set directoryDirty(dirty: boolean) {
    if (dirty) this.#nameChanges++;
    else this.#namesSynced = this.#nameChanges;
  }

  /** The directory was synced when `nameChanges` had been so many. */
  namesSynced(changes: number): void {
    this.#namesSynced = Math.max(this.#namesSynced, changes);
  }

  /** Nothing will be appended any more: writes what the files lack, and the producers. Throws the system's error. */
  finishForClose(): void {
    this.closing = true;
    // A recovery takes the snapshot for a place below which all is durable, where the recovery point lies above.
    this.settleCheckpoint();
    this.active.finishIndexes();
    // A log that never held a record has none, as with Kafka: thousands of new ones would each cost a file.
    if (this.endOffset > (this.snapshots.latest ?? 0)) this.snapshots.write(this.endOffset, this.producers.entries);
  }

  /** Takes note of an error of the file system: the log fails, unless the error can pass by itself. */
  noteError(error: unknown, doing: string): string {
    if (isSegmentMissing(error)) this.damage.report(error.message, { remedy: error.remedy });
    else if (isPassing(error)) this.#tellOfTrouble(error, doing);
    else this.fail(error, doing);
    return `cannot ${doing}: ${messageOf(error)}`;
  }

  /** A full disk refuses every append: once a minute is enough. */
  #tellOfTrouble(error: unknown, doing: string): void {
    const nowMs = this.clock.monotonicMs();
    if (this.trouble !== undefined && nowMs - this.trouble.toldMs < TROUBLE_REPEAT_MS) return;
    this.trouble = { sinceMs: this.trouble?.sinceMs ?? nowMs, toldMs: nowMs };
    this.logger.warn(`Cannot ${doing}`, {
      directory: this.place.path,
      error: messageOf(error),
      remedy: 'Make room on that disk, or move partitions to others; writing goes on by itself.',
    });
  }

  /** An append succeeded. */
  troubleEnded(sinceMs: number): void {
    this.trouble = undefined;
    const forMs = Math.round(this.clock.monotonicMs() - sinceMs);
    this.logger.info('The log can be written again', { directory: this.place.path, forMs });
  }

  /** Nothing is served from here on. What may be half-written stays behind the log's end, and recovery cuts it. */
  fail(error: unknown, doing: string): void {
    if (this.failure !== undefined || this.closed) return;
    this.failure = error instanceof Error ? error : new Error(messageOf(error));
    this.logger.error(`Failed to ${doing}; the log is offline`, { error: messageOf(error) });
    this.listeners.onFailure?.(this.failure);
  }

  /** The error that promises of an unusable log reject with. */
  unusableError(): SluiceError {
    return new SluiceError('STORAGE_FAILED', `${this.topic}-${this.partition}: ${this.unusableReason}`, {
      remedy: 'Look for an earlier error of the disk in the log, replace the disk, and restart the broker.',
      cause: this.failure,
    });
  }
}
