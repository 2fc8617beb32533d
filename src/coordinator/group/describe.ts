/** ListGroups, DescribeGroups, DeleteGroups: what there is, how it is, and how it goes. */
import type { DeleteGroupsResponse } from '../../protocol/apis/delete-groups.ts';
import type { DescribeGroupsResponse } from '../../protocol/apis/describe-groups.ts';
import type { ListGroupsResponse } from '../../protocol/apis/list-groups.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { ClassicGroup } from './classic/classic-group.ts';
import { metadataOf } from './classic/member.ts';
import { CLASSIC_STATE_NAMES } from './classic/states.ts';
import type { GroupShard } from './group-shard.ts';
import { forgetGroup } from './offsets/expiry.ts';
import type { GroupResult } from './records.ts';

export type ListedGroup = ListGroupsResponse['groups'][number];
export type DescribedGroup = DescribeGroupsResponse['groups'][number];
export type DeletedGroup = DeleteGroupsResponse['results'][number];

const NO_METADATA = Buffer.alloc(0);
/** From then on a group that is not there is an error; before, it was dead. */
const NOT_FOUND_SINCE = 6;

/** Filters are compared without regard to case; empty ones let everything pass. */
export function listGroups(
  { groups }: GroupShard,
  filters: { readonly states: readonly string[]; readonly types: readonly string[] },
): ListedGroup[] {
  const states = new Set(filters.states.map((state) => state.trim().toLowerCase()));
  const types = new Set(filters.types.map((type) => type.trim().toLowerCase()));
  const listed: ListedGroup[] = [];
  for (const { groupId, type, protocolType, stateName: groupState } of groups.values()) {
    if (states.size > 0 && !states.has(groupState.toLowerCase())) continue;
    if (types.size > 0 && !types.has(type)) continue;
    listed.push({ groupId, protocolType, groupState, groupType: type });
  }
  return listed;
}

export function describeClassicGroup({ groups }: GroupShard, groupId: string, apiVersion: number): DescribedGroup {
  const group = groups.classic(groupId);
  if (group !== undefined) return described(group);
  const dead = {
    groupId,
    groupState: CLASSIC_STATE_NAMES.dead,
    protocolType: '',
    protocolData: '',
    members: [],
  };
  if (apiVersion < NOT_FOUND_SINCE) return { ...dead, errorCode: ErrorCode.NONE };
  const what = groups.get(groupId) === undefined ? 'not found' : 'is not a classic group';
  return { ...dead, errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage: `Group ${groupId} ${what}.` };
}

function described(group: ClassicGroup): DescribedGroup {
  // Between generations what members told and were assigned does not fit together.
  const isStable = group.state === 'stable';
  return {
    errorCode: ErrorCode.NONE,
    groupId: group.groupId,
    groupState: group.stateName,
    protocolType: group.protocolType,
    protocolData: isStable ? (group.protocol ?? '') : '',
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: (isStable ? metadataOf(member, group.protocol) : undefined) ?? NO_METADATA,
      memberAssignment: member.assignment,
    })),
  };
}

export function deleteGroup(shard: GroupShard, groupId: string): GroupResult<DeletedGroup> {
  const group = shard.groups.get(groupId);
  const errorCode = group?.checkDelete() ?? ErrorCode.GROUP_ID_NOT_FOUND;
  const reply = { groupId, errorCode };
  if (group === undefined || errorCode !== ErrorCode.NONE) return { records: [], reply };
  return { records: [...forgetGroup(shard.committing, groupId), ...group.tombstones()], reply };
}
