import { api, type Decoded, type Encodable, int16, int32, int64, message } from '../schema.ts';

const request = message('AllocateProducerIdsRequest', '0', '0+', {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
});

const response = message('AllocateProducerIdsResponse', '0', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  producerIdStart: int64('0+'),
  producerIdLen: int32('0+'),
});

export const allocateProducerIds = api({ key: 67, name: 'AllocateProducerIds', request, response });

export type AllocateProducerIdsRequest = Decoded<typeof request>;
export type AllocateProducerIdsResponse = Encodable<typeof response>;
