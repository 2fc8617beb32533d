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

/** Who leads a partition, as a refusal tells. */
export interface LeaderHint {
  readonly topic: string;
  readonly partition: number;
  readonly leader: BrokerId;
  readonly leaderEpoch: LeaderEpoch;
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

  /** The topic that has the id, if it is known at all. */
  topicWithId(id: Uuid): TopicView | undefined {
    for (const { view } of this.#topics.values()) if (view.id === id) return view;
    return undefined;
  }

  forget(name: string): void {
    this.#topics.delete(name);
  }

  /** Takes in who leads a partition now, as a broker's refusal tells (KIP-951). False where that is nothing newer. */
  learnLeader(hint: LeaderHint, endpoints: readonly BrokerView[]): boolean {
    const cached = this.#topics.get(hint.topic);
    const known = cached?.view.partitions[hint.partition];
    if (cached === undefined || known === undefined || hint.leaderEpoch <= known.leaderEpoch) return false;
    const endpoint = endpoints.find(({ id }) => id === hint.leader);
    if (endpoint === undefined && !this.brokers.has(hint.leader)) return false;
    if (endpoint !== undefined) this.brokers = new Map(this.brokers).set(endpoint.id, endpoint);
    const { leader, leaderEpoch } = hint;
    const partitions = cached.view.partitions.with(hint.partition, { ...known, leader, leaderEpoch });
    this.#topics.set(hint.topic, { ...cached, view: { ...cached.view, partitions } });
    return true;
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
