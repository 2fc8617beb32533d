/** DeleteRecords (21), versions 0-2: moves the start of partitions' logs forward. */
import { type DeleteRecordsResponse, deleteRecords } from '../../protocol/apis/delete-records.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { untilDeleted } from '../../replication/delayed-operations.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type PartitionResult = DeleteRecordsResponse['topics'][number]['partitions'][number];

export const handleDeleteRecords = (services: BrokerServices) =>
  handler(deleteRecords, async (request): Promise<DeleteRecordsResponse> => {
    const { timeoutMs } = request;
    // All starts move in this turn, so that one write of the checkpoint covers them.
    const moved = request.topics.map(({ name, partitions }) => ({
      name,
      // A partition that stands twice is cut once, where the last word on it says.
      partitions: [...new Map(partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]))].map(
        ([partitionIndex, offset]) => remove(services, { topic: name, partitionIndex, offset, timeoutMs }),
      ),
    }));
    const topics = moved.map(async ({ name, partitions }) => ({ name, partitions: await Promise.all(partitions) }));
    return { topics: await Promise.all(topics) };
  });

interface Deletion {
  readonly topic: string;
  readonly partitionIndex: number;
  readonly offset: number;
  readonly timeoutMs: number;
}

/** Answers once no crash can bring the records back here, and followers have let go of them. */
async function remove(services: BrokerServices, deletion: Deletion): Promise<PartitionResult> {
  const { topic, partitionIndex, offset, timeoutMs } = deletion;
  const found = services.replicas.find(topic, partitionIndex);
  if (typeof found === 'number') return { partitionIndex, lowWatermark: -1, errorCode: found };
  const { errorCode, startOffset } = found.deleteRecordsBefore(offset);
  if (errorCode !== ErrorCode.NONE) return { partitionIndex, lowWatermark: -1, errorCode };
  if (!(await found.log.persistStartOffset())) {
    return { partitionIndex, lowWatermark: -1, errorCode: ErrorCode.KAFKA_STORAGE_ERROR };
  }
  const deleted = await untilDeleted(found, startOffset, timeoutMs, services);
  return { partitionIndex, lowWatermark: found.lowWatermark, errorCode: deleted };
}
