import { api, array, bool, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('CreatePartitionsRequest', '0-3', '2+', {
  topics: array('0+', {
    name: string('0+'),
    count: int32('0+'),
    assignments: array(
      '0+',
      {
        brokerIds: array('0+', int32('0+')),
      },
      { nullable: '0+' },
    ),
  }),
  timeoutMs: int32('0+'),
  validateOnly: bool('0+'),
});

const response = message('CreatePartitionsResponse', '0-3', '2+', {
  throttleTimeMs: int32('0+'),
  results: array('0+', {
    name: string('0+'),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+', default: null }),
  }),
});

export const createPartitions = api({ key: 37, name: 'CreatePartitions', request, response });

export type CreatePartitionsRequest = Decoded<typeof request>;
export type CreatePartitionsResponse = Encodable<typeof response>;
