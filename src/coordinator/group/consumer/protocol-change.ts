/**
 * A group changes its protocol without stopping (KIP-848, "online migration"). Up, when the first member of the newer
 * protocol joins a classic group: its members stay, as members of the classic protocol in a consumer group. Down, when
 * the last member of the newer protocol goes: whoever is left forms a classic group and rebalances as one.
 */

import {
  consumerProtocolVersion,
  readAssignment,
  readSubscription,
  writeAssignment,
} from '../../../protocol/consumer-protocol.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import { CONSUMER_PROTOCOL_TYPE } from '../../../protocol/state/consumer-protocol.ts';
import type { TopicPartitions } from '../assignors/assignor.ts';
import { ClassicGroup } from '../classic/classic-group.ts';
import type { ClassicContext } from '../classic/context.ts';
import { classicGroupRecord } from '../classic/group-record.ts';
import { type ClassicMember, metadataOf } from '../classic/member.ts';
import { joinRefusal, prepareRebalance, renewSession } from '../classic/rebalance.ts';
import { syncRefusal } from '../classic/sync.ts';
import type { Group } from '../group.ts';
import type { GroupRecord } from '../records.ts';
import type { ConsumerGroupContext, Downgrade, ProtocolChange, Upgrade } from './context.ts';
import { ConsumerGroup } from './group.ts';
import { type ConsumerMember, newMember } from './member.ts';
import { metadataHash } from './metadata-hash.ts';
import { withEpoch } from './partitions.ts';
import {
  assignmentRecord,
  epochRecord,
  groupTombstones,
  memberRecord,
  targetEpochRecord,
  targetRecord,
} from './records.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';
import { applyRecord, isConsumerGroupRecord } from './replay.ts';
import { startSession } from './timers.ts';

export interface ChangeDependencies {
  readonly context: () => ConsumerGroupContext;
  readonly classic: ClassicContext;
}

export function protocolChange({ context, classic }: ChangeDependencies): ProtocolChange {
  return {
    upgrade: (group) => upgrade(context(), group),
    downgrade: (group, leaving) => {
      const staying = [...group.members.values()].filter(({ memberId }) => !leaving.has(memberId));
      if (!mayDowngrade(context(), classic, group, staying)) return undefined;
      return downgrade({ context: context(), classic, group, members: staying, rebalance: true });
    },
  };
}

function upgrade(context: ConsumerGroupContext, group: Group): Upgrade | Refusal {
  const { groupId } = group;
  const no = (why: string): Refusal =>
    refuse(ErrorCode.GROUP_ID_NOT_FOUND, `the classic group ${groupId} cannot become a consumer group: ${why}`);
  const settings = context.settings(groupId);
  if (!(group instanceof ClassicGroup)) return no('it is none');
  if (!settings.mayUpgrade) return no('group.consumer.migration.policy does not allow it');
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return no('its members are no consumers');
  if (group.members.size > settings.maxMembers) return no(`it has more than ${settings.maxMembers} members`);
  const members: { readonly member: ConsumerMember; readonly target: TopicPartitions }[] = [];
  for (const classic of group.members.values()) {
    const read = memberOf(context, group, classic);
    if (isRefusal(read)) return no(read.errorMessage);
    members.push(read);
  }
  const topics = new Set(members.flatMap(({ member }) => [...member.subscribedTopicNames]));
  const records: GroupRecord[] = [
    ...members.map(({ member }) => memberRecord(groupId, member)),
    epochRecord(groupId, group.generation, metadataHash(topics, context.image())),
    ...members.map(({ member, target }) => targetRecord(groupId, member.memberId, target)),
    targetEpochRecord(groupId, group.generation, 0),
    ...members.map(({ member }) => assignmentRecord(groupId, member)),
  ];
  const upgraded = new ConsumerGroup(groupId);
  for (const record of records) if (isConsumerGroupRecord(record)) applyRecord(upgraded, record);
  const begin = (): void => {
    for (const member of group.members.values()) {
      group.answerJoin(member, joinRefusal(ErrorCode.REBALANCE_IN_PROGRESS, member.memberId));
      group.answerSync(member, syncRefusal(ErrorCode.REBALANCE_IN_PROGRESS));
    }
    for (const { member } of members) startSession(context, groupId, member);
    context.logger.info('a classic group becomes a consumer group', { group: groupId, members: members.length });
  };
  return { group: upgraded, records: [...group.tombstones(), ...records], begin };
}

