/**
 * `range`: every topic's partitions cut into consecutive ranges, one a subscriber; the first ones get one more. Topics with
 * the same subscribers and as many partitions are cut alike. Partitions go to members near them first (KIP-881).
 */
import {
  byIdentity,
  type ClassicAssignment,
  type ClassicAssignor,
  isNear,
  type JoinedMember,
  NO_RACKS,
  type PartitionCounts,
  type PartitionRacks,
  wantedTopics,
} from './assignor.ts';

export const rangeAssignor: ClassicAssignor = {
  name: 'range',
  cooperative: false,
  userData: () => null,
  assign(members, topics, racks = NO_RACKS) {
    const assignment: ClassicAssignment = new Map(members.map(({ memberId }) => [memberId, []]));
    for (const group of alikeTopics(members, topics)) cut(group, assignment, racks);
    return assignment;
  },
};

interface AlikeTopics {
  readonly names: string[];
  readonly partitions: number;
  readonly subscribers: readonly JoinedMember[];
}

function alikeTopics(members: readonly JoinedMember[], topics: PartitionCounts): AlikeTopics[] {
  const sorted = [...members].sort(byIdentity);
  const groups = new Map<string, AlikeTopics>();
  for (const name of wantedTopics(members, topics)) {
    const subscribers = sorted.filter((member) => member.topics.includes(name));
    const partitions = topics.get(name)!;
    const key = JSON.stringify([partitions, subscribers.map(({ memberId }) => memberId)]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { names: [name], partitions, subscribers });
    else group.names.push(name);
  }
  return [...groups.values()];
}

function cut(
  { names, partitions, subscribers }: AlikeTopics,
  assignment: ClassicAssignment,
  racks: PartitionRacks,
): void {
  const each = Math.floor(partitions / subscribers.length);
  const extra = partitions % subscribers.length;
  const room = subscribers.map((_, index) => each + (index < extra ? 1 : 0));
  const owner: (number | undefined)[] = Array.from({ length: partitions }, () => undefined);
  const give = (partition: number, index: number): void => {
    owner[partition] = index;
    room[index]!--;
  };
  for (let partition = 0; partition < partitions; partition++) {
    const near = subscribers.findIndex(
      (member, index) => room[index]! > 0 && names.every((topic) => isNear(member, { topic, partition }, racks)),
    );
    if (near >= 0) give(partition, near);
  }
  let next = 0;
  for (let partition = 0; partition < partitions; partition++) {
    if (owner[partition] !== undefined) continue;
    while (room[next] === 0) next++;
    give(partition, next);
  }
  for (const topic of names) {
    for (const [partition, index] of owner.entries()) {
      assignment.get(subscribers[index!]!.memberId)!.push({ topic, partition });
    }
  }
}
