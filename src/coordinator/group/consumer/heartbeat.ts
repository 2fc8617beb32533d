/**
 * ConsumerGroupHeartbeat: joins, leaves and keeps alive a member, computes the target assignment when the group epoch
 * has risen, and moves the member a step towards it. Errors are those of Kafka 4.3.
 */
import { newUuid } from '../../../base/uuid.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../../protocol/apis/consumer-group-heartbeat.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { GroupClient } from '../classic/context.ts';
import type { GroupRecord, GroupResult } from '../records.ts';
import type { ConsumerGroupContext } from './context.ts';
import { fenceMembers } from './fence.ts';
import { ConsumerGroup } from './group.ts';
import { admit, checkSize, type Joining } from './joining.ts';
import { type ConsumerMember, JOINING_EPOCH, LEAVING_EPOCH, newMember, STATIC_LEAVING_EPOCH } from './member.ts';
import { listOf, NONE_ASSIGNED, sameAssigned, withEpoch, withoutEpochs } from './partitions.ts';
import { assignmentRecord } from './records.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';
import { startSession } from './timers.ts';
import { advance } from './update.ts';
import { checkHeartbeat } from './validation.ts';

type Reply = GroupResult<ConsumerGroupHeartbeatResponse>;

export function heartbeat(
  context: ConsumerGroupContext,
  request: ConsumerGroupHeartbeatRequest,
  client: GroupClient,
): Reply {
  const settings = context.settings(request.groupId);
  const invalid = checkHeartbeat(request, client.apiVersion, settings.assignors);
  if (invalid !== undefined) return refused(invalid);
  const { memberEpoch } = request;
  const outcome =
    memberEpoch === LEAVING_EPOCH || memberEpoch === STATIC_LEAVING_EPOCH
      ? leave(context, request)
      : beat(context, request, client);
  return isRefusal(outcome) ? refused(outcome) : outcome;
}

function refused({ errorCode, errorMessage }: Refusal): Reply {
  return {
    records: [],
    reply: { errorCode, errorMessage, memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null },
  };
}

function beat(
  context: ConsumerGroupContext,
  request: ConsumerGroupHeartbeatRequest,
  client: GroupClient,
): Reply | Refusal {
  const { groupId, instanceId, memberEpoch, topicPartitions: owned } = request;
  const opened = openGroup(context, groupId, memberEpoch === JOINING_EPOCH);
  if (isRefusal(opened)) return opened;
  const { group } = opened;
  const full = checkSize(group, request.memberId, instanceId, context.settings(groupId).maxMembers);
  if (full !== undefined) return full;
  const memberId = request.memberId === '' ? newUuid(context.random) : request.memberId;
  const claim: Joining = {
    memberId,
    instanceId,
    memberEpoch,
    owned,
    joins: memberEpoch === JOINING_EPOCH,
    classic: false,
  };
  const admitted = admit(group, claim);
  if (isRefusal(admitted)) return admitted;
  const before = admitted.member ?? newMember(memberId);
  const told = tell(before, request, client);
  const advanced = advance(context, { group, before, told, owned });
  if (isRefusal(advanced)) return advanced;
  opened.begin?.();
  startSession(context, groupId, advanced.member);
  return {
    records: [...opened.records, ...admitted.records, ...advanced.records],
    reply: replyTo(request, before, advanced.member, context.settings(groupId).heartbeatIntervalMs),
  };
}

/** The member as it is when what it tells is taken over. What it leaves out stays. */
function tell(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, client: GroupClient): ConsumerMember {
  const { subscribedTopicNames: names, rebalanceTimeoutMs } = request;
  return {
    ...member,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    subscribedTopicNames: names === null ? member.subscribedTopicNames : new Set(names),
    subscribedTopicRegex: request.subscribedTopicRegex ?? member.subscribedTopicRegex,
    clientId: client.clientId,
    clientHost: client.clientHost,
    classic: null,
  };
}

function replyTo(
  request: ConsumerGroupHeartbeatRequest,
  before: ConsumerMember,
  member: ConsumerMember,
  heartbeatIntervalMs: number,
): ConsumerGroupHeartbeatResponse {
  // A full request means that the member lost track (a join, or an error on its side): it is told all again.
  const full =
    request.memberEpoch === JOINING_EPOCH ||
    (request.rebalanceTimeoutMs !== -1 &&
      (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
      request.topicPartitions !== null);
  const changed = !sameAssigned(before.assigned, member.assigned);
  return {
    errorCode: ErrorCode.NONE,
    memberId: member.memberId,
    memberEpoch: member.memberEpoch,
    heartbeatIntervalMs,
    assignment: full || changed ? { topicPartitions: listOf(member.assigned) } : null,
  };
}

interface OpenedGroup {
  readonly group: ConsumerGroup;
  /** That make it a consumer group, where it was none. */
  readonly records: readonly GroupRecord[];
  /** Called once the request is known to be served. */
  readonly begin?: () => void;
}

/** The group, a new one that is not in the directory yet, or what a classic group becomes. */
function openGroup(context: ConsumerGroupContext, groupId: string, joins: boolean): OpenedGroup | Refusal {
  const group = context.groups.get(groupId);
  if (group instanceof ConsumerGroup) return { group, records: [] };
  if (!joins) {
    const what = group === undefined ? 'there is no group' : 'no consumer group is';
    return refuse(ErrorCode.GROUP_ID_NOT_FOUND, `${what} ${groupId}`);
  }
  if (group === undefined) return { group: new ConsumerGroup(groupId), records: [] };
  if (group.isEmpty) return { group: new ConsumerGroup(groupId), records: group.tombstones() };
  return context.protocolChange.upgrade(group);
}

function leave(context: ConsumerGroupContext, request: ConsumerGroupHeartbeatRequest): Reply | Refusal {
  const { groupId, memberId, memberEpoch, instanceId } = request;
  const group = context.groups.get(groupId);
  if (!(group instanceof ConsumerGroup)) {
    return refuse(ErrorCode.GROUP_ID_NOT_FOUND, `there is no consumer group ${groupId}`);
  }
  const member = instanceId === null ? group.members.get(memberId) : group.staticMember(instanceId);
  if (member === undefined) {
    return refuse(ErrorCode.UNKNOWN_MEMBER_ID, `${instanceId ?? memberId} is no member of ${groupId}`);
  }
  if (member.memberId !== memberId) {
    return refuse(ErrorCode.FENCED_INSTANCE_ID, `the instance ${instanceId} is the member ${member.memberId}`);
  }
  const reply: ConsumerGroupHeartbeatResponse = {
    errorCode: ErrorCode.NONE,
    memberId,
    memberEpoch,
    heartbeatIntervalMs: 0,
    assignment: null,
  };
  if (instanceId === null || memberEpoch !== STATIC_LEAVING_EPOCH) return fenceMembers(context, group, [member], reply);
  // Its partitions wait for it until its session ends. Epoch 0: commits of its next self are never too old for them.
  const away: ConsumerMember = {
    ...member,
    memberEpoch: STATIC_LEAVING_EPOCH,
    assigned: withEpoch(withoutEpochs(member.assigned), 0),
    pendingRevocation: NONE_ASSIGNED,
  };
  return { records: [assignmentRecord(groupId, away)], reply };
}
