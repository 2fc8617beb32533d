/** Creation and deletion of topics, decided on an image. Answers and codes are those of Kafka's controller. */
import type { Random } from '../base/random.ts';
import type { BrokerId } from '../base/units.ts';
import { newUuid, ZERO_UUID } from '../base/uuid.ts';
import { checkNewTopicConfigs } from '../config/alter.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { describeTopicConfigs } from '../config/describe.ts';
import { type MetadataImage, RESOURCE_TYPE, type TopicImage } from '../metadata/image.ts';
import { metricName } from '../metadata/metric-name.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/apis/create-topics.ts';
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/apis/delete-topics.ts';
import { ErrorCode, errorMessage } from '../protocol/error-codes.ts';
import {
  type Assignments,
  checkAssignments,
  checkBrokerCaps,
  partitionRecords,
  placePartitions,
} from './new-partitions.ts';
import type { Decision } from './pending-image.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';
import { METADATA_TOPIC_NAME, topicNameProblem } from './topic-names.ts';

type NewTopic = CreateTopicsRequest['topics'][number];
type CreateResult = CreateTopicsResponse['topics'][number];
type DeleteResult = DeleteTopicsResponse['responses'][number];

export interface TopicPolicies {
  readonly config: BrokerConfig;
  readonly random: Random;
  /** Names that are taken by what nobody understands, and why. */
  readonly lostTopics?: ReadonlyMap<string, string> | undefined;
}

/** What has been granted to earlier topics of the same request. */
interface Granted {
  readonly metricNames: Map<string, string>;
  readonly replicas: Map<BrokerId, number>;
}

