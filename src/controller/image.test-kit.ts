/** What tests of pure decisions share: images of a few brokers and partitions, and what records make of them. */
import { type Uuid, uuidFromBytes } from '../base/uuid.ts';
import { type BrokerConfig, loadBrokerConfig } from '../config/broker-config.ts';
import { applyRecords, emptyImage, type MetadataImage, type PartitionImage } from '../metadata/image.ts';
import { partitionRecord } from '../metadata/image-records.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';

export const TOPIC = 'orders';
export const TOPIC_ID = '75rX1EzDRSu9_lw7dS6ASg';

export const config: BrokerConfig = loadBrokerConfig({ overrides: {} });

export type PartitionSpec = Partial<PartitionImage> & Pick<PartitionImage, 'replicas'>;

export interface ImageSpec {
  /** Ids of brokers that serve; the epoch of each is its id times ten. */
  readonly brokers: readonly number[];
  readonly fenced?: readonly number[];
  readonly stopping?: readonly number[];
  readonly racks?: Readonly<Record<number, string>>;
  readonly partitions?: readonly PartitionSpec[];
  readonly minInSync?: number;
  readonly unclean?: boolean;
  readonly eligibleLeaders?: boolean;
}

/** The directory of a broker's that is not the n-th of several. */
export function directoryOfBroker(id: number, n = 0): Uuid {
  const bytes = Buffer.alloc(16, 7);
  bytes.writeUInt32BE(id, 0);
  bytes.writeUInt32BE(n, 4);
  return uuidFromBytes(bytes, 0);
}

export function imageOf(spec: ImageSpec): MetadataImage {
  const { brokers, fenced = [], stopping = [], partitions = [], minInSync = 1, unclean = false } = spec;
  const records: MetadataRecord[] = brokers.map((brokerId) =>
    newRecord('registerBroker', {
      brokerId,
      brokerEpoch: brokerId * 10,
      incarnationId: directoryOfBroker(brokerId, 99),
      endPoints: [],
      features: [],
      rack: spec.racks?.[brokerId] ?? null,
      fenced: fenced.includes(brokerId),
      inControlledShutdown: stopping.includes(brokerId),
      logDirs: [directoryOfBroker(brokerId)],
    }),
  );
  if (spec.eligibleLeaders === true) {
    records.push(newRecord('featureLevel', { name: 'eligible.leader.replicas.version', featureLevel: 1 }));
  }
  const topicConfig = (name: string, value: string): MetadataRecord =>
    newRecord('config', { resourceType: 2, resourceName: TOPIC, name, value });
  if (partitions.length > 0) records.push(newRecord('topic', { name: TOPIC, topicId: TOPIC_ID }));
  records.push(topicConfig('min.insync.replicas', String(minInSync)));
  if (unclean) records.push(topicConfig('unclean.leader.election.enable', 'true'));
  for (const [number, partition] of partitions.entries()) {
    records.push(partitionRecord(TOPIC_ID, number, completePartition(partition)));
  }
  return applyRecords(emptyImage('cluster'), records, records.length - 1, 0).image;
}

function completePartition(partition: PartitionSpec): PartitionImage {
  const isr = partition.isr ?? partition.replicas;
  return {
    isr,
    removingReplicas: [],
    addingReplicas: [],
    leader: isr[0] ?? -1,
    leaderRecoveryState: 0,
    leaderEpoch: 5,
    partitionEpoch: 8,
    directories: partition.replicas.map((id) => directoryOfBroker(id)),
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
    ...partition,
  };
}

/** The image after some records. */
export function after(image: MetadataImage, records: readonly MetadataRecord[]): MetadataImage {
  return applyRecords(image, records, image.offset + records.length, image.epoch).image;
}

/** A partition of the one topic. */
export function partitionOf(image: MetadataImage, partition = 0): PartitionImage {
  return image.topics.byName.get(TOPIC)!.partitions[partition]!;
}
