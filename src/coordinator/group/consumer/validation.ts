/** What a ConsumerGroupHeartbeat must look like, whatever the state of the group. */
import type { ConsumerGroupHeartbeatRequest } from '../../../protocol/apis/consumer-group-heartbeat.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { Assignor } from '../assignors/assignor.ts';
import { JOINING_EPOCH, LEAVING_EPOCH, STATIC_LEAVING_EPOCH } from './member.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Members choose their ids themselves since (KIP-1082). */
const MEMBER_ID_REQUIRED_VERSION = 1;

export function checkHeartbeat(
  request: ConsumerGroupHeartbeatRequest,
  version: number,
  assignors: readonly Assignor[],
): Refusal | undefined {
  const fault = faultOf(request, version);
  if (fault !== undefined) return refuse(ErrorCode.INVALID_REQUEST, fault);
  const { serverAssignor } = request;
  if (serverAssignor === null || assignors.some(({ name }) => name === serverAssignor)) return undefined;
  const known = assignors.map(({ name }) => name).join(', ');
  return refuse(ErrorCode.UNSUPPORTED_ASSIGNOR, `there is no assignor ${serverAssignor}; there are: ${known}`);
}

function faultOf(request: ConsumerGroupHeartbeatRequest, version: number): string | undefined {
  const { memberEpoch } = request;
  const needsId = version >= MEMBER_ID_REQUIRED_VERSION || memberEpoch > 0 || memberEpoch === LEAVING_EPOCH;
  if (needsId && isBlank(request.memberId)) return 'MemberId must not be empty.';
  if (isBlank(request.groupId)) return 'GroupId must not be empty.';
  if (isBlank(request.instanceId)) return 'InstanceId must not be empty.';
  if (isBlank(request.rackId)) return 'RackId must not be empty.';
  if (memberEpoch === JOINING_EPOCH) return joiningFault(request);
  if (memberEpoch === STATIC_LEAVING_EPOCH) {
    return request.instanceId === null ? 'InstanceId must be given where a static member leaves.' : undefined;
  }
  return memberEpoch < STATIC_LEAVING_EPOCH ? `MemberEpoch ${memberEpoch} has no meaning.` : undefined;
}

function joiningFault(request: ConsumerGroupHeartbeatRequest): string | undefined {
  if (request.rebalanceTimeoutMs === -1) return 'RebalanceTimeoutMs must be given by a member that joins.';
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return 'TopicPartitions must be empty for a member that joins.';
  }
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
    return 'SubscribedTopicNames or SubscribedTopicRegex must be given by a member that joins.';
  }
  return undefined;
}

function isBlank(text: string | null): boolean {
  return text !== null && text.trim() === '';
}
