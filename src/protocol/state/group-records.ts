/** Records of the topic __consumer_offsets, as Kafka stores them (Kafka 4.3): keys and values by one type number. */
import {
  array,
  bytes,
  type Decoded,
  int8,
  int32,
  int64,
  storedRecord,
  string,
  struct,
  uuid,
  wideInt64,
} from '../schema.ts';

export const legacyOffsetCommitKey = storedRecord(0, 'LegacyOffsetCommitKey', '0', 'none', {
  group: string('0'),
  topic: string('0'),
  partition: int32('0'),
});
export type LegacyOffsetCommitKey = Decoded<typeof legacyOffsetCommitKey>;

export const legacyOffsetCommitValue = storedRecord(0, 'LegacyOffsetCommitValue', '0', 'none', {
  offset: int64('0'),
  metadata: string('0'),
  commitTimestamp: int64('0'),
});
export type LegacyOffsetCommitValue = Decoded<typeof legacyOffsetCommitValue>;

export const offsetCommitKey = storedRecord(1, 'OffsetCommitKey', '0', 'none', {
  group: string('0'),
  topic: string('0'),
  partition: int32('0'),
});
export type OffsetCommitKey = Decoded<typeof offsetCommitKey>;

export const offsetCommitValue = storedRecord(1, 'OffsetCommitValue', '0-4', '4+', {
  offset: int64('0+'),
  leaderEpoch: int32('3+', { default: -1, ignorable: true }),
  metadata: string('0+'),
  commitTimestamp: int64('0+'),
  expireTimestamp: int64('1', { default: -1, ignorable: true }),
  topicId: uuid('4+', { tag: 0, ignorable: true }),
});
export type OffsetCommitValue = Decoded<typeof offsetCommitValue>;

export const groupMetadataKey = storedRecord(2, 'GroupMetadataKey', '0', 'none', {
  group: string('0'),
});
export type GroupMetadataKey = Decoded<typeof groupMetadataKey>;

export const groupMetadataValue = storedRecord(2, 'GroupMetadataValue', '0-4', '4+', {
  protocolType: string('0+'),
  generation: int32('0+'),
  protocol: string('0+', { nullable: '0+' }),
  leader: string('0+', { nullable: '0+' }),
  currentStateTimestamp: int64('2+', { default: -1, ignorable: true }),
  members: array('0+', {
    memberId: string('0+'),
    groupInstanceId: string('3+', { nullable: '3+', default: null, ignorable: true }),
    clientId: string('0+'),
    clientHost: string('0+'),
    rebalanceTimeout: int32('1+', { default: -1, ignorable: true }),
    sessionTimeout: int32('0+'),
    subscription: bytes('0+'),
    assignment: bytes('0+'),
  }),
});
export type GroupMetadataValue = Decoded<typeof groupMetadataValue>;

export const consumerGroupMetadataKey = storedRecord(3, 'ConsumerGroupMetadataKey', '0', 'none', {
  groupId: string('0'),
});
export type ConsumerGroupMetadataKey = Decoded<typeof consumerGroupMetadataKey>;

export const consumerGroupMetadataValue = storedRecord(3, 'ConsumerGroupMetadataValue', '0', '0+', {
  epoch: int32('0+'),
  metadataHash: wideInt64('0+', { tag: 0, default: 0n }),
});
export type ConsumerGroupMetadataValue = Decoded<typeof consumerGroupMetadataValue>;

export const consumerGroupPartitionMetadataKey = storedRecord(4, 'ConsumerGroupPartitionMetadataKey', '0', 'none', {
  groupId: string('0'),
});
export type ConsumerGroupPartitionMetadataKey = Decoded<typeof consumerGroupPartitionMetadataKey>;

export const consumerGroupPartitionMetadataValue = storedRecord(4, 'ConsumerGroupPartitionMetadataValue', '0', '0+', {
  topics: array('0+', {
    topicId: uuid('0+'),
    topicName: string('0+'),
    numPartitions: int32('0+'),
    partitionMetadata: array('0+', {
      partition: int32('0+'),
      racks: array('0+', string('0+')),
    }),
  }),
});
export type ConsumerGroupPartitionMetadataValue = Decoded<typeof consumerGroupPartitionMetadataValue>;

export const consumerGroupMemberMetadataKey = storedRecord(5, 'ConsumerGroupMemberMetadataKey', '0', 'none', {
  groupId: string('0'),
  memberId: string('0'),
});
export type ConsumerGroupMemberMetadataKey = Decoded<typeof consumerGroupMemberMetadataKey>;

