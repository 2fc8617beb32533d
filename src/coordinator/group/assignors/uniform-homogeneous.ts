/**
 * `uniform` where all members want the same topics: everyone gets total / members partitions, the remainder one each.
 * Members keep what they have up to their quota; what is above it or belongs to nobody goes to those below theirs.
 */
import type { Uuid } from '../../../base/uuid.ts';
import {
  addPartition,
  type DraftAssignment,
  draftOf,
  type GroupAssignment,
  type GroupSpec,
  type MemberSpec,
  removePartition,
  type TopicPartitions,
} from './assignor.ts';

interface FreePartition {
  readonly topicId: Uuid;
  readonly partition: number;
}

interface Hunger {
  readonly memberId: string;
  readonly missing: number;
}

/** What is shared by the steps of one assignment. */
interface Round {
  readonly spec: GroupSpec;
  readonly topicIds: ReadonlySet<Uuid>;
  readonly quota: number;
  /** Members that may still get one more than `quota`. */
  extra: number;
  readonly free: FreePartition[];
  readonly hungry: Hunger[];
  readonly result: Map<string, TopicPartitions>;
}

export function assignHomogeneous(spec: GroupSpec): GroupAssignment {
  const [first] = spec.members.values();
  const topicIds = first!.subscribedTopicIds;
  if (topicIds.size === 0) return new Map();
  const free: FreePartition[] = [];
  let total = 0;
  for (const topicId of topicIds) {
    const count = spec.partitionCount(topicId);
    for (let partition = 0; partition < count; partition++) {
      if (!spec.isAssigned(topicId, partition)) free.push({ topicId, partition });
    }
    total += count;
  }
  const members = spec.members.size;
  const round: Round = {
    spec,
    topicIds,
    quota: Math.floor(total / members),
    extra: total % members,
    free,
    hungry: [],
    result: new Map(),
  };
  keepUpToQuota(round);
  feedTheHungry(round);
  return round.result;
}

function keepUpToQuota(round: Round): void {
  let left = round.spec.members.size;
  for (const [memberId, member] of round.spec.members) {
    let extra = round.extra > 0;
    const keeping = keep(round, member, round.quota + (extra ? 1 : 0));
    let missing = keeping.missing;
    // One that does not fill its extra place leaves it to a later member, unless no more than those are left.
    if (missing > 0 && extra && left > round.extra) {
      missing--;
      extra = false;
    }
    if (missing > 0) round.hungry.push({ memberId, missing });
    if (extra) round.extra--;
    left--;
    round.result.set(memberId, keeping.assignment);
  }
}

/** What a member keeps; an unchanged assignment is the same object. What it gives up becomes free. */
function keep(round: Round, member: MemberSpec, quota: number): { assignment: TopicPartitions; missing: number } {
  let missing = quota;
  let draft: DraftAssignment | undefined;
  for (const [topicId, partitions] of member.assignment) {
    if (!round.topicIds.has(topicId)) {
      draft ??= draftOf(member.assignment);
      draft.delete(topicId);
    } else if (partitions.size <= missing) {
      missing -= partitions.size;
    } else {
      for (const partition of partitions) {
        if (missing > 0) {
          missing--;
          continue;
        }
        draft ??= draftOf(member.assignment);
        removePartition(draft, topicId, partition);
        round.free.push({ topicId, partition });
      }
    }
  }
  return { assignment: draft ?? member.assignment, missing };
}

function feedTheHungry(round: Round): void {
  let next = 0;
  for (const { memberId, missing } of round.hungry) {
    const draft = draftOf(round.result.get(memberId)!);
    for (let given = 0; given < missing && next < round.free.length; given++, next++) {
      const { topicId, partition } = round.free[next]!;
      addPartition(draft, topicId, partition);
    }
    round.result.set(memberId, draft);
  }
}
