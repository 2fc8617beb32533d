/**
 * How a classic group gets from one generation to the next: everybody joins again or is dropped when the time is over,
 * the leader assigns, all are told. Owns the timers of that: of joining, of asking for the assignment, of sessions.
 */
import type { JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import { type ErrorCode as Code, ErrorCode } from '../../../protocol/error-codes.ts';
import type { GroupResult } from '../records.ts';
import type { ClassicGroup } from './classic-group.ts';
import { type ClassicContext, NOTHING } from './context.ts';
import { classicGroupRecord } from './group-record.ts';
import { type ClassicMember, NO_ASSIGNMENT } from './member.ts';
import { canRebalance } from './states.ts';

/**
 * A client may give up a JoinGroup unnoticed and send another, without a member id: each leaves a member behind that
 * nobody is. New members whose JoinGroup waits this long are dropped; one that lives tries again.
 */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60_000;

const joinKey = (groupId: string): string => `join-${groupId}`;
const syncKey = (groupId: string): string => `sync-${groupId}`;
const heartbeatKey = (groupId: string, memberId: string): string => `heartbeat-${groupId}-${memberId}`;

/** An answer that says only that it did not work. */
export function joinRefusal(errorCode: Code, memberId: string): JoinGroupResponse {
  return { errorCode, memberId, protocolName: null, leader: '', members: [] };
}

/** The current generation as a member is told of it. Only the leader hears of the others. */
export function joinAnswer(group: ClassicGroup, memberId: string): JoinGroupResponse {
  return {
    errorCode: ErrorCode.NONE,
    generationId: group.generation,
    protocolType: group.protocolType,
    protocolName: group.protocol,
    leader: group.leader ?? '',
    skipAssignment: false,
    memberId,
    members: group.isLeader(memberId) ? group.memberList() : [],
  };
}

/** The session of somebody who has, or is about to have, this member id begins anew. */
export function startSession(context: ClassicContext, groupId: string, memberId: string, timeoutMs: number): void {
  context.timers.schedule(heartbeatKey(groupId, memberId), timeoutMs, () => expireSession(context, groupId, memberId));
}

export function endSession(context: ClassicContext, groupId: string, memberId: string): void {
  context.timers.cancel(heartbeatKey(groupId, memberId));
}

/** A member has shown that it lives. */
export function renewSession(context: ClassicContext, group: ClassicGroup, member: ClassicMember): void {
  startSession(context, group.groupId, member.memberId, member.sessionTimeoutMs);
}

function expireSession(context: ClassicContext, groupId: string, memberId: string): GroupResult<void> {
  const group = context.groups.classic(groupId);
  if (group === undefined || group.state === 'dead') return NOTHING;
  if (group.pendingJoins.has(memberId)) {
    group.remove(memberId);
    return completeJoinIfAllJoined(context, group);
  }
  const member = group.members.get(memberId);
  // Whoever waits for an answer of ours is alive as far as we know; a new member's wait is not without end.
  if (member === undefined || (!member.isNew && isWaiting(member))) return NOTHING;
  context.logger.info('a member of a group was silent for too long', { group: groupId, member: memberId });
  dropMember(group, member);
  return canRebalance(group.state) && !group.isEmpty
    ? prepareRebalance(context, group)
    : completeJoinIfAllJoined(context, group);
}

/** Nobody is waited for any more, not even during the first rebalance. */
function completeJoinIfAllJoined(context: ClassicContext, group: ClassicGroup): GroupResult<void> {
  return group.state === 'preparingRebalance' && group.allJoined ? completeJoin(context, group) : NOTHING;
}

function isWaiting(member: ClassicMember): boolean {
  return member.awaitingJoin !== undefined || member.awaitingSync !== undefined;
}

/** Removes a member; one whose JoinGroup waits is told to begin from the start, if it is still there. */
export function dropMember(group: ClassicGroup, member: ClassicMember): void {
  group.answerJoin(member, joinRefusal(ErrorCode.UNKNOWN_MEMBER_ID, ''));
  group.remove(member.memberId);
}

/** The members changed: all must join again, or one fewer is waited for. */
export function rebalanceOrCompleteJoin(context: ClassicContext, group: ClassicGroup): GroupResult<void> {
  return canRebalance(group.state) ? prepareRebalance(context, group) : maybeCompleteJoin(context, group);
}

export function prepareRebalance(context: ClassicContext, group: ClassicGroup): GroupResult<void> {
  if (group.state === 'completingRebalance') answerSyncs(context, group, ErrorCode.REBALANCE_IN_PROGRESS);
  group.pendingSyncs.clear();
  context.timers.cancel(syncKey(group.groupId));
  const isFirst = group.state === 'empty';
  group.transition('rebalance', context.clock.wallMs());
  if (isFirst) {
    const delayMs = context.settings().initialRebalanceDelayMs;
    awaitMoreMembers(context, group, { delayMs, leftMs: Math.max(group.rebalanceTimeoutMs - delayMs, 0) });
    return NOTHING;
  }
  return group.allJoined ? completeJoin(context, group) : awaitJoins(context, group);
}

/** Ends the joining where nobody is missing, but not the first of a group, which has a time of its own. */
export function maybeCompleteJoin(context: ClassicContext, group: ClassicGroup): GroupResult<void> {
  const isOver = group.state === 'preparingRebalance' && group.previousState !== 'empty' && group.allJoined;
  return isOver ? completeJoin(context, group) : NOTHING;
}

/** A group that begins waits a little for company, and again as long as company comes, within the rebalance timeout. */
function awaitMoreMembers(
  context: ClassicContext,
  group: ClassicGroup,
  { delayMs, leftMs }: { readonly delayMs: number; readonly leftMs: number },
): void {
  const { groupId } = group;
  context.timers.schedule(joinKey(groupId), delayMs, () => {
    const now = context.groups.classic(groupId);
    if (now === undefined || now.state !== 'preparingRebalance') return NOTHING;
    if (!now.newMemberAdded || leftMs === 0) return completeJoin(context, now);
    now.newMemberAdded = false;
    const nextMs = Math.min(context.settings().initialRebalanceDelayMs, leftMs);
    awaitMoreMembers(context, now, { delayMs: nextMs, leftMs: Math.max(leftMs - delayMs, 0) });
    return NOTHING;
  });
}

function awaitJoins(context: ClassicContext, group: ClassicGroup): GroupResult<void> {
  const { groupId } = group;
  context.timers.schedule(joinKey(groupId), group.rebalanceTimeoutMs, () => {
    const now = context.groups.classic(groupId);
    return now === undefined || now.state !== 'preparingRebalance' ? NOTHING : completeJoin(context, now);
  });
  return NOTHING;
}

/** The time for joining is over: who is not here is no member any more, unless it is a static one. */
function completeJoin(context: ClassicContext, group: ClassicGroup): GroupResult<void> {
  context.timers.cancel(joinKey(group.groupId));
  for (const member of [...group.members.values()]) {
    if (member.awaitingJoin !== undefined || member.groupInstanceId !== null) continue;
    group.remove(member.memberId);
    endSession(context, group.groupId, member.memberId);
  }
  if (!group.electJoinedLeader() && group.members.size > 0) {
    // Only static members, none of them here. Their sessions end in time, which leads to a decision.
    return awaitJoins(context, group);
  }
  group.startGeneration(context.clock.wallMs());
  const facts = { group: group.groupId, generation: group.generation, members: group.members.size };
  context.logger.debug('a group begins a generation', facts);
  if (group.isEmpty) {
    // Should this not be written, the generation before becomes active again with the next start: its members are gone.
    return { records: [classicGroupRecord(group, new Map())], reply: undefined, settle: () => undefined };
  }
  for (const member of group.members.values()) {
    group.answerJoin(member, joinAnswer(group, member.memberId));
    renewSession(context, group, member);
    member.isNew = false;
    group.pendingSyncs.add(member.memberId);
  }
  awaitSyncs(context, group);
  return NOTHING;
}

/** Members that joined and then never asked for their assignment hold up nobody for longer than the rebalance timeout. */
function awaitSyncs(context: ClassicContext, group: ClassicGroup): void {
  const { groupId, generation } = group;
  context.timers.schedule(syncKey(groupId), group.rebalanceTimeoutMs, () => {
    const now = context.groups.classic(groupId);
    if (now === undefined || now.generation !== generation || now.pendingSyncs.size === 0) return NOTHING;
    if (now.state !== 'completingRebalance' && now.state !== 'stable') return NOTHING;
    for (const memberId of [...now.pendingSyncs]) {
      now.remove(memberId);
      endSession(context, groupId, memberId);
    }
    return prepareRebalance(context, now);
  });
}

/** A member has asked for its assignment. */
export function noteSync(context: ClassicContext, group: ClassicGroup, memberId: string): void {
  group.pendingSyncs.delete(memberId);
  if (group.pendingSyncs.size === 0) context.timers.cancel(syncKey(group.groupId));
}

/** Answers everybody who waits for the assignment: with it, or with why there is none. */
export function answerSyncs(context: ClassicContext, group: ClassicGroup, errorCode: Code): void {
  const isGood = errorCode === ErrorCode.NONE;
  for (const member of group.members.values()) {
    if (!isGood) member.assignment = NO_ASSIGNMENT;
    const answered = group.answerSync(member, {
      errorCode,
      protocolType: isGood ? group.protocolType : null,
      protocolName: isGood ? group.protocol : null,
      assignment: member.assignment,
    });
    // Its session did not end while it waited, and so would never again.
    if (answered) renewSession(context, group, member);
  }
}
