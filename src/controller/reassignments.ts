/**
 * Moves replicas to other brokers (KIP-455), decided on an image. A reassignment adds replicas, waits until they are in
 * sync (AlterPartition completes it, see partition-change.ts), then drops the old ones:
 *
 *    1 2 3 ──to 2 3 4──▶ 2 3 4 1, adding 4, removing 1 ──4 in sync──▶ 2 3 4
 *      ▲────cancel──────────────┘
 */
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { MetadataImage, PartitionImage, TopicImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../protocol/apis/alter-partition-reassignments.ts';
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../protocol/apis/list-partition-reassignments.ts';
import { ErrorCode, errorMessage } from '../protocol/error-codes.ts';
import { electionOf } from './elections.ts';
import { checkBrokerCaps } from './new-partitions.ts';
import { changePartition, type PartitionTarget } from './partition-change.ts';
import { type PartitionRules, partitionRules } from './partition-rules.ts';
import type { Decision } from './pending-image.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';

type TopicRequest = AlterPartitionReassignmentsRequest['topics'][number];
type PartitionRequest = TopicRequest['partitions'][number];

interface Policies {
  readonly config: BrokerConfig;
  readonly allowFactorChange: boolean;
  /** Replicas that earlier partitions of the request were granted. */
  readonly granted: Map<BrokerId, number>;
}

export function alterPartitionReassignments(
  image: MetadataImage,
  request: AlterPartitionReassignmentsRequest,
  config: BrokerConfig,
): Decision<AlterPartitionReassignmentsResponse> {
  const { allowReplicationFactorChange, topics } = request;
  const limit = config.get('sluice.partitions.per.request.max');
  const asked = topics.reduce((total, { partitions }) => total + partitions.length, 0);
  if (asked > limit) {
    const why = `The request names ${asked} partitions; allowed: sluice.partitions.per.request.max, which is ${limit}.`;
    const refusal = refuse(ErrorCode.POLICY_VIOLATION, why);
    return { records: [], result: alterPartitionReassignmentsRefused(request, refusal) };
  }
  const policies = { config, allowFactorChange: allowReplicationFactorChange, granted: new Map<BrokerId, number>() };
  const records: MetadataRecord[] = [];
  const changed = new Map<string, TopicImage>();
  const responses = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((wanted) => {
      const topic = changed.get(name) ?? image.topics.byName.get(name);
      const outcome = reassign(image, topic, name, wanted, policies);
      const { partitionIndex } = wanted;
      if (isRefusal(outcome)) return { partitionIndex, ...outcome };
      if (outcome.change !== undefined) {
        records.push(outcome.change.record);
        // A partition that stands twice in the request is changed twice.
        const after = [...outcome.topic.partitions];
        after[partitionIndex] = outcome.change.partition;
        changed.set(name, { ...outcome.topic, partitions: after });
      }
      return { partitionIndex, errorCode: ErrorCode.NONE, errorMessage: null };
    }),
  }));
  // A request for nothing has an answer of its own in Kafka, with the field's default.
  const errorMessage = topics.length === 0 ? '' : null;
  const result = { allowReplicationFactorChange, errorCode: ErrorCode.NONE, errorMessage, responses };
  return { records, result };
}

/** What one refusal says of every partition of a request. */
export function alterPartitionReassignmentsRefused(
  request: AlterPartitionReassignmentsRequest,
  refusal: Refusal,
): AlterPartitionReassignmentsResponse {
  const responses = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, ...refusal })),
  }));
  return { ...refusal, responses };
}

interface Reassigned {
  readonly topic: TopicImage;
  readonly change: ReturnType<typeof changePartition>;
}

function reassign(
  image: MetadataImage,
  topic: TopicImage | undefined,
  name: string,
  { partitionIndex, replicas }: PartitionRequest,
  policies: Policies,
): Reassigned | Refusal {
  if (topic === undefined) {
    return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find a topic named ${name}.`);
  }
  const partition = topic.partitions[partitionIndex];
  if (partition === undefined) {
    return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find partition ${name}:${partitionIndex}.`);
  }
  const rules = partitionRules(image, topic, policies.config);
  const target =
    replicas === null
      ? cancellation(partition, rules)
      : (checkTarget(image, partition, replicas, policies) ?? reassignment(partition, replicas));
  if (isRefusal(target)) return target;
  return { topic, change: changePartition(topic, partitionIndex, target, rules) };
}

