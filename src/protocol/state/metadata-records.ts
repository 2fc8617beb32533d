/** Records of the cluster metadata log, as Kafka stores them (Kafka 4.3). */
import { array, bool, type Decoded, int8, int16, int32, int64, storedRecord, string, uint16, uuid } from '../schema.ts';

export const registerBrokerRecord = storedRecord(0, 'RegisterBrokerRecord', '0-4', '0+', {
  brokerId: int32('0+'),
  isMigratingZkBroker: bool('2+', { default: false }),
  incarnationId: uuid('0+'),
  brokerEpoch: int64('0+'),
  endPoints: array('0+', {
    name: string('0+'),
    host: string('0+'),
    port: uint16('0+'),
    securityProtocol: int16('0+'),
  }),
  features: array('0+', {
    name: string('0+'),
    minSupportedVersion: int16('0+'),
    maxSupportedVersion: int16('0+'),
  }),
  rack: string('0+', { nullable: '0+' }),
  fenced: bool('0+', { default: true }),
  inControlledShutdown: bool('1+', { default: false }),
  logDirs: array('3+', uuid('0+'), { tag: 0 }),
  cordonedLogDirs: array('4+', uuid('0+'), { nullable: '4+', tag: 1, default: null }),
});
export type RegisterBrokerRecord = Decoded<typeof registerBrokerRecord>;

export const unregisterBrokerRecord = storedRecord(1, 'UnregisterBrokerRecord', '0', '0+', {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+'),
});
export type UnregisterBrokerRecord = Decoded<typeof unregisterBrokerRecord>;

export const topicRecord = storedRecord(2, 'TopicRecord', '0', '0+', {
  name: string('0+'),
  topicId: uuid('0+'),
});
export type TopicRecord = Decoded<typeof topicRecord>;

export const partitionRecord = storedRecord(3, 'PartitionRecord', '0-2', '0+', {
  partitionId: int32('0+', { default: -1 }),
  topicId: uuid('0+'),
  replicas: array('0+', int32('0+')),
  isr: array('0+', int32('0+')),
  removingReplicas: array('0+', int32('0+')),
  addingReplicas: array('0+', int32('0+')),
  leader: int32('0+', { default: -1 }),
  leaderRecoveryState: int8('0+', { tag: 0 }),
  leaderEpoch: int32('0+', { default: -1 }),
  partitionEpoch: int32('0+', { default: -1 }),
  directories: array('1+', uuid('0+')),
  eligibleLeaderReplicas: array('2+', int32('0+'), { nullable: '2+', tag: 1, default: null }),
  lastKnownElr: array('2+', int32('0+'), { nullable: '2+', tag: 2, default: null }),
});
export type PartitionRecord = Decoded<typeof partitionRecord>;

export const configRecord = storedRecord(4, 'ConfigRecord', '0', '0+', {
  resourceType: int8('0+'),
  resourceName: string('0+'),
  name: string('0+'),
  value: string('0+', { nullable: '0+' }),
});
export type ConfigRecord = Decoded<typeof configRecord>;

export const partitionChangeRecord = storedRecord(5, 'PartitionChangeRecord', '0-2', '0+', {
  partitionId: int32('0+', { default: -1 }),
  topicId: uuid('0+'),
  isr: array('0+', int32('0+'), { nullable: '0+', tag: 0, default: null }),
  leader: int32('0+', { tag: 1, default: -2 }),
  replicas: array('0+', int32('0+'), { nullable: '0+', tag: 2, default: null }),
  removingReplicas: array('0+', int32('0+'), { nullable: '0+', tag: 3, default: null }),
  addingReplicas: array('0+', int32('0+'), { nullable: '0+', tag: 4, default: null }),
  leaderRecoveryState: int8('0+', { tag: 5, default: -1 }),
  directories: array('1+', uuid('0+'), { nullable: '1+', tag: 8, default: null }),
  eligibleLeaderReplicas: array('2+', int32('0+'), { nullable: '2+', tag: 6, default: null }),
  lastKnownElr: array('2+', int32('0+'), { nullable: '2+', tag: 7, default: null }),
});
export type PartitionChangeRecord = Decoded<typeof partitionChangeRecord>;

export const removeTopicRecord = storedRecord(9, 'RemoveTopicRecord', '0', '0+', {
  topicId: uuid('0+'),
});
export type RemoveTopicRecord = Decoded<typeof removeTopicRecord>;

export const featureLevelRecord = storedRecord(12, 'FeatureLevelRecord', '0', '0+', {
  name: string('0+'),
  featureLevel: int16('0+'),
});
export type FeatureLevelRecord = Decoded<typeof featureLevelRecord>;

export const producerIdsRecord = storedRecord(15, 'ProducerIdsRecord', '0', '0+', {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
  nextProducerId: int64('0+'),
});
export type ProducerIdsRecord = Decoded<typeof producerIdsRecord>;

export const brokerRegistrationChangeRecord = storedRecord(17, 'BrokerRegistrationChangeRecord', '0-3', '0+', {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+'),
  fenced: int8('0+', { tag: 0 }),
  inControlledShutdown: int8('1+', { tag: 1 }),
  logDirs: array('2+', uuid('0+'), { tag: 2 }),
  cordonedLogDirs: array('3+', uuid('0+'), { nullable: '3+', tag: 3, default: null }),
});
export type BrokerRegistrationChangeRecord = Decoded<typeof brokerRegistrationChangeRecord>;

export const noOpRecord = storedRecord(20, 'NoOpRecord', '0', '0+', {});
export type NoOpRecord = Decoded<typeof noOpRecord>;

export const fenceBrokerRecord = storedRecord(7, 'FenceBrokerRecord', '0', '0+', {
  id: int32('0+'),
  epoch: int64('0+'),
});
export type FenceBrokerRecord = Decoded<typeof fenceBrokerRecord>;

export const unfenceBrokerRecord = storedRecord(8, 'UnfenceBrokerRecord', '0', '0+', {
  id: int32('0+'),
  epoch: int64('0+'),
});
export type UnfenceBrokerRecord = Decoded<typeof unfenceBrokerRecord>;

export const beginTransactionRecord = storedRecord(23, 'BeginTransactionRecord', '0', '0+', {
  name: string('0+', { nullable: '0+', tag: 0, default: null }),
});
export type BeginTransactionRecord = Decoded<typeof beginTransactionRecord>;

export const endTransactionRecord = storedRecord(24, 'EndTransactionRecord', '0', '0+', {});
export type EndTransactionRecord = Decoded<typeof endTransactionRecord>;

export const abortTransactionRecord = storedRecord(25, 'AbortTransactionRecord', '0', '0+', {
  reason: string('0+', { nullable: '0+', tag: 0, default: null }),
});
export type AbortTransactionRecord = Decoded<typeof abortTransactionRecord>;

/** An empty name stands for all topics. */
export const clearElrRecord = storedRecord(28, 'ClearElrRecord', '0', '0+', {
  topicName: string('0+'),
});
export type ClearElrRecord = Decoded<typeof clearElrRecord>;
