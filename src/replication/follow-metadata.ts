/** Brings the hosted partitions in line with the cluster's metadata: at start from the whole image, then change by change. */

import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { resolveTopicConfig } from '../config/topic-config.ts';
import { changedPartitions, type MetadataDelta } from '../metadata/delta.ts';
import { type MetadataImage, RESOURCE_TYPE, type TopicImage, topicConfigsOf } from '../metadata/image.ts';
import { partitionStateOf } from './partition-state.ts';
import { replicaConfigOf } from './replica-config.ts';
import type { ReplicaConfig, Replicas } from './replicas.ts';

/** What following needs to know of this broker; the configuration is read anew for each use. */
export interface Follower {
  readonly brokerId: BrokerId;
  config(): BrokerConfig;
  readonly replicas: Replicas;
}

/** Hosts every partition that the image assigns to this broker. */
export function hostAll(follower: Follower, image: MetadataImage): void {
  for (const topic of image.topics.byName.values()) {
    hostPartitions(follower, image, { topic, partitions: topic.partitions.keys(), isNew: false });
  }
  follower.replicas.tellMissing();
}

export function followDelta(follower: Follower, delta: MetadataDelta, image: MetadataImage): void {
  // Deletions first: a topic that was deleted and created anew stands in both lists.
  for (const topic of delta.deletedTopics) follower.replicas.deleteTopic(topic.name);
  for (const topic of delta.createdTopics)
    hostPartitions(follower, image, { topic, partitions: topic.partitions.keys(), isNew: true });
  for (const change of delta.changedTopics) {
    for (const { partition, before, now } of changedPartitions(change)) {
      const isNew = before?.replicas.includes(follower.brokerId) !== true;
      if (!now.replicas.includes(follower.brokerId)) {
        if (!isNew) follower.replicas.removePartition({ topic: change.topic.name, partition });
        continue;
      }
      hostPartitions(follower, image, { topic: change.topic, partitions: [partition], isNew });
    }
  }
  const brokerChanged = delta.changedConfigs.some(({ resourceType }) => resourceType === RESOURCE_TYPE.BROKER);
  if (brokerChanged) configureAll(follower, image);
  for (const { resourceType, resourceName } of delta.changedConfigs) {
    if (resourceType === RESOURCE_TYPE.TOPIC) configure(follower, image, resourceName);
  }
}

/** A broker's dynamic option may be the default of any topic's. */
function configureAll(follower: Follower, image: MetadataImage): void {
  for (const name of image.topics.byName.keys()) configure(follower, image, name);
}

function configure(follower: Follower, image: MetadataImage, topic: string): void {
  follower.replicas.configure(topic, configOf(follower, image, topic));
}

function hostPartitions(
  follower: Follower,
  image: MetadataImage,
  {
    topic,
    partitions,
    isNew,
  }: {
    readonly topic: TopicImage;
    readonly partitions: Iterable<number>;
    readonly isNew: boolean;
  },
): void {
  let config: ReplicaConfig | undefined;
  for (const partition of partitions) {
    const state = topic.partitions[partition]!;
    if (!state.replicas.includes(follower.brokerId)) continue;
    config ??= configOf(follower, image, topic.name);
    follower.replicas.host({ topic: topic.name, partition, topicId: topic.id }, partitionStateOf(state), config, {
      isNew,
    });
  }
}

function configOf(follower: Follower, image: MetadataImage, topic: string): ReplicaConfig {
  return replicaConfigOf(resolveTopicConfig(follower.config(), topicConfigsOf(image, topic)));
}
