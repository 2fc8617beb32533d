/**
 * Assignors of the classic protocol: the leader of a group gives every member its partitions. Pure: the same members and
 * topics give the same assignment.
 */
import type { TopicPartition } from '../../../base/units.ts';

/** A member as the leader sees it: what it said when it joined. */
export interface JoinedMember {
  readonly memberId: string;
  /** Of a static member; null otherwise. */
  readonly instanceId: string | null;
  readonly topics: readonly string[];
  /** What it holds while the group rebalances: nothing under assignors that are not cooperative. */
  readonly owned: readonly TopicPartition[];
  /** The generation in which it held that; -1 where it did not say. */
  readonly generation: number;
  readonly userData: Buffer | null;
  /** Where it is, as brokers name their racks; null where it did not say. */
  readonly rack: string | null;
}

/** Number of partitions by topic, of the topics that exist. */
export type PartitionCounts = ReadonlyMap<string, number>;

/** By topic and partition: the racks that have a replica. */
export type PartitionRacks = ReadonlyMap<string, readonly ReadonlySet<string>[]>;

/** Whether a member is where a replica of the partition is (KIP-881). Nobody is where racks are not known. */
export function isNear(member: JoinedMember, { topic, partition }: TopicPartition, racks: PartitionRacks): boolean {
  return member.rack !== null && racks.get(topic)?.[partition]?.has(member.rack) === true;
}

export const NO_RACKS: PartitionRacks = new Map();

/** Partitions by member id; every member has an entry. */
export type ClassicAssignment = Map<string, TopicPartition[]>;

/** What a member held last and since which generation, for assignors that keep it. */
export interface Held {
  readonly partitions: readonly TopicPartition[];
  readonly generation: number;
}

export interface ClassicAssignor {
  /** As it is told to the group; Kafka's own name. */
  readonly name: string;
  /** Whether members keep what they hold while they join (KIP-429). */
  readonly cooperative: boolean;
  /** What the member tells of itself beyond its topics. */
  userData(held: Held | undefined): Buffer | null;
  /** With `racks`, members get partitions that have a replica where they are, as far as that leaves the shares even. */
  assign(members: readonly JoinedMember[], topics: PartitionCounts, racks?: PartitionRacks): ClassicAssignment;
}

/** Static members first, by instance id, then the others by member id: an order that restarts do not change. */
export function byIdentity(left: JoinedMember, right: JoinedMember): number {
  if (left.instanceId !== null && right.instanceId !== null) return compareText(left.instanceId, right.instanceId);
  if (left.instanceId !== null) return -1;
  if (right.instanceId !== null) return 1;
  return compareText(left.memberId, right.memberId);
}

/** Java's order of strings, by UTF-16 unit. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Topics that exist and that some member wants, by name. */
export function wantedTopics(members: readonly JoinedMember[], topics: PartitionCounts): string[] {
  const wanted = new Set(members.flatMap((member) => member.topics));
  return [...wanted].filter((topic) => topics.has(topic)).sort(compareText);
}
