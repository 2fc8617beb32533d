import { api, array, type Decoded, type Encodable, int8, int16, int32, int64, message, uuid } from '../schema.ts';

const request = message('AlterPartitionRequest', '2-3', '0+', {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
  topics: array('0+', {
    topicId: uuid('2+', { ignorable: true }),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      leaderEpoch: int32('0+'),
      newIsr: array('0-2', int32('0-2')),
      newIsrWithEpochs: array('3+', {
        brokerId: int32('3+'),
        brokerEpoch: int64('3+', { default: -1 }),
      }),
      leaderRecoveryState: int8('1+', { default: 0 }),
      partitionEpoch: int32('0+'),
    }),
  }),
});

const response = message('AlterPartitionResponse', '2-3', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  topics: array('0+', {
    topicId: uuid('2+', { ignorable: true }),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
      leaderId: int32('0+'),
      leaderEpoch: int32('0+'),
      isr: array('0+', int32('0+')),
      leaderRecoveryState: int8('1+', { default: 0, ignorable: true }),
      partitionEpoch: int32('0+'),
    }),
  }),
});

export const alterPartition = api({ key: 56, name: 'AlterPartition', request, response });

export type AlterPartitionRequest = Decoded<typeof request>;
export type AlterPartitionResponse = Encodable<typeof response>;
