/** Metadata as a text that is equal for equal images, however they came about. */
import type { MetadataImage } from '../../src/metadata/image.ts';

export function imageDigest(image: MetadataImage): string {
  const { clusterId, topics, brokers, configs, producerIds, features } = image;
  return JSON.stringify({
    clusterId,
    topics: byKey(topics.byName),
    ids: byKey(topics.byId).map(([id, topic]) => [id, topic.name]),
    brokers: byKey(brokers),
    configs: byKey(configs).map(([key, values]) => [key, byKey(values)]),
    next: producerIds.next,
    features: byKey(features),
  });
}

function byKey<Key extends string | number, Value>(
  entries: Iterable<readonly [Key, Value]>,
): (readonly [Key, Value])[] {
  return [...entries].sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}
