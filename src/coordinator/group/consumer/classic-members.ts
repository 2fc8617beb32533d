/**
 * Members of a consumer group that speak the classic protocol (KIP-848): JoinGroup tells a subscription and takes a step
 * of the reconciliation, SyncGroup fetches the assignment of that step, Heartbeat says when another step is due.
 */
import { newUuid } from '../../../base/uuid.ts';
import type { HeartbeatRequest } from '../../../protocol/apis/heartbeat.ts';
import type { JoinGroupRequest, JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import type { LeaveGroupResponse } from '../../../protocol/apis/leave-group.ts';
import type { SyncGroupRequest, SyncGroupResponse } from '../../../protocol/apis/sync-group.ts';
import { readSubscription } from '../../../protocol/consumer-protocol.ts';
import { type ErrorCode as Code, ErrorCode } from '../../../protocol/error-codes.ts';
import {
  CONSUMER_PROTOCOL_TYPE,
  type ConsumerProtocolSubscription,
} from '../../../protocol/state/consumer-protocol.ts';
import type { ClassicContext, GroupClient } from '../classic/context.ts';
import type { LeavingMember } from '../classic/leave.ts';
import { joinRefusal } from '../classic/rebalance.ts';
import { syncRefusal } from '../classic/sync.ts';
import type { GroupResult } from '../records.ts';
import type { ConsumerGroupContext } from './context.ts';
import { fenceMembers } from './fence.ts';
import type { ConsumerGroup } from './group.ts';
import { admit, checkSize } from './joining.ts';
import { type ClassicMemberMetadata, type ConsumerMember, MEMBER_STATE, newMember } from './member.ts';
import { type TopicPartitionList, withoutEpochs } from './partitions.ts';
import { downgrade, encodeTarget, mayDowngrade } from './protocol-change.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';
import { expectJoin, expectSync, startSession, synced } from './timers.ts';
import { advance, type Update } from './update.ts';

/** From then on a client gets its member id first and joins with it (KIP-394). */
const MEMBER_ID_REQUIRED_SINCE = 4;

export interface ClassicMembers {
  readonly context: ConsumerGroupContext;
  readonly classic: ClassicContext;
}

type JoinResult = GroupResult<JoinGroupResponse>;

export function joinAsClassic(
  members: ClassicMembers,
  group: ConsumerGroup,
  request: JoinGroupRequest,
  client: GroupClient,
): JoinResult {
  const { context } = members;
  const isNew = request.memberId === '';
  const memberId = isNew ? newUuid(context.random) : request.memberId;
  const subscription = readSubscription(request.protocols[0]?.metadata ?? Buffer.alloc(0));
  const refusal = checkJoin(context, group, request);
  if (refusal !== undefined) return refused(refusal, request.memberId);
  if (isNew && request.groupInstanceId === null && client.apiVersion >= MEMBER_ID_REQUIRED_SINCE) {
    return { records: [], reply: joinRefusal(ErrorCode.MEMBER_ID_REQUIRED, memberId) };
  }
  if (subscription === undefined) {
    const why = 'the embedded consumer protocol cannot be read';
    return refused(refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, why), request.memberId);
  }
  const outcome = join(members, group, { request, client, memberId, isNew, subscription });
  return isRefusal(outcome) ? refused(outcome, request.memberId) : outcome;
}

function refused({ errorCode }: Refusal, memberId: string): JoinResult {
  return { records: [], reply: joinRefusal(errorCode, memberId) };
}

function checkJoin(
  context: ConsumerGroupContext,
  group: ConsumerGroup,
  request: JoinGroupRequest,
): Refusal | undefined {
  const { groupId, memberId, groupInstanceId, protocolType, protocols } = request;
  const { mayUpgrade, mayDowngrade: mayGoDown, maxMembers } = context.settings(groupId);
  if (!mayUpgrade && !mayGoDown) {
    return refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, 'group.consumer.migration.policy does not allow it');
  }
  const full = checkSize(group, memberId, groupInstanceId, maxMembers);
  if (full !== undefined) return full;
  const isSupported = group.supportsClassic(
    protocolType,
    protocols.map(({ name }) => name),
  );
  return isSupported
    ? undefined
    : refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, 'its assignors are not those of others');
}

