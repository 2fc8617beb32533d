import { api, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('UnregisterBrokerRequest', '0', '0+', {
  brokerId: int32('0+'),
});

const response = message('UnregisterBrokerResponse', '0', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+' }),
});

export const unregisterBroker = api({ key: 64, name: 'UnregisterBroker', request, response });

export type UnregisterBrokerRequest = Decoded<typeof request>;
export type UnregisterBrokerResponse = Encodable<typeof response>;
