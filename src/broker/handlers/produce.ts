/**
 * Produce (0), versions 3-13. All appends happen in the turn in which the request arrived, so that pipelined requests
 * keep their order; only the wait for durability or replicas is asynchronous.
 */

import { isInternalTopic } from '../../controller/topic-names.ts';
import { type ProduceRequest, type ProduceResponse, produce } from '../../protocol/apis/produce.ts';
import { type ErrorCode as Code, ErrorCode, errorMessage } from '../../protocol/error-codes.ts';
import * as batch from '../../records/batch.ts';
import type { Partition } from '../../replication/partition.ts';
import type { Appended, AppendOutcome, AppendRefused } from '../../storage/log-append.ts';
import { CLOSE, handler, NO_REPLY } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type TopicResponse = ProduceResponse['responses'][number];
type PartitionResponse = TopicResponse['partitionResponses'][number];

const BY_TOPIC_ID_SINCE = 13;
/** The one client that may write to topics which brokers keep for themselves. */
const ADMIN_CLIENT_ID = '__admin_client';

export const handleProduce = (services: BrokerServices) =>
  handler(produce, (request, context) => {
    const { acks } = request;
    const version = context.header.apiVersion;
    const waits: Promise<void>[] = [];
    const forbidden = requestFault(request);
    let failure: Code = ErrorCode.NONE;
    const responses = request.topicData.map((topic): TopicResponse => {
      const partitionResponses = topic.partitionData.map(({ index, records }): PartitionResponse => {
        const found =
          version >= BY_TOPIC_ID_SINCE
            ? services.replicas.findById(topic.topicId, index)
            : services.replicas.find(topic.name, index);
        const outcome =
          forbidden === undefined
            ? append(found, records, { acks, version, isAdmin: context.header.clientId === ADMIN_CLIENT_ID })
            : refused(forbidden);
        if (!outcome.ok) failure = outcome.errorCode;
        else if (outcome.durable !== undefined) waits.push(outcome.durable);
        if (outcome.ok) return appended(index, outcome);
        const partition = typeof found === 'number' ? undefined : found;
        return partitionRefused(index, outcome, { partition, records });
      });
      return { name: topic.name, topicId: topic.topicId, partitionResponses };
    });
    if (acks === 0) return failure === ErrorCode.NONE ? NO_REPLY : CLOSE;
    if (waits.length === 0) return { responses };
    return Promise.all(waits).then(
      () => ({ responses }),
      () => ({ responses: notDurable(request, responses) }),
    );
  });

/** What is wrong with a request as a whole. */
function requestFault({ transactionalId, topicData }: ProduceRequest): Code | undefined {
  if (transactionalId !== null) return undefined;
  // Taken without an id, the batch would open a transaction that nobody could end, and hold back its readers for ever.
  const transactional = topicData.some(({ partitionData }) => partitionData.some(({ records }) => opens(records)));
  return transactional ? ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED : undefined;
}

/** Whether the records claim to belong to a transaction. */
function opens(records: Buffer | null): boolean {
  if (records === null || records.length < batch.BATCH_HEADER_BYTES) return false;
  return batch.magic(records, 0) === batch.MAGIC_V2 && batch.isTransactional(batch.attributes(records, 0));
}

function append(
  found: Partition | Code,
  records: Buffer | null,
  options: { readonly acks: number; readonly version: number; readonly isAdmin: boolean },
): AppendOutcome {
  if (typeof found === 'number') return refused(found);
  if (options.acks < -1 || options.acks > 1) return refused(ErrorCode.INVALID_REQUIRED_ACKS);
  if (isInternalTopic(found.topic) && !options.isAdmin) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION);
  if (records === null) return refused(ErrorCode.INVALID_RECORD);
  // There is no transaction coordinator: nobody could have opened the transaction that these records claim.
  if (opens(records)) return refused(ErrorCode.INVALID_TXN_STATE);
  return found.append(records, { origin: 'client', produceVersion: options.version }, options.acks);
}

function refused(errorCode: Code): AppendRefused {
  return { ok: false, errorCode, message: errorMessage(errorCode) };
}

function appended(index: number, outcome: Appended): PartitionResponse {
  return {
    index,
    errorCode: ErrorCode.NONE,
    baseOffset: outcome.firstOffset,
    logAppendTimeMs: outcome.appendTimeMs,
    logStartOffset: outcome.startOffset,
    recordErrors: [],
    currentLeader: {},
  };
}

function partitionRefused(
  index: number,
  { errorCode, message, recordErrors }: AppendRefused,
  { partition, records }: { readonly partition: Partition | undefined; readonly records: Buffer | null },
): PartitionResponse {
  const leader = errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER ? partition?.state : undefined;
  const judgedByLog = BY_THE_LOG.has(errorCode) && partition !== undefined && isOneBatch(records);
  return {
    index,
    errorCode,
    baseOffset: -1,
    logStartOffset: judgedByLog ? partition.log.startOffset : -1,
    recordErrors: (recordErrors ?? []).map(({ index: batchIndex, message: batchIndexErrorMessage }) => {
      return { batchIndex, batchIndexErrorMessage };
    }),
    errorMessage: message,
    currentLeader: leader === undefined ? {} : { leaderId: leader.leader, leaderEpoch: leader.leaderEpoch },
  };
}

/** Errors with which Kafka tells where the log starts: those that need a look into it. */
const BY_THE_LOG: ReadonlySet<Code> = new Set([
  ErrorCode.INVALID_RECORD,
  ErrorCode.INVALID_TIMESTAMP,
  ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  ErrorCode.INVALID_PRODUCER_EPOCH,
  ErrorCode.INVALID_TXN_STATE,
  ErrorCode.NOT_ENOUGH_REPLICAS,
]);

/** Anything else is refused before a log is asked. */
function isOneBatch(records: Buffer | null): boolean {
  if (records === null || records.length < batch.BATCH_HEADER_BYTES) return false;
  return batch.magic(records, 0) === batch.MAGIC_V2 && batch.batchBytes(records, 0) === records.length;
}

/** A failed flush leaves unknown what is on disk: no partition of the request may be acknowledged. */
function notDurable(request: ProduceRequest, responses: readonly TopicResponse[]): TopicResponse[] {
  return request.topicData.map((topic, at) => ({
    name: topic.name,
    topicId: topic.topicId,
    partitionResponses: topic.partitionData.map(({ index }, within) => {
      const response = responses[at]!.partitionResponses[within]!;
      if (response.errorCode !== ErrorCode.NONE) return response;
      const outcome = refused(ErrorCode.KAFKA_STORAGE_ERROR);
      return partitionRefused(index, outcome, { partition: undefined, records: null });
    }),
  }));
}
