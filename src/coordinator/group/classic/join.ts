/** JoinGroup: who comes, comes again or takes a static member's place, and what that means for the group. */
import type { Random } from '../../../base/random.ts';
import type { JoinGroupRequest, JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { Group } from '../group.ts';
import type { GroupResult } from '../records.ts';
import { ClassicGroup } from './classic-group.ts';
import { type ClassicContext, type GroupClient, NOTHING } from './context.ts';
import { classicGroupRecord, newGroupRecord } from './group-record.ts';
import { type ClassicMember, NO_ASSIGNMENT, type SupportedProtocol, sameProtocols } from './member.ts';
import {
  joinAnswer,
  joinRefusal,
  maybeCompleteJoin,
  NEW_MEMBER_JOIN_TIMEOUT_MS,
  prepareRebalance,
  rebalanceOrCompleteJoin,
  renewSession,
  startSession,
} from './rebalance.ts';
import { REJOIN_ACTIONS } from './states.ts';

/** From then on a client gets its member id first and joins with it (KIP-394). */
const MEMBER_ID_REQUIRED_SINCE = 4;
/** From then on a leader can be told that it need not assign (KIP-814). */
const SKIP_ASSIGNMENT_SINCE = 9;

/** One JoinGroup on its way through. */
interface Join {
  readonly context: ClassicContext;
  readonly group: ClassicGroup;
  readonly client: GroupClient;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly protocolType: string;
  readonly protocols: readonly SupportedProtocol[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly respond: (response: JoinGroupResponse) => void;
}

/** `respond` is called once, now or when the group has its next generation; later calls must have no effect. */
export function joinGroup(
  context: ClassicContext,
  request: JoinGroupRequest,
  client: GroupClient,
  respond: (response: JoinGroupResponse) => void,
): GroupResult<void> {
  const { groupId, memberId } = request;
  const known = context.groups.classic(groupId);
  if (known === undefined && memberId !== '') {
    respond(joinRefusal(ErrorCode.UNKNOWN_MEMBER_ID, memberId));
    return NOTHING;
  }
  // An empty group of the other protocol makes room.
  const replaced = known === undefined ? context.groups.get(groupId) : undefined;
  const group = known ?? createGroup(context, groupId);
  const join: Join = {
    context,
    group,
    client,
    memberId,
    groupInstanceId: request.groupInstanceId,
    protocolType: request.protocolType,
    // The request's bytes are a view of its frame, which goes.
    protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
    sessionTimeoutMs: request.sessionTimeoutMs,
    // Before version 1 there was one timeout for both.
    rebalanceTimeoutMs: client.apiVersion === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    respond,
  };
  const result = admit(join);
  return known === undefined ? writeNewGroup(join, replaced) : result;
}

function createGroup(context: ClassicContext, groupId: string): ClassicGroup {
  const group = new ClassicGroup(groupId, 'empty');
  group.stateTimestamp = context.clock.wallMs();
  context.groups.set(group);
  return group;
}

/**
 * A new group is written at once, so that it is there after a restart. Whoever comes first waits for more members or has
 * to come again: nothing else is there to be written yet.
 */
function writeNewGroup({ context, group, respond }: Join, replaced: Group | undefined): GroupResult<void> {
  const records = [...(replaced?.tombstones() ?? []), newGroupRecord(group)];
  const settle = (errorCode: ErrorCode): void => {
    if (errorCode === ErrorCode.NONE) return;
    if (context.groups.get(group.groupId) === group) context.groups.delete(group.groupId);
    if (replaced !== undefined) context.groups.set(replaced);
    respond(joinRefusal(errorCode, ''));
  };
  return { records, reply: undefined, settle };
}

function admit(join: Join): GroupResult<void> {
  const { group, memberId, respond } = join;
  if (!hasRoom(join)) {
    group.remove(memberId);
    respond(joinRefusal(ErrorCode.GROUP_MAX_SIZE_REACHED, ''));
    return NOTHING;
  }
  if (group.state === 'dead') {
    respond(joinRefusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, memberId));
    return NOTHING;
  }
  if (!group.supports(join.protocolType, join.protocols)) {
    respond(joinRefusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, memberId));
    return NOTHING;
  }
  if (memberId === '') return join.groupInstanceId === null ? joinNew(join) : joinStatic(join, join.groupInstanceId);
  return group.pendingJoins.has(memberId) ? joinPending(join) : joinAgain(join);
}

/**
 * While all join again, those who wait count, not the members: the group may be larger than a limit that was lowered
 * since, and then the last to join have no place.
 */
function hasRoom({ context, group, memberId }: Join): boolean {
  const { maxMembers } = context.settings();
  switch (group.state) {
    case 'empty':
    case 'dead':
      return true;
    case 'preparingRebalance':
      return group.members.get(memberId)?.awaitingJoin !== undefined || group.awaitingJoins < maxMembers;
    case 'completingRebalance':
    case 'stable':
      return group.members.has(memberId) || group.members.size < maxMembers;
  }
}

function joinNew(join: Join): GroupResult<void> {
  const { context, group, client } = join;
  const memberId = newMemberId(client.clientId, context.random);
  if (client.apiVersion < MEMBER_ID_REQUIRED_SINCE) return addMember(join, memberId);
  group.pendingJoins.add(memberId);
  startSession(context, group.groupId, memberId, join.sessionTimeoutMs);
  join.respond(joinRefusal(ErrorCode.MEMBER_ID_REQUIRED, memberId));
  return NOTHING;
}

