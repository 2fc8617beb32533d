/**
 * What a broker-side assignor is given and what it answers (KIP-848). Assignors are pure: the same specification gives
 * the same assignment, in whatever process.
 */
import { type Uuid, uuidToBytes } from '../../../base/uuid.ts';

/** Partitions by topic id. */
export type TopicPartitions = ReadonlyMap<Uuid, ReadonlySet<number>>;

export const NO_PARTITIONS: TopicPartitions = new Map();

export interface MemberSpec {
  /** Of a static member; null otherwise. */
  readonly instanceId: string | null;
  /** Told by the member. As in Kafka 4.3 neither assignor weighs it yet (KIP-848 leaves it to later versions). */
  readonly rackId: string | null;
  /** Topics that exist and that the member wants. */
  readonly subscribedTopicIds: ReadonlySet<Uuid>;
  /** What the member was assigned last: what a sticky assignor keeps. */
  readonly assignment: TopicPartitions;
}

export interface GroupSpec {
  /** By member id; the order is what breaks ties. */
  readonly members: ReadonlyMap<string, MemberSpec>;
  /** Whether all members want exactly the same topics. */
  readonly homogeneous: boolean;
  /** Number of partitions of a topic that some member wants. */
  partitionCount(topicId: Uuid): number;
  /** Whether the last assignment gave the partition to a member, be it one that has left the group since. */
  isAssigned(topicId: Uuid, partition: number): boolean;
}

/** By member id. A member that is left out gets nothing. */
export type GroupAssignment = ReadonlyMap<string, TopicPartitions>;

export interface Assignor {
  readonly name: string;
  assign(spec: GroupSpec): GroupAssignment;
}

/** An assignment that is changed in place while it is built. */
export type DraftAssignment = Map<Uuid, Set<number>>;

export function draftOf(assignment: TopicPartitions): DraftAssignment {
  const draft: DraftAssignment = new Map();
  for (const [topicId, partitions] of assignment) draft.set(topicId, new Set(partitions));
  return draft;
}

export function addPartition(draft: DraftAssignment, topicId: Uuid, partition: number): void {
  const partitions = draft.get(topicId);
  if (partitions === undefined) draft.set(topicId, new Set([partition]));
  else partitions.add(partition);
}

/** Takes a partition out, and its topic with the last one. */
export function removePartition(draft: DraftAssignment, topicId: Uuid, partition: number): void {
  const partitions = draft.get(topicId);
  if (partitions === undefined) return;
  partitions.delete(partition);
  if (partitions.size === 0) draft.delete(topicId);
}

/** Kafka's order of ids: as two signed 64-bit numbers. Any fixed order would do; this one makes assignments equal. */
export function compareUuids(left: Uuid, right: Uuid): number {
  const leftBytes = uuidToBytes(left)!;
  const rightBytes = uuidToBytes(right)!;
  for (const at of [0, 8]) {
    const difference = leftBytes.readBigInt64BE(at) - rightBytes.readBigInt64BE(at);
    if (difference !== 0n) return difference < 0n ? -1 : 1;
  }
  return 0;
}

/** Java's order of strings (by UTF-16 unit), which is also JavaScript's, and not that of a locale. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
