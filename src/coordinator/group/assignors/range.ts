/**
 * The `range` assignor: every topic's partitions are cut into as many consecutive ranges as it has subscribers.
 * Topics with equally many partitions and subscribers are so assigned alike (co-partitioned). Sticky only through its
 * order: static members first, by instance id, then the others by member id.
 */
import type { Uuid } from '../../../base/uuid.ts';
import { type Assignor, compareText, type GroupAssignment, type GroupSpec, type TopicPartitions } from './assignor.ts';

interface TopicRanges {
  readonly partitions: number;
  readonly perMember: number;
  /** Members that still get one more than `perMember`. */
  extra: number;
  next: number;
}

export const rangeAssignor: Assignor = {
  name: 'range',
  assign(spec: GroupSpec): GroupAssignment {
    const order = sortedMembers(spec);
    const topics = rangesOf(spec);
    const assignment = new Map<string, TopicPartitions>();
    for (const memberId of order) {
      const own = new Map<Uuid, ReadonlySet<number>>();
      for (const topicId of spec.members.get(memberId)!.subscribedTopicIds) {
        const range = takeRange(topics.get(topicId)!);
        if (range.size > 0) own.set(topicId, range);
      }
      assignment.set(memberId, own);
    }
    return assignment;
  },
};

function rangesOf(spec: GroupSpec): Map<Uuid, TopicRanges> {
  const subscribers = new Map<Uuid, number>();
  for (const { subscribedTopicIds } of spec.members.values()) {
    for (const topicId of subscribedTopicIds) subscribers.set(topicId, (subscribers.get(topicId) ?? 0) + 1);
  }
  const topics = new Map<Uuid, TopicRanges>();
  for (const [topicId, count] of subscribers) {
    const partitions = spec.partitionCount(topicId);
    topics.set(topicId, {
      partitions,
      perMember: Math.floor(partitions / count),
      extra: partitions % count,
      next: 0,
    });
  }
  return topics;
}

function takeRange(topic: TopicRanges): Set<number> {
  const size = topic.perMember + (topic.extra > 0 ? 1 : 0);
  if (topic.extra > 0) topic.extra--;
  const end = Math.min(topic.next + size, topic.partitions);
  const range = new Set<number>();
  while (topic.next < end) range.add(topic.next++);
  return range;
}

function sortedMembers(spec: GroupSpec): string[] {
  return [...spec.members.keys()].sort((left, right) => {
    const leftInstance = spec.members.get(left)!.instanceId;
    const rightInstance = spec.members.get(right)!.instanceId;
    if (leftInstance !== null && rightInstance !== null) return compareText(leftInstance, rightInstance);
    if (leftInstance !== null) return -1;
    if (rightInstance !== null) return 1;
    return compareText(left, right);
  });
}
