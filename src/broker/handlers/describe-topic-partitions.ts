/** DescribeTopicPartitions (75), version 0: topics page by page, so that a large cluster fits into bounded replies. */
import { ZERO_UUID } from '../../base/uuid.ts';
import { isInternalTopic, topicNameProblem } from '../../controller/topic-names.ts';
import type { TopicImage } from '../../metadata/image.ts';
import {
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
  describeTopicPartitions,
} from '../../protocol/apis/describe-topic-partitions.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { operationBits, TOPIC_OPERATIONS } from '../../security/operations.ts';
import { type PartitionAddress, partitionsOf } from '../cluster-view.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type TopicResponse = DescribeTopicPartitionsResponse['topics'][number];

export const handleDescribeTopicPartitions = (services: BrokerServices) =>
  handler(describeTopicPartitions, (request): DescribeTopicPartitionsResponse => {
    const { byName } = services.quorum.image().topics;
    const { cursor } = request;
    if (cursor !== null && isStrange(cursor, request.topics)) return refused(request);
    const limit = Math.min(request.responsePartitionLimit, services.config().get('max.request.partition.size.limit'));
    const asked = request.topics.length === 0 ? byName.keys() : request.topics.map(({ name }) => name);
    const names = [...new Set(asked)].filter((name) => cursor === null || name >= cursor.topicName).sort();
    const topics: TopicResponse[] = [];
    let room = Math.max(1, limit);
    for (const name of names) {
      // The next page begins with this topic, whether or not it exists.
      if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } };
      const topic = byName.get(name);
      if (topic === undefined) {
        topics.push(unknownTopic(name));
        continue;
      }
      const from = cursor?.topicName === name ? cursor.partitionIndex : 0;
      const partitions = partitionsOf(services.quorum.image(), topic).slice(from, from + room);
      room -= partitions.length;
      topics.push(describe(topic, partitions));
      const next = from + partitions.length;
      if (next < topic.partitions.length) return { topics, nextCursor: { topicName: name, partitionIndex: next } };
    }
    return { topics };
  });

type Cursor = NonNullable<DescribeTopicPartitionsRequest['cursor']>;

/** A cursor that no page of ours has ended with. */
function isStrange(cursor: Cursor, topics: DescribeTopicPartitionsRequest['topics']): boolean {
  if (cursor.partitionIndex < 0) return true;
  return topics.length > 0 && !topics.some(({ name }) => name === cursor.topicName);
}

function refused(request: DescribeTopicPartitionsRequest): DescribeTopicPartitionsResponse {
  const errorCode = ErrorCode.INVALID_REQUEST;
  return { topics: request.topics.map(({ name }) => ({ errorCode, name, partitions: [] })) };
}

function describe(topic: TopicImage, partitions: readonly PartitionAddress[]): TopicResponse {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: partitions.map((partition) => withEligibleLeaders(topic, partition)),
    topicAuthorizedOperations: operationBits(TOPIC_OPERATIONS),
  };
}

/** Java's client takes a list for granted where the wire allows null. */
function withEligibleLeaders(topic: TopicImage, partition: PartitionAddress): TopicResponse['partitions'][number] {
  const { eligibleLeaderReplicas, lastKnownElr } = topic.partitions[partition.partitionIndex]!;
  return { ...partition, eligibleLeaderReplicas, lastKnownElr };
}

function unknownTopic(name: string): TopicResponse {
  const invalid = topicNameProblem(name) !== undefined;
  return {
    errorCode: invalid ? ErrorCode.INVALID_TOPIC_EXCEPTION : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    name,
    topicId: ZERO_UUID,
    isInternal: isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: operationBits(TOPIC_OPERATIONS),
  };
}
