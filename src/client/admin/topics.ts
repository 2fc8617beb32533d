/** Topics and partitions: making, removing, growing, looking. */
import type { BrokerId, LeaderEpoch } from '../../base/units.ts';
import { type Uuid, ZERO_UUID } from '../../base/uuid.ts';
import { createPartitions as createPartitionsApi } from '../../protocol/apis/create-partitions.ts';
import { createTopics as createTopicsApi } from '../../protocol/apis/create-topics.ts';
import { deleteTopics as deleteTopicsApi } from '../../protocol/apis/delete-topics.ts';
import { describeTopicPartitions as describeApi } from '../../protocol/apis/describe-topic-partitions.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { ResponseBody } from '../api-types.ts';
import type { Cluster } from '../cluster.ts';
import { refusedForGood } from '../errors.ts';
import { type TopicView, topicView } from '../metadata-cache.ts';
import { inOrder, type Outcome, outcomeOf, throwIfMisdirected } from './outcome.ts';

export interface CallSettings {
  readonly signal?: AbortSignal;
}

export interface NewTopic {
  readonly name: string;
  /** The broker's default where left out. */
  readonly partitions?: number;
  /** The broker's default where left out. */
  readonly replicationFactor?: number;
  /** Brokers by partition, the preferred leader first; takes the place of the two numbers. */
  readonly assignments?: readonly (readonly BrokerId[])[];
  readonly configs?: Readonly<Record<string, string>>;
}

