/**
 * One partition that this broker hosts: its log, who leads it, and how far it is committed. Leader side only moves
 * here; who may lead is decided by the controller and arrives as `PartitionState`.
 *
 * Concurrency: every method but `offsetFor` runs to its end within one turn, so the check of an epoch and the append
 * or read that depends on it cannot be separated.
 */
import type { FileRegion } from '../base/file-region.ts';
import type { BrokerId, LeaderEpoch, Offset, Timestamp } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { AbortedTransaction, Log } from '../storage/log.ts';
import type { AppendOutcome, LeaderAppendOptions } from '../storage/log-append.ts';

/** What the controller decided about a partition. */
export interface PartitionState {
  readonly leader: BrokerId;
  readonly leaderEpoch: LeaderEpoch;
  readonly replicas: readonly BrokerId[];
  readonly inSyncReplicas: readonly BrokerId[];
}

/** Which records a reader may see: all that are committed to the replicas, or only those of finished transactions. */
export type Isolation = 'read_uncommitted' | 'read_committed';

export interface ReadRequest {
  readonly offset: Offset;
  readonly maxBytes: number;
  /** Return one whole batch even where it is larger than `maxBytes`, so that a reader cannot get stuck. */
  readonly minOneBatch: boolean;
  readonly isolation: Isolation;
  /** The leader epoch that the reader believes in; -1 where it does not say (KIP-320). */
  readonly currentLeaderEpoch: LeaderEpoch;
  /** Epoch of the last record that the reader has; -1 where it does not say (KIP-595). */
  readonly lastFetchedEpoch: LeaderEpoch;
}

/** What a read found. A `region` must be released once, by sending it or by `release()`. */
export interface ReadResult {
  readonly errorCode: ErrorCode;
  readonly highWatermark: Offset;
  readonly lastStableOffset: Offset;
  readonly startOffset: Offset;
  readonly region: FileRegion | undefined;
  /** Which transactions of these records a `read_committed` reader must skip; null for any other reader. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
  /** Where the reader's log parts from ours, when `lastFetchedEpoch` shows that it does. */
  readonly divergingEpoch: { readonly epoch: LeaderEpoch; readonly endOffset: Offset } | undefined;
}

/** Hears of records that became readable. */
export type ReadableListener = (bytes: number) => void;

/** Special timestamps of ListOffsets. */
export const ListOffsetsTimestamp = {
  latest: -1,
  earliest: -2,
  maxTimestamp: -3,
  earliestLocal: -4,
  latestTiered: -5,
  earliestPendingUpload: -6,
} as const;

export interface FoundOffset {
  readonly offset: Offset;
  readonly timestamp: Timestamp;
  readonly leaderEpoch: LeaderEpoch;
}

const NOTHING_FOUND: FoundOffset = { offset: -1, timestamp: -1, leaderEpoch: -1 };

export class Partition {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  #log: Log;
  readonly #brokerId: BrokerId;
  readonly #listeners = new Set<ReadableListener>();
  #state: PartitionState;
  #minInSyncReplicas: number;
  #highWatermark: Offset;

