import {
  api,
  array,
  bool,
  type Decoded,
  type Encodable,
  int16,
  int32,
  int64,
  message,
  string,
  uint16,
  uuid,
} from '../schema.ts';

const request = message('BrokerRegistrationRequest', '0-4', '0+', {
  brokerId: int32('0+'),
  clusterId: string('0+'),
  incarnationId: uuid('0+'),
  listeners: array('0+', {
    name: string('0+'),
    host: string('0+'),
    port: uint16('0+'),
    securityProtocol: int16('0+'),
  }),
  features: array('0+', {
    name: string('0+'),
    minSupportedVersion: int16('0+'),
    maxSupportedVersion: int16('0+'),
  }),
  rack: string('0+', { nullable: '0+' }),
  isMigratingZkBroker: bool('1+', { default: false }),
  logDirs: array('2+', uuid('2+'), { ignorable: true }),
  previousBrokerEpoch: int64('3+', { default: -1, ignorable: true }),
});

const response = message('BrokerRegistrationResponse', '0-4', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
});

export const brokerRegistration = api({ key: 62, name: 'BrokerRegistration', request, response });

export type BrokerRegistrationRequest = Decoded<typeof request>;
export type BrokerRegistrationResponse = Encodable<typeof response>;
