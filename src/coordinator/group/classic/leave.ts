/** LeaveGroup: members that go, or are sent away by their instance id. */
import type { LeaveGroupResponse } from '../../../protocol/apis/leave-group.ts';
import { type ErrorCode as Code, ErrorCode } from '../../../protocol/error-codes.ts';
import type { GroupResult } from '../records.ts';
import type { ClassicGroup } from './classic-group.ts';
import type { ClassicContext } from './context.ts';
import { dropMember, endSession, maybeCompleteJoin, prepareRebalance } from './rebalance.ts';

export interface LeavingMember {
  /** Empty where only the instance id is known. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export function leaveGroup(
  context: ClassicContext,
  group: ClassicGroup,
  members: readonly LeavingMember[],
): GroupResult<LeaveGroupResponse> {
  if (group.state === 'dead') {
    return { records: [], reply: { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, members: [] } };
  }
  const answers = members.map(({ memberId, groupInstanceId }) => ({
    memberId,
    groupInstanceId,
    errorCode: leave(context, group, memberId, groupInstanceId),
  }));
  const reply: LeaveGroupResponse = { errorCode: ErrorCode.NONE, members: answers };
  if (answers.every(({ errorCode }) => errorCode !== ErrorCode.NONE)) return { records: [], reply };
  return { ...goOn(context, group), reply };
}

function goOn(context: ClassicContext, group: ClassicGroup): GroupResult<void> {
  const isSettled = group.state === 'stable' || group.state === 'completingRebalance';
  return isSettled ? prepareRebalance(context, group) : maybeCompleteJoin(context, group);
}

function leave(context: ClassicContext, group: ClassicGroup, memberId: string, groupInstanceId: string | null): Code {
  const { groupId } = group;
  if (memberId !== '' && group.pendingJoins.has(memberId)) {
    group.remove(memberId);
    endSession(context, groupId, memberId);
    return ErrorCode.NONE;
  }
  const byInstance = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId);
  const leaving = memberId === '' ? byInstance : memberId;
  if (leaving === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  const errorCode = group.checkMember(leaving, groupInstanceId);
  if (errorCode !== ErrorCode.NONE) return errorCode;
  endSession(context, groupId, leaving);
  dropMember(group, group.members.get(leaving)!);
  return ErrorCode.NONE;
}
