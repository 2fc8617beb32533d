/** kafkajs's admin: topics, offsets, groups, configs, reassignments. */
import { systemClock } from '../../base/clock.ts';
import type { TopicPartition } from '../../base/units.ts';
import { ErrorCode, type ErrorName } from '../../protocol/error-codes.ts';
import { Admin } from '../admin/admin.ts';
import { type ConfigEntry, RESOURCE_TYPES, type ResourceType } from '../admin/configs.ts';
import type { Outcome } from '../admin/outcome.ts';
import type { Cluster } from '../cluster.ts';
import { listOffsets, type OffsetQuery } from '../list-offsets.ts';
import {
  asKafkaJS,
  type DeletedGroup,
  KafkaJSAggregateError,
  KafkaJSCreateTopicError,
  KafkaJSDeleteGroupsError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
  toKafkaJSError,
} from './kafkajs-errors.ts';
import { Instrumentation, type InstrumentationEvent } from './kafkajs-events.ts';
import { describedGroup, type GroupDescription } from './kafkajs-groups.ts';
import type { Logger } from './kafkajs-logger.ts';
import { partitionMetadata } from './kafkajs-partitioners.ts';
import type { PartitionMetadata, PartitionOffset, TopicPartitions } from './kafkajs-types.ts';
import type { OwnCluster } from './own-cluster.ts';

export const ADMIN_EVENTS = { CONNECT: 'admin.connect', DISCONNECT: 'admin.disconnect' } as const;
type AdminEventPayloads = { 'admin.connect': null; 'admin.disconnect': null };

/** kafkajs's numbers are the protocol's. */
export const ConfigResourceTypes = { UNKNOWN: 0, TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8 } as const;
const CONFIG_SOURCES = ['unknown', 'topic', 'broker', 'all brokers', 'file', 'default', 'broker logger'];

export interface ITopicConfig {
  readonly topic: string;
  /** The broker's default where left out. */
  readonly numPartitions?: number;
  readonly replicationFactor?: number;
  readonly replicaAssignment?: readonly { readonly partition: number; readonly replicas: readonly number[] }[];
  readonly configEntries?: readonly { readonly name: string; readonly value: string }[];
}

interface ResourceConfigQuery {
  readonly type: number;
  readonly name: string;
  readonly configNames?: readonly string[];
}

export class KafkaJSAdmin {
  readonly events = ADMIN_EVENTS;
  readonly #own: OwnCluster;
  readonly #logger: Logger;
  readonly #instrumentation: Instrumentation<AdminEventPayloads>;

  constructor(own: OwnCluster, logger: Logger) {
    this.#own = own;
    this.#logger = logger.namespace('Admin');
    this.#instrumentation = new Instrumentation(systemClock);
  }

