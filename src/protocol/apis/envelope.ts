import { api, bytes, type Decoded, type Encodable, int16, message } from '../schema.ts';

const request = message('EnvelopeRequest', '0', '0+', {
  requestData: bytes('0+'),
  requestPrincipal: bytes('0+', { nullable: '0+' }),
  clientHostAddress: bytes('0+'),
});

const response = message('EnvelopeResponse', '0', '0+', {
  responseData: bytes('0+', { nullable: '0+', default: null }),
  errorCode: int16('0+'),
});

export const envelope = api({ key: 58, name: 'Envelope', request, response });

export type EnvelopeRequest = Decoded<typeof request>;
export type EnvelopeResponse = Encodable<typeof response>;
