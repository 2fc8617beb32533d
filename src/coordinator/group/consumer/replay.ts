/** Takes over the records of consumer groups into the groups of a shard. Nothing else changes what is durable of them. */
import type { Group } from '../group.ts';
import type { GroupRecord, GroupRecordOf } from '../records.ts';
import { ConsumerGroup, NO_EPOCH } from './group.ts';
import { newMember, withCurrentAssignment, withMetadata, withoutAssignment } from './member.ts';
import { targetFromRecord } from './partitions.ts';

export type ConsumerGroupRecord = Extract<GroupRecord, { kind: `consumerGroup${string}` }>;

/** The groups of a shard, of either protocol. */
export interface GroupDirectory {
  get(groupId: string): Group | undefined;
  set(group: Group): void;
  delete(groupId: string): void;
}

export function isConsumerGroupRecord(record: GroupRecord): record is ConsumerGroupRecord {
  return record.kind.startsWith('consumerGroup');
}

/** Buffers in the record may be views; what is kept of them is copied. */
export function replayConsumerGroup(groups: GroupDirectory, record: ConsumerGroupRecord): void {
  const { groupId } = record.key;
  const known = groups.get(groupId);
  let group = known instanceof ConsumerGroup ? known : undefined;
  if (group === undefined) {
    // A tombstone of what is long gone. Otherwise the group is new, or replaces one that only held offsets or that the
    // records in front have turned into this one.
    if (record.value === null) return;
    group = new ConsumerGroup(groupId);
    groups.set(group);
  }
  if (record.kind === 'consumerGroupMetadata' && record.value === null) groups.delete(groupId);
  else applyRecord(group, record);
}

/** Applies a record of a group that lives on. */
export function applyRecord(group: ConsumerGroup, record: ConsumerGroupRecord): void {
  switch (record.kind) {
    case 'consumerGroupMetadata':
      if (record.value === null) return;
      group.groupEpoch = record.value.epoch;
      group.metadataHash = record.value.metadataHash;
      return;
    case 'consumerGroupPartitionMetadata':
      group.hasPartitionMetadata = record.value !== null;
      return;
    case 'consumerGroupMemberMetadata':
      applyMember(group, record);
      return;
    case 'consumerGroupTargetAssignmentMetadata':
      group.assignmentEpoch = record.value?.assignmentEpoch ?? NO_EPOCH;
      group.assignmentTimestamp = record.value?.assignmentTimestamp ?? 0;
      return;
    case 'consumerGroupTargetAssignmentMember':
      group.setTarget(
        record.key.memberId,
        record.value === null ? undefined : targetFromRecord(record.value.topicPartitions),
      );
      return;
    case 'consumerGroupCurrentMemberAssignment':
      applyAssignment(group, record);
      return;
    case 'consumerGroupRegularExpression':
      applyPattern(group, record);
  }
}

function applyMember(group: ConsumerGroup, { key, value }: GroupRecordOf<'consumerGroupMemberMetadata'>): void {
  if (value === null) group.removeMember(key.memberId);
  else group.putMember(withMetadata(group.members.get(key.memberId) ?? newMember(key.memberId), value));
}

function applyAssignment(
  group: ConsumerGroup,
  { key, value }: GroupRecordOf<'consumerGroupCurrentMemberAssignment'>,
): void {
  const member = group.members.get(key.memberId);
  if (value !== null) group.putMember(withCurrentAssignment(member ?? newMember(key.memberId), value));
  else if (member !== undefined) group.putMember(withoutAssignment(member));
}

function applyPattern(group: ConsumerGroup, { key, value }: GroupRecordOf<'consumerGroupRegularExpression'>): void {
  const resolved =
    value === null ? undefined : { topics: new Set(value.topics), version: value.version, timestamp: value.timestamp };
  group.resolvePattern(key.regularExpression, resolved);
}
