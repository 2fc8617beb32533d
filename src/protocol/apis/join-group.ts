import { api, array, bool, bytes, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('JoinGroupRequest', '0-9', '6+', {
  groupId: string('0+'),
  sessionTimeoutMs: int32('0+'),
  rebalanceTimeoutMs: int32('1+', { default: -1, ignorable: true }),
  memberId: string('0+'),
  groupInstanceId: string('5+', { nullable: '5+', default: null }),
  protocolType: string('0+'),
  protocols: array('0+', {
    name: string('0+'),
    metadata: bytes('0+'),
  }),
  reason: string('8+', { nullable: '8+', default: null, ignorable: true }),
});

const response = message('JoinGroupResponse', '0-9', '6+', {
  throttleTimeMs: int32('2+', { ignorable: true }),
  errorCode: int16('0+'),
  generationId: int32('0+', { default: -1 }),
  protocolType: string('7+', { nullable: '7+', default: null, ignorable: true }),
  protocolName: string('0+', { nullable: '7+' }),
  leader: string('0+'),
  skipAssignment: bool('9+', { default: false }),
  memberId: string('0+'),
  members: array('0+', {
    memberId: string('0+'),
    groupInstanceId: string('5+', { nullable: '5+', default: null, ignorable: true }),
    metadata: bytes('0+'),
  }),
});

export const joinGroup = api({ key: 11, name: 'JoinGroup', request, response });

export type JoinGroupRequest = Decoded<typeof request>;
export type JoinGroupResponse = Encodable<typeof response>;
