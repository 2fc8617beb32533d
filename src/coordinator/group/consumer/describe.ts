/** ConsumerGroupDescribe: a group, its members, what they hold and what they should hold. */
import type { MetadataImage } from '../../../metadata/image.ts';
import type { ConsumerGroupDescribeResponse } from '../../../protocol/apis/consumer-group-describe.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import { NO_PARTITIONS, type TopicPartitions } from '../assignors/assignor.ts';
import type { Group } from '../group.ts';
import { ConsumerGroup } from './group.ts';
import type { ConsumerMember } from './member.ts';
import { withoutEpochs } from './partitions.ts';

export type DescribedConsumerGroup = ConsumerGroupDescribeResponse['groups'][number];
type DescribedMember = DescribedConsumerGroup['members'][number];
type DescribedAssignment = DescribedMember['assignment'];

const MEMBER_TYPE = { CLASSIC: 0, CONSUMER: 1 } as const;

export interface DescribeOptions {
  readonly defaultAssignor: string;
  readonly image: MetadataImage;
}

/** `group` undefined or of another protocol: GROUP_ID_NOT_FOUND. */
export function describeConsumerGroup(
  groupId: string,
  group: Group | undefined,
  { defaultAssignor, image }: DescribeOptions,
): DescribedConsumerGroup {
  if (!(group instanceof ConsumerGroup)) {
    const what = group === undefined ? 'not found' : 'is not a consumer group';
    return { ...EMPTY, groupId, errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage: `Group ${groupId} ${what}.` };
  }
  return {
    ...EMPTY,
    groupId,
    groupState: group.stateName,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.preferredAssignor() ?? defaultAssignor,
    members: [...group.members.values()].map((member) =>
      describeMember(member, group.targets.get(member.memberId) ?? NO_PARTITIONS, image),
    ),
  };
}

/** A group that nothing can be said of. */
export function consumerGroupRefusal(groupId: string, errorCode: ErrorCode): DescribedConsumerGroup {
  return { ...EMPTY, groupId, errorCode };
}

const EMPTY = {
  errorCode: ErrorCode.NONE,
  errorMessage: null,
  groupState: '',
  groupEpoch: 0,
  assignmentEpoch: 0,
  assignorName: '',
  members: [],
};

function describeMember(member: ConsumerMember, target: TopicPartitions, image: MetadataImage): DescribedMember {
  // What it is to give up is its own until it says that it has let go.
  const held = new Map(withoutEpochs(member.assigned));
  for (const [topicId, partitions] of withoutEpochs(member.pendingRevocation)) {
    held.set(topicId, new Set([...(held.get(topicId) ?? []), ...partitions]));
  }
  return {
    memberId: member.memberId,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.memberEpoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.subscribedTopicNames].sort(),
    subscribedTopicRegex: member.subscribedTopicRegex,
    assignment: named(held, image),
    targetAssignment: named(target, image),
    memberType: member.classic === null ? MEMBER_TYPE.CONSUMER : MEMBER_TYPE.CLASSIC,
  };
}

/** Topics that are gone have no name to be told by. */
function named(partitions: TopicPartitions, image: MetadataImage): DescribedAssignment {
  const topicPartitions = [...partitions].flatMap(([topicId, numbers]) => {
    const topic = image.topics.byId.get(topicId);
    if (topic === undefined) return [];
    return [{ topicId, topicName: topic.name, partitions: [...numbers].sort((left, right) => left - right) }];
  });
  return { topicPartitions };
}