/** Back to the replicas as they were before. */
function cancellation(partition: PartitionImage, rules: PartitionRules): PartitionTarget | Refusal {
  if (!isReassigning(partition)) {
    const code = ErrorCode.NO_REASSIGNMENT_IN_PROGRESS;
    return refuse(code, errorMessage(code));
  }
  const replicas = originalReplicas(partition);
  const isr = partition.isr.filter((id) => replicas.includes(id));
  if (isr.length === 0) {
    if (!rules.uncleanElection || replicas.length === 0) {
      const why = 'The reassignment cannot be taken back: that would need an unclean leader election.';
      return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, why);
    }
    isr.push(replicas[0]!);
  }
  return { isr, replicas, removingReplicas: [], addingReplicas: [], election: electionOf(rules) };
}

/**
 * Towards `wanted`. Of a reassignment under way, replicas that were being added and are no longer wanted go at once,
 * unless nobody else is in sync: a cancellation must not bring them back.
 */
function reassignment(partition: PartitionImage, wanted: readonly BrokerId[]): PartitionTarget {
  const original = originalReplicas(partition);
  const given = partition.addingReplicas.filter((id) => !wanted.includes(id));
  const isr = partition.isr.filter((id) => !given.includes(id));
  const current = isr.length === 0 ? partition.replicas : partition.replicas.filter((id) => !given.includes(id));
  const rising = (left: BrokerId, right: BrokerId): number => left - right;
  const removingReplicas = current.filter((id) => !wanted.includes(id)).sort(rising);
  const addingReplicas = wanted.filter((id) => !original.includes(id)).sort(rising);
  return {
    replicas: [...wanted, ...removingReplicas],
    isr: isr.length === 0 ? partition.isr : isr,
    removingReplicas,
    addingReplicas,
  };
}

function originalReplicas({ replicas, addingReplicas }: PartitionImage): BrokerId[] {
  return replicas.filter((id) => !addingReplicas.includes(id));
}

export function isReassigning({ addingReplicas, removingReplicas }: PartitionImage): boolean {
  return addingReplicas.length > 0 || removingReplicas.length > 0;
}

function checkTarget(
  image: MetadataImage,
  partition: PartitionImage,
  wanted: readonly BrokerId[],
  { config, allowFactorChange, granted }: Policies,
): Refusal | undefined {
  const wrong = (message: string): Refusal => refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message);
  if (wanted.length === 0) return wrong('The assignment has no replicas.');
  for (const id of wanted) {
    const broker = image.brokers.get(id);
    if (broker === undefined) return wrong(`The assignment names broker ${id}, which is not registered.`);
    const { logDirs, cordonedLogDirs } = broker;
    if (logDirs.length > 0 && cordonedLogDirs.length >= logDirs.length) {
      return wrong(`The assignment names broker ${id}, whose log directories are all cordoned.`);
    }
  }
  const twice = wanted.find((id, at) => wanted.indexOf(id) !== at);
  if (twice !== undefined) return wrong(`The assignment names broker ${twice} twice.`);
  const factor = partition.replicas.filter((id) => !partition.removingReplicas.includes(id)).length;
  if (!allowFactorChange && wanted.length !== factor) {
    const why = `The replication factor would change from ${factor} to ${wanted.length}.`;
    return refuse(ErrorCode.INVALID_REPLICATION_FACTOR, why);
  }
  const added = wanted.filter((id) => !partition.replicas.includes(id));
  return checkBrokerCaps(image, [added], granted, config.get('sluice.partitions.per.broker.max'));
}

export function listPartitionReassignments(
  image: MetadataImage,
  { topics }: ListPartitionReassignmentsRequest,
): ListPartitionReassignmentsResponse {
  const wanted =
    topics === null
      ? [...image.topics.byName.values()].map((topic) => ({ topic, indices: [...topic.partitions.keys()] }))
      : topics.map(({ name, partitionIndexes }) => ({
          topic: image.topics.byName.get(name),
          indices: partitionIndexes,
        }));
  const found = wanted.flatMap(({ topic, indices }) => {
    const partitions = indices.flatMap((partitionIndex) => {
      const partition = topic?.partitions[partitionIndex];
      if (partition === undefined || !isReassigning(partition)) return [];
      const { replicas, addingReplicas, removingReplicas } = partition;
      return [
        {
          partitionIndex,
          replicas: [...replicas],
          addingReplicas: [...addingReplicas],
          removingReplicas: [...removingReplicas],
        },
      ];
    });
    return topic === undefined || partitions.length === 0 ? [] : [{ name: topic.name, partitions }];
  });
  return { errorCode: ErrorCode.NONE, errorMessage: null, topics: found };
}
