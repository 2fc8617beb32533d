/** SyncGroup and Heartbeat: members ask for their assignment, the leader brings it, all show that they live. */
import type { HeartbeatRequest } from '../../../protocol/apis/heartbeat.ts';
import type { SyncGroupRequest, SyncGroupResponse } from '../../../protocol/apis/sync-group.ts';
import { type ErrorCode as Code, ErrorCode } from '../../../protocol/error-codes.ts';
import type { GroupResult } from '../records.ts';
import type { ClassicGroup } from './classic-group.ts';
import { type ClassicContext, NOTHING } from './context.ts';
import { classicGroupRecord } from './group-record.ts';
import { NO_ASSIGNMENT } from './member.ts';
import { answerSyncs, noteSync, rebalanceOrCompleteJoin, renewSession } from './rebalance.ts';
import { HEARTBEAT_ANSWERS, SYNC_ACTIONS } from './states.ts';

export function syncRefusal(errorCode: Code): SyncGroupResponse {
  return { errorCode, assignment: NO_ASSIGNMENT };
}

/** `respond` is called once, now or when the leader's assignment is committed; later calls must have no effect. */
export function syncGroup(
  context: ClassicContext,
  group: ClassicGroup,
  request: SyncGroupRequest,
  respond: (response: SyncGroupResponse) => void,
): GroupResult<void> {
  const errorCode = syncError(group, request);
  if (errorCode !== ErrorCode.NONE) {
    respond(syncRefusal(errorCode));
    return NOTHING;
  }
  const { memberId } = request;
  const member = group.members.get(memberId)!;
  switch (SYNC_ACTIONS[group.state]) {
    case 'unknownMember':
      respond(syncRefusal(ErrorCode.UNKNOWN_MEMBER_ID));
      return NOTHING;
    case 'unavailable':
      respond(syncRefusal(ErrorCode.COORDINATOR_NOT_AVAILABLE));
      return NOTHING;
    case 'rejoin':
      respond(syncRefusal(ErrorCode.REBALANCE_IN_PROGRESS));
      return NOTHING;
    case 'answer':
      noteSync(context, group, memberId);
      respond({
        errorCode,
        protocolType: group.protocolType,
        protocolName: group.protocol,
        assignment: member.assignment,
      });
      return NOTHING;
    case 'await':
      member.awaitingSync = respond;
      noteSync(context, group, memberId);
      return group.isLeader(memberId) ? writeAssignment(context, group, request) : NOTHING;
  }
}

function syncError(group: ClassicGroup, request: SyncGroupRequest): Code {
  if (group.state === 'dead') return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  const memberError = group.checkMember(request.memberId, request.groupInstanceId);
  if (memberError !== ErrorCode.NONE) return memberError;
  if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
  const differs =
    isOther(request.protocolType, group.protocolType === '' ? null : group.protocolType) ||
    isOther(request.protocolName, group.protocol);
  return differs ? ErrorCode.INCONSISTENT_GROUP_PROTOCOL : ErrorCode.NONE;
}

/** Old versions do not say. */
function isOther(told: string | null, known: string | null): boolean {
  return told !== null && known !== null && told !== known;
}

/** The leader has assigned: the group is stable, and members hear of it, once that is committed. */
function writeAssignment(
  context: ClassicContext,
  group: ClassicGroup,
  { generationId, assignments }: SyncGroupRequest,
): GroupResult<void> {
  // The request's bytes are a view of its frame, which goes.
  const byMember = new Map(assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]));
  const settle = (errorCode: Code): void => {
    // Another member may have come meanwhile: then there is another generation to assign, or will be.
    if (group.state !== 'completingRebalance' || group.generation !== generationId) return;
    if (errorCode === ErrorCode.NONE) {
      for (const member of group.members.values()) {
        member.assignment = byMember.get(member.memberId) ?? NO_ASSIGNMENT;
      }
      answerSyncs(context, group, ErrorCode.NONE);
      group.transition('assigned', context.clock.wallMs());
    } else {
      answerSyncs(context, group, errorCode);
      rebalanceOrCompleteJoin(context, group);
    }
  };
  return { records: [classicGroupRecord(group, byMember)], reply: undefined, settle };
}

/** Only an answer in the members' generation keeps a session. */
export function heartbeat(context: ClassicContext, group: ClassicGroup, request: HeartbeatRequest): Code {
  if (group.state === 'dead') return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  const memberError = group.checkMember(request.memberId, request.groupInstanceId);
  if (memberError !== ErrorCode.NONE) return memberError;
  if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
  const answer = HEARTBEAT_ANSWERS[group.state];
  if (!group.isEmpty) renewSession(context, group, group.members.get(request.memberId)!);
  return answer;
}
