import { api, array, bool, type Decoded, type Encodable, int16, int32, int64, message, uuid } from '../schema.ts';

const request = message('BrokerHeartbeatRequest', '0-2', '0+', {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
  currentMetadataOffset: int64('0+'),
  wantFence: bool('0+'),
  wantShutDown: bool('0+'),
  offlineLogDirs: array('1+', uuid('1+'), { tag: 0 }),
  cordonedLogDirs: array('2+', uuid('2+'), { nullable: '2+', tag: 1, default: null }),
});

const response = message('BrokerHeartbeatResponse', '0-2', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  isCaughtUp: bool('0+', { default: false }),
  isFenced: bool('0+', { default: true }),
  shouldShutDown: bool('0+'),
});

export const brokerHeartbeat = api({ key: 63, name: 'BrokerHeartbeat', request, response });

export type BrokerHeartbeatRequest = Decoded<typeof request>;
export type BrokerHeartbeatResponse = Encodable<typeof response>;
