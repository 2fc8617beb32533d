/** Where replicas lie and who leads: moving replicas, following the move, elections, striking a broker off the list. */
import type { BrokerId, TopicPartition } from '../../base/units.ts';
import { alterPartitionReassignments as alterApi } from '../../protocol/apis/alter-partition-reassignments.ts';
import { electLeaders as electApi } from '../../protocol/apis/elect-leaders.ts';
import { listPartitionReassignments as listApi } from '../../protocol/apis/list-partition-reassignments.ts';
import { unregisterBroker as unregisterApi } from '../../protocol/apis/unregister-broker.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Cluster } from '../cluster.ts';
import { refusedBy } from '../errors.ts';
import { type Outcome, outcomeOf, throwIfMisdirected } from './outcome.ts';
import { type CallSettings, onController } from './topics.ts';

export interface Reassignment extends TopicPartition {
  /** Brokers, the preferred leader first; null takes back a reassignment that is under way. */
  readonly replicas: readonly BrokerId[] | null;
}

/** Begins to move replicas, or takes that back; `ongoingReassignments` tells how far it is. */
export function reassignPartitions(
  cluster: Cluster,
  reassignments: readonly Reassignment[],
  settings: CallSettings = {},
): Promise<Outcome<TopicPartition>[]> {
  const body = {
    timeoutMs: cluster.options.connection.requestTimeoutMs,
    topics: byTopic(reassignments).map(({ topic: name, partitions }) => ({
      name,
      partitions: partitions.map(({ partition, replicas }) => ({ partitionIndex: partition, replicas })),
    })),
  };
  return onController(cluster, settings, async () => {
    const connection = await cluster.connection('controller');
    const answer = await connection.request(alterApi, body);
    throwIfMisdirected([answer.errorCode]);
    if (answer.errorCode !== ErrorCode.NONE) {
      throw refusedBy(answer.errorCode, 'the reassignment', answer.errorMessage);
    }
    return answer.responses.flatMap(({ name: topic, partitions }) => {
      cluster.forgetTopic(topic);
      return partitions.map(({ partitionIndex: partition, errorCode, errorMessage }) =>
        outcomeOf({ topic, partition }, `${topic}-${partition}`, errorCode, errorMessage),
      );
    });
  });
}

export interface OngoingReassignment extends TopicPartition {
  readonly replicas: readonly BrokerId[];
  readonly adding: readonly BrokerId[];
  readonly removing: readonly BrokerId[];
}

/** The reassignments that are under way, of all partitions or of some. */
export function ongoingReassignments(
  cluster: Cluster,
  partitions?: readonly TopicPartition[],
  settings: CallSettings = {},
): Promise<OngoingReassignment[]> {
  const topics =
    partitions === undefined
      ? null
      : byTopic(partitions).map(({ topic: name, partitions: list }) => ({
          name,
          partitionIndexes: list.map(({ partition }) => partition),
        }));
  const body = { timeoutMs: cluster.options.connection.requestTimeoutMs, topics };
  return onController(cluster, settings, async () => {
    const connection = await cluster.connection('controller');
    const answer = await connection.request(listApi, body);
    throwIfMisdirected([answer.errorCode]);
    if (answer.errorCode !== ErrorCode.NONE) {
      throw refusedBy(answer.errorCode, 'the reassignments', answer.errorMessage);
    }
    return answer.topics.flatMap(({ name: topic, partitions: list }) =>
      list.map(({ partitionIndex: partition, replicas, addingReplicas: adding, removingReplicas: removing }) => {
        return { topic, partition, replicas, adding, removing };
      }),
    );
  });
}

/** Preferred: the first replica, where it is in sync. Unclean: anybody who is up, where nobody leads; records may be lost. */
export type ElectionKind = 'preferred' | 'unclean';
const ELECTION_TYPES = { preferred: 0, unclean: 1 } as const;

/** Elects leaders of some partitions, or of all that need it. What needs no election counts as done. */
export function electLeaders(
  cluster: Cluster,
  kind: ElectionKind,
  partitions?: readonly TopicPartition[],
  settings: CallSettings = {},
): Promise<Outcome<TopicPartition & { readonly elected: boolean }>[]> {
  const topicPartitions =
    partitions === undefined
      ? null
      : byTopic(partitions).map(({ topic, partitions: list }) => ({
          topic,
          partitions: list.map(({ partition }) => partition),
        }));
  const timeoutMs = cluster.options.connection.requestTimeoutMs;
  const body = { electionType: ELECTION_TYPES[kind], topicPartitions, timeoutMs };
  return onController(cluster, settings, async () => {
    const connection = await cluster.connection('controller');
    const answer = await connection.request(electApi, body);
    throwIfMisdirected([answer.errorCode]);
    if (answer.errorCode !== ErrorCode.NONE) {
      const [said] = answer.replicaElectionResults.flatMap(({ partitionResult }) => partitionResult);
      throw refusedBy(answer.errorCode, 'the election', said?.errorMessage);
    }
    return answer.replicaElectionResults.flatMap(({ topic, partitionResult }) => {
      cluster.forgetTopic(topic);
      return partitionResult.map(({ partitionId: partition, errorCode, errorMessage }) => {
        const needless = errorCode === ErrorCode.ELECTION_NOT_NEEDED;
        const about = { topic, partition, elected: errorCode === ErrorCode.NONE };
        return outcomeOf(about, `${topic}-${partition}`, needless ? ErrorCode.NONE : errorCode, errorMessage);
      });
    });
  });
}

/** Strikes a broker that is gone for good off the cluster's list. */
export async function unregisterBroker(
  cluster: Cluster,
  brokerId: BrokerId,
  settings: CallSettings = {},
): Promise<void> {
  await onController(cluster, settings, async () => {
    const connection = await cluster.connection('controller');
    const { errorCode, errorMessage } = await connection.request(unregisterApi, { brokerId });
    if (errorCode !== ErrorCode.NONE) throw refusedBy(errorCode, `broker ${brokerId}`, errorMessage);
  });
}

function byTopic<T extends TopicPartition>(list: readonly T[]): { readonly topic: string; readonly partitions: T[] }[] {
  const topics = new Map<string, T[]>();
  for (const each of list) {
    const partitions = topics.get(each.topic) ?? [];
    topics.set(each.topic, partitions);
    partitions.push(each);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}
