import { api, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('HeartbeatRequest', '0-4', '4+', {
  groupId: string('0+'),
  generationId: int32('0+'),
  memberId: string('0+'),
  groupInstanceId: string('3+', { nullable: '3+', default: null }),
});

const response = message('HeartbeatResponse', '0-4', '4+', {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0+'),
});

export const heartbeat = api({ key: 12, name: 'Heartbeat', request, response });

export type HeartbeatRequest = Decoded<typeof request>;
export type HeartbeatResponse = Encodable<typeof response>;
