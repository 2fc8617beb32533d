import { api, array, type Decoded, type Encodable, int16, int32, int64, message, string } from '../schema.ts';

const request = message('OffsetForLeaderEpochRequest', '2-4', '4+', {
  replicaId: int32('3+', { default: -2, ignorable: true }),
  topics: array('0+', {
    topic: string('0+'),
    partitions: array('0+', {
      partition: int32('0+'),
      currentLeaderEpoch: int32('2+', { default: -1, ignorable: true }),
      leaderEpoch: int32('0+'),
    }),
  }),
});

const response = message('OffsetForLeaderEpochResponse', '2-4', '4+', {
  throttleTimeMs: int32('2+', { ignorable: true }),
  topics: array('0+', {
    topic: string('0+'),
    partitions: array('0+', {
      errorCode: int16('0+'),
      partition: int32('0+'),
      leaderEpoch: int32('1+', { default: -1, ignorable: true }),
      endOffset: int64('0+', { default: -1 }),
    }),
  }),
});

export const offsetForLeaderEpoch = api({ key: 23, name: 'OffsetForLeaderEpoch', request, response });

export type OffsetForLeaderEpochRequest = Decoded<typeof request>;
export type OffsetForLeaderEpochResponse = Encodable<typeof response>;
