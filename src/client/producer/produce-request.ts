/** A produce request's body from batches, and its answers back to them. */
import { ZERO_UUID } from '../../base/uuid.ts';
import type { produce } from '../../protocol/apis/produce.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { RequestBody, ResponseBody } from '../api-types.ts';
import type { TopicView } from '../metadata-cache.ts';
import type { ResolvedProducerOptions } from './options.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { PendingBatch } from './pending-batch.ts';

export type ProduceBody = RequestBody<typeof produce>;
export type ProduceAnswer = ResponseBody<typeof produce>;
export type PartitionAnswer = ProduceAnswer['responses'][number]['partitionResponses'][number];

/** A batch in a request; at most one a partition. */
export interface Parcel {
  readonly queue: PartitionQueue;
  readonly topic: TopicView;
  readonly batch: PendingBatch;
  readonly bytes: Buffer;
}

/** Topic ids came with version 13; a topic whose id is unknown has to be named. */
const LAST_VERSION_WITH_NAMES = 12;

export function produceBody(parcels: readonly Parcel[], options: ResolvedProducerOptions): ProduceBody {
  const topics = new Map<
    string,
    { name: string; topicId: string; partitionData: { index: number; records: Buffer }[] }
  >();
  for (const { queue, topic, bytes } of parcels) {
    let entry = topics.get(queue.topic);
    if (entry === undefined) {
      entry = { name: topic.name, topicId: topic.id, partitionData: [] };
      topics.set(queue.topic, entry);
    }
    entry.partitionData.push({ index: queue.partition, records: bytes });
  }
  return { acks: options.acks, timeoutMs: options.ackTimeoutMs, topicData: [...topics.values()] };
}

export function mostProduceVersion(parcels: readonly Parcel[]): number {
  return parcels.some(({ topic }) => topic.id === ZERO_UUID) ? LAST_VERSION_WITH_NAMES : Infinity;
}

/** The answer for one parcel; undefined where the broker left it out. */
export function answerFor(parcel: Parcel, answer: ProduceAnswer): PartitionAnswer | undefined {
  for (const topic of answer.responses) {
    if (topic.name !== parcel.topic.name && (topic.topicId !== parcel.topic.id || topic.topicId === ZERO_UUID))
      continue;
    const found = topic.partitionResponses.find(({ index }) => index === parcel.queue.partition);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What the broker says of the records at fault, for the error's message. */
export function refusalText(answer: PartitionAnswer): string | null {
  const [first] = answer.recordErrors;
  if (first === undefined) return answer.errorMessage;
  return `${answer.errorMessage ?? ''} record ${first.batchIndex}: ${first.batchIndexErrorMessage ?? ''}`.trim();
}

/** Codes that say the broker does not have this producer's state, or that a batch before this one is missing. */
export function isSequenceFault(code: number): boolean {
  return (
    code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER ||
    code === ErrorCode.UNKNOWN_PRODUCER_ID ||
    code === ErrorCode.INVALID_PRODUCER_EPOCH
  );
}

/** The leader is right, it only waits for followers: asking who leads would not help. */
export function isShortOfReplicas(code: number): boolean {
  return code === ErrorCode.NOT_ENOUGH_REPLICAS || code === ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND;
}
