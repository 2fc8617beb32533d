/** The records that make up a consumer group. */
import type { TopicPartitions } from '../assignors/assignor.ts';
import { type GroupRecord, groupRecord, groupTombstone } from '../records.ts';
import type { ConsumerMember } from './member.ts';
import { recordOfAssigned, recordOfTarget } from './partitions.ts';
import type { ResolvedPattern } from './subscriptions.ts';

export function memberRecord(groupId: string, member: ConsumerMember): GroupRecord {
  return groupRecord(
    'consumerGroupMemberMetadata',
    { groupId, memberId: member.memberId },
    {
      instanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames].sort(),
      subscribedTopicRegex: member.subscribedTopicRegex,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      serverAssignor: member.serverAssignor,
      classicMemberMetadata: member.classic,
    },
  );
}

export function epochRecord(groupId: string, epoch: number, metadataHash: bigint): GroupRecord {
  return groupRecord('consumerGroupMetadata', { groupId }, { epoch, metadataHash });
}

export function targetRecord(groupId: string, memberId: string, target: TopicPartitions): GroupRecord {
  const topicPartitions = recordOfTarget(target);
  return groupRecord('consumerGroupTargetAssignmentMember', { groupId, memberId }, { topicPartitions });
}

export function targetEpochRecord(groupId: string, assignmentEpoch: number, assignmentTimestamp: number): GroupRecord {
  return groupRecord('consumerGroupTargetAssignmentMetadata', { groupId }, { assignmentEpoch, assignmentTimestamp });
}

export function assignmentRecord(groupId: string, member: ConsumerMember): GroupRecord {
  return groupRecord(
    'consumerGroupCurrentMemberAssignment',
    { groupId, memberId: member.memberId },
    {
      memberEpoch: member.memberEpoch,
      previousMemberEpoch: member.previousMemberEpoch,
      state: member.state,
      assignedPartitions: recordOfAssigned(member.assigned),
      partitionsPendingRevocation: recordOfAssigned(member.pendingRevocation),
    },
  );
}

export function patternRecord(groupId: string, pattern: string, resolved: ResolvedPattern): GroupRecord {
  return groupRecord(
    'consumerGroupRegularExpression',
    { groupId, regularExpression: pattern },
    { topics: [...resolved.topics].sort(), version: resolved.version, timestamp: resolved.timestamp },
  );
}

export function patternTombstone(groupId: string, pattern: string): GroupRecord {
  return groupTombstone('consumerGroupRegularExpression', { groupId, regularExpression: pattern });
}

/** Deletes what releases before 4.1 kept instead of the metadata hash. */
export function partitionMetadataTombstone(groupId: string): GroupRecord {
  return groupTombstone('consumerGroupPartitionMetadata', { groupId });
}

/** Deletes a member, in the order that replay insists on: what it holds, what it should hold, itself. */
export function memberTombstones(groupId: string, memberId: string): GroupRecord[] {
  return [
    groupTombstone('consumerGroupCurrentMemberAssignment', { groupId, memberId }),
    groupTombstone('consumerGroupTargetAssignmentMember', { groupId, memberId }),
    groupTombstone('consumerGroupMemberMetadata', { groupId, memberId }),
  ];
}

/** Deletes a group with these members and patterns. */
export function groupTombstones(
  groupId: string,
  memberIds: readonly string[],
  patterns: readonly string[],
): GroupRecord[] {
  return [
    ...memberIds.map((memberId) => groupTombstone('consumerGroupCurrentMemberAssignment', { groupId, memberId })),
    ...memberIds.map((memberId) => groupTombstone('consumerGroupTargetAssignmentMember', { groupId, memberId })),
    groupTombstone('consumerGroupTargetAssignmentMetadata', { groupId }),
    ...memberIds.map((memberId) => groupTombstone('consumerGroupMemberMetadata', { groupId, memberId })),
    ...patterns.map((pattern) => patternTombstone(groupId, pattern)),
    partitionMetadataTombstone(groupId),
    groupTombstone('consumerGroupMetadata', { groupId }),
  ];
}
