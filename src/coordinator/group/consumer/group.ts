/**
 * A consumer group as its records build it: members, epochs, target assignment, who holds which partition, resolved
 * patterns. `replay` alone calls what changes it, the time of the next look at the metadata excepted.
 */
import type { Timestamp } from '../../../base/units.ts';
import type { Uuid } from '../../../base/uuid.ts';
import { type ErrorCode as Code, ErrorCode } from '../../../protocol/error-codes.ts';
import { CONSUMER_PROTOCOL_TYPE } from '../../../protocol/state/consumer-protocol.ts';
import { NO_PARTITIONS, type TopicPartitions } from '../assignors/assignor.ts';
import type { CommitClaim, CommitDecision, Group, OffsetTimes } from '../group.ts';
import type { GroupRecord } from '../records.ts';
import { type ConsumerMember, isReconciled, MEMBER_STATE } from './member.ts';
import { groupTombstones } from './records.ts';
import { type ResolvedPattern, Subscriptions } from './subscriptions.ts';

const FIRST_EPOCH = 1;
/** The epoch of a target assignment that was deleted. */
export const NO_EPOCH = -1;
/** Commits of members of this protocol carry member epochs since. */
const EPOCH_COMMIT_VERSION = 9;

export class ConsumerGroup implements Group {
  readonly type = 'consumer';
  readonly protocolType = CONSUMER_PROTOCOL_TYPE;
  readonly groupId: string;
  groupEpoch = FIRST_EPOCH;
  /** Of the topics that its members want, when the epoch was last raised. */
  metadataHash = 0n;
  assignmentEpoch = FIRST_EPOCH;
  /** When the target was computed, wall clock; 0 where that is not known. */
  assignmentTimestamp: Timestamp = 0;
  /** A record of releases before 4.1, to be deleted on occasion. */
  hasPartitionMetadata = false;
  /** The metadata may have changed since the hash was computed. Soft: true again after every load. */
  metadataStale = true;
  readonly #members = new Map<string, ConsumerMember>();
  readonly #staticMembers = new Map<string, string>();
  readonly #targets = new Map<string, TopicPartitions>();
  /** Members by partition of the target. */
  readonly #targetOwners = new Map<Uuid, Map<number, string>>();
  /** Members by partition that they hold or have not yet let go. */
  readonly #owners = new Map<Uuid, Map<number, string>>();
  readonly #subscriptions = new Subscriptions();
  readonly #resolved = new Map<string, ResolvedPattern>();
  #classicMembers = 0;

