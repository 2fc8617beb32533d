import { api, bool, type Decoded, type Encodable, int16, int32, int64, message, string } from '../schema.ts';

const request = message('InitProducerIdRequest', '0-5', '2+', {
  transactionalId: string('0+', { nullable: '0+' }),
  transactionTimeoutMs: int32('0+'),
  producerId: int64('3+', { default: -1 }),
  producerEpoch: int16('3+', { default: -1 }),
  enable2Pc: bool('6+', { default: false }),
  keepPreparedTxn: bool('6+', { default: false }),
});

const response = message('InitProducerIdResponse', '0-5', '2+', {
  throttleTimeMs: int32('0+', { ignorable: true }),
  errorCode: int16('0+'),
  producerId: int64('0+', { default: -1 }),
  producerEpoch: int16('0+'),
  ongoingTxnProducerId: int64('6+', { default: -1 }),
  ongoingTxnProducerEpoch: int16('6+', { default: -1 }),
});

export const initProducerId = api({ key: 22, name: 'InitProducerId', request, response });

export type InitProducerIdRequest = Decoded<typeof request>;
export type InitProducerIdResponse = Encodable<typeof response>;
