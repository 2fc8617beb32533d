/** One partition that is fetched from its leader in one leader epoch: what the leader was told of it, and when to go on. */
import type { LeaderEpoch, Offset } from '../../base/units.ts';
import type { Partition } from '../partition.ts';

/** A position as a fetch session keeps it. */
export interface ToldPosition {
  readonly offset: Offset;
  readonly startOffset: Offset;
  readonly lastFetchedEpoch: LeaderEpoch;
}

const FIRST_BACKOFF_MS = 50;
/** Between two lines about the same reason. */
const REPEAT_MS = 60_000;

export class FollowedPartition {
  readonly partition: Partition;
  readonly leaderEpoch: LeaderEpoch;
  /** What the leader's session has; undefined where it has nothing. */
  told: ToldPosition | undefined;
  /** Number of the request that told it. */
  toldIn = 0;
  /** Nothing is asked for before, on the monotonic clock. */
  retryAtMs = Number.NEGATIVE_INFINITY;
  /** An answer in this epoch found the log to be the beginning of the leader's, and only what the leader sent came since. */
  agrees = false;
  /** The leader is asked where its log starts and ends. */
  isResetting = false;
  /** Everything that the leader had committed was there at the last answer. */
  isCaughtUp = false;
  /** Nothing is fetched any more until the controller decides anew: the epoch is an old one, or the disk failed. */
  isStopped = false;
  #backoffMs = FIRST_BACKOFF_MS;
  #told: { readonly reason: string; readonly atMs: number } | undefined;

  constructor(partition: Partition) {
    this.partition = partition;
    this.leaderEpoch = partition.state.leaderEpoch;
  }

  /** Whether this broker still follows, in the epoch that was fetched in. */
  get isCurrent(): boolean {
    const { state, isLeader } = this.partition;
    return !isLeader && state.leaderEpoch === this.leaderEpoch;
  }

  get position(): ToldPosition {
    const { endOffset, startOffset, latestEpoch } = this.partition.log;
    return { offset: endOffset, startOffset, lastFetchedEpoch: latestEpoch };
  }

  /** Whether the leader's session has something else than `position`. */
  get isOutOfDate(): boolean {
    const { told } = this;
    const { endOffset, startOffset, latestEpoch } = this.partition.log;
    return (
      told === undefined ||
      told.offset !== endOffset ||
      told.startOffset !== startOffset ||
      told.lastFetchedEpoch !== latestEpoch
    );
  }

  isReady(nowMs: number): boolean {
    return !this.isStopped && !this.isResetting && nowMs >= this.retryAtMs && !this.isHeldBack;
  }

  /** By follower.replication.throttled.rate: who is caught up is not, lest it leave the in-sync set. */
  get isHeldBack(): boolean {
    return !this.isCaughtUp && this.partition.throttle.follower?.isExceeded() === true;
  }

  backOff(nowMs: number, longestMs: number): void {
    this.retryAtMs = nowMs + Math.min(this.#backoffMs, longestMs);
    this.#backoffMs = Math.min(2 * this.#backoffMs, Math.max(longestMs, FIRST_BACKOFF_MS));
  }

  /** Whether somebody should hear of a reason to wait: of each once a minute. */
  isNews(reason: string, nowMs: number): boolean {
    if (this.#told?.reason === reason && nowMs - this.#told.atMs < REPEAT_MS) return false;
    this.#told = { reason, atMs: nowMs };
    return true;
  }

  /** Tells whether somebody heard that it did not. */
  succeeded(): boolean {
    this.#backoffMs = FIRST_BACKOFF_MS;
    const wasTold = this.#told !== undefined;
    this.#told = undefined;
    return wasTold;
  }
}
