/** OffsetDelete (47), version 0: forgets offsets of topics that no member reads. */
import {
  type OffsetDeleteRequest,
  type OffsetDeleteResponse,
  offsetDelete,
} from '../../protocol/apis/offset-delete.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type Topic = OffsetDeleteRequest['topics'][number];

export const handleOffsetDelete = (services: BrokerServices) =>
  handler(offsetDelete, async (request): Promise<OffsetDeleteResponse> => {
    const { byName } = services.quorum.image().topics;
    const isThere = ({ name }: Topic, { partitionIndex }: Topic['partitions'][number]): boolean =>
      byName.get(name)?.partitions[partitionIndex] !== undefined;
    const known = request.topics.flatMap((topic) => {
      const partitions = topic.partitions.filter((partition) => isThere(topic, partition));
      return partitions.length === 0 ? [] : [{ ...topic, partitions }];
    });
    const answer = await services.groups.deleteOffsets({ ...request, topics: known });
    if (answer.errorCode !== ErrorCode.NONE) return answer;
    const answered = new Map(answer.topics.map(({ name, partitions }) => [name, partitions]));
    return {
      errorCode: ErrorCode.NONE,
      topics: request.topics.map((topic) => {
        const unknown = topic.partitions.filter((partition) => !isThere(topic, partition));
        const errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
        const refused = unknown.map(({ partitionIndex }) => ({ partitionIndex, errorCode }));
        return { name: topic.name, partitions: [...refused, ...(answered.get(topic.name) ?? [])] };
      }),
    };
  });
