/** LeaveGroup (13), versions 0-5: members go; from version 3 on, many at once and by instance id. */
import { type LeaveGroupResponse, leaveGroup } from '../../protocol/apis/leave-group.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

const MANY_MEMBERS_SINCE = 3;

export const handleLeaveGroup = (services: BrokerServices) =>
  handler(leaveGroup, async (request, context): Promise<LeaveGroupResponse> => {
    const { groupId, memberId, members } = request;
    if (context.header.apiVersion >= MANY_MEMBERS_SINCE) return services.groups.leaveGroup(groupId, members);
    const response = await services.groups.leaveGroup(groupId, [{ memberId, groupInstanceId: null }]);
    // The only member's error is the answer's own.
    const own = response.errorCode === ErrorCode.NONE ? response.members[0]?.errorCode : response.errorCode;
    return { errorCode: own ?? ErrorCode.NONE, members: [] };
  });
