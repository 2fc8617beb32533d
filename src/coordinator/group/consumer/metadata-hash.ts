/**
 * The hash by which a group notices that its topics changed: created, deleted, grown, or their replicas moved between
 * racks. The same numbers as Kafka 4.3 (Utils.computeTopicHash, computeGroupHash), so that a group that one of them
 * wrote is not rebalanced when the other loads it.
 */
import { uuidToBytes } from '../../../base/uuid.ts';
import { xxh3 } from '../../../base/xxh3.ts';
import type { MetadataImage, TopicImage } from '../../../metadata/image.ts';
import { compareText } from '../assignors/assignor.ts';

const MAGIC = 0;
const LONG_BYTES = 8;

/** Images share topics and brokers that stayed the same, so their identity tells whether a hash still holds. */
const hashes = new WeakMap<TopicImage, { readonly brokers: MetadataImage['brokers']; readonly hash: bigint }>();

/** Zero for a group none of whose topics exist. */
export function metadataHash(topics: Iterable<string>, image: MetadataImage): bigint {
  const names = [...topics].filter((name) => image.topics.byName.has(name)).sort(compareText);
  if (names.length === 0) return 0n;
  const bytes = Buffer.allocUnsafe(names.length * LONG_BYTES);
  for (const [index, name] of names.entries()) {
    bytes.writeBigInt64LE(topicHash(image.topics.byName.get(name)!, image), index * LONG_BYTES);
  }
  return BigInt.asIntN(64, xxh3(bytes));
}

export function topicHash(topic: TopicImage, image: MetadataImage): bigint {
  const known = hashes.get(topic);
  if (known !== undefined && known.brokers === image.brokers) return known.hash;
  const hash = BigInt.asIntN(64, xxh3(describe(topic, image)));
  hashes.set(topic, { brokers: image.brokers, hash });
  return hash;
}

/**
 * magic, id (two longs), name, partitions, then for each: its number and the racks of its replicas, sorted, each with
 * its length in front. Numbers little-endian, texts as UTF-16 with their length behind.
 */
function describe(topic: TopicImage, image: MetadataImage): Buffer {
  const id = Buffer.from(uuidToBytes(topic.id)!);
  id.subarray(0, LONG_BYTES).reverse();
  id.subarray(LONG_BYTES).reverse();
  const parts = [Buffer.from([MAGIC]), id, text(topic.name), int(topic.partitions.length)];
  for (const [partition, { replicas }] of topic.partitions.entries()) {
    parts.push(int(partition));
    const racks = replicas.map((broker) => image.brokers.get(broker)?.rack ?? null).filter((rack) => rack !== null);
    for (const rack of racks.sort(compareText)) parts.push(int(rack.length), text(rack));
  }
  return Buffer.concat(parts);
}

function int(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from(value, 'utf16le'), int(value.length)]);
}
