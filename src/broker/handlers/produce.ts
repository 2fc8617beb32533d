/**
 * Produce (0), versions 3-13. All appends happen in the turn in which the request arrived, so that pipelined requests
 * keep their order; only the wait for durability or replicas is asynchronous.
 */

import { type ProduceRequest, type ProduceResponse, produce } from '../../protocol/apis/produce.ts';
import { type ErrorCode as Code, ErrorCode, errorMessage } from '../../protocol/error-codes.ts';
import type { Partition } from '../../replication/partition.ts';
import type { AppendOutcome } from '../../storage/log-append.ts';
import { CLOSE, handler, NO_REPLY } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type TopicResponse = ProduceResponse['responses'][number];
type PartitionResponse = TopicResponse['partitionResponses'][number];

const BY_TOPIC_ID_SINCE = 13;

export const handleProduce = (services: BrokerServices) =>
  handler(produce, (request, context) => {
    const { acks } = request;
    const version = context.header.apiVersion;
    const waits: Promise<void>[] = [];
    let failure: Code = ErrorCode.NONE;
    const responses = request.topicData.map((topic): TopicResponse => {
      const partitionResponses = topic.partitionData.map(({ index, records }): PartitionResponse => {
        const found =
          version >= BY_TOPIC_ID_SINCE
            ? services.replicas.findById(topic.topicId, index)
            : services.replicas.find(topic.name, index);
        const outcome = append(found, records, { acks, transactional: request.transactionalId !== null, version });
        if (!outcome.ok) failure = outcome.errorCode;
        else if (outcome.durable !== undefined) waits.push(outcome.durable);
        return partitionResponse(index, outcome, typeof found === 'number' ? undefined : found);
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

function append(
  found: Partition | Code,
  records: Buffer | null,
  options: { readonly acks: number; readonly transactional: boolean; readonly version: number },
): AppendOutcome {
  if (options.acks < -1 || options.acks > 1) return refused(ErrorCode.INVALID_REQUIRED_ACKS);
  if (typeof found === 'number') return refused(found);
  // There is no transaction coordinator: nobody could have opened the transaction that these records claim.
  if (options.transactional) return refused(ErrorCode.INVALID_TXN_STATE);
  if (records === null) return refused(ErrorCode.INVALID_RECORD);
  return found.append(records, { origin: 'client', produceVersion: options.version }, options.acks);
}

function refused(errorCode: Code): AppendOutcome {
  return { ok: false, errorCode, message: errorMessage(errorCode) };
}

function partitionResponse(index: number, outcome: AppendOutcome, partition: Partition | undefined): PartitionResponse {
  if (outcome.ok) {
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
  const leader = outcome.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER ? partition?.state : undefined;
  return {
    index,
    errorCode: outcome.errorCode,
    baseOffset: -1,
    logStartOffset: partition === undefined ? -1 : partition.log.startOffset,
    recordErrors: outcome.recordErrors ?? [],
    errorMessage: outcome.message,
    currentLeader: leader === undefined ? {} : { leaderId: leader.leader, leaderEpoch: leader.leaderEpoch },
  };
}

/** A failed flush leaves unknown what is on disk: no partition of the request may be acknowledged. */
function notDurable(request: ProduceRequest, responses: readonly TopicResponse[]): TopicResponse[] {
  return request.topicData.map((topic, at) => ({
    name: topic.name,
    topicId: topic.topicId,
    partitionResponses: topic.partitionData.map(({ index }, within) => {
      const response = responses[at]!.partitionResponses[within]!;
      if (response.errorCode !== ErrorCode.NONE) return response;
      return partitionResponse(index, refused(ErrorCode.KAFKA_STORAGE_ERROR), undefined);
    }),
  }));
}
