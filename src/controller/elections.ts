/**
 * Who leads which partition when a broker goes or comes, decided on an image. Only in-sync replicas are elected, unless
 * the topic allows an unclean election.
 */
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { resolveTopicConfig } from '../config/topic-config.ts';
import {
  isActiveBroker,
  LEADER_RECOVERY,
  type MetadataImage,
  NO_LEADER,
  type PartitionImage,
  type TopicImage,
  topicConfigsOf,
} from '../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';

/** The broker that went (out of in-sync sets and leaderships) or came (may lead). */
export type BrokerMove = { readonly removed: BrokerId } | { readonly added: BrokerId };

/** Changes to all partitions that the move concerns. */
export function electionRecords(image: MetadataImage, move: BrokerMove, config: BrokerConfig): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  for (const topic of image.topics.byId.values()) {
    for (const [partitionId, partition] of topic.partitions.entries()) {
      if (!isConcerned(partition, move)) continue;
      const change = elect(image, topic, partition, move, config);
      if (change !== undefined)
        records.push(newRecord('partitionChange', { topicId: topic.id, partitionId, ...change }));
    }
  }
  return records;
}

/**
 * Changes when a broker starts anew and is up at once. Partitions that only it was in sync for it leads again, in an
 * epoch of its own: its log may have lost its tail.
 */
export function restartRecords(image: MetadataImage, brokerId: BrokerId, config: BrokerConfig): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  for (const topic of image.topics.byId.values()) {
    for (const [partitionId, partition] of topic.partitions.entries()) {
      const { isr, leader, eligibleLeaderReplicas } = partition;
      const mayReturn = isr.length === 0 && leader === NO_LEADER && eligibleLeaderReplicas.includes(brokerId);
      if (!isr.includes(brokerId) && !mayReturn) continue;
      const alone = isr.length === 1 || leader === NO_LEADER;
      const led = mayReturn
        ? ledByEligible(image, topic, { leader: brokerId, partition }, config)
        : { leader: brokerId };
      const change = alone ? led : elect(image, topic, partition, { removed: brokerId }, config);
      if (change !== undefined)
        records.push(newRecord('partitionChange', { topicId: topic.id, partitionId, ...change }));
    }
  }
  return records;
}

function isConcerned({ isr, leader, replicas }: PartitionImage, move: BrokerMove): boolean {
  if ('removed' in move) return isr.includes(move.removed) || leader === move.removed;
  return leader === NO_LEADER && replicas.includes(move.added);
}

interface Change {
  readonly leader?: BrokerId;
  readonly isr?: readonly BrokerId[];
  readonly leaderRecoveryState?: number;
  readonly eligibleLeaderReplicas?: readonly BrokerId[];
  readonly lastKnownElr?: readonly BrokerId[];
}

function elect(
  image: MetadataImage,
  topic: TopicImage,
  partition: PartitionImage,
  move: BrokerMove,
  config: BrokerConfig,
): Change | undefined {
  const removed = 'removed' in move ? move.removed : undefined;
  const mayLead = (id: BrokerId): boolean =>
    id !== removed && (('added' in move && id === move.added) || isActiveBroker(image, id));
  const isr = partition.isr.filter((id) => id !== removed);
  // The last in-sync replica stays on record: it alone is known to have all that was acknowledged.
  const shrunk = isr.length > 0 && isr.length < partition.isr.length ? { isr } : {};
  const inSync = (id: BrokerId): boolean => isr.includes(id) && mayLead(id);
  const leader = inSync(partition.leader) ? partition.leader : (partition.replicas.find(inSync) ?? NO_LEADER);
  if (leader === NO_LEADER && isr.length === 0) {
    const eligible = partition.replicas.find((id) => partition.eligibleLeaderReplicas.includes(id) && mayLead(id));
    if (eligible !== undefined) return ledByEligible(image, topic, { leader: eligible, partition }, config);
  }
  if (leader === NO_LEADER && allowsUncleanElection(image, topic, config)) {
    const unclean = partition.replicas.find(mayLead);
    if (unclean !== undefined) {
      return { leader: unclean, isr: [unclean], leaderRecoveryState: LEADER_RECOVERY.RECOVERING };
    }
  }
  const elected = leader === partition.leader ? {} : { leader };
  const change = { ...shrunk, ...elected };
  return Object.keys(change).length === 0 ? undefined : change;
}

/**
 * A replica that left the in-sync set while that was too small to acknowledge anything has all that was acknowledged
 * (KIP-966). The others of its kind stay eligible as long as it alone is still too few.
 */
function ledByEligible(
  image: MetadataImage,
  topic: TopicImage,
  { leader, partition }: { readonly leader: BrokerId; readonly partition: PartitionImage },
  config: BrokerConfig,
): Change {
  const needed = resolveTopicConfig(config, topicConfigsOf(image, topic.name)).get('min.insync.replicas');
  const others = needed > 1 ? partition.eligibleLeaderReplicas.filter((id) => id !== leader) : [];
  return { leader, isr: [leader], eligibleLeaderReplicas: others, lastKnownElr: [] };
}

function allowsUncleanElection(image: MetadataImage, topic: TopicImage, config: BrokerConfig): boolean {
  return resolveTopicConfig(config, topicConfigsOf(image, topic.name)).get('unclean.leader.election.enable');
}
