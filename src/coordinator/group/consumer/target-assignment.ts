/** Computes who should hold which partitions, and the records that say so. */
import type { MetadataImage } from '../../../metadata/image.ts';
import { type Assignor, type MemberSpec, NO_PARTITIONS, type TopicPartitions } from '../assignors/assignor.ts';
import type { GroupRecord } from '../records.ts';
import type { ConsumerGroup } from './group.ts';
import type { ConsumerMember } from './member.ts';
import { samePartitions } from './partitions.ts';
import { targetEpochRecord, targetRecord } from './records.ts';
import { subscribedTopicIds } from './subscriptions.ts';

export interface TargetRequest {
  readonly group: ConsumerGroup;
  readonly groupEpoch: number;
  readonly assignor: Assignor;
  readonly homogeneous: boolean;
  /** The member that asks, in the state that this request gives it. */
  readonly member: ConsumerMember;
  readonly image: MetadataImage;
  readonly nowMs: number;
}

export interface Target {
  readonly epoch: number;
  /** Of the member that asked. */
  readonly partitions: TopicPartitions;
  readonly records: readonly GroupRecord[];
}

export function computeTarget(request: TargetRequest): Target {
  const { group, groupEpoch, assignor, homogeneous, member, image, nowMs } = request;
  const members = specsOf(request);
  const assignment = assignor.assign({
    members,
    homogeneous,
    partitionCount: (topicId) => image.topics.byId.get(topicId)?.partitions.length ?? 0,
    isAssigned: (topicId, partition) => group.isTargeted(topicId, partition),
  });
  const records: GroupRecord[] = [];
  for (const memberId of members.keys()) {
    const partitions = assignment.get(memberId) ?? NO_PARTITIONS;
    const before = group.targets.get(memberId);
    if (before !== undefined && samePartitions(before, partitions)) continue;
    records.push(targetRecord(group.groupId, memberId, partitions));
  }
  records.push(targetEpochRecord(group.groupId, groupEpoch, nowMs));
  return { epoch: groupEpoch, partitions: assignment.get(member.memberId) ?? NO_PARTITIONS, records };
}

function specsOf({ group, member, image }: TargetRequest): Map<string, MemberSpec> {
  const spec = (one: ConsumerMember, assignment: TopicPartitions): MemberSpec => ({
    instanceId: one.instanceId,
    rackId: one.rackId,
    subscribedTopicIds: subscribedTopicIds(one, group.resolved, image),
    assignment,
  });
  const specs = new Map<string, MemberSpec>();
  for (const [memberId, one] of group.members)
    specs.set(memberId, spec(one, group.targets.get(memberId) ?? NO_PARTITIONS));
  // A static member that comes back under a new id takes the place, and the partitions, of its former self.
  const replaced = group.staticMemberId(member.instanceId);
  const takesPlace = replaced !== undefined && replaced !== member.memberId;
  const former = takesPlace ? replaced : member.memberId;
  if (takesPlace) specs.delete(replaced);
  specs.set(member.memberId, spec(member, group.targets.get(former) ?? NO_PARTITIONS));
  return specs;
}
