/**
 * What a broker knows and decides while it leads a partition in one or more epochs: how far the followers are, which of
 * them are in sync, how far everything is committed. Proposes changes of the in-sync set; they count once the controller
 * committed them. Never touches the log.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerId, Offset } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';
import { type FollowerFetch, FollowerProgress } from './follower-progress.ts';
import { InSyncSet, type PendingChange } from './in-sync-set.ts';
import { type IsrOutcome, type IsrProposals, isCertainlyNotApplied } from './isr-changes.ts';
import type { PartitionState } from './partition-state.ts';

/** What a leader needs to know of the cluster. */
export interface ReplicaBrokers {
  /** Epoch of this broker's registration. */
  ownEpoch(): number;
  /** Epoch of a broker's registration, undefined for one that is not registered. */
  epochOf(brokerId: BrokerId): number | undefined;
  /** Whether the broker is registered, not fenced and not about to stop. */
  isActive(brokerId: BrokerId): boolean;
}

export interface LeaderEnvironment {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly brokers: ReplicaBrokers;
  readonly proposals: IsrProposals;
  /** replica.lag.time.max.ms */
  readonly lagTimeMaxMs: () => number;
  /** How long an in-sync follower may not be heard of while it misses records; infinity for no limit. */
  readonly silenceMaxMs: () => number;
}

export interface LedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  readonly brokerId: BrokerId;
}

/** Where the leader's log is, as far as a decision needs it. */
export interface LogPosition {
  readonly endOffset: Offset;
  readonly highWatermark: Offset;
}

const ANY_EPOCH = -1;
/** A leader that may not give up asks again after this. */
const GIVE_UP_PAUSE_MS = 1000;

export class Leadership {
  readonly #led: LedPartition;
  readonly #environment: LeaderEnvironment;
  readonly #onCommitted: () => void;
  #inSync: InSyncSet;
  #followers: FollowerProgress[] = [];
  #state: PartitionState;
  #mayGiveUpMs = 0;
  /** Where the log ended when this leader epoch began. */
  epochStart: Offset = 0;

  /** `onCommitted` is called when the in-sync set or the partition epoch changed because of an answer of the controller. */
  constructor(led: LedPartition, state: PartitionState, environment: LeaderEnvironment, onCommitted: () => void) {
    this.#led = led;
    this.#environment = environment;
    this.#onCommitted = onCommitted;
    this.#state = state;
    this.#inSync = new InSyncSet(state.inSyncReplicas);
    this.#assign(state.replicas);
  }

  /** The latest state, changes that the controller confirmed to this leader included. */
  get state(): PartitionState {
    return this.#state;
  }

  get inSync(): InSyncSet {
    return this.#inSync;
  }

  get followers(): readonly FollowerProgress[] {
    return this.#followers;
  }

  /** min.insync.replicas cannot ask for more replicas than there are. */
  effectiveMin(minInSyncReplicas: number): number {
    return Math.min(minInSyncReplicas, this.#followers.length + 1);
  }

  /** Takes over a state. A later one decides what was proposed before, one way or the other; the same again says nothing. */
  update(state: PartitionState): void {
    const isLater = state.partitionEpoch > this.#state.partitionEpoch;
    this.#state = state;
    this.#assign(state.replicas);
    if (isLater || this.#inSync.pending === undefined) this.#inSync.commit(state.inSyncReplicas);
  }

  /** A new leader epoch begins where the log ends now. */
  beginEpoch(leaderEnd: Offset, { isNewLeader }: { readonly isNewLeader: boolean }): void {
    this.epochStart = leaderEnd;
    const nowMs = this.#environment.clock.monotonicMs();
    for (const follower of this.#followers) {
      const inSync = this.#state.inSyncReplicas.includes(follower.brokerId);
      follower.reset({ isNewLeader, inSync, leaderEnd }, nowMs);
    }
  }

  #assign(replicas: readonly BrokerId[]): void {
    const known = this.#followers;
    this.#followers = replicas
      .filter((id) => id !== this.#led.brokerId)
      .map((id) => known.find(({ brokerId }) => brokerId === id) ?? new FollowerProgress(id));
  }

  follower(brokerId: BrokerId): FollowerProgress | undefined {
    return this.#followers.find((follower) => follower.brokerId === brokerId);
  }

  /** Takes note of a follower's fetch. False where a later registration of that broker is known: it must not count. */
  noteFetch(follower: FollowerProgress, fetch: FollowerFetch, log: LogPosition): boolean {
    const { clock, brokers } = this.#environment;
    const registered = brokers.epochOf(fetch.brokerId);
    if (fetch.brokerEpoch !== ANY_EPOCH && registered !== undefined && registered > fetch.brokerEpoch) return false;
    follower.note(fetch, log.endOffset, clock.monotonicMs());
    if (this.#mayExpand(follower, log)) this.#expand(follower);
    return true;
  }

  /** What is on every replica that is, or may be, in sync; the log's end where this is the only one. */
  committedEnd(leaderEnd: Offset): Offset {
    const followers = this.#followers;
    if (followers.length === 0) return leaderEnd;
    const { maximal } = this.#inSync;
    let committed = leaderEnd;
    for (let index = 0; index < followers.length; index++) {
      const follower = followers[index]!;
      if (follower.endOffset >= committed) continue;
      if (maximal.includes(follower.brokerId) || this.#isAboutToJoin(follower, leaderEnd)) {
        committed = follower.endOffset;
      }
    }
    return committed;
  }

  /** Without waiting for it, one that keeps up but for the high watermark could never join. */
  #isAboutToJoin(follower: FollowerProgress, leaderEnd: Offset): boolean {
    const { clock, lagTimeMaxMs, silenceMaxMs } = this.#environment;
    const nowMs = clock.monotonicMs();
    if (!follower.isCaughtUp(leaderEnd, nowMs, lagTimeMaxMs()) || follower.isSilent(nowMs, silenceMaxMs()))
      return false;
    return this.#isEligible(follower);
  }

  /** A broker that restarted must not come in on what its former life fetched (KIP-903). */
  #isEligible({ brokerId, brokerEpoch }: FollowerProgress): boolean {
    const { brokers } = this.#environment;
    if (brokerEpoch === undefined || !brokers.isActive(brokerId)) return false;
    return brokerEpoch === ANY_EPOCH || brokerEpoch === brokers.epochOf(brokerId);
  }

  /**
   * It must have reached the start of this epoch: between the high watermark and there may lie what the former leader had
   * committed.
   */
  #mayExpand(follower: FollowerProgress, { highWatermark }: LogPosition): boolean {
    const { brokerId, endOffset } = follower;
    if (this.#inSync.pending !== undefined || this.#inSync.committed.includes(brokerId)) return false;
    return endOffset >= highWatermark && endOffset >= this.epochStart && this.#isEligible(follower);
  }

  #expand({ brokerId }: FollowerProgress): void {
    this.#propose({ kind: 'expand', members: [...this.#inSync.committed, brokerId] });
  }