interface Join {
  readonly request: JoinGroupRequest;
  readonly client: GroupClient;
  readonly memberId: string;
  readonly isNew: boolean;
  readonly subscription: ConsumerProtocolSubscription;
}

function join(members: ClassicMembers, group: ConsumerGroup, joining: Join): JoinResult | Refusal {
  const { context } = members;
  const { request, memberId, isNew, subscription } = joining;
  const { groupId, groupInstanceId: instanceId } = request;
  const joins = instanceId === null || isNew;
  const admitted = admit(group, { memberId, instanceId, memberEpoch: -1, owned: [], joins, classic: true });
  if (isRefusal(admitted)) return admitted;
  const before = admitted.member ?? newMember(memberId);
  const owned = ownedOf(context, subscription);
  const update: Update = { group, before, told: tell(before, joining), owned };
  const former = group.staticMember(instanceId);
  const lastOne = former !== undefined && isLastOfItsKind(members, group, former);
  const advanced = advance(context, update);
  if (isRefusal(advanced)) return advanced;
  const { member } = advanced;
  const reply = answer(member);
  const records = [...admitted.records, ...advanced.records];
  if (lastOne) {
    const staying = [...group.members.values()].filter((one) => one.memberId !== former.memberId);
    const down = downgrade({
      ...members,
      group,
      members: [...staying, member],
      // Classic groups know no partitions that are still held by others: all begin together.
      rebalance: true,
      replaced: { memberId: former.memberId, by: member.memberId },
    });
    return { records: [...records, ...down.records], reply, settle: down.settle };
  }
  startSession(context, groupId, member);
  expectSync(context, groupId, member);
  return { records, reply };
}

/** Whether a static member that comes back with the classic protocol was the last one of the newer protocol. */
function isLastOfItsKind({ context, classic }: ClassicMembers, group: ConsumerGroup, former: ConsumerMember): boolean {
  if (former.classic !== null) return false;
  const others = [...group.members.values()].filter(({ memberId }) => memberId !== former.memberId);
  // With no others it is alone, and goes down with itself.
  if (others.length === 0) return context.settings(group.groupId).mayDowngrade;
  return mayDowngrade(context, classic, group, others);
}

function tell(member: ConsumerMember, { request, client, subscription }: Join): ConsumerMember {
  const classic: ClassicMemberMetadata = {
    sessionTimeoutMs: request.sessionTimeoutMs,
    // The request's bytes are a view of its frame, which goes.
    supportedProtocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
  };
  const rackId = subscription.rackId === '' ? null : subscription.rackId;
  return {
    ...member,
    instanceId: request.groupInstanceId ?? member.instanceId,
    rackId: rackId ?? member.rackId,
    // Before version 1 there was one timeout for both.
    rebalanceTimeoutMs: client.apiVersion === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    subscribedTopicNames: new Set(subscription.topics),
    subscribedTopicRegex: '',
    clientId: client.clientId,
    clientHost: client.clientHost,
    classic,
  };
}

function ownedOf(context: ConsumerGroupContext, subscription: ConsumerProtocolSubscription): TopicPartitionList[] {
  const { byName } = context.image().topics;
  return subscription.ownedPartitions.flatMap(({ topic, partitions }) => {
    const topicId = byName.get(topic)?.id;
    return topicId === undefined ? [] : [{ topicId, partitions }];
  });
}

function answer(member: ConsumerMember): JoinGroupResponse {
  return {
    errorCode: ErrorCode.NONE,
    generationId: member.memberEpoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName: member.classic!.supportedProtocols[0]!.name,
    leader: '',
    memberId: member.memberId,
    members: [],
  };
}

