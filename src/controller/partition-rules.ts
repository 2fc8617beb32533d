/** What an image and the configuration say of a topic's partitions: who may lead, how many must be in sync. */
import type { BrokerId } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { resolveTopicConfig } from '../config/topic-config.ts';
import { isActiveBroker, type MetadataImage, type TopicImage, topicConfigsOf } from '../metadata/image.ts';
import { defaultDirectory, isOnlineDirectory } from './log-directories.ts';

/** Level 1: replicas stay eligible to lead after they left a small in-sync set (KIP-966). */
export const ELR_FEATURE = 'eligible.leader.replicas.version';

export interface PartitionRules {
  /** `min.insync.replicas`, though never more than there are replicas. */
  readonly minInSync: number;
  readonly eligibleLeaders: boolean;
  /** Whether the topic lets a replica lead that may miss records. */
  readonly uncleanElection: boolean;
  mayLead(brokerId: BrokerId, directory: Uuid): boolean;
  defaultDirectory(brokerId: BrokerId): Uuid;
}

export function keepsEligibleLeaders(image: MetadataImage): boolean {
  return (image.features.get(ELR_FEATURE) ?? 0) >= 1;
}

/** `isUp` tells who may lead where the image does not show it yet, as while a broker is being fenced. */
export function partitionRules(
  image: MetadataImage,
  topic: TopicImage,
  config: BrokerConfig,
  isUp: (brokerId: BrokerId) => boolean = (id) => isActiveBroker(image, id),
): PartitionRules {
  const topicConfig = resolveTopicConfig(config, topicConfigsOf(image, topic.name));
  return {
    minInSync: Math.min(topicConfig.get('min.insync.replicas'), topic.partitions[0]?.replicas.length ?? 1),
    eligibleLeaders: keepsEligibleLeaders(image),
    uncleanElection: topicConfig.get('unclean.leader.election.enable'),
    mayLead: (id, directory) => isUp(id) && isOnlineDirectory(image, id, directory),
    defaultDirectory: (id) => defaultDirectory(image, id),
  };
}