/** What a classic member was assigned, it holds and should hold. */
function memberOf(
  context: ConsumerGroupContext,
  group: ClassicGroup,
  classic: ClassicMember,
): { readonly member: ConsumerMember; readonly target: TopicPartitions } | Refusal {
  const malformed = refuse(ErrorCode.GROUP_ID_NOT_FOUND, `what ${classic.memberId} told cannot be read`);
  // Before its first generation a group has no protocol yet.
  const metadata = metadataOf(classic, group.protocol) ?? classic.protocols[0]?.metadata;
  const subscription = metadata === undefined ? undefined : readSubscription(metadata);
  if (subscription === undefined) return malformed;
  const target = assignmentOf(context, classic);
  if (target === undefined) return malformed;
  if (target === 'with user data') {
    return refuse(ErrorCode.GROUP_ID_NOT_FOUND, 'its assignor hands out data of its own, which would be lost');
  }
  const { generation } = group;
  const member: ConsumerMember = {
    ...newMember(classic.memberId),
    memberEpoch: generation,
    previousMemberEpoch: generation,
    instanceId: classic.groupInstanceId,
    rackId: subscription.rackId === '' ? null : subscription.rackId,
    rebalanceTimeoutMs: classic.rebalanceTimeoutMs,
    clientId: classic.clientId,
    clientHost: classic.clientHost,
    subscribedTopicNames: new Set(subscription.topics),
    assigned: withEpoch(target, generation),
    classic: { sessionTimeoutMs: classic.sessionTimeoutMs, supportedProtocols: [...classic.protocols] },
  };
  return { member, target };
}

function assignmentOf(
  context: ConsumerGroupContext,
  { assignment }: ClassicMember,
): TopicPartitions | 'with user data' | undefined {
  if (assignment.length === 0) return new Map();
  const read = readAssignment(assignment);
  if (read === undefined) return undefined;
  if (read.userData !== null && read.userData.length > 0) return 'with user data';
  const { byName } = context.image().topics;
  return new Map(
    read.assignedPartitions.flatMap(({ topic, partitions }) => {
      const id = byName.get(topic)?.id;
      return id === undefined ? [] : [[id, new Set(partitions)]];
    }),
  );
}

/** Whether `staying` may form a classic group. */
export function mayDowngrade(
  context: ConsumerGroupContext,
  classic: ClassicContext,
  group: ConsumerGroup,
  staying: readonly ConsumerMember[],
): boolean {
  if (staying.length === 0 || staying.some((member) => member.classic === null)) return false;
  return context.settings(group.groupId).mayDowngrade && staying.length <= classic.settings().maxMembers;
}

export interface DowngradeRequest {
  readonly context: ConsumerGroupContext;
  readonly classic: ClassicContext;
  readonly group: ConsumerGroup;
  readonly members: readonly ConsumerMember[];
  readonly rebalance: boolean;
  /** A static member that comes back, and the former self whose place it takes. */
  readonly replaced?: { readonly memberId: string; readonly by: string };
}

export function downgrade(request: DowngradeRequest): Downgrade {
  const { context, classic, group, members, rebalance, replaced } = request;
  const { groupId } = group;
  const nowMs = context.clock.wallMs();
  const facts = {
    generation: group.groupEpoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocol: null,
    leader: null,
    stateTimestamp: nowMs,
  };
  const downgraded = new ClassicGroup(groupId, 'stable', facts);
  for (const member of members) downgraded.add(classicMemberOf(member));
  downgraded.protocol = downgraded.selectProtocol();
  downgraded.noteSubscriptions();
  const assignments = new Map<string, Buffer>();
  for (const member of downgraded.members.values()) {
    const targetOf = member.memberId === replaced?.by ? replaced.memberId : member.memberId;
    const metadata = metadataOf(member, downgraded.protocol) ?? member.protocols[0]!.metadata;
    member.assignment = encodeTarget(context, metadata, group.targets.get(targetOf));
    assignments.set(member.memberId, member.assignment);
  }
  const gone = [...group.members.keys()].map((memberId) => (memberId === replaced?.memberId ? replaced.by : memberId));
  const records = [
    ...groupTombstones(groupId, gone, [...group.resolved.keys()]),
    classicGroupRecord(downgraded, assignments),
  ];
  context.groups.set(downgraded);
  for (const member of downgraded.members.values()) renewSession(classic, downgraded, member);
  if (rebalance) prepareRebalance(classic, downgraded);
  context.logger.info('a consumer group becomes a classic group', { group: groupId, members: members.length });
  const settle = (errorCode: ErrorCode): void => {
    if (errorCode !== ErrorCode.NONE && context.groups.get(groupId) === downgraded) context.groups.set(group);
  };
  return { records, settle };
}

function classicMemberOf(member: ConsumerMember): ClassicMember {
  return {
    memberId: member.memberId,
    groupInstanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    sessionTimeoutMs: member.classic!.sessionTimeoutMs,
    protocols: member.classic!.supportedProtocols,
    assignment: Buffer.alloc(0),
    awaitingJoin: undefined,
    awaitingSync: undefined,
    isNew: false,
  };
}

/** Partitions as a member of the classic protocol is told them, in the version of what it told. */
export function encodeTarget(
  context: ConsumerGroupContext,
  metadata: Buffer,
  target: TopicPartitions | undefined,
): Buffer {
  const { byId } = context.image().topics;
  const topics = [...(target ?? [])].flatMap(([topicId, partitions]) => {
    const topic = byId.get(topicId)?.name;
    return topic === undefined ? [] : [{ topic, partitions: [...partitions].sort((left, right) => left - right) }];
  });
  return writeAssignment(consumerProtocolVersion(metadata) ?? 0, topics);
}
