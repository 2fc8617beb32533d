/** ListOffsets (2), versions 1-11: offsets by timestamp and the special timestamps; nothing is tiered here. */

import { type ListOffsetsRequest, type ListOffsetsResponse, listOffsets } from '../../protocol/apis/list-offsets.ts';
import { type ErrorCode as Code, ErrorCode } from '../../protocol/error-codes.ts';
import { type Isolation, ListOffsetsTimestamp } from '../../replication/partition.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type PartitionRequest = ListOffsetsRequest['topics'][number]['partitions'][number];
type PartitionResponse = ListOffsetsResponse['topics'][number]['partitions'][number];

const READ_COMMITTED = 1;
const LEADER_EPOCH_SINCE = 4;

/** First version that knows each special timestamp (KIP-734, KIP-405, KIP-1005, KIP-1023). */
const SINCE: ReadonlyMap<number, number> = new Map([
  [ListOffsetsTimestamp.maxTimestamp, 7],
  [ListOffsetsTimestamp.earliestLocal, 8],
  [ListOffsetsTimestamp.latestTiered, 9],
  [ListOffsetsTimestamp.earliestPendingUpload, 11],
]);

export const handleListOffsets = (services: BrokerServices) =>
  handler(listOffsets, async (request, context): Promise<ListOffsetsResponse> => {
    const isolation: Isolation = request.isolationLevel === READ_COMMITTED ? 'read_committed' : 'read_uncommitted';
    const duplicates = duplicatesIn(request);
    const topics = request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map((partition) => {
          if (duplicates.has(`${name}/${partition.partitionIndex}`))
            return failure(partition, ErrorCode.INVALID_REQUEST);
          return answer(services, { name, partition, isolation, version: context.header.apiVersion });
        }),
      ),
    }));
    return { topics: await Promise.all(topics) };
  });

function duplicatesIn(request: ListOffsetsRequest): Set<string> {
  const seen = new Set<string>();
  const duplicates = new Set<string>();
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = `${name}/${partitionIndex}`;
      if (seen.has(key)) duplicates.add(key);
      seen.add(key);
    }
  }
  return duplicates;
}

async function answer(
  services: BrokerServices,
  query: {
    readonly name: string;
    readonly partition: PartitionRequest;
    readonly isolation: Isolation;
    readonly version: number;
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
  const epochError = found.checkEpoch(partition.currentLeaderEpoch);
  if (epochError !== ErrorCode.NONE) return failure(partition, epochError);
  const { offset, timestamp, leaderEpoch } = await found.offsetFor(partition.timestamp, query.isolation);
  const place = { partitionIndex: partition.partitionIndex, errorCode: ErrorCode.NONE, offset, timestamp };
  return query.version < LEADER_EPOCH_SINCE ? place : { ...place, leaderEpoch };
}

function failure(partition: PartitionRequest, errorCode: Code): PartitionResponse {
  return { partitionIndex: partition.partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 };
}
