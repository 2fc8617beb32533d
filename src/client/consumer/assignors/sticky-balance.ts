/**
 * The assignment that sticky assignors share: even, and among the even ones close to the one before. Where all members
 * want the same topics every member gets the quotient or one more; otherwise no single move would make it more even.
 */
import { partitionName, type TopicPartition } from '../../../base/units.ts';
import {
  type ClassicAssignment,
  compareText,
  isNear,
  type JoinedMember,
  NO_RACKS,
  type PartitionCounts,
  type PartitionRacks,
  wantedTopics,
} from './assignor.ts';
import type { OwnedPartitions } from './owned-partitions.ts';

export function balance(
  members: readonly JoinedMember[],
  topics: PartitionCounts,
  owned: OwnedPartitions,
  racks: PartitionRacks = NO_RACKS,
): ClassicAssignment {
  if (wantTheSame(members)) return balanceEqual(members, topics, owned, racks);
  return balanceUnequal(members, topics, owned, racks);
}

function wantTheSame(members: readonly JoinedMember[]): boolean {
  const first = new Set(members[0]?.topics);
  return members.every(
    ({ topics }) => new Set(topics).size === first.size && topics.every((topic) => first.has(topic)),
  );
}

/** Partition by partition over the topics, so that what a member gives up is of many topics. */
function byPartition(left: TopicPartition, right: TopicPartition): number {
  return left.partition - right.partition || compareText(left.topic, right.topic);
}

/** First everybody keeps up to its quota, then who is near gets what is free, then all are filled in turn. */
function balanceEqual(
  members: readonly JoinedMember[],
  topics: PartitionCounts,
  owned: OwnedPartitions,
  racks: PartitionRacks,
): ClassicAssignment {
  const names = wantedTopics(members, topics);
  const total = names.reduce((sum, topic) => sum + topics.get(topic)!, 0);
  const least = Math.floor(total / members.length);
  const withOneMore = total % members.length;
  const assignment: ClassicAssignment = new Map();
  const kept = new Set<string>();
  let full = 0;
  for (const { memberId } of members) {
    const own = [...owned.byMember.get(memberId)!].sort(byPartition);
    const takesOneMore = own.length > least && full < withOneMore;
    if (takesOneMore) full++;
    const quota = own.slice(0, least + (takesOneMore ? 1 : 0));
    for (const { topic, partition } of quota) kept.add(partitionName(topic, partition));
    assignment.set(memberId, quota);
  }
  const unowned = allPartitions(names, topics).filter(
    ({ topic, partition }) => !kept.has(partitionName(topic, partition)),
  );
  const free = unowned.filter((each) => {
    const near = members.filter(
      (member) => isNear(member, each, racks) && assignment.get(member.memberId)!.length < least,
    );
    if (near.length === 0) return true;
    assignment.get(leastLoaded(near.map(({ memberId }) => memberId).sort(compareText), assignment))!.push(each);
    return false;
  });
  const sorted = members.map(({ memberId }) => memberId).sort(compareText);
  let at = 0;
  const dealTo = (limit: number, most: number): void => {
    let below = sorted.filter((memberId) => assignment.get(memberId)!.length < limit);
    for (let count = 0; below.length > 0 && at < free.length && count < most; ) {
      for (const memberId of below) {
        if (at >= free.length || count >= most) break;
        assignment.get(memberId)!.push(free[at++]!);
        count++;
      }
      below = below.filter((memberId) => assignment.get(memberId)!.length < limit);
    }
  };
  dealTo(least, Number.POSITIVE_INFINITY);
  dealTo(least + 1, withOneMore - full);
  return assignment;
}

function allPartitions(names: readonly string[], topics: PartitionCounts): TopicPartition[] {
  return names.flatMap((topic) => Array.from({ length: topics.get(topic)! }, (_, partition) => ({ topic, partition })));
}

/**
 * Keeps what is owned, gives the rest to whoever has least, and who is near where several have, and then moves one by one
 * while that evens out.
 */
function balanceUnequal(
  members: readonly JoinedMember[],
  topics: PartitionCounts,
  owned: OwnedPartitions,
  racks: PartitionRacks,
): ClassicAssignment {
  const assignment: ClassicAssignment = new Map();
  const kept = new Set<string>();
  for (const { memberId } of members) {
    const own = [...owned.byMember.get(memberId)!];
    for (const { topic, partition } of own) kept.add(partitionName(topic, partition));
    assignment.set(memberId, own);
  }
  const subscribers = subscribersOf(members, topics);
  const free = allPartitions([...subscribers.keys()], topics)
    .filter(({ topic, partition }) => !kept.has(partitionName(topic, partition)))
    .sort((left, right) => subscribers.get(left.topic)!.length - subscribers.get(right.topic)!.length);
  const byId = new Map(members.map((member) => [member.memberId, member]));
  for (const each of free) {
    const candidates = subscribers.get(each.topic)!;
    const least = assignment.get(leastLoaded(candidates, assignment))!.length;
    const near = candidates.find((id) => assignment.get(id)!.length === least && isNear(byId.get(id)!, each, racks));
    assignment.get(near ?? leastLoaded(candidates, assignment))!.push(each);
  }
  // Every move makes the sum of squares smaller, so this ends.
  while (moveOne(assignment, subscribers));
  return assignment;
}

function subscribersOf(members: readonly JoinedMember[], topics: PartitionCounts): Map<string, string[]> {
  const subscribers = new Map<string, string[]>();
  for (const topic of wantedTopics(members, topics)) {
    const wanting = members.filter((member) => member.topics.includes(topic)).map(({ memberId }) => memberId);
    subscribers.set(topic, wanting.sort(compareText));
  }
  return subscribers;
}

function leastLoaded(candidates: readonly string[], assignment: ClassicAssignment): string {
  return candidates.reduce((best, each) => (assignment.get(each)!.length < assignment.get(best)!.length ? each : best));
}

function moveOne(assignment: ClassicAssignment, subscribers: ReadonlyMap<string, readonly string[]>): boolean {
  const byLoad = [...assignment].sort(([, left], [, right]) => right.length - left.length);
  for (const [, own] of byLoad) {
    for (const [index, each] of own.entries()) {
      const target = assignment.get(leastLoaded(subscribers.get(each.topic)!, assignment))!;
      if (own.length - target.length < 2) continue;
      own.splice(index, 1);
      target.push(each);
      return true;
    }
  }
  return false;
}
