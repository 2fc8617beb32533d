/**
 * One partition that this broker hosts: its log, who leads it, and how far it is committed. While this broker leads,
 * `Leadership` knows the followers; while it follows, a fetcher appends through `follower-log.ts`. Who may lead is decided
 * by the controller and arrives as `PartitionState`.
 *
 * Concurrency: every method but `offsetFor` runs to its end within one turn, so the check of an epoch and the append
 * or read that depends on it cannot be separated.
 */
import type { BrokerId, LeaderEpoch, Offset, Timestamp } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Log } from '../storage/log.ts';
import type { AppendOutcome, LeaderAppendOptions } from '../storage/log-append.ts';
import { type CommitWait, CommitWaits } from './commit-waits.ts';
import { type LeaderEnvironment, Leadership } from './leadership.ts';
import type { PartitionState } from './partition-state.ts';
import {
  type FoundOffset,
  failedRead,
  type Isolation,
  ListOffsetsTimestamp,
  NOTHING_FOUND,
  type ReadRequest,
  type ReadResult,
} from './reading.ts';
import { SOLE_REPLICA } from './sole-replica.ts';
import { NO_THROTTLE, type PartitionThrottle } from './throttle.ts';

export type { PartitionState } from './partition-state.ts';
export {
  type FoundOffset,
  type Isolation,
  ListOffsetsTimestamp,
  type ReadRequest,
  type ReadResult,
} from './reading.ts';

/** Hears of records that became readable. */
export type ReadableListener = (bytes: number) => void;

export interface PartitionOptions {
  readonly topicId: Uuid;
  readonly log: Log;
  readonly brokerId: BrokerId;
  readonly state: PartitionState;
  readonly minInSyncReplicas: number;
  /** What is known from the last run of what is committed; nothing is where left out. */
  readonly highWatermark?: Offset;
  readonly throttle?: PartitionThrottle;
}

const EVERYTHING = Number.POSITIVE_INFINITY;

export class Partition {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  #log: Log;
  readonly #brokerId: BrokerId;
  readonly #environment: LeaderEnvironment;
  /** Consumers, who see what is committed. */
  readonly #readers = new Set<ReadableListener>();
  /** Followers, who see everything. */
  readonly #followers = new Set<ReadableListener>();
  #state: PartitionState;
  #leadership: Leadership | undefined;
  #commitWaits: CommitWaits | undefined;
  /** Who waits until followers have let go of deleted records, too. */
  #deletionWaits: CommitWaits | undefined;
  #minInSyncReplicas: number;
  throttle: PartitionThrottle;
  /** The partition has left this broker. */
  #isRetired = false;
  /** Bytes that were appended since all was committed last. */
  #uncommittedBytes = 0;

  /** Without an `environment` the partition cannot have followers. */
  constructor(options: PartitionOptions, environment: LeaderEnvironment = SOLE_REPLICA) {
    this.topic = options.log.topic;
    this.partition = options.log.partition;
    this.topicId = options.topicId;
    this.#log = options.log;
    this.#brokerId = options.brokerId;
    this.#environment = environment;
    this.#minInSyncReplicas = options.minInSyncReplicas;
    this.throttle = options.throttle ?? NO_THROTTLE;
    const { startOffset, endOffset } = this.log;
    this.log.updateHighWatermark(Math.min(Math.max(options.highWatermark ?? 0, startOffset), endOffset));
    this.#state = options.state;
    if (this.#leads(options.state)) this.#lead(options.state, { epochChanged: true });
  }

  /** Another one after a move between log directories: never kept over a turn. */
  get log(): Log {
    return this.#log;
  }

  /** The log was moved: `log` holds the same from this turn on. */
  replaceLog(log: Log): void {
    this.#log = log;
  }

  /** The latest that is known, also from the controller's answers to changes that this leader proposed. */
  get state(): PartitionState {
    return this.#leadership?.state ?? this.#state;
  }

  get isLeader(): boolean {
    return this.#leadership !== undefined;
  }

  /** What is known of the followers while this broker leads. */
  get leadership(): Leadership | undefined {
    return this.#leadership;
  }

  /** First offset that is not yet on every in-sync replica: the end of what readers see. */
  get highWatermark(): Offset {
    return this.log.highWatermark;
  }

  /** First offset that a `read_committed` reader must not pass. */
  get lastStableOffset(): Offset {
    return this.log.lastStableOffset;
  }

  /** Whether the end of what was committed before this leader's epoch is not known yet. */
  get isBehindEpoch(): boolean {
    return this.#leadership !== undefined && this.#leadership.epochStart > this.highWatermark;
  }

  #leads({ leader }: PartitionState): boolean {
    return leader === this.#brokerId && this.log.failure === undefined;
  }