export function syncAsClassic(
  { context }: ClassicMembers,
  group: ConsumerGroup,
  request: SyncGroupRequest,
): GroupResult<SyncGroupResponse> {
  const member = classicMember(group, request.memberId, request.groupInstanceId);
  const errorCode = typeof member === 'number' ? member : checkSync(context, group, member, request);
  if (typeof member === 'number' || errorCode !== ErrorCode.NONE) return { records: [], reply: syncRefusal(errorCode) };
  synced(context, group.groupId, member.memberId);
  startSession(context, group.groupId, member);
  const { metadata } = member.classic!.supportedProtocols[0]!;
  const reply: SyncGroupResponse = {
    errorCode,
    protocolType: request.protocolType,
    protocolName: request.protocolName,
    assignment: encodeTarget(context, metadata, withoutEpochs(member.assigned)),
  };
  return { records: [], reply };
}

function checkSync(
  context: ConsumerGroupContext,
  group: ConsumerGroup,
  member: ConsumerMember,
  request: SyncGroupRequest,
): Code {
  if (member.memberEpoch !== request.generationId) return ErrorCode.ILLEGAL_GENERATION;
  const { protocolType, protocolName } = request;
  const isOther = protocolType !== null && protocolType !== CONSUMER_PROTOCOL_TYPE;
  const isOtherName = protocolName !== null && protocolName !== member.classic!.supportedProtocols[0]!.name;
  if (isOther || isOtherName) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  // One that has partitions to give up gets its assignment first: only then does it give them up.
  if (group.assignmentEpoch > member.memberEpoch && member.state !== MEMBER_STATE.UNREVOKED_PARTITIONS) {
    expectJoin(context, group.groupId, member);
    return ErrorCode.REBALANCE_IN_PROGRESS;
  }
  return ErrorCode.NONE;
}

export function heartbeatAsClassic(
  { context }: ClassicMembers,
  group: ConsumerGroup,
  request: HeartbeatRequest,
): GroupResult<{ readonly errorCode: Code }> {
  const member = classicMember(group, request.memberId, request.groupInstanceId);
  if (typeof member === 'number') return { records: [], reply: { errorCode: member } };
  if (member.memberEpoch !== request.generationId) {
    return { records: [], reply: { errorCode: ErrorCode.ILLEGAL_GENERATION } };
  }
  startSession(context, group.groupId, member);
  const isDue =
    member.memberEpoch < group.assignmentEpoch ||
    member.state === MEMBER_STATE.UNREVOKED_PARTITIONS ||
    (member.state === MEMBER_STATE.UNRELEASED_PARTITIONS && !group.waitsForOthers(member));
  if (isDue) expectJoin(context, group.groupId, member);
  return { records: [], reply: { errorCode: isDue ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE } };
}

export function leaveAsClassic(
  { context }: ClassicMembers,
  group: ConsumerGroup,
  leaving: readonly LeavingMember[],
): GroupResult<LeaveGroupResponse> {
  const gone = new Map<string, ConsumerMember>();
  const answers = leaving.map(({ memberId, groupInstanceId }) => {
    const member = groupInstanceId === null ? group.members.get(memberId) : group.staticMember(groupInstanceId);
    let errorCode: Code = ErrorCode.NONE;
    if (member === undefined) errorCode = ErrorCode.UNKNOWN_MEMBER_ID;
    else if (memberId !== '' && member.memberId !== memberId) errorCode = ErrorCode.FENCED_INSTANCE_ID;
    else gone.set(member.memberId, member);
    return { memberId, groupInstanceId, errorCode };
  });
  return fenceMembers(context, group, [...gone.values()], { errorCode: ErrorCode.NONE, members: answers });
}

/** The member that a request of the classic protocol speaks for, or why there is none. */
function classicMember(group: ConsumerGroup, memberId: string, instanceId: string | null): ConsumerMember | Code {
  const member = instanceId === null ? group.members.get(memberId) : group.staticMember(instanceId);
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  if (member.memberId !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
  return member.classic === null ? ErrorCode.UNKNOWN_MEMBER_ID : member;
}