  constructor(options: {
    readonly topicId: Uuid;
    readonly log: Log;
    readonly brokerId: BrokerId;
    readonly state: PartitionState;
    readonly minInSyncReplicas: number;
  }) {
    this.topic = options.log.topic;
    this.partition = options.log.partition;
    this.topicId = options.topicId;
    this.#log = options.log;
    this.#brokerId = options.brokerId;
    this.#state = options.state;
    this.#minInSyncReplicas = options.minInSyncReplicas;
    this.#highWatermark = this.log.endOffset;
    this.log.updateHighWatermark(this.#highWatermark);
    if (this.isLeader) this.log.assignEpochStart(options.state.leaderEpoch, this.log.endOffset);
  }

  /** Another one after a move between log directories: never kept over a turn. */
  get log(): Log {
    return this.#log;
  }

  /** The log was moved: `log` holds the same from this turn on. */
  replaceLog(log: Log): void {
    this.#log = log;
  }

  get state(): PartitionState {
    return this.#state;
  }

  get isLeader(): boolean {
    return this.#state.leader === this.#brokerId;
  }

  /** First offset that is not yet on every in-sync replica: the end of what readers see. */
  get highWatermark(): Offset {
    return this.#highWatermark;
  }

  /** First offset that a `read_committed` reader must not pass. */
  get lastStableOffset(): Offset {
    return this.log.lastStableOffset;
  }

  /** Takes over a decision of the controller. A state of an older epoch is ignored. */
  update(state: PartitionState): void {
    if (state.leaderEpoch < this.#state.leaderEpoch) return;
    const epochChanged = state.leaderEpoch !== this.#state.leaderEpoch;
    this.#state = state;
    if (this.isLeader && epochChanged) this.log.assignEpochStart(state.leaderEpoch, this.log.endOffset);
    this.#advanceHighWatermark();
    // Whoever waits must look again: the partition may have lost its leadership here.
    if (epochChanged) this.#announce(Number.POSITIVE_INFINITY);
  }

  setMinInSyncReplicas(count: number): void {
    this.#minInSyncReplicas = count;
  }

  /**
   * Appends what a producer sent, in this turn. `requiredAcks` as in the Produce request: -1 waits for the in-sync
   * replicas and is refused while they are fewer than min.insync.replicas.
   */
  append(batches: Buffer, options: Omit<LeaderAppendOptions, 'leaderEpoch'>, requiredAcks: number): AppendOutcome {
    if (!this.isLeader) return refusal(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'this broker does not lead the partition');
    if (requiredAcks === -1 && this.#state.inSyncReplicas.length < this.#minInSyncReplicas) {
      return refusal(
        ErrorCode.NOT_ENOUGH_REPLICAS,
        `${this.#state.inSyncReplicas.length} replicas are in sync, min.insync.replicas is ${this.#minInSyncReplicas}`,
      );
    }
    const outcome = this.log.appendAsLeader(batches, { ...options, leaderEpoch: this.#state.leaderEpoch });
    if (outcome.ok && !outcome.duplicate) {
      this.#advanceHighWatermark();
      this.#announce(batches.length);
    }
    return outcome;
  }

  /** Refuses a reader that believes in another leader epoch (KIP-320); NONE where it agrees or does not say. */
  checkEpoch(currentLeaderEpoch: LeaderEpoch): ErrorCode {
    if (!this.isLeader) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    if (currentLeaderEpoch === -1 || currentLeaderEpoch === this.#state.leaderEpoch) return ErrorCode.NONE;
    return currentLeaderEpoch < this.#state.leaderEpoch
      ? ErrorCode.FENCED_LEADER_EPOCH
      : ErrorCode.UNKNOWN_LEADER_EPOCH;
  }

  /** Finds the bytes to send for one partition of a Fetch. Does not wait; does not touch the disk if `log.warm` said so. */
  read(request: ReadRequest): ReadResult {
    const epochError = this.checkEpoch(request.currentLeaderEpoch);
    if (epochError !== ErrorCode.NONE) return failedRead(epochError);
    if (request.lastFetchedEpoch >= 0) {
      const ours = this.log.endOffsetForEpoch(request.lastFetchedEpoch);
      if (ours.epoch < 0) return failedRead(ErrorCode.OFFSET_OUT_OF_RANGE);
      if (ours.epoch < request.lastFetchedEpoch || ours.endOffset < request.offset) {
        return this.#nothingRead(ours);
      }
    }
    const committed = request.isolation === 'read_committed';
    const upTo = committed ? this.lastStableOffset : this.#highWatermark;
    const outcome = this.log.read(request.offset, {
      maxBytes: request.maxBytes,
      minOneBatch: request.minOneBatch,
      upTo,
      collectAborted: committed,
    });
    if (!outcome.ok) return failedRead(outcome.errorCode);
    return {
      errorCode: ErrorCode.NONE,
      highWatermark: this.#highWatermark,
      lastStableOffset: this.lastStableOffset,
      startOffset: this.log.startOffset,
      region: outcome.region,
      abortedTransactions: outcome.aborted ?? null,
      divergingEpoch: undefined,
    };
  }

  /** Answers ListOffsets for one partition; `timestamp` may be one of `ListOffsetsTimestamp`. */
  async offsetFor(timestamp: Timestamp, isolation: Isolation): Promise<FoundOffset> {
    const last = isolation === 'read_committed' ? this.lastStableOffset : this.#highWatermark;
    switch (timestamp) {
      case ListOffsetsTimestamp.latest:
        return { offset: last, timestamp: -1, leaderEpoch: this.#state.leaderEpoch };
      case ListOffsetsTimestamp.earliest:
      case ListOffsetsTimestamp.earliestLocal:
        return { offset: this.log.startOffset, timestamp: -1, leaderEpoch: this.log.epochAt(this.log.startOffset) };
      case ListOffsetsTimestamp.latestTiered:
      case ListOffsetsTimestamp.earliestPendingUpload:
        return NOTHING_FOUND;
      case ListOffsetsTimestamp.maxTimestamp:
        return below(await this.log.maxTimestampOffset(), last);
      default:
        return below(await this.log.offsetForTimestamp(timestamp, last), last);
    }
  }

  /** Moves the start of the log up to `offset` (DeleteRecords); -1 stands for the high watermark. Returns the new start. */
  deleteRecordsBefore(offset: Offset): { readonly errorCode: ErrorCode; readonly startOffset: Offset } {
    if (!this.isLeader) return { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, startOffset: -1 };
    if (this.log.config.compactPolicy && !this.log.config.deletePolicy) {
      return { errorCode: ErrorCode.POLICY_VIOLATION, startOffset: -1 };
    }
    const target = offset === -1 ? this.#highWatermark : offset;
    if (target < 0 || target > this.#highWatermark) {
      return { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, startOffset: -1 };
    }
    const errorCode = this.log.advanceStartOffset(target);
    return { errorCode, startOffset: errorCode === ErrorCode.NONE ? this.log.startOffset : -1 };
  }

  /** Calls `listener` with the bytes that each append makes readable, until the returned function is called. */
  onReadable(listener: ReadableListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The partition leaves this broker: whoever waits on it must look again. */
  retire(): void {
    this.#state = { ...this.#state, leader: -1 };
    this.#announce(Number.POSITIVE_INFINITY);
  }

  #advanceHighWatermark(): void {
    // The only replica: what is in its log is committed.
    this.#highWatermark = Math.max(this.#highWatermark, this.log.endOffset);
    this.log.updateHighWatermark(this.#highWatermark);
  }

  #nothingRead(divergingEpoch: ReadResult['divergingEpoch']): ReadResult {
    return {
      errorCode: ErrorCode.NONE,
      highWatermark: this.#highWatermark,
      lastStableOffset: this.lastStableOffset,
      startOffset: this.log.startOffset,
      region: undefined,
      abortedTransactions: null,
      divergingEpoch,
    };
  }

  #announce(bytes: number): void {
    for (const listener of this.#listeners) listener(bytes);
  }
}

/** With an error a reader is told no offset of the log, as by Kafka: it asks ListOffsets where to go on. */
function failedRead(errorCode: ErrorCode): ReadResult {
  return {
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    startOffset: -1,
    region: undefined,
    abortedTransactions: null,
    divergingEpoch: undefined,
  };
}

function refusal(errorCode: ErrorCode, message: string): AppendOutcome {
  return { ok: false, errorCode, message };
}

function below(found: FoundOffset | undefined, end: Offset): FoundOffset {
  return found === undefined || found.offset >= end ? NOTHING_FOUND : found;
}