export const consumerGroupMemberMetadataValue = storedRecord(5, 'ConsumerGroupMemberMetadataValue', '0', '0+', {
  instanceId: string('0+', { nullable: '0+' }),
  rackId: string('0+', { nullable: '0+' }),
  clientId: string('0+'),
  clientHost: string('0+'),
  subscribedTopicNames: array('0+', string('0+')),
  subscribedTopicRegex: string('0+', { nullable: '0+' }),
  rebalanceTimeoutMs: int32('0+', { default: -1 }),
  serverAssignor: string('0+', { nullable: '0+' }),
  classicMemberMetadata: struct(
    '0+',
    {
      sessionTimeoutMs: int32('0+'),
      supportedProtocols: array('0+', {
        name: string('0+'),
        metadata: bytes('0+'),
      }),
    },
    { nullable: '0+', tag: 0 },
  ),
});
export type ConsumerGroupMemberMetadataValue = Decoded<typeof consumerGroupMemberMetadataValue>;

export const consumerGroupTargetAssignmentMetadataKey = storedRecord(
  6,
  'ConsumerGroupTargetAssignmentMetadataKey',
  '0',
  'none',
  {
    groupId: string('0'),
  },
);
export type ConsumerGroupTargetAssignmentMetadataKey = Decoded<typeof consumerGroupTargetAssignmentMetadataKey>;

export const consumerGroupTargetAssignmentMetadataValue = storedRecord(
  6,
  'ConsumerGroupTargetAssignmentMetadataValue',
  '0',
  '0+',
  {
    assignmentEpoch: int32('0+'),
    assignmentTimestamp: int64('0+', { tag: 0, default: 0, ignorable: true }),
  },
);
export type ConsumerGroupTargetAssignmentMetadataValue = Decoded<typeof consumerGroupTargetAssignmentMetadataValue>;

export const consumerGroupTargetAssignmentMemberKey = storedRecord(
  7,
  'ConsumerGroupTargetAssignmentMemberKey',
  '0',
  'none',
  {
    groupId: string('0'),
    memberId: string('0'),
  },
);
export type ConsumerGroupTargetAssignmentMemberKey = Decoded<typeof consumerGroupTargetAssignmentMemberKey>;

export const consumerGroupTargetAssignmentMemberValue = storedRecord(
  7,
  'ConsumerGroupTargetAssignmentMemberValue',
  '0',
  '0+',
  {
    topicPartitions: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', int32('0+')),
    }),
  },
);
export type ConsumerGroupTargetAssignmentMemberValue = Decoded<typeof consumerGroupTargetAssignmentMemberValue>;

export const consumerGroupCurrentMemberAssignmentKey = storedRecord(
  8,
  'ConsumerGroupCurrentMemberAssignmentKey',
  '0',
  'none',
  {
    groupId: string('0'),
    memberId: string('0'),
  },
);
export type ConsumerGroupCurrentMemberAssignmentKey = Decoded<typeof consumerGroupCurrentMemberAssignmentKey>;

export const consumerGroupCurrentMemberAssignmentValue = storedRecord(
  8,
  'ConsumerGroupCurrentMemberAssignmentValue',
  '0',
  '0+',
  {
    memberEpoch: int32('0+'),
    previousMemberEpoch: int32('0+'),
    state: int8('0+'),
    assignedPartitions: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', int32('0+')),
      assignmentEpochs: array('0+', int32('0+'), { nullable: '0+', tag: 0 }),
    }),
    partitionsPendingRevocation: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', int32('0+')),
      assignmentEpochs: array('0+', int32('0+'), { nullable: '0+', tag: 0 }),
    }),
  },
);
export type ConsumerGroupCurrentMemberAssignmentValue = Decoded<typeof consumerGroupCurrentMemberAssignmentValue>;

export const consumerGroupRegularExpressionKey = storedRecord(16, 'ConsumerGroupRegularExpressionKey', '0', 'none', {
  groupId: string('0'),
  regularExpression: string('0'),
});
export type ConsumerGroupRegularExpressionKey = Decoded<typeof consumerGroupRegularExpressionKey>;

export const consumerGroupRegularExpressionValue = storedRecord(16, 'ConsumerGroupRegularExpressionValue', '0', '0+', {
  topics: array('0+', string('0+')),
  version: int64('0+'),
  timestamp: int64('0+'),
});
export type ConsumerGroupRegularExpressionValue = Decoded<typeof consumerGroupRegularExpressionValue>;
