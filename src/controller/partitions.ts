/** Addition of partitions to topics, decided on an image. A topic never loses any. */
import type { BrokerId } from '../base/units.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '../protocol/apis/create-partitions.ts';
import { ErrorCode, errorMessage } from '../protocol/error-codes.ts';
import { checkAssignments, checkBrokerCaps, partitionRecords, placePartitions } from './new-partitions.ts';
import type { Decision } from './pending-image.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';
import { repeated } from './repeated.ts';
import type { TopicPolicies } from './topics.ts';

type Increase = CreatePartitionsRequest['topics'][number];
type Result = CreatePartitionsResponse['results'][number];

export function createPartitions(
  image: MetadataImage,
  request: CreatePartitionsRequest,
  policies: TopicPolicies,
): Decision<CreatePartitionsResponse> {
  const records: MetadataRecord[] = [];
  const results: Result[] = [];
  const granted = { replicas: new Map<BrokerId, number>(), partitions: 0 };
  const seen = new Set<string>();
  const twice = repeated(request.topics.map(({ name }) => name));
  for (const topic of request.topics) {
    if (seen.has(topic.name)) continue;
    seen.add(topic.name);
    const outcome = twice.has(topic.name)
      ? refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
      : increase(image, topic, policies, granted);
    if (isRefusal(outcome)) {
      results.push({ name: topic.name, ...outcome });
      continue;
    }
    records.push(...outcome.records);
    results.push({ name: topic.name, errorCode: ErrorCode.NONE, errorMessage: null });
  }
  return { records: request.validateOnly ? [] : records, result: { results } };
}

export function createPartitionsRefused(request: CreatePartitionsRequest, refusal: Refusal): CreatePartitionsResponse {
  return { results: request.topics.map(({ name }) => ({ name, ...refusal })) };
}

function increase(
  image: MetadataImage,
  { name, count, assignments }: Increase,
  { config, random }: TopicPolicies,
  granted: { readonly replicas: Map<BrokerId, number>; partitions: number },
): { readonly records: readonly MetadataRecord[] } | Refusal {
  const topic = image.topics.byName.get(name);
  if (topic === undefined) {
    return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
  }
  const now = topic.partitions.length;
  if (count === now) return refuse(ErrorCode.INVALID_PARTITIONS, `Topic already has ${now} partition(s).`);
  if (count < now) {
    const why = `The topic ${name} currently has ${now} partition(s); ${count} would not be an increase.`;
    return refuse(ErrorCode.INVALID_PARTITIONS, why);
  }
  const additional = count - now;
  if (assignments !== null && assignments.length !== additional) {
    const why = `Attempted to add ${additional} additional partition(s), but only ${assignments.length} assignment(s) were specified.`;
    return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, why);
  }
  const limit = config.get('sluice.partitions.per.request.max');
  if (granted.partitions + additional > limit) {
    const why = `The request asks for more partitions than sluice.partitions.per.request.max, which is ${limit}.`;
    return refuse(ErrorCode.POLICY_VIOLATION, why);
  }
  const replicationFactor = topic.partitions[0]?.replicas.length ?? config.get('default.replication.factor');
  const chosen =
    assignments?.map(({ brokerIds }) => brokerIds) ??
    placePartitions(image, { partitions: additional, replicationFactor }, random);
  if (isRefusal(chosen)) return chosen;
  const wrong =
    (assignments === null ? undefined : checkAssignments(image, chosen, { firstPartition: now, replicationFactor })) ??
    checkBrokerCaps(image, chosen, granted.replicas, config.get('sluice.partitions.per.broker.max'));
  if (wrong !== undefined) return wrong;
  granted.partitions += additional;
  return { records: partitionRecords(image, topic.id, now, chosen) };
}
