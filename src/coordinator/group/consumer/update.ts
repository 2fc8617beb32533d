/**
 * What follows from what a member told: the group epoch rises, patterns are matched, the target is computed anew, the
 * member moves a step towards it. The way of a heartbeat and of a classic member's JoinGroup alike.
 */
import type { GroupRecord } from '../records.ts';
import type { ConsumerGroupContext } from './context.ts';
import type { ConsumerGroup } from './group.ts';
import { type ConsumerMember, isReconciled, patternOf, sameAssignment, sameMetadata, sameTopics } from './member.ts';
import { metadataHash } from './metadata-hash.ts';
import type { TopicPartitionList } from './partitions.ts';
import { updatePatterns } from './patterns.ts';
import { reconcile } from './reconcile.ts';
import { assignmentRecord, epochRecord, memberRecord, partitionMetadataTombstone } from './records.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import { Subscriptions, subscribedTopicIds } from './subscriptions.ts';
import { computeTarget, type Target } from './target-assignment.ts';
import { watchRevocation } from './timers.ts';

export interface Update {
  readonly group: ConsumerGroup;
  /** The member as recorded, or new. */
  readonly before: ConsumerMember;
  /** With what it tells. */
  readonly told: ConsumerMember;
  /** What it says that it holds; null where it does not say. */
  readonly owned: readonly TopicPartitionList[] | null;
}

export interface Advance {
  readonly member: ConsumerMember;
  readonly records: readonly GroupRecord[];
}

export function advance(context: ConsumerGroupContext, update: Update): Advance | Refusal {
  const { group, before, told } = update;
  const records: GroupRecord[] = [];
  // A joining static member's record was written with the id of its former self: it counts as told anew.
  if (!isRecorded(group, before) || !sameMetadata(before, told)) records.push(memberRecord(group.groupId, told));
  const namesChanged = !sameTopics(before.subscribedTopicNames, told.subscribedTopicNames);
  const patterns = updatePatterns(context, group, before, told);
  if (isRefusal(patterns)) return patterns;
  records.push(...patterns.records);
  const raise = namesChanged || (told.classic === null ? patterns.change === 'resolved' : patterns.change !== 'none');
  const raised = raiseEpoch(context, update, raise);
  records.push(...raised.records);
  const target = targetFor(context, update, raised);
  records.push(...target.records);
  const member = step(context, update, target, namesChanged || patterns.change !== 'none');
  if (isRefusal(member)) return member;
  if (!sameAssignment(told, member)) {
    records.push(assignmentRecord(group.groupId, member));
    if (member.classic === null) watchRevocation(context, group.groupId, member);
  }
  return { member, records };
}

function isRecorded(group: ConsumerGroup, { memberId, instanceId }: ConsumerMember): boolean {
  return group.members.has(memberId) || group.staticMemberId(instanceId) !== undefined;
}

interface Raised {
  readonly epoch: number;
  readonly homogeneous: boolean;
  readonly records: readonly GroupRecord[];
}

/** Raises the group epoch where the subscription changed or the topics look different from when it was last raised. */
function raiseEpoch(context: ConsumerGroupContext, { group, before, told }: Update, raise: boolean): Raised {
  const { groupId } = group;
  const epoch = group.groupEpoch;
  if (!raise && !group.metadataStale) {
    return { epoch, homogeneous: group.subscriptions.isHomogeneous(group.members.size), records: [] };
  }
  const subscriptions = new Subscriptions(group.subscriptions);
  const left = patternOf(before);
  const isLast = left !== undefined && left !== patternOf(told) && group.subscriptions.subscribers(left) === 1;
  subscriptions.replace(isRecorded(group, before) ? before : undefined, told);
  if (isLast) subscriptions.resolve(group.resolved.get(left), undefined);
  const isNew = !isRecorded(group, told);
  const homogeneous = subscriptions.isHomogeneous(group.members.size + Number(isNew));
  const hash = metadataHash(subscriptions.topics(), context.image());
  const records: GroupRecord[] = [];
  const rises = raise || hash !== group.metadataHash;
  if (rises) records.push(epochRecord(groupId, epoch + 1, hash));
  else group.metadataStale = false;
  if (group.hasPartitionMetadata) records.push(partitionMetadataTombstone(groupId));
  return { epoch: rises ? epoch + 1 : epoch, homogeneous, records };
}

function targetFor(context: ConsumerGroupContext, { group, before, told }: Update, raised: Raised): Target {
  const last: Target = {
    epoch: group.assignmentEpoch,
    partitions: group.targetOf(told.memberId, told.instanceId),
    records: [],
  };
  if (group.assignmentEpoch >= raised.epoch) return last;
  const { assignmentIntervalMs, assignors } = context.settings(group.groupId);
  const nowMs = context.clock.wallMs();
  const ageMs = nowMs - group.assignmentTimestamp;
  // A clock that was set back would otherwise hold up the group until it has caught up.
  const isTooSoon = group.assignmentTimestamp > 0 && ageMs >= 0 && ageMs < assignmentIntervalMs;
  if (isTooSoon) return last;
  const preferred = group.preferredAssignor(before, told);
  const assignor = assignors.find(({ name }) => name === preferred) ?? assignors[0]!;
  return computeTarget({
    group,
    groupEpoch: raised.epoch,
    assignor,
    homogeneous: raised.homogeneous,
    member: told,
    image: context.image(),
    nowMs,
  });
}

function step(
  context: ConsumerGroupContext,
  { group, told, owned }: Update,
  target: Target,
  subscriptionChanged: boolean,
): ConsumerMember | Refusal {
  if (!subscriptionChanged && isReconciled(told, target.epoch)) return told;
  return reconcile({
    member: told,
    targetEpoch: target.epoch,
    target: target.partitions,
    subscriptionChanged,
    subscribedTopicIds: subscribedTopicIds(told, group.resolved, context.image()),
    isOwned: (topicId, partition) => group.isOwned(topicId, partition),
    owned,
  });
}
