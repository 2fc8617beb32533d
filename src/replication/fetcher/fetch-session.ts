/**
 * A follower's side of an incremental fetch session (KIP-227): builds requests that tell only what changed since the last
 * one. Knows nothing of connections, nor of what the answers mean for a log.
 */
import type { BrokerId } from '../../base/units.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { fetch } from '../../protocol/apis/fetch.ts';
import type { Encodable } from '../../protocol/schema.ts';
import type { FollowedPartition } from './followed-partition.ts';

export interface FollowerFetchLimits {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
}

export type FetchBody = Encodable<(typeof fetch)['request']>;
type TopicBody = NonNullable<FetchBody['topics']>[number];
type PartitionBody = NonNullable<TopicBody['partitions']>[number];

const NO_SESSION = 0;
const OPENING = 0;
/** Topics are told by id: another one of the same name must not be taken for it. */
const BY_ID = '';
const LAST_EPOCH = 2 ** 31 - 1;

export class FollowerSession {
  readonly #replica: { readonly brokerId: BrokerId; readonly brokerEpoch: () => number };
  #id = NO_SESSION;
  #epoch = OPENING;
  /** What the leader's session has, by topic id and partition. */
  readonly #told = new Map<Uuid, Map<number, FollowedPartition>>();
  #requests = 0;

  constructor(replica: { readonly brokerId: BrokerId; readonly brokerEpoch: () => number }) {
    this.#replica = replica;
  }

  /** Whether the leader keeps a session, so that a request may name only what is new. */
  get isOpen(): boolean {
    return this.#id !== NO_SESSION;
  }

  /** The leader has nothing any more: the next request tells everything. */
  reset(): void {
    this.#id = NO_SESSION;
    this.#epoch = OPENING;
    for (const partitions of this.#told.values()) for (const followed of partitions.values()) followed.told = undefined;
    this.#told.clear();
  }

  /** What a partition of an answer belongs to. */
  find(topicId: Uuid, partition: number): FollowedPartition | undefined {
    return this.#told.get(topicId)?.get(partition);
  }

  /**
   * The next request, for the partitions that are `wanted`; undefined where there is nothing to fetch. Tells its number, by
   * which an answer is known to be younger than what it is compared with.
   */
  next(
    wanted: ReadonlySet<FollowedPartition>,
    limits: FollowerFetchLimits,
  ): { readonly number: number; readonly body: FetchBody } | undefined {
    if (!this.isOpen) this.reset();
    if (wanted.size === 0) return undefined;
    const number = ++this.#requests;
    const topics = this.#tell(wanted, limits, number);
    const forgottenTopicsData = this.#forget(wanted);
    const { brokerId, brokerEpoch } = this.#replica;
    const body: FetchBody = {
      replicaState: { replicaId: brokerId, replicaEpoch: brokerEpoch() },
      maxWaitMs: limits.maxWaitMs,
      minBytes: limits.minBytes,
      maxBytes: limits.maxBytes,
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      topics,
      forgottenTopicsData,
    };
    if (this.isOpen) this.#epoch = this.#epoch === LAST_EPOCH ? 1 : this.#epoch + 1;
    return { number, body };
  }

  #tell(wanted: ReadonlySet<FollowedPartition>, limits: FollowerFetchLimits, number: number): TopicBody[] {
    const topics = new Map<Uuid, PartitionBody[]>();
    for (const followed of wanted) {
      if (!followed.isOutOfDate) continue;
      const { topicId, partition } = followed.partition;
      followed.told = followed.position;
      followed.toldIn = number;
      let known = this.#told.get(topicId);
      if (known === undefined) {
        known = new Map();
        this.#told.set(topicId, known);
      }
      known.set(partition, followed);
      let partitions = topics.get(topicId);
      if (partitions === undefined) {
        partitions = [];
        topics.set(topicId, partitions);
      }
      partitions.push({
        partition,
        currentLeaderEpoch: followed.leaderEpoch,
        fetchOffset: followed.told.offset,
        lastFetchedEpoch: followed.told.lastFetchedEpoch,
        logStartOffset: followed.told.startOffset,
        partitionMaxBytes: limits.partitionMaxBytes,
      });
    }
    return [...topics].map(([topicId, partitions]) => ({ topic: BY_ID, topicId, partitions }));
  }

  /** What the session has and is not wanted now, or stands there for an earlier leader epoch. */
  #forget(wanted: ReadonlySet<FollowedPartition>): NonNullable<FetchBody['forgottenTopicsData']> {
    const forgotten: { topic: string; topicId: Uuid; partitions: number[] }[] = [];
    for (const [topicId, known] of this.#told) {
      const partitions: number[] = [];
      for (const [partition, followed] of known) {
        if (wanted.has(followed)) continue;
        followed.told = undefined;
        known.delete(partition);
        partitions.push(partition);
      }
      if (known.size === 0) this.#told.delete(topicId);
      if (partitions.length > 0) forgotten.push({ topic: BY_ID, topicId, partitions });
    }
    return forgotten;
  }

  /** The leader answered with a session, or with none (0). */
  opened(sessionId: number): void {
    if (this.isOpen || sessionId === NO_SESSION) return;
    this.#id = sessionId;
    this.#epoch = 1;
  }
}