  /** Takes over a decision of the controller. One that is older than what is known is ignored. */
  update(state: PartitionState): void {
    const known = this.state;
    if (this.#isRetired) return;
    if (state.partitionEpoch < known.partitionEpoch || state.leaderEpoch < known.leaderEpoch) return;
    const epochChanged = state.leaderEpoch !== known.leaderEpoch;
    if (this.#leads(state)) this.#lead(state, { epochChanged });
    else this.#resign(state, ErrorCode.NOT_LEADER_OR_FOLLOWER);
    // Whoever waits must look again: the partition may have lost its leadership here.
    if (epochChanged) this.#wakeAll();
  }

  #lead(state: PartitionState, { epochChanged }: { readonly epochChanged: boolean }): void {
    // Where an epoch in between was never heard of, another broker led in it and followers may have cut their logs.
    const isNewLeader = this.#leadership === undefined || state.leaderEpoch > this.#state.leaderEpoch + 1;
    this.#state = state;
    this.#leadership ??= new Leadership(
      { topic: this.topic, partition: this.partition, topicId: this.topicId, brokerId: this.#brokerId },
      state,
      this.#environment,
      () => this.#advance(),
    );
    this.#leadership.update(state);
    if (epochChanged || isNewLeader) {
      const { endOffset } = this.log;
      // Followers with records of a later epoch than any in this log must learn where that epoch would begin.
      this.log.assignEpochStart(state.leaderEpoch, endOffset);
      this.#leadership.beginEpoch(endOffset, { isNewLeader });
      this.#uncommittedBytes = EVERYTHING;
    }
    this.#advance();
  }

  /** Stops to lead, if this broker did. */
  #resign(state: PartitionState, told: ErrorCode): void {
    this.#state = state;
    this.#leadership?.end();
    this.#leadership = undefined;
    for (const waits of [this.#commitWaits, this.#deletionWaits]) waits?.failAll(told);
    this.#commitWaits = undefined;
    this.#deletionWaits = undefined;
  }

  setMinInSyncReplicas(count: number): void {
    this.#minInSyncReplicas = count;
    this.#advance();
  }

  /**
   * Appends what a producer sent, in this turn. `requiredAcks` as in the Produce request: -1 is refused while fewer
   * replicas are in sync than min.insync.replicas; see `commitOutcome` for when it is done.
   */
  append(batches: Buffer, options: Omit<LeaderAppendOptions, 'leaderEpoch'>, requiredAcks: number): AppendOutcome {
    const leadership = this.#leadership;
    if (leadership === undefined) {
      return refusal(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'this broker does not lead the partition');
    }
    if (requiredAcks === -1 && leadership.inSync.committed.length < leadership.effectiveMin(this.#minInSyncReplicas)) {
      // librdkafka takes NOT_ENOUGH_REPLICAS for a promise that the batch was never written, and writes it under a new epoch.
      return refusal(
        this.log.hasAlready(batches) ? ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND : ErrorCode.NOT_ENOUGH_REPLICAS,
        `${leadership.inSync.committed.length} replicas are in sync, min.insync.replicas is ${this.#minInSyncReplicas}`,
      );
    }
    const { origin, produceVersion, transactionVersion, verification } = options;
    const { leaderEpoch } = leadership.state;
    // Named one by one: a spread of options that came in several shapes costs V8 more than the rest of a small append.
    const asLeader = { leaderEpoch, origin, produceVersion, transactionVersion, verification };
    const outcome = this.log.appendAsLeader(batches, asLeader);
    if (outcome.ok && !outcome.duplicate) {
      this.#uncommittedBytes += batches.length;
      if (this.#followers.size > 0) announce(this.#followers, batches.length);
      this.#advance();
    }
    if (!outcome.ok && outcome.errorCode === ErrorCode.KAFKA_STORAGE_ERROR && this.log.failure === undefined) {
      leadership.giveUp(this.#minInSyncReplicas);
    }
    return outcome;
  }

  /**
   * What a producer with acks=all is told once the records below `requiredOffset` are as safe as they get; undefined
   * as long as they are not.
   */
  commitOutcome(requiredOffset: Offset): ErrorCode | undefined {
    const leadership = this.#leadership;
    if (this.log.failure !== undefined) return ErrorCode.KAFKA_STORAGE_ERROR;
    if (leadership === undefined) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    if (this.highWatermark < requiredOffset) return undefined;
    return this.#enoughReplicas(leadership);
  }

  #enoughReplicas(leadership: Leadership): ErrorCode {
    return leadership.effectiveMin(this.#minInSyncReplicas) <= leadership.inSync.maximal.length
      ? ErrorCode.NONE
      : ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND;
  }

  /** Settles `wait` once there is a `commitOutcome`; in this turn where there is one. */
  awaitCommit(wait: CommitWait): void {
    const outcome = this.commitOutcome(wait.requiredOffset);
    if (outcome !== undefined) {
      wait.settle(outcome);
      return;
    }
    this.#commitWaits ??= new CommitWaits();
    this.#commitWaits.add(wait);
  }

  stopAwaiting(wait: CommitWait): void {
    this.#commitWaits?.remove(wait);
    this.#deletionWaits?.remove(wait);
  }

  /** Moves the high watermark to where the in-sync replicas are, never back, and not while they are too few (KIP-966). */
  #advance(): void {
    const leadership = this.#leadership;
    if (leadership === undefined) return;
    if (leadership.inSync.committed.length < leadership.effectiveMin(this.#minInSyncReplicas)) return;
    const { endOffset, highWatermark } = this.log;
    const committed = leadership.committedEnd(endOffset);
    if (committed <= highWatermark) return;
    this.log.updateHighWatermark(committed);
    if (this.#commitWaits !== undefined) this.#commitWaits.reached(committed, this.#enoughReplicas(leadership));
    // In between it is not known how many bytes it were: who waits for some looks for itself.
    const bytes = committed === endOffset ? this.#uncommittedBytes : EVERYTHING;
    if (committed === endOffset) this.#uncommittedBytes = 0;
    announce(this.#readers, bytes);
  }

  /** Lets go of followers that do not keep up, and of what waits for them. Called from time to time. */
  checkFollowers({ hears = true } = {}): void {
    const leadership = this.#leadership;
    if (leadership === undefined || leadership.followers.length === 0 || this.log.failure !== undefined) return;
    leadership.shrinkIfLagging(this.log, { hears });
    this.#advance();
    this.#deletionWaits?.reached(this.lowWatermark, ErrorCode.NONE);
  }

  /** What the leader told a follower: up to where all is committed, and where its log starts. */
  followHighWatermark(leaderHighWatermark: Offset, leaderStartOffset: Offset): void {
    const { log } = this;
    const before = log.highWatermark;
    const { startOffset, endOffset } = log;
    const highWatermark = Math.max(before, Math.min(leaderHighWatermark, endOffset), startOffset);
    if (highWatermark > before) log.updateHighWatermark(highWatermark);
    if (leaderStartOffset > startOffset) log.advanceStartOffset(Math.min(leaderStartOffset, highWatermark));
    if (highWatermark > before) announce(this.#readers, EVERYTHING);
  }

  /** Refuses a reader that believes in another leader epoch (KIP-320); NONE where it agrees or does not say. */
  checkEpoch(
    currentLeaderEpoch: LeaderEpoch,
    { atFollower = false }: { readonly atFollower?: boolean } = {},
  ): ErrorCode {
    if (this.#isRetired) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    const { leaderEpoch } = this.#state;
    if (currentLeaderEpoch !== -1 && currentLeaderEpoch !== leaderEpoch) {
      return currentLeaderEpoch < leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH;
    }
    return this.#leadership !== undefined || atFollower ? ErrorCode.NONE : ErrorCode.NOT_LEADER_OR_FOLLOWER;
  }

  /** Finds the bytes to send for one partition of a Fetch. Does not wait; does not touch the disk if `log.warm` said so. */
  read(request: ReadRequest): ReadResult {
    const { follower } = request;
    const atFollower = follower === undefined && request.atFollower === true;
    const epochError = this.checkEpoch(request.currentLeaderEpoch, { atFollower });
    if (epochError !== ErrorCode.NONE) return failedRead(epochError);
    if (follower !== undefined && this.#leadership?.follower(follower.brokerId) === undefined) {
      // With an epoch it is this broker that does not know of the assignment yet: the follower asks again.
      const unknown = request.currentLeaderEpoch >= 0;
      return failedRead(unknown ? ErrorCode.UNKNOWN_LEADER_EPOCH : ErrorCode.NOT_LEADER_OR_FOLLOWER);
    }
    const preferred = request.preferredReplica ?? -1;
    if (preferred >= 0) return this.#nothingRead(undefined, preferred);
    if (request.lastFetchedEpoch >= 0) {
      const ours = this.log.endOffsetForEpoch(request.lastFetchedEpoch);
      if (ours.epoch < 0 || request.offset < this.log.startOffset) return failedRead(ErrorCode.OFFSET_OUT_OF_RANGE);
      if (ours.epoch < request.lastFetchedEpoch || ours.endOffset < request.offset) {
        return this.#nothingRead(ours);
      }
    }
    return this.#readLog(request);
  }

  #readLog(request: ReadRequest): ReadResult {
    const { follower } = request;
    const committed = follower === undefined && request.isolation === 'read_committed';
    const outcome = this.log.read(request.offset, {
      maxBytes: request.maxBytes,
      minOneBatch: request.minOneBatch,
      upTo: follower !== undefined ? this.log.endOffset : committed ? this.lastStableOffset : this.highWatermark,
      collectAborted: committed,
    });
    if (!outcome.ok) return failedRead(outcome.errorCode);
    let { region } = outcome;
    if (follower !== undefined) {
      if (request.countsAsFetch !== false && !this.#noteFetch(request)) {
        region?.release();
        return failedRead(ErrorCode.NOT_LEADER_OR_FOLLOWER);
      }
      if (region !== undefined && this.#holdsBack(follower.brokerId)) {
        region.release();
        region = undefined;
      } else if (region !== undefined) {
        this.throttle.leader?.record(region.length);
        this.#leadership?.follower(follower.brokerId)?.sent(region.length);
      }
    }
    return {
      errorCode: ErrorCode.NONE,
      highWatermark: this.highWatermark,
      lastStableOffset: this.lastStableOffset,
      startOffset: this.log.startOffset,
      region,
      abortedTransactions: outcome.aborted ?? null,
      divergingEpoch: undefined,
      preferredReplica: -1,
    };
  }

  /** A follower's fetch at a position that was found in this log: all below it is on that replica. */
  #noteFetch({ follower }: ReadRequest): boolean {
    const leadership = this.#leadership;
    const progress = follower === undefined ? undefined : leadership?.follower(follower.brokerId);
    if (leadership === undefined || follower === undefined || progress === undefined) return false;
    const before = progress.endOffset;
    if (!leadership.noteFetch(progress, follower, this.log)) return false;
    if (progress.endOffset !== before) this.#advance();
    this.#deletionWaits?.reached(this.lowWatermark, ErrorCode.NONE);
    return true;
  }

  /** Throttled is who is not in sync: an in-sync replica that starves would leave the set, and hold up producers until then. */
  #holdsBack(brokerId: BrokerId): boolean {
    const { leader } = this.throttle;
    return leader?.isExceeded() === true && this.#leadership?.inSync.committed.includes(brokerId) === false;
  }

  /**
   * Answers ListOffsets for one partition; `timestamp` may be one of `ListOffsetsTimestamp`. A follower asks with
   * `log_end`. OFFSET_NOT_AVAILABLE where the answer lies beyond what a new leader knows to be committed.
   */
  async offsetFor(timestamp: Timestamp, isolation: Isolation | 'log_end'): Promise<FoundOffset | ErrorCode> {
    const last = this.#endFor(isolation);
    const behind = isolation !== 'log_end' && this.isBehindEpoch;
    switch (timestamp) {
      case ListOffsetsTimestamp.latest:
        if (behind) return ErrorCode.OFFSET_NOT_AVAILABLE;
        return { offset: last, timestamp: -1, leaderEpoch: this.#state.leaderEpoch };
      case ListOffsetsTimestamp.earliest:
      case ListOffsetsTimestamp.earliestLocal:
        return { offset: this.log.startOffset, timestamp: -1, leaderEpoch: this.log.epochAt(this.log.startOffset) };
      case ListOffsetsTimestamp.latestTiered:
      case ListOffsetsTimestamp.earliestPendingUpload:
        return NOTHING_FOUND;
      case ListOffsetsTimestamp.maxTimestamp:
        return below(await this.log.maxTimestampOffset(), last, behind);
      default:
        return below(await this.log.offsetForTimestamp(timestamp, behind ? this.log.endOffset : last), last, behind);
    }
  }

  #endFor(isolation: Isolation | 'log_end'): Offset {
    if (isolation === 'log_end') return this.log.endOffset;
    return isolation === 'read_committed' ? this.lastStableOffset : this.highWatermark;
  }

  /**
   * Moves the start of the log up to `offset` (DeleteRecords); -1 stands for the high watermark. Returns the new start;
   * `awaitDeletion` tells when no replica has the records any more.
   */
  deleteRecordsBefore(offset: Offset): { readonly errorCode: ErrorCode; readonly startOffset: Offset } {
    if (!this.isLeader) return { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, startOffset: -1 };
    if (this.log.config.compactPolicy && !this.log.config.deletePolicy) {
      return { errorCode: ErrorCode.POLICY_VIOLATION, startOffset: -1 };
    }
    const target = offset === -1 ? this.highWatermark : offset;
    if (target < 0 || target > this.highWatermark) {
      return { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, startOffset: -1 };
    }
    const errorCode = this.log.advanceStartOffset(target);
    return { errorCode, startOffset: errorCode === ErrorCode.NONE ? this.log.startOffset : -1 };
  }

  /** First offset that any replica on a running broker still has, as far as the leader knows. */
  get lowWatermark(): Offset {
    let lowest = this.log.startOffset;
    for (const { brokerId, startOffset } of this.#leadership?.followers ?? []) {
      if (startOffset < lowest && this.#environment.brokers.isActive(brokerId)) lowest = startOffset;
    }
    return lowest;
  }

  /** Settles `wait` once the low watermark has come to its offset; in this turn where it has. */
  awaitDeletion(wait: CommitWait): void {
    if (this.#leadership === undefined || this.lowWatermark >= wait.requiredOffset) {
      wait.settle(this.#leadership === undefined ? ErrorCode.NOT_LEADER_OR_FOLLOWER : ErrorCode.NONE);
      return;
    }
    this.#deletionWaits ??= new CommitWaits();
    this.#deletionWaits.add(wait);
  }

  /**
   * Calls `listener` with the bytes that become readable, or infinity where everything must be looked at anew, until the
   * returned function is called. Followers hear of every append, consumers of what is committed.
   */
  onReadable(listener: ReadableListener, { uncommitted = false } = {}): () => void {
    const listeners = uncommitted ? this.#followers : this.#readers;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** The partition leaves this broker: whoever waits on it must look again. */
  retire(): void {
    this.#isRetired = true;
    this.#resign({ ...this.#state, leader: -1 }, ErrorCode.NOT_LEADER_OR_FOLLOWER);
    this.#wakeAll();
  }

  /** The disk failed: this replica serves nothing any more. */
  fail(): void {
    this.#resign({ ...this.#state, leader: -1 }, ErrorCode.KAFKA_STORAGE_ERROR);
    this.#wakeAll();
  }

  #nothingRead(divergingEpoch: ReadResult['divergingEpoch'], preferredReplica: BrokerId = -1): ReadResult {
    return {
      errorCode: ErrorCode.NONE,
      highWatermark: this.highWatermark,
      lastStableOffset: this.lastStableOffset,
      startOffset: this.log.startOffset,
      region: undefined,
      abortedTransactions: null,
      divergingEpoch,
      preferredReplica,
    };
  }

  #wakeAll(): void {
    announce(this.#readers, EVERYTHING);
    announce(this.#followers, EVERYTHING);
  }
}

function announce(listeners: ReadonlySet<ReadableListener>, bytes: number): void {
  for (const listener of listeners) listener(bytes);
}

function refusal(errorCode: ErrorCode, message: string): AppendOutcome {
  return { ok: false, errorCode, message };
}

function below(found: FoundOffset | undefined, end: Offset, behind: boolean): FoundOffset | ErrorCode {
  if (found === undefined || found.offset < end) return found ?? NOTHING_FOUND;
  return behind ? ErrorCode.OFFSET_NOT_AVAILABLE : NOTHING_FOUND;
}
