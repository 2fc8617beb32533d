/** DeleteRecords (21), versions 0-2: moves the start of partitions' logs forward. */
import { type DeleteRecordsResponse, deleteRecords } from '../../protocol/apis/delete-records.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type PartitionResult = DeleteRecordsResponse['topics'][number]['partitions'][number];

export const handleDeleteRecords = (services: BrokerServices) =>
  handler(deleteRecords, (request): DeleteRecordsResponse => {
    const remove = (topic: string, partitionIndex: number, offset: number): PartitionResult => {
      const found = services.replicas.find(topic, partitionIndex);
      if (typeof found === 'number') return { partitionIndex, lowWatermark: -1, errorCode: found };
      const { errorCode, startOffset } = found.deleteRecordsBefore(offset);
      return { partitionIndex, lowWatermark: startOffset, errorCode };
    };
    return {
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        // A partition that stands twice is cut once, where the last word on it says.
        partitions: [...new Map(partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]))].map(
          ([partitionIndex, offset]) => remove(name, partitionIndex, offset),
        ),
      })),
    };
  });
