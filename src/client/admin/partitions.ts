/** What only a partition's leader can do or say. */
import { type LeaderEpoch, type Offset, partitionName, type TopicPartition } from '../../base/units.ts';
import { deleteRecords as deleteRecordsApi } from '../../protocol/apis/delete-records.ts';
import { describeProducers as describeProducersApi } from '../../protocol/apis/describe-producers.ts';
import { offsetForLeaderEpoch as leaderEpochApi } from '../../protocol/apis/offset-for-leader-epoch.ts';
import { ErrorCode, isRetriable } from '../../protocol/error-codes.ts';
import type { BrokerConnection } from '../broker-connection.ts';
import type { Cluster } from '../cluster.ts';
import { refusedBy } from '../errors.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import type { CallSettings } from './topics.ts';

/** One partition's part of an answer. */
interface PartitionAnswer extends TopicPartition {
  readonly errorCode: number;
  readonly message?: string | null;
}

/**
 * Sends one request to each leader and gathers the answers in the order of the questions; asks again where a leader has
 * moved.
 */
async function askLeaders<Q extends TopicPartition, A extends PartitionAnswer>(
  cluster: Cluster,
  questions: readonly Q[],
  settings: CallSettings,
  ask: (connection: BrokerConnection, questions: readonly Q[]) => Promise<readonly A[]>,
): Promise<A[]> {
  const answers = new Map<string, A>();
  const keyOf = ({ topic, partition }: TopicPartition): string => partitionName(topic, partition);
  await cluster.retrying(settings.signal, async () => {
    const byLeader = new Map<number, Q[]>();
    for (const question of questions) {
      if (answers.has(keyOf(question))) continue;
      const { leader } = await cluster.leader(question.topic, question.partition, settings.signal);
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), question]);
    }
    let retriable: A | undefined;
    for (const [leader, group] of byLeader) {
      for (const answer of await ask(await cluster.connection(leader), group)) {
        if (isRetriable(answer.errorCode)) retriable = answer;
        else answers.set(keyOf(answer), answer);
      }
    }
    if (retriable === undefined) return;
    for (const { topic } of questions) cluster.forgetTopic(topic);
    throw refusedBy(retriable.errorCode, keyOf(retriable), retriable.message);
  });
  return questions.map((question) => {
    const answer = answers.get(keyOf(question));
    if (answer === undefined)
      throw refusedBy(ErrorCode.UNKNOWN_SERVER_ERROR, keyOf(question), 'the answer left it out');
    return answer;
  });
}

/** The wire groups partitions by topic. */
function byTopic<Q extends TopicPartition, P>(questions: readonly Q[], entry: (question: Q) => P) {
  const topics = new Map<string, P[]>();
  for (const question of questions) {
    topics.set(question.topic, [...(topics.get(question.topic) ?? []), entry(question)]);
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }));
}

export interface DeleteRecordsBefore extends TopicPartition {
  /** First offset that stays; 'latest' keeps none. */
  readonly before: Offset | 'latest';
}

const HIGH_WATERMARK = -1;

/** Removes the records before an offset for good. `start` is where the partition then begins. */
export async function deleteRecords(
  cluster: Cluster,
  partitions: readonly DeleteRecordsBefore[],
  settings: CallSettings = {},
): Promise<Outcome<TopicPartition & { readonly start: Offset }>[]> {
  const answers = await askLeaders(cluster, partitions, settings, async (connection, group) => {
    const topics = byTopic(group, ({ partition, before }) => ({
      partitionIndex: partition,
      offset: before === 'latest' ? HIGH_WATERMARK : before,
    }));
    const timeoutMs = cluster.options.connection.requestTimeoutMs;
    const answer = await connection.request(deleteRecordsApi, { topics, timeoutMs });
    return answer.topics.flatMap(({ name: topic, partitions: each }) =>
      each.map(({ partitionIndex: partition, lowWatermark: start, errorCode }) => ({
        topic,
        partition,
        start,
        errorCode,
      })),
    );
  });
  return answers.map(({ topic, partition, start, errorCode }) =>
    outcomeOf({ topic, partition, start }, partitionName(topic, partition), errorCode),
  );
}

export interface ActiveProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** -1 before the first batch. */
  readonly lastSequence: number;
  readonly lastTimestamp: number;
  readonly coordinatorEpoch: number;
  /** First offset of the transaction that is open; -1 without one. */
  readonly transactionStart: Offset;
}

/** The idempotent and transactional producers that each partition's leader remembers. */
export async function describeProducers(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  settings: CallSettings = {},
): Promise<Outcome<TopicPartition & { readonly producers: readonly ActiveProducer[] }>[]> {
  const answers = await askLeaders(cluster, partitions, settings, async (connection, group) => {
    const topics = byTopic(group, ({ partition }) => partition);
    const answer = await connection.request(describeProducersApi, {
      topics: topics.map(({ name, partitions: partitionIndexes }) => ({ name, partitionIndexes })),
    });
    return answer.topics.flatMap(({ name: topic, partitions: each }) =>
      each.map((partition) => ({
        topic,
        partition: partition.partitionIndex,
        errorCode: partition.errorCode,
        message: partition.errorMessage,
        producers: partition.activeProducers.map(({ currentTxnStartOffset, ...rest }) => ({
          ...rest,
          transactionStart: currentTxnStartOffset,
        })),
      })),
    );
  });
  return answers.map(({ topic, partition, producers, errorCode, message }) =>
    outcomeOf({ topic, partition, producers }, partitionName(topic, partition), errorCode, message),
  );
}

export interface EpochEnd extends TopicPartition {
  /** The last epoch up to the asked one that has records; -1 without any. */
  readonly leaderEpoch: LeaderEpoch;
  /** Offset behind that epoch's last record; -1 without any. */
  readonly endOffset: Offset;
}

/** Where each leader's records of an epoch end. */
export async function offsetsForLeaderEpochs(
  cluster: Cluster,
  partitions: readonly (TopicPartition & { readonly leaderEpoch: LeaderEpoch })[],
  settings: CallSettings = {},
): Promise<Outcome<EpochEnd>[]> {
  const answers = await askLeaders(cluster, partitions, settings, async (connection, group) => {
    const topics = byTopic(group, ({ partition, leaderEpoch }) => ({ partition, leaderEpoch }));
    const answer = await connection.request(leaderEpochApi, {
      replicaId: -1,
      topics: topics.map(({ name: topic, partitions: each }) => ({ topic, partitions: each })),
    });
    return answer.topics.flatMap(({ topic, partitions: each }) => each.map((result) => ({ topic, ...result })));
  });
  return answers.map(({ topic, partition, leaderEpoch, endOffset, errorCode }) =>
    outcomeOf({ topic, partition, leaderEpoch, endOffset }, partitionName(topic, partition), errorCode),
  );
}
