import { api, array, type Decoded, type Encodable, int16, int32, int64, message, string } from '../schema.ts';

const request = message('DescribeProducersRequest', '0', '0+', {
  topics: array('0+', {
    name: string('0+'),
    partitionIndexes: array('0+', int32('0+')),
  }),
});

const response = message('DescribeProducersResponse', '0', '0+', {
  throttleTimeMs: int32('0+'),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+', default: null }),
      activeProducers: array('0+', {
        producerId: int64('0+'),
        producerEpoch: int32('0+'),
        lastSequence: int32('0+', { default: -1 }),
        lastTimestamp: int64('0+', { default: -1 }),
        coordinatorEpoch: int32('0+'),
        currentTxnStartOffset: int64('0+', { default: -1 }),
      }),
    }),
  }),
});

export const describeProducers = api({ key: 61, name: 'DescribeProducers', request, response });

export type DescribeProducersRequest = Decoded<typeof request>;
export type DescribeProducersResponse = Encodable<typeof response>;
