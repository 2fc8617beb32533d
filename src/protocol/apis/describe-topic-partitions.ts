import {
  api,
  array,
  bool,
  type Decoded,
  type Encodable,
  int16,
  int32,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts';

const request = message('DescribeTopicPartitionsRequest', '0', '0+', {
  topics: array('0+', {
    name: string('0+'),
  }),
  responsePartitionLimit: int32('0+', { default: 2000 }),
  cursor: struct(
    '0+',
    {
      topicName: string('0+'),
      partitionIndex: int32('0+'),
    },
    { nullable: '0+', default: null },
  ),
});

const response = message('DescribeTopicPartitionsResponse', '0', '0+', {
  throttleTimeMs: int32('0+', { ignorable: true }),
  topics: array('0+', {
    errorCode: int16('0+'),
    name: string('0+', { nullable: '0+' }),
    topicId: uuid('0+', { ignorable: true }),
    isInternal: bool('0+', { default: false, ignorable: true }),
    partitions: array('0+', {
      errorCode: int16('0+'),
      partitionIndex: int32('0+'),
      leaderId: int32('0+'),
      leaderEpoch: int32('0+', { default: -1, ignorable: true }),
      replicaNodes: array('0+', int32('0+')),
      isrNodes: array('0+', int32('0+')),
      eligibleLeaderReplicas: array('0+', int32('0+'), { nullable: '0+', default: null }),
      lastKnownElr: array('0+', int32('0+'), { nullable: '0+', default: null }),
      offlineReplicas: array('0+', int32('0+'), { ignorable: true }),
    }),
    topicAuthorizedOperations: int32('0+', { default: -2147483648 }),
  }),
  nextCursor: struct(
    '0+',
    {
      topicName: string('0+'),
      partitionIndex: int32('0+'),
    },
    { nullable: '0+', default: null },
  ),
});

export const describeTopicPartitions = api({ key: 75, name: 'DescribeTopicPartitions', request, response });

export type DescribeTopicPartitionsRequest = Decoded<typeof request>;
export type DescribeTopicPartitionsResponse = Encodable<typeof response>;
