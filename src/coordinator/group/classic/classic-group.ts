/**
 * A classic group: its members, generation, leader and protocol, and who of the members waits for what. Knows neither
 * timers nor records; what to do when is decided by the files beside this one.
 */
import { assert } from '../../../base/assert.ts';
import type { Timestamp } from '../../../base/units.ts';
import type { JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import type { SyncGroupResponse } from '../../../protocol/apis/sync-group.ts';
import { subscribedTopicsIn } from '../../../protocol/consumer-protocol.ts';
import { type ErrorCode as Code, ErrorCode } from '../../../protocol/error-codes.ts';
import { CONSUMER_PROTOCOL_TYPE } from '../../../protocol/state/consumer-protocol.ts';
import type { CommitClaim, CommitDecision, Group, OffsetTimes } from '../group.ts';
import { type GroupRecord, groupTombstone } from '../records.ts';
import { type ClassicMember, metadataOf, type SupportedProtocol, voteOf } from './member.ts';
import { CLASSIC_STATE_NAMES, type ClassicEvent, type ClassicState, COMMIT_ANSWERS, nextState } from './states.ts';

/** The part of a group that its record keeps. */
export interface ClassicGroupFacts {
  readonly generation: number;
  /** Undefined for a group that never had a member. */
  readonly protocolType: string | undefined;
  readonly protocol: string | null;
  readonly leader: string | null;
  /** When the group came into its state; -1 where that is not known. */
  readonly stateTimestamp: Timestamp;
}

const NEW_GROUP: ClassicGroupFacts = {
  generation: 0,
  protocolType: undefined,
  protocol: null,
  leader: null,
  stateTimestamp: -1,
};

export class ClassicGroup implements Group {
  readonly type = 'classic';
  readonly groupId: string;
  /** By member id, in the order in which they joined. */
  readonly members = new Map<string, ClassicMember>();
  /** Got a member id and have not joined with it yet. */
  readonly pendingJoins = new Set<string>();
  /** Members of this generation that have not asked for their assignment yet. */
  readonly pendingSyncs = new Set<string>();
  /** Somebody came during the first rebalance: it may be worth to wait for more. */
  newMemberAdded = false;
  generation: number;
  protocol: string | null;
  stateTimestamp: Timestamp;
  #state: ClassicState;
  #previousState: ClassicState = 'dead';
  #protocolType: string | undefined;
  #leader: string | null;
  readonly #staticMembers = new Map<string, string>();
  /** How many members support a protocol. */
  readonly #supporters = new Map<string, number>();
  #awaitingJoins = 0;
  /** Undefined where the members' metadata does not tell. */
  #subscribedTopics: ReadonlySet<string> | undefined;

  constructor(groupId: string, state: ClassicState, facts: ClassicGroupFacts = NEW_GROUP) {
    this.groupId = groupId;
    this.#state = state;
    this.generation = facts.generation;
    this.#protocolType = facts.protocolType;
    this.protocol = facts.protocol;
    this.#leader = facts.leader;
    this.stateTimestamp = facts.stateTimestamp;
  }

  get state(): ClassicState {
    return this.#state;
  }

  get previousState(): ClassicState {
    return this.#previousState;
  }

  get stateName(): string {
    return CLASSIC_STATE_NAMES[this.#state];
  }

  get protocolType(): string {
    return this.#protocolType ?? '';
  }

  get leader(): string | null {
    return this.#leader;
  }

  get isEmpty(): boolean {
    return this.#state === 'empty';
  }

  /** Members whose JoinGroup waits. */
  get awaitingJoins(): number {
    return this.#awaitingJoins;
  }

  get allJoined(): boolean {
    return this.members.size === this.#awaitingJoins && this.pendingJoins.size === 0;
  }

  /** The longest time that any member wants for joining again. */
  get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const { rebalanceTimeoutMs } of this.members.values()) longest = Math.max(longest, rebalanceTimeoutMs);
    return longest;
  }

  transition(event: ClassicEvent, nowMs: Timestamp): void {
    const next = nextState(this.#state, event);
    this.#previousState = this.#state;
    this.#state = next;
    this.stateTimestamp = nowMs;
  }

  add(member: ClassicMember): void {
    if (member.groupInstanceId !== null) {
      assert(!this.#staticMembers.has(member.groupInstanceId), 'an instance id has one member');
      this.#staticMembers.set(member.groupInstanceId, member.memberId);
    }
    if (this.members.size === 0) this.#protocolType = member.protocolType;
    this.#leader ??= member.memberId;
    this.members.set(member.memberId, member);
    this.#countSupport(member.protocols, 1);
    if (member.awaitingJoin !== undefined) this.#awaitingJoins++;
    this.pendingJoins.delete(member.memberId);
  }

  /** Drops a member, or somebody who was about to become one. Whoever leads the group must be a member of it. */
  remove(memberId: string): void {
    const member = this.members.get(memberId);
    if (member !== undefined) {
      this.members.delete(memberId);
      this.#countSupport(member.protocols, -1);
      if (member.awaitingJoin !== undefined) this.#awaitingJoins--;
      if (member.groupInstanceId !== null) this.#staticMembers.delete(member.groupInstanceId);
    }
    if (this.#leader === memberId) this.#leader = this.members.keys().next().value ?? null;
    this.pendingJoins.delete(memberId);
    this.pendingSyncs.delete(memberId);
  }

  isLeader(memberId: string): boolean {
    return this.#leader === memberId;
  }

  staticMemberId(groupInstanceId: string): string | undefined {
    return this.#staticMembers.get(groupInstanceId);
  }

  /** Whether the leader, or another member in its place, has joined. */
  electJoinedLeader(): boolean {
    const leader = this.#leader === null ? undefined : this.members.get(this.#leader);
    if (leader === undefined) return false;
    if (leader.awaitingJoin !== undefined) return true;
    for (const member of this.members.values()) {
      if (member.awaitingJoin === undefined) continue;
      this.#leader = member.memberId;
      return true;
    }
    return false;
  }

  /** A static member has come back under a new member id: the old one is fenced, everything else stays. */
  replaceStaticMember(groupInstanceId: string, oldMemberId: string, newMemberId: string): ClassicMember {
    const old = this.members.get(oldMemberId);
    assert(old !== undefined, 'the replaced member is in the group');
    const errorCode = ErrorCode.FENCED_INSTANCE_ID;
    this.answerJoin(old, { errorCode, memberId: oldMemberId, protocolName: null, leader: '', members: [] });
    this.answerSync(old, { errorCode, assignment: Buffer.alloc(0) });
    const member: ClassicMember = { ...old, memberId: newMemberId, isNew: false };
    this.members.delete(oldMemberId);
    this.members.set(newMemberId, member);
    if (this.#leader === oldMemberId) this.#leader = newMemberId;
    this.#staticMembers.set(groupInstanceId, newMemberId);
    return member;
  }

  /** Takes over what a member said when it joined again; `awaitingJoin` undefined where it does not wait. */
  update(
    member: ClassicMember,
    change: Pick<ClassicMember, 'protocols' | 'rebalanceTimeoutMs' | 'sessionTimeoutMs' | 'awaitingJoin'>,
  ): void {
    if (member.awaitingJoin !== undefined) this.#awaitingJoins--;
    if (change.awaitingJoin !== undefined) this.#awaitingJoins++;
    this.#countSupport(member.protocols, -1);
    this.#countSupport(change.protocols, 1);
    member.protocols = change.protocols;
    member.rebalanceTimeoutMs = change.rebalanceTimeoutMs;
    member.sessionTimeoutMs = change.sessionTimeoutMs;
    member.awaitingJoin = change.awaitingJoin;
  }

  answerJoin(member: ClassicMember, response: JoinGroupResponse): void {
    const { awaitingJoin } = member;
    if (awaitingJoin === undefined) return;
    member.awaitingJoin = undefined;
    this.#awaitingJoins--;
    awaitingJoin(response);
  }

  /** Whether the member was waiting. */
  answerSync(member: ClassicMember, response: SyncGroupResponse): boolean {
    const { awaitingSync } = member;
    if (awaitingSync === undefined) return false;
    member.awaitingSync = undefined;
    awaitingSync(response);
    return true;
  }

  /** Whether somebody with these protocols can be in one group with all members. */
  supports(protocolType: string, protocols: readonly SupportedProtocol[]): boolean {
    if (this.#state === 'empty') return protocolType !== '' && protocols.length > 0;
    return protocolType === this.#protocolType && protocols.some(({ name }) => this.#isCommon(name));
  }

  #isCommon(protocol: string): boolean {
    return (this.#supporters.get(protocol) ?? 0) === this.members.size;
  }

  /** The protocol that most members want among those that all support. */
  selectProtocol(): string | null {
    const common = new Set([...this.#supporters.keys()].filter((name) => this.#isCommon(name)));
    const votes = new Map<string, number>();
    for (const member of this.members.values()) {
      const vote = voteOf(member, common);
      if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1);
    }
    let chosen: string | null = null;
    for (const [name, count] of votes) if (chosen === null || count > votes.get(chosen)!) chosen = name;
    return chosen;
  }

  #countSupport(protocols: readonly SupportedProtocol[], change: 1 | -1): void {
    for (const name of new Set(protocols.map((protocol) => protocol.name))) {
      this.#supporters.set(name, (this.#supporters.get(name) ?? 0) + change);
    }
  }

  /** The time for joining is over: those who are here form the next generation. */
  startGeneration(nowMs: Timestamp): void {
    this.generation++;
    this.protocol = this.members.size === 0 ? null : this.selectProtocol();
    this.noteSubscriptions();
    this.transition(this.members.size === 0 ? 'emptied' : 'joined', nowMs);
    this.pendingSyncs.clear();
  }

  /** What the leader is told of all members. */
  memberList(): { memberId: string; groupInstanceId: string | null; metadata: Buffer }[] {
    return [...this.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: metadataOf(member, this.protocol) ?? Buffer.alloc(0),
    }));
  }

  /** Whether the request comes from the member that it names. */
  checkMember(memberId: string, groupInstanceId: string | null): Code {
    if (groupInstanceId !== null) {
      const known = this.#staticMembers.get(groupInstanceId);
      if (known === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
      if (known !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
    }
    return this.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID;
  }

  checkOffsetCommit(claim: CommitClaim): CommitDecision {
    return { errorCode: this.#commitError(claim) };
  }

  #commitError({ memberId, groupInstanceId, generationOrEpoch, transactional }: CommitClaim): Code {
    if (this.#state === 'dead') return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    // Somebody who assigns partitions without the group's help, or an administrator.
    if (generationOrEpoch < 0 && this.isEmpty) return ErrorCode.NONE;
    if (generationOrEpoch >= 0 || memberId !== '' || groupInstanceId !== null) {
      const memberError = this.checkMember(memberId, groupInstanceId);
      if (memberError !== ErrorCode.NONE) return memberError;
      if (generationOrEpoch !== this.generation) return ErrorCode.ILLEGAL_GENERATION;
    } else if (!transactional && !this.isEmpty) {
      return ErrorCode.UNKNOWN_MEMBER_ID;
    }
    // Old transactional producers tell neither member nor generation; the state of the group is not held against any.
    return transactional ? ErrorCode.NONE : COMMIT_ANSWERS[this.#state];
  }

  checkOffsetFetch(): Code {
    return this.#state === 'dead' ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.NONE;
  }

  checkOffsetDelete(): Code {
    if (this.#state === 'dead') return ErrorCode.GROUP_ID_NOT_FOUND;
    return this.isEmpty || this.#isOfConsumers ? ErrorCode.NONE : ErrorCode.NON_EMPTY_GROUP;
  }

  checkDelete(): Code {
    if (this.#state === 'dead') return ErrorCode.GROUP_ID_NOT_FOUND;
    return this.isEmpty ? ErrorCode.NONE : ErrorCode.NON_EMPTY_GROUP;
  }

  get #isOfConsumers(): boolean {
    return this.#protocolType === CONSUMER_PROTOCOL_TYPE;
  }

  /** Of consumers whose subscriptions cannot be read any topic may be in use. */
  isSubscribedTo(topic: string): boolean {
    return this.#subscribedTopics?.has(topic) ?? this.#isOfConsumers;
  }

  /** Reads the members' subscriptions, as far as they are consumers'. */
  noteSubscriptions(): void {
    this.#subscribedTopics = this.#isOfConsumers ? this.#readSubscriptions() : undefined;
  }

  #readSubscriptions(): ReadonlySet<string> | undefined {
    if (this.members.size === 0) return new Set();
    const topics = new Set<string>();
    for (const member of this.members.values()) {
      const subscribed = subscribedTopicsIn(metadataOf(member, this.protocol));
      if (subscribed === undefined) return undefined;
      for (const topic of subscribed) topics.add(topic);
    }
    return topics;
  }

  offsetAgeFrom({ commitTimestamp }: OffsetTimes): Timestamp | undefined {
    if (this.#protocolType === undefined) return commitTimestamp;
    if (this.isEmpty) return this.stateTimestamp === -1 ? commitTimestamp : this.stateTimestamp;
    const knowsTopics = this.#isOfConsumers && this.#subscribedTopics !== undefined;
    return knowsTopics && this.#state === 'stable' ? commitTimestamp : undefined;
  }

  tombstones(): readonly GroupRecord[] {
    return [groupTombstone('groupMetadata', { group: this.groupId })];
  }
}
