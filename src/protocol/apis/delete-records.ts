import { api, array, type Decoded, type Encodable, int16, int32, int64, message, string } from '../schema.ts';

const request = message('DeleteRecordsRequest', '0-2', '2+', {
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      offset: int64('0+'),
    }),
  }),
  timeoutMs: int32('0+'),
});

const response = message('DeleteRecordsResponse', '0-2', '2+', {
  throttleTimeMs: int32('0+'),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      lowWatermark: int64('0+'),
      errorCode: int16('0+'),
    }),
  }),
});

export const deleteRecords = api({ key: 21, name: 'DeleteRecords', request, response });

export type DeleteRecordsRequest = Decoded<typeof request>;
export type DeleteRecordsResponse = Encodable<typeof response>;
