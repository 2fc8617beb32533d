/** ListOffsets (2), versions 1-11: offsets by timestamp and the special timestamps; nothing is tiered here. */

import { systemErrorCode } from '../../base/errors.ts';
import { type ListOffsetsRequest, type ListOffsetsResponse, listOffsets } from '../../protocol/apis/list-offsets.ts';
import { type ErrorCode as Code, ErrorCode } from '../../protocol/error-codes.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import { type Isolation, ListOffsetsTimestamp } from '../../replication/partition.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type PartitionRequest = ListOffsetsRequest['topics'][number]['partitions'][number];
type PartitionResponse = ListOffsetsResponse['topics'][number]['partitions'][number];

const READ_COMMITTED = 1;
const CONSUMER = -1;
const LEADER_EPOCH_SINCE = 4;
/** Clients of earlier versions take this error for an unknown one. */
const OFFSET_NOT_AVAILABLE_SINCE = 5;
/** Kafka's id of a tool that looks at any replica. */
const DEBUGGING_REPLICA = -2;

/** First version that knows each special timestamp (KIP-734, KIP-405, KIP-1005, KIP-1023). */
const SINCE: ReadonlyMap<number, number> = new Map([
  [ListOffsetsTimestamp.maxTimestamp, 7],
  [ListOffsetsTimestamp.earliestLocal, 8],
  [ListOffsetsTimestamp.latestTiered, 9],
  [ListOffsetsTimestamp.earliestPendingUpload, 11],
]);

export const handleListOffsets = (services: BrokerServices) =>
  handler(listOffsets, async (request, context): Promise<ListOffsetsResponse> => {
    const isolation = isolationOf(request);
    const atFollower = request.replicaId === DEBUGGING_REPLICA;
    const version = context.header.apiVersion;
    const times = occurrences(request);
    const topics = request.topics.map(async ({ name, partitions }) => {
      const answers: Promise<PartitionResponse>[] = [];
      for (const partition of partitions) {
        const key = `${name}/${partition.partitionIndex}`;
        const count = times.get(key);
        // A partition that stands twice is refused, once.
        if (count === undefined) continue;
        times.delete(key);
        if (count > 1) answers.push(Promise.resolve(failure(partition, ErrorCode.INVALID_REQUEST)));
        else answers.push(answer(services, { name, partition, isolation, version, atFollower }));
      }
      return { name, partitions: await Promise.all(answers) };
    });
    return { topics: (await Promise.all(topics)).filter(({ partitions }) => partitions.length > 0) };
  });

/** A follower asks where the log ends, a client what it may read. */
function isolationOf({ replicaId, isolationLevel }: ListOffsetsRequest): Isolation | 'log_end' {
  if (replicaId !== CONSUMER) return 'log_end';
  return isolationLevel === READ_COMMITTED ? 'read_committed' : 'read_uncommitted';
}

function occurrences(request: ListOffsetsRequest): Map<string, number> {
  const times = new Map<string, number>();
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = `${name}/${partitionIndex}`;
      times.set(key, (times.get(key) ?? 0) + 1);
    }
  }
  return times;
}

async function answer(
  services: BrokerServices,
  query: {
    readonly name: string;
    readonly partition: PartitionRequest;
    readonly isolation: Isolation | 'log_end';
    readonly version: number;
    readonly atFollower: boolean;
  },
): Promise<PartitionResponse> {
  const { partition } = query;
  const special = partition.timestamp < 0;
  const since = SINCE.get(partition.timestamp) ?? 0;
  if (partition.timestamp < ListOffsetsTimestamp.earliestPendingUpload || (special && query.version < since)) {
    return failure(partition, ErrorCode.UNSUPPORTED_VERSION);
  }
  const found = services.replicas.find(query.name, partition.partitionIndex);
  if (typeof found === 'number') return failure(partition, found);
  const epochError = found.checkEpoch(partition.currentLeaderEpoch, query);
  if (epochError !== ErrorCode.NONE) return failure(partition, epochError);
  const outcome = await found.offsetFor(partition.timestamp, query.isolation).catch((error: unknown) => {
    // A batch whose records nobody can read has no timestamps: the question fails, not the connection.
    if (error instanceof CorruptRecords) return ErrorCode.CORRUPT_MESSAGE;
    if (systemErrorCode(error) !== undefined) return ErrorCode.KAFKA_STORAGE_ERROR;
    throw error;
  });
  if (typeof outcome === 'number') {
    const isKnown = outcome !== ErrorCode.OFFSET_NOT_AVAILABLE || query.version >= OFFSET_NOT_AVAILABLE_SINCE;
    return failure(partition, isKnown ? outcome : ErrorCode.LEADER_NOT_AVAILABLE);
  }
  const { offset, timestamp, leaderEpoch } = outcome;
  const place = { partitionIndex: partition.partitionIndex, errorCode: ErrorCode.NONE, offset, timestamp };
  return query.version < LEADER_EPOCH_SINCE ? place : { ...place, leaderEpoch };
}

function failure(partition: PartitionRequest, errorCode: Code): PartitionResponse {
  return { partitionIndex: partition.partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 };
}
