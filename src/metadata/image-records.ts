/** An image as the records that make it from nothing: the content of a snapshot, in the order of Kafka's. */
import type { BrokerImage, MetadataImage, PartitionImage, TopicImage } from './image.ts';
import { METADATA_VERSION_FEATURE, type MetadataRecord, newRecord } from './records.ts';
import { resourceOfConfigKey } from './resources.ts';

/** Features first, the metadata version before all: it tells readers how to understand the rest. */
export function* recordsOf(image: MetadataImage): Generator<MetadataRecord> {
  const features = [...image.features].sort(([left], [right]) => rank(left) - rank(right));
  for (const [name, featureLevel] of features) yield newRecord('featureLevel', { name, featureLevel });
  for (const broker of image.brokers.values()) yield brokerRecord(broker);
  for (const topic of image.topics.byId.values()) yield* topicRecords(topic);
  for (const [key, configs] of image.configs) {
    for (const [name, value] of configs) yield newRecord('config', { ...resourceOfConfigKey(key), name, value });
  }
  if (image.producerIds.next > 0) {
    yield newRecord('producerIds', { brokerId: -1, nextProducerId: image.producerIds.next });
  }
  yield* image.carried;
}

function rank(feature: string): number {
  return feature === METADATA_VERSION_FEATURE ? 0 : 1;
}

/** The record that says all of a broker. */
export function brokerRecord(broker: BrokerImage): MetadataRecord {
  return newRecord('registerBroker', {
    brokerId: broker.id,
    brokerEpoch: broker.epoch,
    incarnationId: broker.incarnationId,
    endPoints: [...broker.endpoints],
    features: [...broker.features],
    rack: broker.rack,
    fenced: broker.fenced,
    inControlledShutdown: broker.inControlledShutdown,
    logDirs: [...broker.logDirs],
    cordonedLogDirs: broker.cordonedLogDirs.length === 0 ? null : [...broker.cordonedLogDirs],
  });
}

function* topicRecords(topic: TopicImage): Generator<MetadataRecord> {
  yield newRecord('topic', { name: topic.name, topicId: topic.id });
  for (const [partitionId, partition] of topic.partitions.entries()) {
    yield partitionRecord(topic.id, partitionId, partition);
  }
}

/** The record that says all of a partition. */
export function partitionRecord(topicId: string, partitionId: number, partition: PartitionImage): MetadataRecord {
  const { eligibleLeaderReplicas, lastKnownElr, ...rest } = partition;
  return newRecord('partition', {
    ...rest,
    topicId,
    partitionId,
    eligibleLeaderReplicas: eligibleLeaderReplicas.length === 0 ? null : eligibleLeaderReplicas,
    lastKnownElr: lastKnownElr.length === 0 ? null : lastKnownElr,
  });
}
