import { api, array, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('LeaveGroupRequest', '0-5', '4+', {
  groupId: string('0+'),
  memberId: string('0-2'),
  members: array('3+', {
    memberId: string('3+'),
    groupInstanceId: string('3+', { nullable: '3+', default: null }),
    reason: string('5+', { nullable: '5+', default: null, ignorable: true }),
  }),
});

const response = message('LeaveGroupResponse', '0-5', '4+', {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0+'),
  members: array('3+', {
    memberId: string('3+'),
    groupInstanceId: string('3+', { nullable: '3+' }),
    errorCode: int16('3+'),
  }),
});

export const leaveGroup = api({ key: 13, name: 'LeaveGroup', request, response });

export type LeaveGroupRequest = Decoded<typeof request>;
export type LeaveGroupResponse = Encodable<typeof response>;