export interface CreatedTopic {
  readonly name: string;
  readonly id: Uuid;
  /** -1 where the broker does not say. */
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** Stands for the broker's default number of partitions and replicas. */
const BROKER_DEFAULT = -1;

export function createTopics(
  cluster: Cluster,
  topics: readonly NewTopic[],
  settings: CallSettings & { readonly validateOnly?: boolean } = {},
): Promise<Outcome<CreatedTopic>[]> {
  const body = {
    topics: topics.map((topic) => ({
      name: topic.name,
      numPartitions: topic.assignments === undefined ? (topic.partitions ?? BROKER_DEFAULT) : BROKER_DEFAULT,
      replicationFactor: topic.assignments === undefined ? (topic.replicationFactor ?? BROKER_DEFAULT) : BROKER_DEFAULT,
      assignments: (topic.assignments ?? []).map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
      configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
    })),
    timeoutMs: cluster.options.connection.requestTimeoutMs,
    validateOnly: settings.validateOnly ?? false,
  };
  return onController(cluster, settings, async () => {
    const connection = await cluster.connection('controller');
    const answer = await connection.request(createTopicsApi, body);
    throwIfMisdirected(answer.topics.map(({ errorCode }) => errorCode));
    const outcomes = answer.topics.map((topic) => {
      const { name, topicId: id, numPartitions: partitions, replicationFactor } = topic;
      cluster.forgetTopic(name);
      return outcomeOf(
        { name, id, partitions, replicationFactor },
        `topic ${name}`,
        topic.errorCode,
        topic.errorMessage,
      );
    });
    return inOrder(topics, outcomes);
  });
}

export function deleteTopics(
  cluster: Cluster,
  names: readonly string[],
  settings: CallSettings = {},
): Promise<Outcome<{ readonly name: string }>[]> {
  const body = {
    // Versions before 6 take the names alone; each version carries the one or the other.
    topics: names.map((name) => ({ name, topicId: ZERO_UUID })),
    topicNames: names,
    timeoutMs: cluster.options.connection.requestTimeoutMs,
  };
  return onController(cluster, settings, async () => {
    const connection = await cluster.connection('controller');
    const version = connection.versions.choose(deleteTopicsApi);
    const answer = await connection.request(deleteTopicsApi, version >= 6 ? body : { ...body, topics: [] });
    throwIfMisdirected(answer.responses.map(({ errorCode }) => errorCode));
    const outcomes = answer.responses.map(({ name: answered, errorCode, errorMessage }) => {
      const name = answered ?? '';
      cluster.forgetTopic(name);
      return outcomeOf({ name }, `topic ${name}`, errorCode, errorMessage);
    });
    return inOrder(names, outcomes);
  });
}

export interface MorePartitions {
  readonly name: string;
  /** Partitions that the topic shall have in all. */
  readonly count: number;
  /** Brokers of each added partition. */
  readonly assignments?: readonly (readonly BrokerId[])[];
}

export function createPartitions(
  cluster: Cluster,
  topics: readonly MorePartitions[],
  settings: CallSettings & { readonly validateOnly?: boolean } = {},
): Promise<Outcome<{ readonly name: string }>[]> {
  const body = {
    topics: topics.map(({ name, count, assignments }) => ({
      name,
      count,
      assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
    })),
    timeoutMs: cluster.options.connection.requestTimeoutMs,
    validateOnly: settings.validateOnly ?? false,
  };
  return onController(cluster, settings, async () => {
    const connection = await cluster.connection('controller');
    const answer = await connection.request(createPartitionsApi, body);
    throwIfMisdirected(answer.results.map(({ errorCode }) => errorCode));
    const outcomes = answer.results.map(({ name, errorCode, errorMessage }) => {
      cluster.forgetTopic(name);
      return outcomeOf({ name }, `topic ${name}`, errorCode, errorMessage);
    });
    return inOrder(topics, outcomes);
  });
}

/** All topics that this client may see, by name. */
export async function listTopics(cluster: Cluster, settings: CallSettings = {}): Promise<TopicView[]> {
  const answer = await cluster.retrying(settings.signal, () => cluster.askMetadata(undefined));
  return answer.topics
    .filter(({ errorCode, name }) => errorCode === ErrorCode.NONE && name !== null)
    .map((topic) => topicView(topic, topic.name!))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

export interface PartitionDescription {
  readonly partition: number;
  /** -1 while there is no leader. */
  readonly leader: BrokerId;
  readonly leaderEpoch: LeaderEpoch;
  readonly replicas: readonly BrokerId[];
  readonly inSync: readonly BrokerId[];
  readonly offline: readonly BrokerId[];
  /** Replicas that may lead although they are out of sync (KIP-966); undefined where the broker does not say. */
  readonly eligibleLeaders: readonly BrokerId[] | undefined;
  readonly lastKnownEligibleLeaders: readonly BrokerId[] | undefined;
}

export interface TopicDescription {
  readonly name: string;
  readonly id: Uuid;
  readonly internal: boolean;
  readonly partitions: readonly PartitionDescription[];
}

/** The named topics with their partitions, in the order of the names. */
export async function describeTopics(
  cluster: Cluster,
  names: readonly string[],
  settings: CallSettings = {},
): Promise<Outcome<TopicDescription>[]> {
  const serves = await cluster.retrying(settings.signal, async () =>
    (await cluster.connection('any')).versions.serves(describeApi),
  );
  const found = serves
    ? await describeByPages(cluster, names, settings)
    : await describeAtOnce(cluster, names, settings);
  return names.map((name) => {
    const nothing = { name, id: ZERO_UUID, internal: false, partitions: [] };
    const error = refusedForGood(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `topic ${name}`);
    return found.get(name) ?? { ...nothing, ok: false, error };
  });
}

type Found = Map<string, Outcome<TopicDescription>>;

async function describeAtOnce(cluster: Cluster, names: readonly string[], settings: CallSettings): Promise<Found> {
  const answer = await cluster.retrying(settings.signal, () => cluster.askMetadata(names));
  const found: Found = new Map();
  for (const topic of answer.topics) {
    if (topic.name === null) continue;
    const { name, id, internal, partitions } = topicView(topic, topic.name);
    const unsaid = { eligibleLeaders: undefined, lastKnownEligibleLeaders: undefined };
    const description = { name, id, internal, partitions: partitions.map((each) => ({ ...each, ...unsaid })) };
    found.set(name, outcomeOf(description, `topic ${name}`, topic.errorCode));
  }
  return found;
}

/** A broker answers with so many partitions and says where to go on. */
async function describeByPages(cluster: Cluster, names: readonly string[], settings: CallSettings): Promise<Found> {
  const found: Found = new Map();
  let cursor: { topicName: string; partitionIndex: number } | null = null;
  // The broker answers in the order of names, and so the cursor cuts off what is answered.
  let left: readonly string[] = [...new Set(names)].sort();
  do {
    const answer: DescribePage = await cluster.call(
      'any',
      describeApi,
      { topics: left.map((name) => ({ name })), cursor },
      settings,
    );
    for (const topic of answer.topics) {
      if (topic.name === null) continue;
      const earlier = found.get(topic.name)?.partitions ?? [];
      const partitions = [...earlier, ...topic.partitions.map(partitionDescription)];
      const description = { name: topic.name, id: topic.topicId, internal: topic.isInternal, partitions };
      found.set(topic.name, outcomeOf(description, `topic ${topic.name}`, topic.errorCode));
    }
    cursor = answer.nextCursor;
    const from = cursor?.topicName;
    if (from !== undefined) left = left.filter((name) => name >= from);
  } while (cursor !== null);
  return found;
}

type DescribePage = ResponseBody<typeof describeApi>;

function partitionDescription(each: DescribePage['topics'][number]['partitions'][number]): PartitionDescription {
  return {
    partition: each.partitionIndex,
    leader: each.leaderId,
    leaderEpoch: each.leaderEpoch,
    replicas: each.replicaNodes,
    inSync: each.isrNodes,
    offline: each.offlineReplicas,
    eligibleLeaders: each.eligibleLeaderReplicas ?? [],
    lastKnownEligibleLeaders: each.lastKnownElr ?? [],
  };
}

/** Where the controller has moved, the next attempt must know about it. */
export function onController<T>(cluster: Cluster, { signal }: CallSettings, attempt: () => Promise<T>): Promise<T> {
  return cluster.retrying(signal, async (failures) => {
    if (failures > 0) await cluster.askMetadata([]);
    return attempt();
  });
}
