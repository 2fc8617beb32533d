/**
 * `sticky` and `cooperative-sticky` (KIP-54, KIP-429), which tell each other what they held as Kafka's Java client does:
 *
 *   sticky              partitions by topic (array of: string, array of int32), then the generation (int32)
 *   cooperative-sticky  the generation (int32); partitions and, since KIP-792, the generation stand in the subscription
 */
import { partitionName, type TopicPartition } from '../../../base/units.ts';
import type { ClassicAssignment, ClassicAssignor, Held, JoinedMember, PartitionCounts } from './assignor.ts';
import { ownedPartitions } from './owned-partitions.ts';
import { balance } from './sticky-balance.ts';

const NO_GENERATION = -1;
const NOTHING: Held = { partitions: [], generation: NO_GENERATION };

export const stickyAssignor: ClassicAssignor = {
  name: 'sticky',
  cooperative: false,
  userData: (held) => (held === undefined ? null : writeHeld(held)),
  assign: (members, topics, racks) => balance(members, topics, ownedPartitions(members, topics, heldAsTold), racks),
};

export const cooperativeStickyAssignor: ClassicAssignor = {
  name: 'cooperative-sticky',
  cooperative: true,
  userData: (held) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(held?.generation ?? NO_GENERATION);
    return bytes;
  },
  assign(members, topics, racks) {
    const owned = ownedPartitions(members, topics, heldNow);
    const assignment = balance(members, topics, owned, racks);
    withholdMoving(assignment, members, topics, owned.contested);
    return assignment;
  },
};

/** A partition goes to its new member only in the next generation, when the old one has let go of it. */
function withholdMoving(
  assignment: ClassicAssignment,
  members: readonly JoinedMember[],
  topics: PartitionCounts,
  contested: ReadonlySet<string>,
): void {
  const holders = new Map<string, Set<string>>();
  for (const { memberId, owned } of members) {
    for (const { topic, partition } of owned) {
      if (!topics.has(topic)) continue;
      const name = partitionName(topic, partition);
      holders.set(name, (holders.get(name) ?? new Set()).add(memberId));
    }
  }
  for (const [memberId, partitions] of assignment) {
    const given = partitions.filter(({ topic, partition }) => {
      const name = partitionName(topic, partition);
      const holding = holders.get(name);
      return !contested.has(name) && (holding === undefined || (holding.has(memberId) && holding.size === 1));
    });
    assignment.set(memberId, given);
  }
}

function heldNow({ owned, generation, userData }: JoinedMember): Held {
  if (generation !== NO_GENERATION) return { partitions: owned, generation };
  // Members from before the generation stood in the subscription.
  return { partitions: owned, generation: userData?.length === 4 ? userData.readInt32BE(0) : NO_GENERATION };
}

function heldAsTold({ userData }: JoinedMember): Held {
  if (userData === null || userData.length === 0) return NOTHING;
  return readHeld(userData) ?? NOTHING;
}

export function writeHeld({ partitions, generation }: Held): Buffer {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  const parts: Buffer[] = [int32(topics.size)];
  for (const [topic, numbers] of topics) {
    const name = Buffer.from(topic);
    const length = Buffer.alloc(2);
    length.writeInt16BE(name.length);
    parts.push(length, name, int32(numbers.length), ...numbers.map(int32));
  }
  parts.push(int32(generation));
  return Buffer.concat(parts);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Undefined where the bytes are something else. The oldest clients leave the generation out. */
export function readHeld(bytes: Buffer): Held | undefined {
  let at = 0;
  const partitions: TopicPartition[] = [];
  try {
    const topics = bytes.readInt32BE(at);
    at += 4;
    for (let count = 0; count < topics; count++) {
      const length = bytes.readInt16BE(at);
      const topic = bytes.toString('utf8', at + 2, at + 2 + length);
      at += 2 + length;
      const numbers = bytes.readInt32BE(at);
      at += 4;
      for (let index = 0; index < numbers; index++, at += 4)
        partitions.push({ topic, partition: bytes.readInt32BE(at) });
    }
    const generation = at + 4 <= bytes.length ? bytes.readInt32BE(at) : NO_GENERATION;
    return { partitions, generation };
  } catch (error) {
    // Reading past the end: another client's notes.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
