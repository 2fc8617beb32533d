/**
 * How far one follower is, as its leader sees it: every fetch tells where its log ends. Decides whether it keeps up; what
 * follows from that is the leader's business.
 */
import type { BrokerId, Offset } from '../base/units.ts';

/** What a fetch of a follower tells of its log. */
export interface FollowerFetch {
  readonly brokerId: BrokerId;
  /** Epoch of its registration; -1 where it does not say (KIP-903). */
  readonly brokerEpoch: number;
  /** End of its log: where it goes on. */
  readonly offset: Offset;
  readonly startOffset: Offset;
}

/** A link that carries less than this may make a follower seem to hang. */
const SLOWEST_BYTES_PER_MS = 1000;
const UNKNOWN: Offset = -1;
const NEVER = Number.NEGATIVE_INFINITY;

export class FollowerProgress {
  readonly brokerId: BrokerId;
  endOffset: Offset = UNKNOWN;
  startOffset: Offset = UNKNOWN;
  /** Undefined until it fetched. */
  brokerEpoch: number | undefined;
  #lastCaughtUpMs = NEVER;
  #lastFetchMs = NEVER;
  /** When it fetched and came on, or this leader epoch began if it did not yet. */
  #heardMs = NEVER;
  /** Bytes of the last answer: sending them takes time, too. */
  #sentBytes = 0;
  /** Where the leader's log ended when the follower fetched last. */
  #leaderEnd: Offset = UNKNOWN;

  constructor(brokerId: BrokerId) {
    this.brokerId = brokerId;
  }

  /**
   * A new leader epoch begins. A follower in the in-sync set counts as caught up now; another must not hold the high
   * watermark back. What was known from an earlier leadership of this broker is forgotten.
   */
  reset(epoch: { readonly isNewLeader: boolean; readonly inSync: boolean; readonly leaderEnd: Offset }, nowMs: number) {
    this.#lastCaughtUpMs = epoch.inSync ? nowMs : NEVER;
    this.#heardMs = nowMs;
    this.#sentBytes = 0;
    this.#lastFetchMs = epoch.inSync && !epoch.isNewLeader ? nowMs : NEVER;
    this.#leaderEnd = epoch.isNewLeader ? UNKNOWN : epoch.leaderEnd;
    if (!epoch.isNewLeader) return;
    this.endOffset = UNKNOWN;
    this.startOffset = UNKNOWN;
    this.brokerEpoch = undefined;
  }

  /**
   * It has caught up now where it asks for the leader's end; where it asks for what was the end at its last fetch, it
   * had caught up then. So one that always lags behind a steady stream by one fetch keeps up all the same. One that asks
   * again for what it was sent could not write it, its disk full for one: that is no better than silence.
   */
  note({ offset, startOffset, brokerEpoch }: FollowerFetch, leaderEnd: Offset, nowMs: number): void {
    const isStuck = this.#sentBytes > 0 && offset === this.endOffset;
    if (offset >= leaderEnd) this.#lastCaughtUpMs = nowMs;
    else if (offset >= this.#leaderEnd) this.#lastCaughtUpMs = Math.max(this.#lastCaughtUpMs, this.#lastFetchMs);
    this.endOffset = offset;
    this.startOffset = startOffset;
    this.brokerEpoch = brokerEpoch;
    this.#leaderEnd = Math.max(leaderEnd, this.#leaderEnd);
    this.#lastFetchMs = nowMs;
    if (!isStuck) this.#heardMs = nowMs;
    this.#sentBytes = 0;
  }

  /** It is being sent records. */
  sent(bytes: number): void {
    this.#sentBytes = bytes;
  }

  /** Whether it should have asked for more by now: a follower always has a fetch under way, unless it hangs. */
  isSilent(nowMs: number, silenceMaxMs: number): boolean {
    return nowMs - this.#heardMs > silenceMaxMs + this.#sentBytes / SLOWEST_BYTES_PER_MS;
  }

  isCaughtUp(leaderEnd: Offset, nowMs: number, lagTimeMaxMs: number): boolean {
    return this.endOffset === leaderEnd || nowMs - this.#lastCaughtUpMs <= lagTimeMaxMs;
  }

  /** Milliseconds since it was known to be caught up. */
  lagMs(nowMs: number): number {
    return nowMs - this.#lastCaughtUpMs;
  }
}
