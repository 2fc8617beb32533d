/** The cluster and its brokers: who is there, what they speak, what lies on their disks. */
import { type BrokerId, partitionName, type TopicPartition } from '../../base/units.ts';
import { alterReplicaLogDirs as alterReplicaLogDirsApi } from '../../protocol/apis/alter-replica-log-dirs.ts';
import { describeCluster as describeClusterApi } from '../../protocol/apis/describe-cluster.ts';
import { describeLogDirs as describeLogDirsApi } from '../../protocol/apis/describe-log-dirs.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { BrokerVersions } from '../api-versions.ts';
import type { Cluster } from '../cluster.ts';
import { refusedBy } from '../errors.ts';
import type { BrokerView } from '../metadata-cache.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import type { CallSettings } from './topics.ts';

export interface ClusterDescription {
  readonly clusterId: string;
  /** -1 while there is none. */
  readonly controllerId: BrokerId;
  readonly brokers: readonly (BrokerView & { readonly fenced: boolean })[];
}

export async function describeCluster(cluster: Cluster, settings: CallSettings = {}): Promise<ClusterDescription> {
  const answer = await cluster.retrying(settings.signal, async () => {
    const connection = await cluster.connection('any');
    // Fenced brokers are known since version 2; an older broker cannot be asked for them.
    const includeFencedBrokers = connection.versions.choose(describeClusterApi) >= 2;
    const described = await connection.request(describeClusterApi, { includeFencedBrokers });
    if (described.errorCode === ErrorCode.NONE) return described;
    throw refusedBy(described.errorCode, 'the cluster', described.errorMessage);
  });
  const { clusterId, controllerId } = answer;
  const brokers = answer.brokers.map(({ brokerId: id, isFenced: fenced, ...rest }) => ({ id, fenced, ...rest }));
  return { clusterId, controllerId, brokers };
}

/** The versions and features of every broker. */
export async function describeVersions(
  cluster: Cluster,
  settings: CallSettings = {},
): Promise<{ readonly broker: BrokerView; readonly versions: BrokerVersions }[]> {
  await cluster.retrying(settings.signal, () => cluster.askMetadata([]));
  return Promise.all(
    cluster.brokers.map(async (broker) => {
      const connection = await cluster.retrying(settings.signal, () => cluster.connection(broker.id));
      return { broker, versions: connection.versions };
    }),
  );
}

export interface LogDirectory {
  readonly broker: BrokerId;
  readonly path: string;
  /** -1 where the broker does not say. */
  readonly totalBytes: number;
  readonly usableBytes: number;
  /** Takes no new partitions. */
  readonly cordoned: boolean;
  readonly replicas: readonly LogReplica[];
}

export interface LogReplica extends TopicPartition {
  readonly bytes: number;
  /** How far the replica is behind. */
  readonly offsetLag: number;
  /** A copy that is to take the replica's place once it has caught up. */
  readonly future: boolean;
}

/** The log directories of the brokers, all where none is named, with the replicas of some topics or of all. */
export async function describeLogDirectories(
  cluster: Cluster,
  settings: CallSettings & { readonly brokers?: readonly BrokerId[]; readonly topics?: readonly string[] } = {},
): Promise<Outcome<LogDirectory>[]> {
  if (settings.brokers === undefined) await cluster.retrying(settings.signal, () => cluster.askMetadata([]));
  const brokers = settings.brokers ?? cluster.brokers.map(({ id }) => id);
  const topics = settings.topics === undefined ? null : await wholeTopics(cluster, settings.topics, settings);
  const described = await Promise.all(
    brokers.map(async (broker) => {
      const answer = await cluster.call(broker, describeLogDirsApi, { topics }, settings);
      if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, `broker ${broker}`);
      return answer.results.map((directory) => {
        const { logDir: path, totalBytes, usableBytes, isCordoned: cordoned } = directory;
        const replicas = directory.topics.flatMap(({ name: topic, partitions }) =>
          partitions.map((each) => ({
            topic,
            partition: each.partitionIndex,
            bytes: each.partitionSize,
            offsetLag: each.offsetLag,
            future: each.isFutureKey,
          })),
        );
        const about = { broker, path, totalBytes, usableBytes, cordoned, replicas };
        return outcomeOf(about, `directory ${path} of broker ${broker}`, directory.errorCode);
      });
    }),
  );
  return described.flat();
}

/** A replica, and the directory of its broker in which it is to be. */
export interface ReplicaMove extends TopicPartition {
  readonly broker: BrokerId;
  /** As `describeLogDirectories` tells it. */
  readonly path: string;
}

/**
 * Lets brokers move replicas to other directories of theirs; `describeLogDirectories` tells how far that is. A broker that is
 * to get the replica first refuses with REPLICA_NOT_AVAILABLE, and puts it there when it comes.
 */
export async function moveReplicas(
  cluster: Cluster,
  moves: readonly ReplicaMove[],
  settings: CallSettings = {},
): Promise<Outcome<ReplicaMove>[]> {
  const brokers = [...new Set(moves.map(({ broker }) => broker))];
  const answered = await Promise.all(
    brokers.map(async (broker) => {
      const own = moves.filter((move) => move.broker === broker);
      const dirs = [...new Set(own.map(({ path }) => path))].map((path) => ({
        path,
        topics: byTopic(own.filter((move) => move.path === path)),
      }));
      const { results } = await cluster.call(broker, alterReplicaLogDirsApi, { dirs }, settings);
      const codes = new Map(
        results.flatMap(({ topicName, partitions }) =>
          partitions.map(
            ({ partitionIndex, errorCode }) => [partitionName(topicName, partitionIndex), errorCode] as const,
          ),
        ),
      );
      return own.map((move) => {
        const name = partitionName(move.topic, move.partition);
        return outcomeOf(move, `${name} on broker ${broker}`, codes.get(name) ?? ErrorCode.UNKNOWN_SERVER_ERROR);
      });
    }),
  );
  return answered.flat();
}

function byTopic(moves: readonly ReplicaMove[]): { readonly name: string; readonly partitions: number[] }[] {
  const names = [...new Set(moves.map(({ topic }) => topic))];
  return names.map((name) => ({
    name,
    partitions: moves.filter(({ topic }) => topic === name).map(({ partition }) => partition),
  }));
}

async function wholeTopics(cluster: Cluster, names: readonly string[], settings: CallSettings) {
  return Promise.all(
    names.map(async (topic) => {
      const { partitions } = await cluster.topic(topic, settings);
      return { topic, partitions: partitions.map(({ partition }) => partition) };
    }),
  );
}
