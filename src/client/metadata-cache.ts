/** What this client knows of the cluster: brokers, and the topics it has asked for. Holds answers, asks nothing. */
import type { BrokerId, LeaderEpoch } from '../base/units.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import type { metadata } from '../protocol/apis/metadata.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { ResponseBody } from './api-types.ts';
import type { Endpoint } from './bootstrap.ts';

export interface BrokerView extends Endpoint {
  readonly id: BrokerId;
  readonly rack: string | null;
}

export interface PartitionView {
  readonly partition: number;
  /** -1 while there is no leader. */
  readonly leader: BrokerId;
  readonly leaderEpoch: LeaderEpoch;
  readonly replicas: readonly BrokerId[];
  readonly inSync: readonly BrokerId[];
  readonly offline: readonly BrokerId[];
}

export interface TopicView {
  readonly name: string;
  /** ZERO_UUID from brokers that know no topic ids. */
  readonly id: Uuid;
  readonly internal: boolean;
  /** By partition number. */
  readonly partitions: readonly PartitionView[];
}

export type MetadataAnswer = ResponseBody<typeof metadata>;

interface CachedTopic {
  readonly view: TopicView;
  readonly knownAtMs: number;
}

export class MetadataCache {
  clusterId: string | null = null;
  controllerId: BrokerId = -1;
  brokers: ReadonlyMap<BrokerId, BrokerView> = new Map();
  readonly #topics = new Map<string, CachedTopic>();

  /** Takes in an answer; topics that it does not mention stay as they are. */
  apply(answer: MetadataAnswer, nowMs: number): void {
    this.clusterId = answer.clusterId;
    this.controllerId = answer.controllerId;
    this.brokers = new Map(answer.brokers.map(({ nodeId, ...rest }) => [nodeId, { id: nodeId, ...rest }]));
    for (const topic of answer.topics) {
      if (topic.name === null) continue;
      if (topic.errorCode === ErrorCode.NONE) {
        this.#topics.set(topic.name, { view: topicView(topic, topic.name), knownAtMs: nowMs });
      } else {
        this.#topics.delete(topic.name);
      }
    }
  }

  /** The topic, unless it is unknown or was last heard of before `notBeforeMs`. */
  topic(name: string, notBeforeMs: number): TopicView | undefined {
    const cached = this.#topics.get(name);
    return cached !== undefined && cached.knownAtMs >= notBeforeMs ? cached.view : undefined;
  }

  forget(name: string): void {
    this.#topics.delete(name);
  }
}

/** A topic as an answer describes it. Partitions that are missing in it have no leader. */
export function topicView(topic: MetadataAnswer['topics'][number], name: string): TopicView {
  const partitions: PartitionView[] = [];
  for (const each of topic.partitions) {
    partitions[each.partitionIndex] = {
      partition: each.partitionIndex,
      leader: each.leaderId,
      leaderEpoch: each.leaderEpoch,
      replicas: each.replicaNodes,
      inSync: each.isrNodes,
      offline: each.offlineReplicas,
    };
  }
  for (let partition = 0; partition < partitions.length; partition++) {
    partitions[partition] ??= { partition, leader: -1, leaderEpoch: -1, replicas: [], inSync: [], offline: [] };
  }
  return { name, id: topic.topicId ?? ZERO_UUID, internal: topic.isInternal, partitions };
}
