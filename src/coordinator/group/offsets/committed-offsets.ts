/**
 * Committed offsets of all groups of a shard, as their records say. Offsets of an open transaction are kept apart until
 * its marker decides: then they count, or never did. Changes by replay alone.
 */
import type { LeaderEpoch, Offset, ProducerId, Timestamp } from '../../../base/units.ts';
import type { Uuid } from '../../../base/uuid.ts';
import * as batch from '../../../records/batch.ts';
import type { RecordPlace } from '../../runtime/shard-state.ts';
import type { GroupRecordOf } from '../records.ts';
import { PartitionMap } from './partition-map.ts';

export interface CommittedOffset {
  readonly offset: Offset;
  /** Of the record before the offset, as the consumer saw it; -1 where it did not say. */
  readonly leaderEpoch: LeaderEpoch;
  readonly metadata: string;
  readonly commitTimestamp: Timestamp;
  /** -1 unless an old client asked for a retention of its own. */
  readonly expireTimestamp: Timestamp;
  /** ZERO_UUID where the record tells none. */
  readonly topicId: Uuid;
  /** Where the record of the commit lies: of two commits the later one counts. */
  readonly recordOffset: Offset;
}

type OffsetKey = GroupRecordOf<'offsetCommit'>['key'];
type OffsetValue = GroupRecordOf<'offsetCommit'>['value'];

export class CommittedOffsets {
  readonly #offsets = new PartitionMap<CommittedOffset>();
  readonly #pending = new Map<ProducerId, PartitionMap<CommittedOffset>>();
  /** Producers with an undecided commit, by what they committed. */
  readonly #open = new PartitionMap<Set<ProducerId>>();

  /** Number of committed offsets, those of open transactions left out. */
  get size(): number {
    return this.#offsets.size;
  }

  get(group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#offsets.get(group, topic, partition);
  }

  topics(group: string): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> | undefined {
    return this.#offsets.topics(group);
  }

  /** Whether a transaction that is not decided has committed an offset of the partition, or of any of the group. */
  isOpen(group: string, topic?: string, partition?: number): boolean {
    if (topic === undefined || partition === undefined) return this.#open.topics(group) !== undefined;
    return this.#open.get(group, topic, partition) !== undefined;
  }

  /** Calls `visit` for every partition of the group that has an offset, committed or in an open transaction. */
  eachPartition(group: string, visit: (topic: string, partition: number) => void): void {
    this.#offsets.each((_group, topic, partition) => visit(topic, partition), group);
    this.#open.each((_group, topic, partition) => {
      if (this.#offsets.get(group, topic, partition) === undefined) visit(topic, partition);
    }, group);
  }

  /** Calls `visit` for every offset of the topic in any group, those of open transactions included. */
  eachOfTopic(wanted: string, visit: (group: string, partition: number, committed: CommittedOffset) => void): void {
    for (const offsets of [this.#offsets, ...this.#pending.values()]) {
      for (const group of offsets.groups()) {
        for (const [partition, committed] of offsets.topics(group)?.get(wanted) ?? [])
          visit(group, partition, committed);
      }
    }
  }

  replay(key: OffsetKey, value: OffsetValue, place: RecordPlace): void {
    const { group, topic, partition } = key;
    if (value === null) {
      this.#remove(group, topic, partition);
      return;
    }
    const committed: CommittedOffset = {
      offset: value.offset,
      leaderEpoch: value.leaderEpoch,
      metadata: value.metadata,
      commitTimestamp: value.commitTimestamp,
      expireTimestamp: value.expireTimestamp,
      topicId: value.topicId,
      recordOffset: place.offset,
    };
    if (place.producerId === batch.NO_PRODUCER_ID) {
      this.#offsets.set(group, topic, partition, committed);
      return;
    }
    const pending = this.#pending.get(place.producerId) ?? new PartitionMap<CommittedOffset>();
    this.#pending.set(place.producerId, pending);
    pending.set(group, topic, partition, committed);
    const producers = this.#open.get(group, topic, partition) ?? new Set<ProducerId>();
    this.#open.set(group, topic, partition, producers.add(place.producerId));
  }

  endTransaction(producerId: ProducerId, committed: boolean): void {
    const pending = this.#pending.get(producerId);
    if (pending === undefined) return;
    this.#pending.delete(producerId);
    pending.each((group, topic, partition, offset) => {
      const producers = this.#open.get(group, topic, partition);
      producers?.delete(producerId);
      if (producers?.size === 0) this.#open.delete(group, topic, partition);
      const known = this.#offsets.get(group, topic, partition);
      if (committed && (known === undefined || offset.recordOffset > known.recordOffset)) {
        this.#offsets.set(group, topic, partition, offset);
      }
    });
  }

  #remove(group: string, topic: string, partition: number): void {
    this.#offsets.delete(group, topic, partition);
    for (const producerId of this.#open.get(group, topic, partition) ?? []) {
      this.#pending.get(producerId)?.delete(group, topic, partition);
    }
    this.#open.delete(group, topic, partition);
  }
}
