/** A member of a consumer group: what it told, and how far it is with its assignment. Never changed in place. */
import type { Decoded } from '../../../protocol/schema.ts';
import type {
  consumerGroupCurrentMemberAssignmentValue,
  consumerGroupMemberMetadataValue,
} from '../../../protocol/state/group-records.ts';
import { type AssignedPartitions, assignedFromRecord, NONE_ASSIGNED, sameAssigned } from './partitions.ts';

/** As records number them. */
export const MEMBER_STATE = {
  /** Has what the target assignment of its epoch gives it. */
  STABLE: 0,
  /** Must give up partitions before it can move on to the next epoch. */
  UNREVOKED_PARTITIONS: 1,
  /** In the newest epoch, but some of its partitions are still held by others. */
  UNRELEASED_PARTITIONS: 2,
  /** Written by a newer program. */
  UNKNOWN: 127,
} as const;
export type MemberState = (typeof MEMBER_STATE)[keyof typeof MEMBER_STATE];

const STATES = new Set<number>(Object.values(MEMBER_STATE));

/** Member epochs with a meaning of their own. */
export const JOINING_EPOCH = 0;
export const LEAVING_EPOCH = -1;
/** A static member goes away for a while and keeps its place. */
export const STATIC_LEAVING_EPOCH = -2;

type Metadata = Decoded<typeof consumerGroupMemberMetadataValue>;
/** What a member that speaks the classic protocol told when it joined. */
export type ClassicMemberMetadata = NonNullable<Metadata['classicMemberMetadata']>;

export interface ConsumerMember {
  readonly memberId: string;
  readonly memberEpoch: number;
  /** The epoch before: accepted once more, as the reply that told the new one may have been lost. */
  readonly previousMemberEpoch: number;
  readonly state: MemberState;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly clientId: string;
  readonly clientHost: string;
  readonly subscribedTopicNames: ReadonlySet<string>;
  /** Empty or null: none. */
  readonly subscribedTopicRegex: string | null;
  readonly serverAssignor: string | null;
  readonly assigned: AssignedPartitions;
  /** What it was told to give up and may still hold. */
  readonly pendingRevocation: AssignedPartitions;
  /** Null for a member that speaks this protocol. */
  readonly classic: ClassicMemberMetadata | null;
}

export function newMember(memberId: string): ConsumerMember {
  return {
    memberId,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: MEMBER_STATE.STABLE,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    clientId: '',
    clientHost: '',
    subscribedTopicNames: new Set(),
    subscribedTopicRegex: '',
    serverAssignor: null,
    assigned: NONE_ASSIGNED,
    pendingRevocation: NONE_ASSIGNED,
    classic: null,
  };
}

/** Moves to `memberEpoch`, remembering the one before. */
export function inEpoch(member: ConsumerMember, memberEpoch: number): ConsumerMember {
  return { ...member, memberEpoch, previousMemberEpoch: member.memberEpoch };
}

export function withMetadata(member: ConsumerMember, value: Readonly<Metadata>): ConsumerMember {
  return {
    ...member,
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    subscribedTopicNames: new Set(value.subscribedTopicNames),
    subscribedTopicRegex: value.subscribedTopicRegex,
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    serverAssignor: value.serverAssignor,
    classic: copyOfClassic(value.classicMemberMetadata),
  };
}

/** Decoded bytes are views of something large. */
function copyOfClassic(classic: ClassicMemberMetadata | null): ClassicMemberMetadata | null {
  if (classic === null) return null;
  const supportedProtocols = classic.supportedProtocols.map(({ name, metadata }) => ({
    name,
    metadata: Buffer.from(metadata),
  }));
  return { sessionTimeoutMs: classic.sessionTimeoutMs, supportedProtocols };
}

export function withCurrentAssignment(
  member: ConsumerMember,
  value: Readonly<Decoded<typeof consumerGroupCurrentMemberAssignmentValue>>,
): ConsumerMember {
  return {
    ...member,
    memberEpoch: value.memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: STATES.has(value.state) ? (value.state as MemberState) : MEMBER_STATE.UNKNOWN,
    assigned: assignedFromRecord(value.assignedPartitions, value.memberEpoch),
    pendingRevocation: assignedFromRecord(value.partitionsPendingRevocation, value.memberEpoch),
  };
}

/** Its assignment was deleted: the member itself goes next. */
export function withoutAssignment(member: ConsumerMember): ConsumerMember {
  return {
    ...member,
    memberEpoch: LEAVING_EPOCH,
    previousMemberEpoch: LEAVING_EPOCH,
    assigned: NONE_ASSIGNED,
    pendingRevocation: NONE_ASSIGNED,
  };
}

/** Whether two states of a member would be recorded with the same metadata. */
export function sameMetadata(left: ConsumerMember, right: ConsumerMember): boolean {
  return (
    left.instanceId === right.instanceId &&
    left.rackId === right.rackId &&
    left.rebalanceTimeoutMs === right.rebalanceTimeoutMs &&
    left.clientId === right.clientId &&
    left.clientHost === right.clientHost &&
    left.subscribedTopicRegex === right.subscribedTopicRegex &&
    left.serverAssignor === right.serverAssignor &&
    sameTopics(left.subscribedTopicNames, right.subscribedTopicNames) &&
    sameClassic(left.classic, right.classic)
  );
}

/** Whether two states of a member would be recorded with the same current assignment. */
export function sameAssignment(left: ConsumerMember, right: ConsumerMember): boolean {
  return (
    left.memberEpoch === right.memberEpoch &&
    left.previousMemberEpoch === right.previousMemberEpoch &&
    left.state === right.state &&
    sameAssigned(left.assigned, right.assigned) &&
    sameAssigned(left.pendingRevocation, right.pendingRevocation)
  );
}

export function sameTopics(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  if (left.size !== right.size) return false;
  for (const topic of left) if (!right.has(topic)) return false;
  return true;
}

function sameClassic(left: ClassicMemberMetadata | null, right: ClassicMemberMetadata | null): boolean {
  if (left === null || right === null) return left === right;
  return (
    left.sessionTimeoutMs === right.sessionTimeoutMs &&
    left.supportedProtocols.length === right.supportedProtocols.length &&
    left.supportedProtocols.every(({ name, metadata }, at) => {
      const other = right.supportedProtocols[at]!;
      return name === other.name && Buffer.compare(metadata, other.metadata) === 0;
    })
  );
}

/** Whether nothing is left to do for the member until the target assignment changes. */
export function isReconciled(member: ConsumerMember, targetEpoch: number): boolean {
  return member.state === MEMBER_STATE.STABLE && member.memberEpoch === targetEpoch;
}

/** The member's pattern, or undefined where it has none. */
export function patternOf(member: ConsumerMember | undefined): string | undefined {
  const pattern = member?.subscribedTopicRegex;
  return pattern === null || pattern === undefined || pattern === '' ? undefined : pattern;
}
