/** Sets of partitions by topic id, as members hold them and as records carry them. */
import type { Uuid } from '../../../base/uuid.ts';
import type { TopicPartitions } from '../assignors/assignor.ts';

/** By topic id and partition: the epoch at which the member got it. Commits of older epochs are refused. */
export type AssignedPartitions = ReadonlyMap<Uuid, ReadonlyMap<number, number>>;

export const NONE_ASSIGNED: AssignedPartitions = new Map();

/** Partitions of one topic in requests and responses. */
export interface TopicPartitionList {
  readonly topicId: Uuid;
  readonly partitions: readonly number[];
}

interface RecordedPartitions {
  topicId: Uuid;
  partitions: number[];
  assignmentEpochs: number[] | null;
}

export function sameAssigned(left: AssignedPartitions, right: AssignedPartitions): boolean {
  if (left === right) return true;
  if (left.size !== right.size) return false;
  for (const [topicId, partitions] of left) {
    const others = right.get(topicId);
    if (others === undefined || others.size !== partitions.size) return false;
    for (const [partition, epoch] of partitions) if (others.get(partition) !== epoch) return false;
  }
  return true;
}

export function samePartitions(left: TopicPartitions, right: TopicPartitions): boolean {
  if (left === right) return true;
  if (left.size !== right.size) return false;
  for (const [topicId, partitions] of left) {
    const others = right.get(topicId);
    if (others === undefined || others.size !== partitions.size) return false;
    for (const partition of partitions) if (!others.has(partition)) return false;
  }
  return true;
}

/** Whether a member that reports `owned` holds nothing that it was not assigned; not known (null) is no. */
export function ownsOnly(owned: readonly TopicPartitionList[] | null, assigned: AssignedPartitions): boolean {
  if (owned === null) return false;
  return owned.every(({ topicId, partitions }) => {
    const known = assigned.get(topicId);
    return known !== undefined && partitions.every((partition) => known.has(partition));
  });
}

/** Whether a member may still hold any of `assigned`; one that does not report may hold all. */
export function mayOwnAny(owned: readonly TopicPartitionList[] | null, assigned: AssignedPartitions): boolean {
  if (owned === null) return true;
  return owned.some(({ topicId, partitions }) => {
    const known = assigned.get(topicId);
    return known !== undefined && partitions.some((partition) => known.has(partition));
  });
}

export function withEpoch(partitions: TopicPartitions, epoch: number): AssignedPartitions {
  return new Map(
    [...partitions].map(([topicId, numbers]) => [topicId, new Map([...numbers].map((number) => [number, epoch]))]),
  );
}

export function withoutEpochs(assigned: AssignedPartitions): TopicPartitions {
  return new Map([...assigned].map(([topicId, partitions]) => [topicId, new Set(partitions.keys())]));
}

/** As a member is told: partitions in rising order. */
export function listOf(assigned: AssignedPartitions): TopicPartitionList[] {
  return [...assigned].map(([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()].sort((left, right) => left - right),
  }));
}

export function recordOfAssigned(assigned: AssignedPartitions): RecordedPartitions[] {
  return [...assigned].map(([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()],
    assignmentEpochs: [...partitions.values()],
  }));
}

/** Records of earlier releases name no epochs: the member's own stands in, and 0 for a static member that is away. */
export function assignedFromRecord(recorded: readonly RecordedPartitions[], memberEpoch: number): AssignedPartitions {
  const fallback = Math.max(memberEpoch, 0);
  return new Map(
    recorded.map(({ topicId, partitions, assignmentEpochs }) => {
      const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : undefined;
      return [topicId, new Map(partitions.map((partition, index) => [partition, epochs?.[index] ?? fallback]))];
    }),
  );
}

export function recordOfTarget(target: TopicPartitions): { topicId: Uuid; partitions: number[] }[] {
  return [...target].map(([topicId, partitions]) => ({ topicId, partitions: [...partitions] }));
}

export function targetFromRecord(recorded: readonly TopicPartitionList[]): TopicPartitions {
  return new Map(recorded.map(({ topicId, partitions }) => [topicId, new Set(partitions)]));
}
