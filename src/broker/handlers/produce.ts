/**
 * Produce (0), versions 3-13. All appends happen in the turn in which the request arrived, so that pipelined requests
 * keep their order; only the wait for durability or replicas is asynchronous.
 */

import { isInternalTopic } from '../../controller/topic-names.ts';
import { type ProduceRequest, type ProduceResponse, produce } from '../../protocol/apis/produce.ts';
import { type ErrorCode as Code, ErrorCode, errorMessage } from '../../protocol/error-codes.ts';
import * as batch from '../../records/batch.ts';
import { untilCommitted } from '../../replication/delayed-operations.ts';
import type { Partition } from '../../replication/partition.ts';
import type { Appended, AppendOutcome, AppendRefused } from '../../storage/log-append.ts';
import { CLOSE, handler, NO_REPLY, type Outcome, type RequestContext } from '../handler.ts';
import { LeaderHints } from '../leader-hints.ts';
import type { BrokerServices } from '../services.ts';

type TopicResponse = ProduceResponse['responses'][number];
/** Of a request that waits, what became of it is written into the response that was begun. */
type PartitionResponse = Mutable<TopicResponse['partitionResponses'][number]> & { readonly index: number };
type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type BegunTopic = Omit<TopicResponse, 'name' | 'partitionResponses'> & {
  readonly name: string;
  readonly partitionResponses: PartitionResponse[];
};

const BY_TOPIC_ID_SINCE = 13;
/** The one client that may write to topics which brokers keep for themselves. */
const ADMIN_CLIENT_ID = '__admin_client';

type ProduceOutcome = Outcome<ProduceResponse>;

/** What an acknowledgement of one partition still waits for. */
interface Unfinished {
  readonly partition: Partition;
  /** End of the records, where the in-sync replicas are awaited. */
  readonly requiredOffset: number | undefined;
  readonly durable: Promise<void> | undefined;
  readonly response: PartitionResponse;
}

const ALL_REPLICAS = -1;

export const handleProduce = (services: BrokerServices) => {
  const handle = (request: ProduceRequest, context: RequestContext): ProduceOutcome | Promise<ProduceOutcome> => {
    const { acks, timeoutMs } = request;
    const version = context.header.apiVersion;
    const unfinished: Unfinished[] = [];
    const forbidden = requestFault(request);
    let failure: Code = ErrorCode.NONE;
    const responses = request.topicData.map((topic): BegunTopic => {
      const byId = version >= BY_TOPIC_ID_SINCE;
      const name = byId ? (services.topics.topicName(topic.topicId) ?? '') : topic.name;
      const partitionResponses = topic.partitionData.map(({ index, records }): PartitionResponse => {
        const found = byId ? services.replicas.findById(topic.topicId, index) : services.replicas.find(name, index);
        const outcome =
          forbidden === undefined
            ? append(found, records, { acks, version, isAdmin: context.header.clientId === ADMIN_CLIENT_ID })
            : refused(forbidden);
        const partition = typeof found === 'number' ? undefined : found;
        if (!outcome.ok || partition === undefined) {
          const refusal = outcome.ok ? refused(ErrorCode.UNKNOWN_SERVER_ERROR) : outcome;
          failure = refusal.errorCode;
          return partitionRefused(index, refusal, { partition, records });
        }
        const response = appended(index, outcome);
        const waits = acks === 0 ? undefined : unfinishedPart(partition, outcome, acks, response);
        if (waits !== undefined) unfinished.push(waits);
        return response;
      });
      return { name, topicId: topic.topicId, partitionResponses };
    });
    if (acks === 0) return failure === ErrorCode.NONE ? NO_REPLY : CLOSE;
    const finish = () =>
      withHints(responses, new LeaderHints(services.quorum.image(), context.connection.listenerName));
    if (unfinished.length === 0) return failure === ErrorCode.NONE ? { responses } : finish();
    return finishAll(unfinished, timeoutMs, services).then(finish);
  };
  // What waits for replicas or disks knows offsets, no bytes.
  return handler(produce, handle, { releasesRequest: true });
};

/** Undefined where the records are as safe as they have to be: always so in a cluster of one broker. */
function unfinishedPart(
  partition: Partition,
  { lastOffset, durable }: Appended,
  acks: number,
  response: PartitionResponse,
): Unfinished | undefined {
  let requiredOffset: number | undefined;
  if (acks === ALL_REPLICAS) {
    const outcome = partition.commitOutcome(lastOffset + 1);
    if (outcome === undefined) requiredOffset = lastOffset + 1;
    else if (outcome !== ErrorCode.NONE) setError(response, outcome);
  }
  if (requiredOffset === undefined && durable === undefined) return undefined;
  return { partition, requiredOffset, durable, response };
}

/** Waits for replicas and disks, and notes in the responses what did not come to pass. */
async function finishAll(
  unfinished: readonly Unfinished[],
  timeoutMs: number,
  { clock }: BrokerServices,
): Promise<void> {
  const awaited: { partition: Partition; requiredOffset: number; response: PartitionResponse }[] = [];
  const flushes: Promise<void>[] = [];
  for (const { partition, requiredOffset, durable, response } of unfinished) {
    if (requiredOffset !== undefined) awaited.push({ partition, requiredOffset, response });
    // A failed flush leaves unknown what is on disk: it may not be acknowledged.
    const failed = (): void => setError(response, ErrorCode.KAFKA_STORAGE_ERROR);
    if (durable !== undefined) flushes.push(durable.catch(failed));
  }
  if (awaited.length > 0) {
    const outcomes = await untilCommitted(awaited, timeoutMs, { clock });
    awaited.forEach(({ response }, index) => {
      const outcome = outcomes[index]!;
      if (outcome !== ErrorCode.NONE) setError(response, outcome);
    });
  }
  await Promise.all(flushes);
}

function setError(response: PartitionResponse, errorCode: Code): void {
  response.errorCode = errorCode;
  response.errorMessage = errorMessage(errorCode);
}

/** Where another broker leads by now, clients are told which. */
function withHints(responses: readonly BegunTopic[], hints: LeaderHints): ProduceResponse {
  for (const { name, partitionResponses } of responses) {
    for (const response of partitionResponses) {
      if (response.errorCode !== ErrorCode.NOT_LEADER_OR_FOLLOWER) continue;
      response.currentLeader = hints.leaderOf(name, response.index) ?? {};
    }
  }
  return { responses, nodeEndpoints: hints.endpoints() };
}

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
    currentLeader: {},
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
