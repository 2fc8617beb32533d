/** Asks the leaders of partitions where their logs begin and end, and where a time is in them. */
import type { LeaderEpoch, Offset, Timestamp, TopicPartition } from '../base/units.ts';
import { partitionName } from '../base/units.ts';
import { listOffsets as api } from '../protocol/apis/list-offsets.ts';
import { ErrorCode, isRetriable } from '../protocol/error-codes.ts';
import type { Cluster } from './cluster.ts';
import { refusedBy } from './errors.ts';

/** Transactions that are open or aborted: seen, or held back. Numbers are the protocol's. */
export const ISOLATION_LEVELS = { read_uncommitted: 0, read_committed: 1 } as const;
export type Isolation = keyof typeof ISOLATION_LEVELS;

/** A place in a log: an end of it, the record with the highest timestamp, or the first record at or after a time. */
export type OffsetQuery = 'earliest' | 'latest' | 'max-timestamp' | Timestamp;

export interface OffsetQuestion extends TopicPartition {
  readonly at: OffsetQuery;
}

export interface OffsetAnswer extends TopicPartition {
  /** -1 where no record matches. */
  readonly offset: Offset;
  /** Of the record, -1 where the question was for an end of the log. */
  readonly timestamp: Timestamp;
  readonly leaderEpoch: LeaderEpoch;
}

const SPECIAL_TIMESTAMPS = { latest: -1, earliest: -2, 'max-timestamp': -3 } as const;

export interface ListOffsetsOptions {
  readonly isolation?: Isolation;
  readonly signal?: AbortSignal;
}

/** The answers in the order of the questions. Rejects with the first refusal that trying again does not mend. */
export async function listOffsets(
  cluster: Cluster,
  questions: readonly OffsetQuestion[],
  options: ListOffsetsOptions = {},
): Promise<OffsetAnswer[]> {
  const answers = new Map<OffsetQuestion, OffsetAnswer>();
  await cluster.retrying(options.signal, async () => {
    const open = questions.filter((question) => !answers.has(question));
    // A request must not name a partition twice: the second question about one goes into another request.
    const requests = new Map<string, { readonly leader: number; readonly questions: OffsetQuestion[] }>();
    const asks = new Map<string, number>();
    for (const question of open) {
      const { leader } = await cluster.leader(question.topic, question.partition, options.signal);
      const place = partitionName(question.topic, question.partition);
      const round = asks.get(place) ?? 0;
      asks.set(place, round + 1);
      const key = `${leader}/${round}`;
      if (!requests.has(key)) requests.set(key, { leader, questions: [] });
      requests.get(key)!.questions.push(question);
    }
    const asked = [...requests.values()].map(({ leader, questions: group }) =>
      ask(cluster, leader, group, options, answers),
    );
    const failed = (await Promise.allSettled(asked)).find((each) => each.status === 'rejected');
    if (failed === undefined) return;
    for (const { topic } of open) cluster.forgetTopic(topic);
    throw failed.reason;
  });
  return questions.map((question) => answers.get(question)!);
}

async function ask(
  cluster: Cluster,
  leader: number,
  questions: readonly OffsetQuestion[],
  { isolation = 'read_uncommitted' }: ListOffsetsOptions,
  answers: Map<OffsetQuestion, OffsetAnswer>,
): Promise<void> {
  const connection = await cluster.connection(leader);
  const topics = [...new Set(questions.map(({ topic }) => topic))].map((name) => ({
    name,
    partitions: questions
      .filter(({ topic }) => topic === name)
      .map(({ partition, at }) => ({
        partitionIndex: partition,
        timestamp: typeof at === 'number' ? at : SPECIAL_TIMESTAMPS[at],
      })),
  }));
  const body = { replicaId: -1, isolationLevel: ISOLATION_LEVELS[isolation], topics };
  const answer = await connection.request(api, { ...body, timeoutMs: cluster.options.operationTimeoutMs });
  let failure: Error | undefined;
  for (const question of questions) {
    const { topic, partition } = question;
    const found = answer.topics.find(({ name }) => name === topic)?.partitions;
    const result = found?.find(({ partitionIndex }) => partitionIndex === partition);
    const code = result?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    if (result !== undefined && code === ErrorCode.NONE) {
      const { offset, timestamp, leaderEpoch } = result;
      answers.set(question, { topic, partition, offset, timestamp, leaderEpoch });
    } else if (failure === undefined || !isRetriable(code)) {
      failure = refusedBy(code, partitionName(topic, partition));
    }
  }
  if (failure !== undefined) throw failure;
}
