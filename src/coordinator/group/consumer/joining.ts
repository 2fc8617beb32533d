/** Who may speak for which member: admission, epochs, static members, the size of the group. */
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { GroupRecord } from '../records.ts';
import type { ConsumerGroup } from './group.ts';
import { type ConsumerMember, JOINING_EPOCH, STATIC_LEAVING_EPOCH } from './member.ts';
import { ownsOnly, type TopicPartitionList } from './partitions.ts';
import { assignmentRecord, memberRecord, memberTombstones, targetRecord } from './records.ts';
import { type Refusal, refuse } from './refusal.ts';

export interface Joining {
  readonly memberId: string;
  readonly instanceId: string | null;
  /** Not looked at where `classic`. */
  readonly memberEpoch: number;
  readonly owned: readonly TopicPartitionList[] | null;
  /** Whether the member may be new. */
  readonly joins: boolean;
  /** It speaks the classic protocol. */
  readonly classic: boolean;
}

export interface Admission {
  /** Undefined for a new member. */
  readonly member: ConsumerMember | undefined;
  /** That put a static member in the place of its former self. */
  readonly records: readonly GroupRecord[];
}

/** A member that is there already, or comes back as a static one, does not make the group larger. */
export function checkSize(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
  maxMembers: number,
): Refusal | undefined {
  if (group.staticMemberId(instanceId) !== undefined) return undefined;
  if (group.members.size < maxMembers || group.members.has(memberId)) return undefined;
  return refuse(ErrorCode.GROUP_MAX_SIZE_REACHED, `the group has ${group.members.size} members, the most it may have`);
}

export function admit(group: ConsumerGroup, joining: Joining): Admission | Refusal {
  return joining.instanceId === null
    ? admitDynamic(group, joining)
    : admitStatic(group, joining, group.staticMember(joining.instanceId));
}

function admitDynamic(group: ConsumerGroup, joining: Joining): Admission | Refusal {
  const { memberId, joins, classic } = joining;
  const member = group.members.get(memberId);
  if (member === undefined) {
    if (joins) return { member, records: [] };
    return refuse(ErrorCode.UNKNOWN_MEMBER_ID, `${memberId} is no member of ${group.groupId}`);
  }
  return (classic ? undefined : checkEpoch(member, joining)) ?? { member, records: [] };
}

function admitStatic(group: ConsumerGroup, joining: Joining, known: ConsumerMember | undefined): Admission | Refusal {
  const { memberId, instanceId, joins, classic } = joining;
  if (known === undefined) {
    if (joins) return { member: group.members.get(memberId), records: [] };
    return refuse(ErrorCode.UNKNOWN_MEMBER_ID, `the instance ${instanceId} is no member of ${group.groupId}`);
  }
  if (!joins) {
    if (known.memberId !== memberId) {
      return refuse(ErrorCode.FENCED_INSTANCE_ID, `the instance ${instanceId} is the member ${known.memberId}`);
    }
    return (classic ? undefined : checkEpoch(known, joining)) ?? { member: known, records: [] };
  }
  const isHeld = known.memberEpoch !== STATIC_LEAVING_EPOCH;
  if (!classic && known.classic === null && isHeld) {
    return refuse(ErrorCode.UNRELEASED_INSTANCE_ID, `the instance ${instanceId} is still the member ${known.memberId}`);
  }
  const member: ConsumerMember = { ...known, memberId, memberEpoch: 0, previousMemberEpoch: 0 };
  return { member, records: replacement(group, known, member) };
}

/** Puts `member` in the place of `known`. Timers of `known` are left: they find nobody. */
function replacement(group: ConsumerGroup, known: ConsumerMember, member: ConsumerMember): GroupRecord[] {
  const { groupId } = group;
  return [
    ...memberTombstones(groupId, known.memberId),
    memberRecord(groupId, member),
    targetRecord(groupId, member.memberId, group.targetOf(known.memberId, null)),
    assignmentRecord(groupId, member),
  ];
}

/** The epoch before is accepted from a member that holds nothing new: it may never have seen the reply. */
function checkEpoch(member: ConsumerMember, { memberEpoch, owned }: Joining): Refusal | undefined {
  if (memberEpoch === JOINING_EPOCH || memberEpoch === member.memberEpoch) return undefined;
  if (memberEpoch === member.previousMemberEpoch && memberEpoch < member.memberEpoch) {
    if (ownsOnly(owned, member.assigned)) return undefined;
  }
  return refuse(
    ErrorCode.FENCED_MEMBER_EPOCH,
    `the member is in epoch ${member.memberEpoch}, not in ${memberEpoch}; it must give up its partitions and join again`,
  );
}