export function createTopics(
  image: MetadataImage,
  request: CreateTopicsRequest,
  policies: TopicPolicies,
): Decision<CreateTopicsResponse> {
  const excess = excessPartitions(request, policies.config);
  if (excess !== undefined) return { records: [], result: createTopicsRefused(request, excess) };
  const records: MetadataRecord[] = [];
  const results: CreateResult[] = [];
  const granted: Granted = { metricNames: new Map(), replicas: new Map() };
  const times = countNames(request.topics.map(({ name }) => name));
  for (const topic of request.topics) {
    if (times.get(topic.name)! > 1) continue;
    const outcome = createTopic(image, topic, policies, granted);
    if (isRefusal(outcome)) {
      results.push({ name: topic.name, topicId: ZERO_UUID, ...outcome, configs: [] });
      continue;
    }
    records.push(...outcome.records);
    results.push(outcome.result);
  }
  for (const [name, count] of times) {
    if (count === 1) continue;
    results.push({ name, ...refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.'), configs: [] });
  }
  return { records: request.validateOnly ? [] : records, result: { topics: results } };
}

/** What one refusal says of every topic of a request. */
export function createTopicsRefused(request: CreateTopicsRequest, refusal: Refusal): CreateTopicsResponse {
  return { topics: request.topics.map(({ name }) => ({ name, ...refusal, configs: [] })) };
}

function excessPartitions(request: CreateTopicsRequest, config: BrokerConfig): Refusal | undefined {
  const limit = config.get('sluice.partitions.per.request.max');
  let total = 0;
  for (const { assignments, numPartitions } of request.topics) {
    if (assignments.length > 0) total += assignments.length;
    else total += numPartitions === -1 ? config.get('num.partitions') : Math.max(0, numPartitions);
  }
  if (total <= limit) return undefined;
  const why = `The request asks for ${total} partitions; allowed: sluice.partitions.per.request.max, which is ${limit}.`;
  return refuse(ErrorCode.POLICY_VIOLATION, why);
}

function createTopic(
  image: MetadataImage,
  topic: NewTopic,
  { config, random, lostTopics }: TopicPolicies,
  granted: Granted,
): Decision<CreateResult> | Refusal {
  const nameRefusal = checkName(image, topic.name, granted) ?? checkLost(topic.name, lostTopics);
  if (nameRefusal !== undefined) return nameRefusal;
  const configs = checkNewTopicConfigs(config, topic.configs);
  if (!configs.ok) return refuse(ErrorCode[configs.error], configs.message);
  const assignments = assignReplicas(image, topic, config, random);
  if (isRefusal(assignments)) return assignments;
  const overload = checkBrokerCaps(
    image,
    assignments,
    granted.replicas,
    config.get('sluice.partitions.per.broker.max'),
  );
  if (overload !== undefined) return overload;
  const shared = metricName(topic.name);
  if (shared !== undefined) granted.metricNames.set(shared, topic.name);
  const topicId = newUuid(random);
  const overrides = new Map(configs.changes.map(({ name, value }) => [name, value ?? '']));
  const described = describeTopicConfigs(config, overrides).sort((left, right) => (left.name < right.name ? -1 : 1));
  return {
    records: [
      newRecord('topic', { name: topic.name, topicId }),
      ...configs.changes.map(({ name, value }) =>
        newRecord('config', { resourceType: RESOURCE_TYPE.TOPIC, resourceName: topic.name, name, value }),
      ),
      ...partitionRecords(image, topicId, 0, assignments),
    ],
    result: {
      name: topic.name,
      topicId,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      numPartitions: assignments.length,
      replicationFactor: assignments[0]!.length,
      configs: described.map(({ name, value, readOnly, configSource, isSensitive }) => ({
        name,
        // As it was asked for; DescribeConfigs tells what was understood.
        value: overrides.get(name) ?? value,
        readOnly,
        configSource,
        isSensitive,
      })),
    },
  };
}

function checkName(image: MetadataImage, name: string, granted: Granted): Refusal | undefined {
  if (name === METADATA_TOPIC_NAME)
    return refuse(ErrorCode.INVALID_REQUEST, `Creation of internal topic ${name} is prohibited.`);
  const problem = topicNameProblem(name);
  if (problem !== undefined) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, problem);
  if (image.topics.byName.has(name)) return refuse(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`);
  const shared = metricName(name);
  if (shared === undefined) return undefined;
  const other = granted.metricNames.get(shared) ?? image.topics.byMetricName.get(shared);
  if (other === undefined) return undefined;
  return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, `Topic '${name}' collides with existing topic: ${other}`);
}

function checkLost(name: string, lostTopics: TopicPolicies['lostTopics']): Refusal | undefined {
  const why = lostTopics?.get(name);
  if (why === undefined) return undefined;
  return refuse(
    ErrorCode.TOPIC_ALREADY_EXISTS,
    `Topic '${name}' already exists, but ${why}. Set that right, or delete the topic.`,
  );
}

/** By hand, or by counts of which -1 stands for the broker's default. */
function assignReplicas(
  image: MetadataImage,
  topic: NewTopic,
  config: BrokerConfig,
  random: Random,
): Assignments | Refusal {
  const { numPartitions, replicationFactor } = topic;
  if (topic.assignments.length > 0) return assignByHand(image, topic);
  if (replicationFactor < -1 || replicationFactor === 0) {
    return refuse(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      'Replication factor must be larger than 0, or -1 to use the default value.',
    );
  }
  if (numPartitions < -1 || numPartitions === 0) {
    return refuse(
      ErrorCode.INVALID_PARTITIONS,
      'Number of partitions must be larger than 0, or -1 to use the default value.',
    );
  }
  const counts = {
    partitions: numPartitions === -1 ? config.get('num.partitions') : numPartitions,
    replicationFactor: replicationFactor === -1 ? config.get('default.replication.factor') : replicationFactor,
  };
  return placePartitions(image, counts, random);
}

function assignByHand(image: MetadataImage, topic: NewTopic): Assignments | Refusal {
  if (topic.replicationFactor !== -1) {
    return refuse(ErrorCode.INVALID_REQUEST, 'With an assignment by hand the replication factor must be -1.');
  }
  if (topic.numPartitions !== -1) {
    return refuse(ErrorCode.INVALID_REQUEST, 'With an assignment by hand the number of partitions must be -1.');
  }
  const byPartition = [...topic.assignments].sort((left, right) => left.partitionIndex - right.partitionIndex);
  for (const [index, { partitionIndex }] of byPartition.entries()) {
    if (partitionIndex === index) continue;
    const why =
      index > 0 && partitionIndex === index - 1
        ? `Partition ${partitionIndex} is assigned twice.`
        : 'Assigned partitions must be numbered from 0 without a gap.';
    return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, why);
  }
  const assignments = byPartition.map(({ brokerIds }) => brokerIds);
  return checkAssignments(image, assignments, { firstPartition: 0 }) ?? assignments;
}

export function deleteTopics(
  image: MetadataImage,
  request: DeleteTopicsRequest,
  options: { readonly enabled: boolean },
): Decision<DeleteTopicsResponse> {
  const wanted = [...request.topics, ...request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }))];
  if (!options.enabled) {
    const refusal = refuse(ErrorCode.TOPIC_DELETION_DISABLED, errorMessage(ErrorCode.TOPIC_DELETION_DISABLED));
    return { records: [], result: deleteTopicsRefused(request, refusal) };
  }
  const records: MetadataRecord[] = [];
  const responses: DeleteResult[] = [];
  const found = new Set<TopicImage>();
  const times = countNames(wanted.map(topicKey));
  for (const topic of wanted) {
    const key = topicKey(topic);
    const count = times.get(key);
    // What stands twice is answered once; what names nothing, every time.
    if (count === undefined) continue;
    if (topic.name !== null || topic.topicId !== ZERO_UUID) times.delete(key);
    const outcome = findTopic(image, topic, count > 1);
    if (isRefusal(outcome)) responses.push({ ...topic, ...outcome });
    else if (found.delete(outcome)) {
      const why = 'The provided topic name maps to an ID that was already supplied.';
      responses.push({ name: outcome.name, topicId: outcome.id, ...refuse(ErrorCode.INVALID_REQUEST, why) });
    } else found.add(outcome);
  }
  for (const { id: topicId, name } of found.keys()) {
    records.push(newRecord('removeTopic', { topicId }));
    responses.push({ name, topicId, errorCode: ErrorCode.NONE, errorMessage: null });
  }
  return { records, result: { responses } };
}

export function deleteTopicsRefused(request: DeleteTopicsRequest, refusal: Refusal): DeleteTopicsResponse {
  const wanted = [...request.topics, ...request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }))];
  return { responses: wanted.map((topic) => ({ ...topic, ...refusal })) };
}

type TopicReference = DeleteTopicsRequest['topics'][number];

function topicKey({ name, topicId }: TopicReference): string {
  return `${topicId}/${name ?? ''}`;
}

function findTopic(image: MetadataImage, { name, topicId }: TopicReference, twice: boolean): TopicImage | Refusal {
  if (name === null) {
    if (topicId === ZERO_UUID) return refuse(ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.');
    if (twice) return refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic id.');
    const byId = image.topics.byId.get(topicId);
    return byId ?? refuse(ErrorCode.UNKNOWN_TOPIC_ID, errorMessage(ErrorCode.UNKNOWN_TOPIC_ID));
  }
  if (topicId !== ZERO_UUID) {
    return refuse(ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.');
  }
  if (twice) return refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.');
  const byName = image.topics.byName.get(name);
  return byName ?? refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
}

function countNames(names: readonly string[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  return times;
}
