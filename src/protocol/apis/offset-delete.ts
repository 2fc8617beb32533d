import { api, array, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('OffsetDeleteRequest', '0', 'none', {
  groupId: string('0+'),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
    }),
  }),
});

const response = message('OffsetDeleteResponse', '0', 'none', {
  errorCode: int16('0+'),
  throttleTimeMs: int32('0+', { ignorable: true }),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
    }),
  }),
});

export const offsetDelete = api({ key: 47, name: 'OffsetDelete', request, response });

export type OffsetDeleteRequest = Decoded<typeof request>;
export type OffsetDeleteResponse = Encodable<typeof response>;
