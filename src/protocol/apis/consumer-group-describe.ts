import {
  api,
  array,
  bool,
  type Decoded,
  type Encodable,
  int8,
  int16,
  int32,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts';

const request = message('ConsumerGroupDescribeRequest', '0-1', '0+', {
  groupIds: array('0+', string('0+')),
  includeAuthorizedOperations: bool('0+'),
});

const response = message('ConsumerGroupDescribeResponse', '0-1', '0+', {
  throttleTimeMs: int32('0+'),
  groups: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+', default: null }),
    groupId: string('0+'),
    groupState: string('0+'),
    groupEpoch: int32('0+'),
    assignmentEpoch: int32('0+'),
    assignorName: string('0+'),
    members: array('0+', {
      memberId: string('0+'),
      instanceId: string('0+', { nullable: '0+', default: null }),
      rackId: string('0+', { nullable: '0+', default: null }),
      memberEpoch: int32('0+'),
      clientId: string('0+'),
      clientHost: string('0+'),
      subscribedTopicNames: array('0+', string('0+')),
      subscribedTopicRegex: string('0+', { nullable: '0+', default: null }),
      assignment: struct('0+', {
        topicPartitions: array('0+', {
          topicId: uuid('0+'),
          topicName: string('0+'),
          partitions: array('0+', int32('0+')),
        }),
      }),
      targetAssignment: struct('0+', {
        topicPartitions: array('0+', {
          topicId: uuid('0+'),
          topicName: string('0+'),
          partitions: array('0+', int32('0+')),
        }),
      }),
      memberType: int8('1+', { default: -1, ignorable: true }),
    }),
    authorizedOperations: int32('0+', { default: -2147483648 }),
  }),
});

export const consumerGroupDescribe = api({ key: 69, name: 'ConsumerGroupDescribe', request, response });

export type ConsumerGroupDescribeRequest = Decoded<typeof request>;
export type ConsumerGroupDescribeResponse = Encodable<typeof response>;