function joinPending(join: Join): GroupResult<void> {
  if (join.groupInstanceId === null) return addMember(join, join.memberId);
  // Static members are never asked to join in two steps.
  join.respond(joinRefusal(ErrorCode.UNKNOWN_SERVER_ERROR, join.memberId));
  return NOTHING;
}

function joinAgain(join: Join): GroupResult<void> {
  const { group, memberId, respond } = join;
  const errorCode = group.checkMember(memberId, join.groupInstanceId);
  if (errorCode !== ErrorCode.NONE) {
    respond(joinRefusal(errorCode, memberId));
    return NOTHING;
  }
  const member = group.members.get(memberId)!;
  const changed = !sameProtocols(member.protocols, join.protocols);
  const action = REJOIN_ACTIONS[group.state];
  switch (action) {
    case 'update':
      return updateMember(join, member);
    case 'updateIfChanged':
      if (changed) return updateMember(join, member);
      break;
    case 'updateIfChangedOrLeader':
      if (changed || group.isLeader(memberId)) return updateMember(join, member);
      break;
    case 'unknownMember':
      respond(joinRefusal(ErrorCode.UNKNOWN_MEMBER_ID, memberId));
      return NOTHING;
    case 'unavailable':
      respond(joinRefusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, memberId));
      return NOTHING;
  }
  // It may not have got its answer: it gets the same again. A stable group needs no new assignment from anybody.
  const answer = joinAnswer(group, memberId);
  respond(group.state === 'stable' ? { ...answer, members: [] } : answer);
  return NOTHING;
}

function updateMember(join: Join, member: ClassicMember): GroupResult<void> {
  join.group.update(member, changeOf(join));
  return rebalanceOrCompleteJoin(join.context, join.group);
}

function changeOf(join: Join): Parameters<ClassicGroup['update']>[1] {
  const { protocols, rebalanceTimeoutMs, sessionTimeoutMs, respond } = join;
  return { protocols, rebalanceTimeoutMs, sessionTimeoutMs, awaitingJoin: respond };
}

function addMember(join: Join, memberId: string): GroupResult<void> {
  const { context, group, client } = join;
  if (group.state === 'preparingRebalance' && group.previousState === 'empty') group.newMemberAdded = true;
  group.add({
    memberId,
    groupInstanceId: join.groupInstanceId,
    clientId: client.clientId,
    clientHost: client.clientHost,
    protocolType: join.protocolType,
    ...changeOf(join),
    assignment: NO_ASSIGNMENT,
    awaitingSync: undefined,
    isNew: true,
  });
  startSession(context, group.groupId, memberId, NEW_MEMBER_JOIN_TIMEOUT_MS);
  return rebalanceOrCompleteJoin(context, group);
}

function joinStatic(join: Join, groupInstanceId: string): GroupResult<void> {
  const { context, group } = join;
  const memberId = newMemberId(groupInstanceId, context.random);
  const oldMemberId = group.staticMemberId(groupInstanceId);
  if (oldMemberId === undefined) return addMember(join, memberId);
  const old = { ...group.members.get(oldMemberId)! };
  const member = group.replaceStaticMember(groupInstanceId, oldMemberId, memberId);
  renewSession(context, group, member);
  group.update(member, changeOf(join));
  switch (group.state) {
    case 'stable':
      // Its partitions stay its own, unless the group would choose another protocol now.
      return group.selectProtocol() === group.protocol
        ? writeReplacedMember(join, member, old)
        : rebalanceOrCompleteJoin(context, group);
    case 'completingRebalance':
      // The leader may be assigning to the old member id at this moment.
      return prepareRebalance(context, group);
    default:
      return maybeCompleteJoin(context, group);
  }
}

/** Stores who a static member is now, and answers it without a rebalance. */
function writeReplacedMember(join: Join, member: ClassicMember, old: ClassicMember): GroupResult<void> {
  const { context, group, client, respond } = join;
  const { memberId } = member;
  const leaderBefore = group.isLeader(memberId) ? old.memberId : (group.leader ?? '');
  const assignments = new Map([...group.members.values()].map((each) => [each.memberId, each.assignment]));
  const settle = (errorCode: ErrorCode): void => {
    if (group.members.get(memberId) !== member) return;
    if (errorCode !== ErrorCode.NONE) {
      group.update(member, { ...old, awaitingJoin: undefined });
      const restored = group.replaceStaticMember(join.groupInstanceId!, memberId, old.memberId);
      renewSession(context, group, restored);
      respond({ ...joinAnswer(group, ''), members: [], errorCode, leader: leaderBefore });
      return;
    }
    const answer = joinAnswer(group, memberId);
    if (client.apiVersion >= SKIP_ASSIGNMENT_SINCE) {
      group.answerJoin(member, { ...answer, skipAssignment: group.isLeader(memberId) });
    } else {
      // A leader of an older version would assign anew: it must not know that it leads.
      group.answerJoin(member, { ...answer, members: [], leader: leaderBefore });
    }
  };
  return { records: [classicGroupRecord(group, assignments)], reply: undefined, settle };
}

/** The client's or instance's name and a random UUID, as Kafka forms it. */
function newMemberId(prefix: string, random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return `${prefix}-${parts.join('-')}`;
}