  get #cluster(): Cluster {
    return this.#own.current;
  }

  get #admin(): Admin {
    return new Admin(this.#own.current);
  }

  async connect(): Promise<void> {
    await this.#own.connect();
    this.#instrumentation.emit('admin.connect', null);
  }

  async disconnect(): Promise<void> {
    await this.#own.close();
    this.#instrumentation.emit('admin.disconnect', null);
  }

  async listTopics(): Promise<string[]> {
    return (await asKafkaJS(this.#admin.listTopics())).map(({ name }) => name);
  }

  /** False where one of them is there already; other refusals come as one KafkaJSAggregateError. */
  async createTopics({
    topics,
    validateOnly = false,
    waitForLeaders = true,
  }: {
    readonly topics: readonly ITopicConfig[];
    readonly validateOnly?: boolean;
    readonly waitForLeaders?: boolean;
    readonly timeout?: number;
  }): Promise<boolean> {
    const list = topics.map(
      ({ topic, numPartitions, replicationFactor, replicaAssignment = [], configEntries = [] }) => {
        const assignments = [...replicaAssignment].sort((left, right) => left.partition - right.partition);
        return {
          name: topic,
          partitions: numPartitions,
          replicationFactor,
          assignments: assignments.length === 0 ? undefined : assignments.map(({ replicas }) => replicas),
          configs: Object.fromEntries(configEntries.map(({ name, value }) => [name, value])),
        };
      },
    );
    const outcomes = await asKafkaJS(this.#admin.createTopics(list, { validateOnly }));
    const failed = outcomes.flatMap((each) => (each.ok ? [] : [each]));
    const refused = failed.filter(({ error }) => error.code !== 'TOPIC_ALREADY_EXISTS');
    if (refused.length > 0) {
      const errors = refused.map(({ error, name }) => new KafkaJSCreateTopicError(error, name));
      throw new KafkaJSAggregateError('Topic creation errors', errors);
    }
    if (waitForLeaders && !validateOnly) await this.#waitForLeaders(topics.map(({ topic }) => topic));
    return failed.length === 0;
  }

  async #waitForLeaders(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const { partitions } = await asKafkaJS(this.#cluster.topic(name));
      for (const { partition } of partitions) await asKafkaJS(this.#cluster.leader(name, partition));
    }
  }

  async deleteTopics({ topics }: { readonly topics: readonly string[]; readonly timeout?: number }): Promise<void> {
    allOrThrow(await asKafkaJS(this.#admin.deleteTopics(topics)));
  }

  async createPartitions({
    topicPartitions,
    validateOnly = false,
  }: {
    readonly topicPartitions: readonly {
      readonly topic: string;
      readonly count: number;
      readonly assignments?: readonly (readonly number[])[];
    }[];
    readonly validateOnly?: boolean;
    readonly timeout?: number;
  }): Promise<boolean> {
    const list = topicPartitions.map(({ topic: name, count, assignments }) => ({ name, count, assignments }));
    allOrThrow(await asKafkaJS(this.#admin.createPartitions(list, { validateOnly })));
    return true;
  }

  async fetchTopicMetadata({ topics = [] }: { readonly topics?: readonly string[] } = {}): Promise<{
    topics: { name: string; partitions: PartitionMetadata[] }[];
  }> {
    if (topics.length === 0) {
      const all = await asKafkaJS(this.#admin.listTopics());
      return { topics: all.map((view) => ({ name: view.name, partitions: partitionMetadata(view) })) };
    }
    for (const name of topics) this.#cluster.forgetTopic(name);
    const found = await asKafkaJS(Promise.all(topics.map((name) => this.#cluster.topic(name))));
    return { topics: found.map((view) => ({ name: view.name, partitions: partitionMetadata(view) })) };
  }

  async fetchTopicOffsets(
    topic: string,
  ): Promise<(PartitionOffset & { readonly high: string; readonly low: string })[]> {
    const partitions = await this.#partitionsOf(topic);
    const low = await this.#offsets(partitions, 'earliest');
    const high = await this.#offsets(partitions, 'latest');
    return partitions.map(({ partition }, index) => {
      const ends = { high: String(high[index]), low: String(low[index]) };
      return { partition, offset: ends.high, ...ends };
    });
  }

  /** The end where no record is as late; without a time, the end. */
  async fetchTopicOffsetsByTimestamp(topic: string, timestamp?: number): Promise<PartitionOffset[]> {
    const partitions = await this.#partitionsOf(topic);
    const ends = await this.#offsets(partitions, 'latest');
    const found = timestamp === undefined ? ends : await this.#offsets(partitions, timestamp);
    return partitions.map(({ partition }, index) => {
      const offset = found[index]! < 0 ? ends[index]! : found[index]!;
      return { partition, offset: String(offset) };
    });
  }

  async #partitionsOf(topic: string): Promise<TopicPartition[]> {
    if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`);
    const { partitions } = await asKafkaJS(this.#cluster.topic(topic));
    return partitions.map(({ partition }) => ({ topic, partition }));
  }

  async #offsets(partitions: readonly TopicPartition[], at: OffsetQuery): Promise<number[]> {
    const found = await asKafkaJS(
      listOffsets(
        this.#cluster,
        partitions.map((each) => ({ ...each, at })),
      ),
    );
    return found.map(({ offset }) => offset);
  }

  /** Of the named topics all partitions, -1 where nothing is committed. With `resolveOffsets`, where a consumer would begin. */
  async fetchOffsets({
    groupId,
    topics,
    resolveOffsets = false,
  }: {
    readonly groupId: string;
    readonly topics?: readonly string[];
    readonly resolveOffsets?: boolean;
  }): Promise<{ topic: string; partitions: (PartitionOffset & { readonly metadata: string | null })[] }[]> {
    const committed = await asKafkaJS(this.#admin.groupOffsets(groupId));
    const names = topics ?? [...new Set(committed.map(({ topic }) => topic))];
    return Promise.all(
      names.map(async (topic) => {
        const places = await this.#partitionsOf(topic);
        const ends = resolveOffsets ? await this.#offsets(places, 'latest') : [];
        const partitions = places.map(({ partition }, index) => {
          const known = committed.find((each) => each.topic === topic && each.partition === partition);
          const offset = String(known?.offset ?? (resolveOffsets ? ends[index] : -1));
          return { partition, offset, metadata: known?.metadata || null };
        });
        return { topic, partitions };
      }),
    );
  }

  /** Of a group that has no members; -1 is the end, -2 the beginning. */
  async setOffsets({
    groupId,
    topic,
    partitions,
  }: {
    readonly groupId: string;
    readonly topic: string;
    readonly partitions: readonly PartitionOffset[];
  }): Promise<void> {
    const offsets = await Promise.all(
      partitions.map(async ({ partition, offset }) => {
        const place = { topic, partition };
        const special = offset === '-1' ? 'latest' : offset === '-2' ? 'earliest' : undefined;
        const [found] = special === undefined ? [Number(offset)] : await this.#offsets([place], special);
        return { ...place, offset: found! };
      }),
    );
    allOrThrow(await asKafkaJS(this.#admin.commitGroupOffsets(groupId, offsets)));
  }

  async resetOffsets({
    groupId,
    topic,
    earliest = false,
  }: {
    groupId: string;
    topic: string;
    earliest?: boolean;
  }): Promise<void> {
    const offset = earliest ? '-2' : '-1';
    const partitions = (await this.#partitionsOf(topic)).map(({ partition }) => ({ partition, offset }));
    await this.setOffsets({ groupId, topic, partitions });
  }

  /** Everything before the offsets; -1 is the end. */
  async deleteTopicRecords({
    topic,
    partitions,
  }: {
    readonly topic: string;
    readonly partitions: readonly PartitionOffset[];
  }): Promise<void> {
    const list = partitions.map(({ partition, offset }) => {
      return { topic, partition, before: offset === '-1' ? ('latest' as const) : Number(offset) };
    });
    allOrThrow(await asKafkaJS(this.#admin.deleteRecords(list)));
  }

  async describeCluster(): Promise<{
    brokers: { nodeId: number; host: string; port: number }[];
    controller: number | null;
    clusterId: string;
  }> {
    const { brokers, controllerId: controller, clusterId } = await asKafkaJS(this.#admin.describeCluster());
    return {
      brokers: brokers.map(({ id: nodeId, host, port }) => ({ nodeId, host, port })),
      controller: controller < 0 ? null : controller,
      clusterId: clusterId ?? '',
    };
  }

  async describeConfigs({
    resources,
    includeSynonyms = false,
  }: {
    readonly resources: readonly ResourceConfigQuery[];
    readonly includeSynonyms?: boolean;
  }) {
    const list = resources.map(({ type, name, configNames }) => ({
      type: resourceType(type),
      name,
      options: configNames,
    }));
    const outcomes = await asKafkaJS(this.#admin.describeConfigs(list, { synonyms: includeSynonyms }));
    return {
      throttleTime: 0,
      resources: allOrThrow(outcomes).map(({ type, name, entries }) => ({
        errorCode: 0,
        errorMessage: '',
        resourceType: RESOURCE_TYPES[type],
        resourceName: name,
        configEntries: entries.map(configEntry),
      })),
    };
  }

  async alterConfigs({
    resources,
    validateOnly = false,
  }: {
    readonly resources: readonly (Omit<ResourceConfigQuery, 'configNames'> & {
      readonly configEntries: readonly { readonly name: string; readonly value: string }[];
    })[];
    readonly validateOnly?: boolean;
  }): Promise<void> {
    const changes = resources.map(({ type, name, configEntries }) => ({
      type: resourceType(type),
      name,
      set: Object.fromEntries(configEntries.map((each) => [each.name, each.value])),
    }));
    allOrThrow(await asKafkaJS(this.#admin.alterConfigs(changes, { validateOnly })));
  }

  async listGroups(): Promise<{ groups: { groupId: string; protocolType: string }[] }> {
    const groups = await asKafkaJS(this.#admin.listGroups());
    return { groups: groups.map(({ id: groupId, protocolType }) => ({ groupId, protocolType })) };
  }

  async describeGroups(groupIds: readonly string[]): Promise<{ groups: GroupDescription[] }> {
    const groups = await Promise.all(
      groupIds.map(async (id) => {
        try {
          return describedGroup(await this.#admin.describeGroup(id));
        } catch (error) {
          // kafkajs describes a group that is not there as dead.
          if (isCode(error, 'GROUP_ID_NOT_FOUND')) return deadGroup(id);
          throw toKafkaJSError(error);
        }
      }),
    );
    return { groups };
  }

  async deleteGroups(groupIds: readonly string[]): Promise<DeletedGroup[]> {
    const outcomes = await asKafkaJS(this.#admin.deleteGroups(groupIds));
    const results = outcomes.map((each): DeletedGroup => {
      if (each.ok) return { groupId: each.id, errorCode: 0 };
      const error = new KafkaJSProtocolError(each.error);
      return { groupId: each.id, errorCode: error.code, error };
    });
    const failed = results.filter(({ error }) => error !== undefined);
    if (failed.length > 0) throw new KafkaJSDeleteGroupsError('Error in DeleteGroups', failed);
    return results;
  }

  async alterPartitionReassignments({
    topics,
  }: {
    readonly topics: readonly {
      readonly topic: string;
      readonly partitionAssignment: readonly { readonly partition: number; readonly replicas: readonly number[] }[];
    }[];
    readonly timeout?: number;
  }): Promise<void> {
    const list = topics.flatMap(({ topic, partitionAssignment }) =>
      partitionAssignment.map(({ partition, replicas }) => ({ topic, partition, replicas })),
    );
    allOrThrow(await asKafkaJS(this.#admin.reassignPartitions(list)));
  }

  async listPartitionReassignments({
    topics,
  }: {
    readonly topics?: readonly TopicPartitions[];
    readonly timeout?: number;
  } = {}) {
    const list = topics?.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
    const ongoing = await asKafkaJS(this.#admin.ongoingReassignments(list));
    const names = [...new Set(ongoing.map(({ topic }) => topic))];
    return {
      topics: names.map((topic) => ({
        topic,
        partitions: ongoing
          .filter((each) => each.topic === topic)
          .map(({ partition, replicas, adding, removing }) => ({
            partitionIndex: partition,
            replicas: [...replicas],
            addingReplicas: [...adding],
            removingReplicas: [...removing],
          })),
      })),
    };
  }

  on<Name extends keyof AdminEventPayloads>(
    name: Name,
    listener: (event: InstrumentationEvent<AdminEventPayloads[Name]>) => void,
  ): () => void {
    return this.#instrumentation.on(name, listener);
  }

  logger(): Logger {
    return this.#logger;
  }
}

function allOrThrow<T>(outcomes: readonly Outcome<T>[]): readonly T[] {
  for (const outcome of outcomes) if (!outcome.ok) throw toKafkaJSError(outcome.error);
  return outcomes;
}

function isCode(error: unknown, code: ErrorName): boolean {
  return (
    toKafkaJSError(error) instanceof KafkaJSProtocolError &&
    (toKafkaJSError(error) as KafkaJSProtocolError).type === code
  );
}

function deadGroup(groupId: string): GroupDescription {
  return { errorCode: ErrorCode.NONE, groupId, members: [], protocol: '', protocolType: '', state: 'Dead' };
}

function resourceType(number: number): ResourceType {
  const found = (Object.keys(RESOURCE_TYPES) as ResourceType[]).find((name) => RESOURCE_TYPES[name] === number);
  if (found === undefined) throw new KafkaJSNonRetriableError(`Invalid resource type ${number}`);
  return found;
}

function configEntry({ name, value, source, readOnly, sensitive, synonyms }: ConfigEntry) {
  return {
    configName: name,
    configValue: value ?? '',
    isDefault: source === 'default',
    configSource: CONFIG_SOURCES.indexOf(source),
    isSensitive: sensitive,
    readOnly,
    configSynonyms: synonyms.map((each) => ({
      configName: each.name,
      configValue: each.value ?? '',
      configSource: CONFIG_SOURCES.indexOf(each.source),
    })),
  };
}