  constructor(groupId: string) {
    this.groupId = groupId;
  }

  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.#members;
  }

  get subscriptions(): Subscriptions {
    return this.#subscriptions;
  }

  get resolved(): ReadonlyMap<string, ResolvedPattern> {
    return this.#resolved;
  }

  get targets(): ReadonlyMap<string, TopicPartitions> {
    return this.#targets;
  }

  /** Members that speak the classic protocol. */
  get classicMembers(): number {
    return this.#classicMembers;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  get stateName(): string {
    if (this.isEmpty) return 'Empty';
    if (this.groupEpoch > this.assignmentEpoch) return 'Assigning';
    for (const member of this.#members.values()) {
      if (!isReconciled(member, this.assignmentEpoch)) return 'Reconciling';
    }
    return 'Stable';
  }

  staticMemberId(instanceId: string | null): string | undefined {
    return instanceId === null ? undefined : this.#staticMembers.get(instanceId);
  }

  staticMember(instanceId: string | null): ConsumerMember | undefined {
    const memberId = this.staticMemberId(instanceId);
    return memberId === undefined ? undefined : this.#members.get(memberId);
  }

  /** The target of a member, or of the member whose place it takes. */
  targetOf(memberId: string, instanceId: string | null): TopicPartitions {
    const owner = instanceId === null ? memberId : this.staticMemberId(instanceId);
    return (owner === undefined ? undefined : this.#targets.get(owner)) ?? NO_PARTITIONS;
  }

  isTargeted(topicId: Uuid, partition: number): boolean {
    return this.#targetOwners.get(topicId)?.has(partition) === true;
  }

  isOwned(topicId: Uuid, partition: number): boolean {
    return this.#owners.get(topicId)?.has(partition) === true;
  }

  /** Whether some partition of the member's target is still held by another. */
  waitsForOthers(member: ConsumerMember): boolean {
    if (member.state !== MEMBER_STATE.UNRELEASED_PARTITIONS) return false;
    for (const [topicId, partitions] of this.#targets.get(member.memberId) ?? NO_PARTITIONS) {
      for (const partition of partitions) {
        if (!member.assigned.get(topicId)?.has(partition) && this.isOwned(topicId, partition)) return true;
      }
    }
    return false;
  }

  /** The assignor that most members ask for, as if `before` had become `after`; undefined where none asks. */
  preferredAssignor(before?: ConsumerMember, after?: ConsumerMember): string | undefined {
    const votes = new Map<string, number>();
    const vote = (member: ConsumerMember | undefined): void => {
      const name = member?.serverAssignor ?? null;
      if (name !== null) votes.set(name, (votes.get(name) ?? 0) + 1);
    };
    // A static member that comes back is recorded under the id of its former self.
    const former = this.staticMemberId(before?.instanceId ?? null);
    for (const member of this.#members.values()) {
      if (member.memberId !== before?.memberId && member.memberId !== former) vote(member);
    }
    vote(after);
    let preferred: string | undefined;
    for (const [name, count] of votes) {
      if (preferred === undefined || count > votes.get(preferred)!) preferred = name;
    }
    return preferred;
  }

  /** Whether a member of the classic protocol with these assignors can be in the group. */
  supportsClassic(protocolType: string, names: readonly string[]): boolean {
    if (protocolType !== CONSUMER_PROTOCOL_TYPE) return false;
    if (this.isEmpty) return names.length > 0;
    return names.some((name) => {
      for (const { classic } of this.#members.values()) {
        if (classic !== null && !classic.supportedProtocols.some((protocol) => protocol.name === name)) return false;
      }
      return true;
    });
  }

  // What replay changes.

  putMember(member: ConsumerMember): void {
    const before = this.#members.get(member.memberId);
    this.#members.set(member.memberId, member);
    this.#subscriptions.replace(before, member);
    if (before !== undefined) this.#release(before);
    this.#hold(member);
    if (member.instanceId !== null) this.#staticMembers.set(member.instanceId, member.memberId);
    this.#classicMembers += Number(member.classic !== null) - Number((before?.classic ?? null) !== null);
  }

  removeMember(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return;
    this.#members.delete(memberId);
    this.#subscriptions.replace(member, undefined);
    this.#release(member);
    if (member.instanceId !== null && this.#staticMembers.get(member.instanceId) === memberId) {
      this.#staticMembers.delete(member.instanceId);
    }
    this.#classicMembers -= Number(member.classic !== null);
  }

  /** Undefined deletes. Of two members that name one partition, the later record's has it. */
  setTarget(memberId: string, target: TopicPartitions | undefined): void {
    for (const [topicId, partitions] of this.#targets.get(memberId) ?? NO_PARTITIONS) {
      dropOwner(this.#targetOwners, topicId, partitions, memberId);
    }
    if (target === undefined) {
      this.#targets.delete(memberId);
      return;
    }
    this.#targets.set(memberId, target);
    for (const [topicId, partitions] of target) addOwner(this.#targetOwners, topicId, partitions, memberId);
  }

  resolvePattern(pattern: string, resolved: ResolvedPattern | undefined): void {
    this.#subscriptions.resolve(this.#resolved.get(pattern), resolved);
    if (resolved === undefined) this.#resolved.delete(pattern);
    else this.#resolved.set(pattern, resolved);
  }

  #hold({ memberId, assigned, pendingRevocation }: ConsumerMember): void {
    for (const partitions of [assigned, pendingRevocation]) {
      for (const [topicId, epochs] of partitions) addOwner(this.#owners, topicId, epochs.keys(), memberId);
    }
  }

  #release({ memberId, assigned, pendingRevocation }: ConsumerMember): void {
    for (const partitions of [assigned, pendingRevocation]) {
      for (const [topicId, epochs] of partitions) dropOwner(this.#owners, topicId, epochs.keys(), memberId);
    }
  }

  // What offsets and administration ask.

  checkOffsetCommit(claim: CommitClaim): CommitDecision {
    const { memberId, groupInstanceId, generationOrEpoch: epoch, transactional, apiVersion } = claim;
    if (epoch < 0 && this.isEmpty) return { errorCode: ErrorCode.NONE };
    // Older transactional producers tell nothing about the member.
    if (transactional && epoch === -1 && memberId === '' && groupInstanceId === null) {
      return { errorCode: ErrorCode.NONE };
    }
    const member = this.#members.get(memberId);
    if (member === undefined) return { errorCode: ErrorCode.UNKNOWN_MEMBER_ID };
    if (!transactional && member.classic === null && apiVersion < EPOCH_COMMIT_VERSION) {
      return { errorCode: ErrorCode.UNSUPPORTED_VERSION };
    }
    if (epoch === member.memberEpoch) return { errorCode: ErrorCode.NONE };
    const stale = staleCode(member);
    if (epoch > member.memberEpoch) return { errorCode: stale };
    // A commit that was on its way when the epoch rose counts for partitions that the member has had since (KIP-1251).
    return {
      errorCode: ErrorCode.NONE,
      checkPartition: (_topic, topicId, partition) => {
        const since =
          member.assigned.get(topicId)?.get(partition) ?? member.pendingRevocation.get(topicId)?.get(partition);
        return since === undefined || epoch < since ? stale : ErrorCode.NONE;
      },
    };
  }

  checkOffsetFetch(memberId: string | null, memberEpoch: number): Code {
    if (memberId === null && memberEpoch < 0) return ErrorCode.NONE;
    const member = memberId === null ? undefined : this.#members.get(memberId);
    if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    return memberEpoch === member.memberEpoch ? ErrorCode.NONE : staleCode(member);
  }

  checkOffsetDelete(): Code {
    return ErrorCode.NONE;
  }

  checkDelete(): Code {
    return this.isEmpty ? ErrorCode.NONE : ErrorCode.NON_EMPTY_GROUP;
  }

  isSubscribedTo(topic: string): boolean {
    return this.#subscriptions.has(topic);
  }

  offsetAgeFrom({ commitTimestamp }: OffsetTimes): Timestamp {
    return commitTimestamp;
  }

  tombstones(): readonly GroupRecord[] {
    return groupTombstones(this.groupId, [...this.#members.keys()], [...this.#resolved.keys()]);
  }
}

function staleCode(member: ConsumerMember): Code {
  return member.classic === null ? ErrorCode.STALE_MEMBER_EPOCH : ErrorCode.ILLEGAL_GENERATION;
}

type Owners = Map<Uuid, Map<number, string>>;

function addOwner(owners: Owners, topicId: Uuid, partitions: Iterable<number>, memberId: string): void {
  let ofTopic = owners.get(topicId);
  for (const partition of partitions) {
    if (ofTopic === undefined) {
      ofTopic = new Map();
      owners.set(topicId, ofTopic);
    }
    ofTopic.set(partition, memberId);
  }
}

/** Leaves alone what has another owner meanwhile. */
function dropOwner(owners: Owners, topicId: Uuid, partitions: Iterable<number>, memberId: string): void {
  const ofTopic = owners.get(topicId);
  if (ofTopic === undefined) return;
  for (const partition of partitions) if (ofTopic.get(partition) === memberId) ofTopic.delete(partition);
  if (ofTopic.size === 0) owners.delete(topicId);
}
