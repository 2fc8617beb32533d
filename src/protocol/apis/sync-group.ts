import { api, array, bytes, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('SyncGroupRequest', '0-5', '4+', {
  groupId: string('0+'),
  generationId: int32('0+'),
  memberId: string('0+'),
  groupInstanceId: string('3+', { nullable: '3+', default: null }),
  protocolType: string('5+', { nullable: '5+', default: null, ignorable: true }),
  protocolName: string('5+', { nullable: '5+', default: null, ignorable: true }),
  assignments: array('0+', {
    memberId: string('0+'),
    assignment: bytes('0+'),
  }),
});

const response = message('SyncGroupResponse', '0-5', '4+', {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0+'),
  protocolType: string('5+', { nullable: '5+', default: null, ignorable: true }),
  protocolName: string('5+', { nullable: '5+', default: null, ignorable: true }),
  assignment: bytes('0+'),
});

export const syncGroup = api({ key: 14, name: 'SyncGroup', request, response });

export type SyncGroupRequest = Decoded<typeof request>;
export type SyncGroupResponse = Encodable<typeof response>;
