/** What changed between two images that share no history, as when a follower of the metadata begins with a snapshot. */
import { isDeepStrictEqual } from 'node:util';
import type { BrokerId } from '../base/units.ts';
import type { ConfigChange, MetadataDelta, TopicChange } from './delta.ts';
import { type MetadataImage, RESOURCE_TYPE, resourceOfConfigKey, type TopicImage } from './image.ts';

export function imageDifference(from: MetadataImage, to: MetadataImage): MetadataDelta {
  const createdTopics: TopicImage[] = [];
  const changedTopics: TopicChange[] = [];
  for (const topic of to.topics.byId.values()) {
    const previous = from.topics.byId.get(topic.id);
    if (previous === undefined) createdTopics.push(topic);
    else if (previous !== topic) {
      const partitions = changedPartitions(previous, topic);
      if (partitions.length > 0) changedTopics.push({ previous, topic, partitions });
    }
  }
  return {
    createdTopics,
    deletedTopics: [...from.topics.byId.values()].filter(({ id }) => !to.topics.byId.has(id)),
    changedTopics,
    changedBrokers: changedKeys(from.brokers, to.brokers) as BrokerId[],
    changedConfigs: changedConfigs(from, to),
    producerIdsChanged: from.producerIds.next !== to.producerIds.next,
    featuresChanged: changedKeys(from.features, to.features).length > 0,
  };
}

function changedPartitions(previous: TopicImage, topic: TopicImage): number[] {
  const changed: number[] = [];
  for (const [partition, state] of topic.partitions.entries()) {
    const before = previous.partitions[partition];
    if (before !== state && !isDeepStrictEqual(before, state)) changed.push(partition);
  }
  return changed;
}

/** Configs of topics that are gone left out, as in any delta. */
function changedConfigs(from: MetadataImage, to: MetadataImage): ConfigChange[] {
  return changedKeys(from.configs, to.configs)
    .map(resourceOfConfigKey)
    .filter(
      ({ resourceType, resourceName }) => resourceType !== RESOURCE_TYPE.TOPIC || to.topics.byName.has(resourceName),
    );
}

function changedKeys<K, V>(from: ReadonlyMap<K, V>, to: ReadonlyMap<K, V>): K[] {
  const changed: K[] = [];
  for (const [key, value] of to.entries()) if (!isDeepStrictEqual(from.get(key), value)) changed.push(key);
  for (const key of from.keys()) if (!to.has(key)) changed.push(key);
  return changed;
}
