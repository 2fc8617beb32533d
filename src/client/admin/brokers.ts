/** The cluster and its brokers: who is there, what they speak, what lies on their disks. */
import type { BrokerId, TopicPartition } from '../../base/units.ts';
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

async function wholeTopics(cluster: Cluster, names: readonly string[], settings: CallSettings) {
  return Promise.all(
    names.map(async (topic) => {
      const { partitions } = await cluster.topic(topic, settings);
      return { topic, partitions: partitions.map(({ partition }) => partition) };
    }),
  );
}
