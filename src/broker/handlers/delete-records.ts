/** DeleteRecords (21), versions 0-2: moves the start of partitions' logs forward. */
import { type DeleteRecordsResponse, deleteRecords } from '../../protocol/apis/delete-records.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type PartitionResult = DeleteRecordsResponse['topics'][number]['partitions'][number];

export const handleDeleteRecords = (services: BrokerServices) =>
  handler(deleteRecords, async (request): Promise<DeleteRecordsResponse> => {
    // All starts move in this turn, so that one write of the checkpoint covers them.
    const moved = request.topics.map(({ name, partitions }) => ({
      name,
      // A partition that stands twice is cut once, where the last word on it says.
      partitions: [...new Map(partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]))].map(
        ([partitionIndex, offset]) => remove(services, name, partitionIndex, offset),
      ),
    }));
    const topics = moved.map(async ({ name, partitions }) => ({ name, partitions: await Promise.all(partitions) }));
    return { topics: await Promise.all(topics) };
  });

/** Answers once no crash can bring the records back. */
async function remove(
  services: BrokerServices,
  topic: string,
  partitionIndex: number,
  offset: number,
): Promise<PartitionResult> {
  const found = services.replicas.find(topic, partitionIndex);
  if (typeof found === 'number') return { partitionIndex, lowWatermark: -1, errorCode: found };
  const { errorCode, startOffset } = found.deleteRecordsBefore(offset);
  if (errorCode === ErrorCode.NONE && !(await found.log.persistStartOffset())) {
    return { partitionIndex, lowWatermark: -1, errorCode: ErrorCode.KAFKA_STORAGE_ERROR };
  }
  return { partitionIndex, lowWatermark: startOffset, errorCode };
}