  /**
   * Proposes to go on without the in-sync followers that have not kept up. Who hangs while producers wait need not be
   * waited for as long as who lags; `hears` is false where this broker itself may have been deaf.
   */
  shrinkIfLagging({ endOffset, highWatermark }: LogPosition, { hears = true } = {}): void {
    if (this.#inSync.pending !== undefined) return;
    const nowMs = this.#environment.clock.monotonicMs();
    const lagTimeMaxMs = this.#environment.lagTimeMaxMs();
    const silenceMaxMs = hears ? this.#environment.silenceMaxMs() : Number.POSITIVE_INFINITY;
    const lagging = this.#inSync.committed.filter((id) => {
      if (id === this.#led.brokerId) return false;
      const follower = this.follower(id);
      if (follower === undefined || !follower.isCaughtUp(endOffset, nowMs, lagTimeMaxMs)) return true;
      return follower.endOffset < endOffset && follower.isSilent(nowMs, silenceMaxMs);
    });
    if (lagging.length === 0) return;
    const { topic, partition } = this.#led;
    const ends = lagging.map((id) => this.follower(id)?.endOffset ?? -1);
    this.#log('followers do not keep up and leave the in-sync set', {
      topic,
      partition,
      lagging,
      ends,
      endOffset,
      highWatermark,
    });
    this.#propose({ kind: 'shrink', members: this.#inSync.committed.filter((id) => !lagging.includes(id)) });
  }

  /**
   * This broker cannot write at the moment, its disk is full for one: proposes that one of the others leads, where enough of
   * them are in sync without it. It comes back as a follower.
   */
  giveUp(minInSyncReplicas: number): void {
    const members = this.#inSync.committed.filter((id) => id !== this.#led.brokerId);
    const nowMs = this.#environment.clock.monotonicMs();
    if (this.#inSync.pending !== undefined || nowMs < this.#mayGiveUpMs) return;
    if (members.length === 0 || members.length < this.effectiveMin(minInSyncReplicas)) return;
    this.#mayGiveUpMs = nowMs + GIVE_UP_PAUSE_MS;
    const { topic, partition } = this.#led;
    this.#log('This broker cannot write and leaves the lead to another', { topic, partition, members });
    this.#propose({ kind: 'shrink', members });
  }

  #propose(change: PendingChange): void {
    this.#inSync.propose(change);
    const { leaderEpoch, partitionEpoch } = this.#state;
    const { topicId, partition } = this.#led;
    this.#environment.proposals.submit({
      topicId,
      partition,
      leaderEpoch,
      partitionEpoch,
      members: change.members.map((brokerId) => ({ brokerId, brokerEpoch: this.#epochSeen(brokerId) })),
      isWanted: () => this.#inSync.pending === change,
      settle: (outcome) => this.#settle(change, outcome),
    });
  }

  /** Of a member that did not fetch yet none is known: the controller itself notices if it restarted. */
  #epochSeen(brokerId: BrokerId): number {
    if (brokerId === this.#led.brokerId) return this.#environment.brokers.ownEpoch();
    return this.follower(brokerId)?.brokerEpoch ?? ANY_EPOCH;
  }

  #settle(change: PendingChange, outcome: IsrOutcome): void {
    if (this.#inSync.pending !== change) return;
    if (outcome.errorCode !== ErrorCode.NONE) {
      // Otherwise the change may have happened: it stays pending until the metadata tell.
      if (isCertainlyNotApplied(outcome.errorCode)) this.#inSync.withdraw();
      const { topic, partition } = this.#led;
      this.#log('a change of in-sync replicas was refused', {
        topic,
        partition,
        members: change.members,
        error: errorName(outcome.errorCode),
      });
      return;
    }
    if (change.kind === 'expand') {
      const { topic, partition } = this.#led;
      this.#log('a follower is in sync again', { topic, partition, inSync: change.members });
    }
    const { leaderEpoch, partitionEpoch, inSyncReplicas } = outcome;
    if (leaderEpoch !== this.#state.leaderEpoch || partitionEpoch < this.#state.partitionEpoch) return;
    this.update({ ...this.#state, partitionEpoch, inSyncReplicas });
    this.#onCommitted();
  }

  /** The partition is led no longer, or by another broker: what was proposed does not matter any more. */
  end(): void {
    this.#inSync.withdraw();
  }

  #log(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#environment.logger.info(message, fields);
  }
}
