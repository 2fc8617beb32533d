/** Which partition a record goes to where its producer does not say. */
import { crc32 } from 'node:zlib';
import { SluiceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { TopicView } from '../metadata-cache.ts';
import { partitionOfKey } from './murmur2.ts';

/** Returns a partition of the topic, from 0. Called for every record without a partition; must not throw. */
export type Partitioner = (topic: TopicView, key: Uint8Array | null, value: Uint8Array | null) => number;

/** `consistent` and the others as librdkafka names them. */
export type PartitionerChoice =
  | 'default'
  | 'round-robin'
  | 'consistent-random'
  | 'consistent'
  | 'murmur2-random'
  | Partitioner;

/**
 * Kafka's default: by the key's hash, and without a key one partition for about a batch's worth of bytes, then another
 * (KIP-794), so that batches fill up and all partitions get their share. Partitions without a leader are passed over.
 */
export function defaultPartitioner(random: Random, batchBytes: number): Partitioner {
  const choices = new Map<string, { partition: number; bytes: number }>();
  return (topic, key, value) => {
    if (key !== null) return partitionOfKey(key, topic.partitions.length);
    let choice = choices.get(topic.name);
    if (choice === undefined || choice.bytes >= batchBytes || !hasLeader(topic, choice.partition)) {
      choice = { partition: another(topic, choice?.partition, random), bytes: 0 };
      choices.set(topic.name, choice);
    }
    choice.bytes += value?.length ?? 0;
    return choice.partition;
  };
}

/** Every record to the next partition, whatever its key. */
export function roundRobinPartitioner(): Partitioner {
  const next = new Map<string, number>();
  return (topic) => {
    const turn = next.get(topic.name) ?? 0;
    next.set(topic.name, turn + 1);
    return turn % topic.partitions.length;
  };
}

const NO_KEY = Buffer.alloc(0);

/** By CRC-32 of the key, as librdkafka's `consistent`: records without a key all go to one partition. */
export function consistentPartitioner(): Partitioner {
  return (topic, key) => crc32(key ?? NO_KEY) % topic.partitions.length;
}

/** By a hash of the key, at random where there is none, or where it is empty. */
export function hashOrRandomPartitioner(byKey: Partitioner, random: Random, emptyIsNone: boolean): Partitioner {
  return (topic, key, value) => {
    const hasKey = key !== null && !(emptyIsNone && key.length === 0);
    return hasKey ? byKey(topic, key, value) : another(topic, undefined, random);
  };
}

/** Throws a SluiceError INVALID_OPTION. */
export function choosePartitioner(choice: PartitionerChoice, random: Random, batchBytes: number): Partitioner {
  if (typeof choice === 'function') return choice;
  switch (choice) {
    case 'default':
      return defaultPartitioner(random, batchBytes);
    case 'round-robin':
      return roundRobinPartitioner();
    case 'consistent':
      return consistentPartitioner();
    case 'consistent-random':
      return hashOrRandomPartitioner(consistentPartitioner(), random, true);
    case 'murmur2-random':
      return hashOrRandomPartitioner((topic, key) => partitionOfKey(key!, topic.partitions.length), random, false);
    default:
      throw new SluiceError('INVALID_OPTION', `there is no partitioner ${String(choice)}`, {
        remedy: 'Give a name that the documentation lists, or a function.',
      });
  }
}

function hasLeader(topic: TopicView, partition: number): boolean {
  return (topic.partitions[partition]?.leader ?? -1) >= 0;
}

function another(topic: TopicView, than: number | undefined, random: Random): number {
  const led = topic.partitions.filter(({ leader, partition }) => leader >= 0 && partition !== than);
  if (led.length > 0) return led[random.below(led.length)]!.partition;
  return than !== undefined && than < topic.partitions.length ? than : random.below(topic.partitions.length);
}
