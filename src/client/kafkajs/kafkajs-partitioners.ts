/** kafkajs's partitioners. A record without a key goes to the next partition that has a leader. */
import type { Random } from '../../base/random.ts';
import { systemRandom } from '../../base/random.ts';
import type { TopicView } from '../metadata-cache.ts';
import { murmur2 } from '../producer/murmur2.ts';
import type { Partitioner } from '../producer/partitioner.ts';
import type { ICustomPartitioner, Message, PartitionerArgs, PartitionMetadata } from './kafkajs-types.ts';

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/** Where a key goes by a hash, and in turn without one. */
function byHash(hash: (key: Buffer) => number, random: Random): (args: PartitionerArgs) => number {
  const turns = new Map<string, number>();
  return ({ topic, partitionMetadata, message: { partition, key } }) => {
    if (partition !== undefined) return partition;
    const count = partitionMetadata.length;
    if (key !== null && key !== undefined) return (hash(Buffer.from(key)) & 0x7fffffff) % count;
    const turn = (turns.get(topic) ?? random.below(2 ** 31)) + 1;
    turns.set(topic, turn);
    const led = partitionMetadata.filter(({ leader }) => leader >= 0);
    return led.length > 0 ? led[turn % led.length]!.partitionId : turn % count;
  };
}

/**
 * The hash of kafkajs before version 2, which multiplies in floating point and so loses low bits: other partitions than
 * Java's for the same keys. For topics that were written with it.
 */
export function legacyMurmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const at = (index: number): number => bytes[index] ?? 0;
  let hash = SEED ^ length;
  for (let word = 0; word < length / 4; word++) {
    const from = word * 4;
    let mixed = at(from) + (at(from + 1) << 8) + (at(from + 2) << 16) + (at(from + 3) << 24);
    mixed *= MULTIPLIER;
    mixed ^= mixed >>> 24;
    mixed *= MULTIPLIER;
    hash *= MULTIPLIER;
    hash ^= mixed;
  }
  const tail = length & ~3;
  const left = length % 4;
  if (left > 2) hash ^= at(tail + 2) << 16;
  if (left > 1) hash ^= at(tail + 1) << 8;
  if (left > 0) {
    hash ^= at(tail);
    hash *= MULTIPLIER;
  }
  hash ^= hash >>> 13;
  hash *= MULTIPLIER;
  return hash ^ (hash >>> 15);
}

/** By Java's murmur2 of the key. */
export const DefaultPartitioner: ICustomPartitioner = () => byHash(murmur2, systemRandom);
export const LegacyPartitioner: ICustomPartitioner = () => byHash(legacyMurmur2, systemRandom);
export const Partitioners = { DefaultPartitioner, LegacyPartitioner, JavaCompatiblePartitioner: DefaultPartitioner };

/** As the producer of this client asks. */
export function adaptPartitioner(create: ICustomPartitioner): Partitioner {
  const choose = create();
  return (topic, key, value) => {
    const message = { key: asBuffer(key), value: asBuffer(value) } satisfies Message;
    return choose({ topic: topic.name, partitionMetadata: partitionMetadata(topic), message });
  };
}

function asBuffer(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function partitionMetadata({ partitions }: TopicView): PartitionMetadata[] {
  return partitions.map(({ partition, leader, replicas, inSync, offline }) => ({
    partitionErrorCode: leader < 0 ? LEADER_NOT_AVAILABLE : 0,
    partitionId: partition,
    leader,
    replicas: [...replicas],
    isr: [...inSync],
    offlineReplicas: [...offline],
  }));
}

const LEADER_NOT_AVAILABLE = 5;
