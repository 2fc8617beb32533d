/**
 * The cluster's state at one offset of the metadata log. An image never changes; applying records to one gives the
 * next, which shares with it all that stayed the same. Brokers and the controller read images only.
 */
import type { BrokerId, LeaderEpoch, Offset, ProducerId } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import type { MetadataDelta } from './delta.ts';
import { ImageDraft } from './image-draft.ts';
import { LayeredMap } from './layered-map.ts';
import type { CarriedRecord, MetadataRecord } from './records.ts';
import { configKey, RESOURCE_TYPE } from './resources.ts';

export { configKey, RESOURCE_TYPE, resourceOfConfigKey } from './resources.ts';

/** Stands for a leader where a partition has none. */
export const NO_LEADER: BrokerId = -1;

/** Kafka's DirectoryId: what stands for a log directory that is not known. */
export const UNASSIGNED_DIRECTORY: Uuid = 'AAAAAAAAAAAAAAAAAAAAAQ';

/** PartitionRecord.leaderRecoveryState. */
export const LEADER_RECOVERY = { RECOVERED: 0, RECOVERING: 1 } as const;

export interface PartitionImage {
  /** In order of preference: the first is the preferred leader. */
  readonly replicas: readonly BrokerId[];
  readonly isr: readonly BrokerId[];
  readonly removingReplicas: readonly BrokerId[];
  readonly addingReplicas: readonly BrokerId[];
  /** NO_LEADER where there is none. */
  readonly leader: BrokerId;
  readonly leaderRecoveryState: number;
  /** Rises with every election. */
  readonly leaderEpoch: LeaderEpoch;
  /** Rises with every change. */
  readonly partitionEpoch: number;
  /** Log directory of each replica, in the order of `replicas`; empty where unknown. */
  readonly directories: readonly Uuid[];
  /** Replicas that may lead although they left the in-sync set (KIP-966). */
  readonly eligibleLeaderReplicas: readonly BrokerId[];
  readonly lastKnownElr: readonly BrokerId[];
}

export interface TopicImage {
  readonly id: Uuid;
  readonly name: string;
  /** By partition number. */
  readonly partitions: readonly PartitionImage[];
}

export interface BrokerEndpoint {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** See SECURITY_PROTOCOL_IDS in config/listeners.ts. */
  readonly securityProtocol: number;
}

export interface BrokerImage {
  readonly id: BrokerId;
  /** Rises with every registration. */
  readonly epoch: number;
  /** New for every start of the broker. */
  readonly incarnationId: Uuid;
  readonly endpoints: readonly BrokerEndpoint[];
  readonly features: readonly {
    readonly name: string;
    readonly minSupportedVersion: number;
    readonly maxSupportedVersion: number;
  }[];
  readonly rack: string | null;
  /** A fenced broker serves nobody and leads nothing. */
  readonly fenced: boolean;
  readonly inControlledShutdown: boolean;
  readonly logDirs: readonly Uuid[];
  readonly cordonedLogDirs: readonly Uuid[];
}

export interface TopicsImage {
  readonly byName: ReadonlyMap<string, TopicImage>;
  readonly byId: ReadonlyMap<Uuid, TopicImage>;
  /** Names that have a dot or an underscore, by the name with underscores: 'a.b' and 'a_b' must not both exist. */
  readonly byMetricName: ReadonlyMap<string, string>;
}

export interface MetadataImage {
  /** Of the last record applied; -1 before any. */
  readonly offset: Offset;
  /** Of the leader that wrote that record. */
  readonly epoch: LeaderEpoch;
  readonly clusterId: string;
  readonly topics: TopicsImage;
  readonly brokers: ReadonlyMap<BrokerId, BrokerImage>;
  /** By `configKey`; see `configsOf`. */
  readonly configs: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly producerIds: { readonly next: ProducerId };
  /** Finalized feature levels by name, zero levels left out. */
  readonly features: ReadonlyMap<string, number>;
  /** What Kafka wrote that this program does not act on, in the order of its writing. */
  readonly carried: readonly CarriedRecord[];
  /** Replicas that each broker holds. */
  readonly replicaCounts: ReadonlyMap<BrokerId, number>;
}

/** The inside of an image, as drafts need it. */
export interface LayeredImage extends MetadataImage {
  readonly topics: {
    readonly byName: LayeredMap<string, TopicImage>;
    readonly byId: LayeredMap<Uuid, TopicImage>;
    readonly byMetricName: LayeredMap<string, string>;
  };
  readonly configs: LayeredMap<string, ReadonlyMap<string, string>>;
}

export function emptyImage(clusterId: string): MetadataImage {
  const image: LayeredImage = {
    offset: -1,
    epoch: 0,
    clusterId,
    topics: { byName: LayeredMap.empty(), byId: LayeredMap.empty(), byMetricName: LayeredMap.empty() },
    brokers: new Map(),
    configs: LayeredMap.empty(),
    producerIds: { next: 0 },
    features: new Map(),
    carried: [],
    replicaCounts: new Map(),
  };
  return image;
}

/**
 * Applies records, the last of which lies at `offset` and was written in `epoch`. Records that contradict the image
 * (a partition of an unknown topic) are a bug of the controller or damage: an assertion fails.
 */
export function applyRecords(
  image: MetadataImage,
  records: readonly MetadataRecord[],
  offset: Offset,
  epoch: LeaderEpoch,
): { readonly image: MetadataImage; readonly delta: MetadataDelta } {
  const draft = new ImageDraft(image as LayeredImage);
  for (const record of records) draft.apply(record);
  return draft.finish(offset, epoch);
}

const NO_CONFIGS: ReadonlyMap<string, string> = new Map();

/** The dynamic configs of a resource; empty where it has none. */
export function configsOf(
  image: MetadataImage,
  resourceType: number,
  resourceName: string,
): ReadonlyMap<string, string> {
  return image.configs.get(configKey(resourceType, resourceName)) ?? NO_CONFIGS;
}

/** A topic's own configs. */
export function topicConfigsOf(image: MetadataImage, topic: string): ReadonlyMap<string, string> {
  return configsOf(image, RESOURCE_TYPE.TOPIC, topic);
}

/** Dynamic configs of one broker and those of all brokers, in the form that BrokerConfig takes. */
export function brokerConfigsOf(
  image: MetadataImage,
  brokerId: BrokerId,
): { readonly perBroker: ReadonlyMap<string, string>; readonly clusterDefault: ReadonlyMap<string, string> } {
  return {
    perBroker: configsOf(image, RESOURCE_TYPE.BROKER, String(brokerId)),
    clusterDefault: configsOf(image, RESOURCE_TYPE.BROKER, ''),
  };
}

/** Whether a broker may lead and hold in-sync replicas. */
export function isActiveBroker(image: MetadataImage, brokerId: BrokerId): boolean {
  const broker = image.brokers.get(brokerId);
  return broker !== undefined && !broker.fenced && !broker.inControlledShutdown;
}
