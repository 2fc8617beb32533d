import { api, array, type Decoded, type Encodable, int8, int16, int32, int64, message, string } from '../schema.ts';

const request = message('ListOffsetsRequest', '1-11', '6+', {
  replicaId: int32('0+'),
  isolationLevel: int8('2+'),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      currentLeaderEpoch: int32('4+', { default: -1, ignorable: true }),
      timestamp: int64('0+'),
    }),
  }),
  timeoutMs: int32('10+', { ignorable: true }),
});

const response = message('ListOffsetsResponse', '1-11', '6+', {
  throttleTimeMs: int32('2+', { ignorable: true }),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
      timestamp: int64('1+', { default: -1 }),
      offset: int64('1+', { default: -1 }),
      leaderEpoch: int32('4+', { default: -1 }),
    }),
  }),
});

export const listOffsets = api({ key: 2, name: 'ListOffsets', request, response });

export type ListOffsetsRequest = Decoded<typeof request>;
export type ListOffsetsResponse = Encodable<typeof response>;
