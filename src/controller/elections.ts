/**
 * Who leads which partition when a broker goes or comes, decided on an image. Only replicas that have all that was
 * acknowledged are elected, unless the topic allows an unclean election.
 */
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import {
  isActiveBroker,
  type MetadataImage,
  NO_LEADER,
  type PartitionImage,
  type TopicImage,
} from '../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import { changePartition, type Election, type PartitionTarget } from './partition-change.ts';
import { type PartitionRules, partitionRules } from './partition-rules.ts';

/**
 * `removed` goes out of in-sync sets and leaderships; `unclean` goes, and may have lost the tail of its logs; `added`
 * may lead, whatever the image still says.
 */
export type BrokerMove = { readonly removed: BrokerId } | { readonly unclean: BrokerId } | { readonly added: BrokerId };

interface Place {
  readonly topic: TopicImage;
  readonly partitionId: number;
  readonly partition: PartitionImage;
}

/** Changes to all partitions that the move concerns. */
export function electionRecords(image: MetadataImage, move: BrokerMove, config: BrokerConfig): MetadataRecord[] {
  const gone = 'added' in move ? undefined : 'removed' in move ? move.removed : move.unclean;
  const added = 'added' in move ? move.added : undefined;
  const unclean = 'unclean' in move ? move.unclean : undefined;
  return changesWhere(
    image,
    config,
    ({ partition }) => isConcerned(partition, move),
    ({ partition }, rules) => ({
      isr: partition.isr.filter((id) => id !== gone),
      unclean,
      election: electionOf(rules),
    }),
    (id) => id !== gone && (id === added || isActiveBroker(image, id)),
  );
}

/** Leaders for partitions that have none and could have one, as when a controller takes over. */
export function leaderlessRecords(image: MetadataImage, config: BrokerConfig): MetadataRecord[] {
  return changesWhere(
    image,
    config,
    ({ partition }) => partition.leader === NO_LEADER,
    (_place, rules) => ({ election: electionOf(rules) }),
  );
}

/**
 * Changes when a broker starts anew and is up at once. Partitions that only it was in sync for it leads again, in an
 * epoch of its own: its log may have lost its tail.
 */
export function restartRecords(image: MetadataImage, brokerId: BrokerId, config: BrokerConfig): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  for (const place of places(image)) {
    const { topic, partitionId, partition } = place;
    const { isr, leader, replicas } = partition;
    const mayReturn = leader === NO_LEADER && replicas.includes(brokerId);
    if (!isr.includes(brokerId) && !mayReturn) continue;
    const alone = leader === NO_LEADER || (isr.length === 1 && isr[0] === brokerId);
    const isUp = (id: BrokerId): boolean =>
      (alone && id === brokerId) || (id !== brokerId && isActiveBroker(image, id));
    const rules = partitionRules(image, topic, config, isUp);
    const target = alone ? isr : isr.filter((id) => id !== brokerId);
    const change = changePartition(topic, partitionId, { isr: target, election: electionOf(rules) }, rules);
    if (change !== undefined) records.push(change.record);
    const after = change?.partition ?? partition;
    if (after.leader === brokerId && after.leaderEpoch === partition.leaderEpoch) {
      records.push(newRecord('partitionChange', { topicId: topic.id, partitionId, leader: brokerId }));
    }
  }
  return records;
}

/** Changes to those partitions that `concerns` picks, towards what `targetOf` says. */
export function changesWhere(
  image: MetadataImage,
  config: BrokerConfig,
  concerns: (place: Place) => boolean,
  targetOf: (place: Place, rules: PartitionRules) => PartitionTarget,
  isUp?: (brokerId: BrokerId) => boolean,
): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  let rules: { readonly topic: TopicImage; readonly of: PartitionRules } | undefined;
  for (const place of places(image)) {
    if (!concerns(place)) continue;
    if (rules?.topic !== place.topic) {
      rules = { topic: place.topic, of: partitionRules(image, place.topic, config, isUp) };
    }
    const change = changePartition(place.topic, place.partitionId, targetOf(place, rules.of), rules.of);
    if (change !== undefined) records.push(change.record);
  }
  return records;
}

/** Every partition of the cluster. */
export function* places(image: MetadataImage): Generator<Place> {
  for (const topic of image.topics.byId.values()) {
    for (const [partitionId, partition] of topic.partitions.entries()) yield { topic, partitionId, partition };
  }
}

export function electionOf({ uncleanElection }: PartitionRules): Election {
  return uncleanElection ? 'unclean' : 'online';
}

function isConcerned({ isr, leader, replicas, eligibleLeaderReplicas }: PartitionImage, move: BrokerMove): boolean {
  if ('removed' in move) return isr.includes(move.removed) || leader === move.removed;
  if ('unclean' in move) return isr.includes(move.unclean) || eligibleLeaderReplicas.includes(move.unclean);
  return leader === NO_LEADER && replicas.includes(move.added);
}
