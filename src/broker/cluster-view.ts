/** The cluster as a client of one listener is told: brokers' endpoints and partitions' leaders, from the image. */
import type { BrokerId, LeaderEpoch } from '../base/units.ts';
import type { MetadataImage, TopicImage } from '../metadata/image.ts';
import { ErrorCode } from '../protocol/error-codes.ts';

export interface BrokerAddress {
  readonly id: BrokerId;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  readonly fenced: boolean;
}

/** Fits the partitions of Metadata and of DescribeTopicPartitions. */
export interface PartitionAddress {
  readonly errorCode: ErrorCode;
  readonly partitionIndex: number;
  readonly leaderId: BrokerId;
  readonly leaderEpoch: LeaderEpoch;
  readonly replicaNodes: readonly BrokerId[];
  readonly isrNodes: readonly BrokerId[];
  readonly offlineReplicas: readonly BrokerId[];
}

/** Brokers that have an endpoint on the listener; fenced ones (down or starting) only if asked for. */
export function brokersOf(
  image: MetadataImage,
  listenerName: string,
  options: { readonly includeFenced?: boolean } = {},
): BrokerAddress[] {
  const addresses: BrokerAddress[] = [];
  for (const broker of image.brokers.values()) {
    if (broker.fenced && options.includeFenced !== true) continue;
    const endpoint = broker.endpoints.find(({ name }) => name === listenerName);
    if (endpoint === undefined) continue;
    addresses.push({
      id: broker.id,
      host: endpoint.host,
      port: endpoint.port,
      rack: broker.rack,
      fenced: broker.fenced,
    });
  }
  return addresses;
}

export function partitionsOf(image: MetadataImage, topic: TopicImage): PartitionAddress[] {
  const alive = (id: BrokerId): boolean => image.brokers.get(id)?.fenced === false;
  return topic.partitions.map((partition, partitionIndex) => ({
    errorCode: partition.leader === -1 ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
    partitionIndex,
    leaderId: partition.leader,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: partition.replicas,
    isrNodes: partition.isr,
    offlineReplicas: partition.replicas.filter((id) => !alive(id)),
  }));
}
