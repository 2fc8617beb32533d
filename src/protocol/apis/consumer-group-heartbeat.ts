import { api, array, type Decoded, type Encodable, int16, int32, message, string, struct, uuid } from '../schema.ts';

const request = message('ConsumerGroupHeartbeatRequest', '0-1', '0+', {
  groupId: string('0+'),
  memberId: string('0+'),
  memberEpoch: int32('0+'),
  instanceId: string('0+', { nullable: '0+', default: null }),
  rackId: string('0+', { nullable: '0+', default: null }),
  rebalanceTimeoutMs: int32('0+', { default: -1 }),
  subscribedTopicNames: array('0+', string('0+'), { nullable: '0+', default: null }),
  subscribedTopicRegex: string('1+', { nullable: '1+', default: null }),
  serverAssignor: string('0+', { nullable: '0+', default: null }),
  topicPartitions: array(
    '0+',
    {
      topicId: uuid('0+'),
      partitions: array('0+', int32('0+')),
    },
    { nullable: '0+', default: null },
  ),
});

const response = message('ConsumerGroupHeartbeatResponse', '0-1', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+', default: null }),
  memberId: string('0+', { nullable: '0+', default: null }),
  memberEpoch: int32('0+'),
  heartbeatIntervalMs: int32('0+'),
  assignment: struct(
    '0+',
    {
      topicPartitions: array('0+', {
        topicId: uuid('0+'),
        partitions: array('0+', int32('0+')),
      }),
    },
    { nullable: '0+', default: null },
  ),
});

export const consumerGroupHeartbeat = api({ key: 68, name: 'ConsumerGroupHeartbeat', request, response });

export type ConsumerGroupHeartbeatRequest = Decoded<typeof request>;
export type ConsumerGroupHeartbeatResponse = Encodable<typeof response>;
