/**
 * A member of a group of the classic protocol: joins, assigns where it is the leader, is told what is its own, and keeps
 * its place by heartbeats. One task leads from rebalance to rebalance; heartbeats have a timer and a connection of their
 * own. What is held is the host's; this decides when it changes.
 */
import type { Timer } from '../../../base/clock.ts';
import { SluiceError } from '../../../base/errors.ts';
import type { TopicPartition } from '../../../base/units.ts';
import { heartbeat } from '../../../protocol/apis/heartbeat.ts';
import { joinGroup } from '../../../protocol/apis/join-group.ts';
import { leaveGroup } from '../../../protocol/apis/leave-group.ts';
import { syncGroup } from '../../../protocol/apis/sync-group.ts';
import { readAssignment } from '../../../protocol/consumer-protocol.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import { CONSUMER_PROTOCOL_TYPE } from '../../../protocol/state/consumer-protocol.ts';
import { unlessAborted } from '../../abort.ts';
import type { ResponseBody } from '../../api-types.ts';
import type { Cluster } from '../../cluster.ts';
import { mayRetry, refusedBy } from '../../errors.ts';
import { backoffMs, sleep } from '../../retry.ts';
import type { Held, PartitionCounts } from '../assignors/assignor.ts';
import { assignGroup, offeredProtocols } from './classic-messages.ts';
import type { CoordinatorLink } from './coordinator-link.ts';
import {
  type GroupMembership,
  type MemberIdentity,
  type MemberState,
  type MembershipHost,
  nextState,
} from './membership.ts';
import { without } from './partition-sets.ts';
import { classicReaction, commitReaction, type Reaction } from './reactions.ts';
import type { GroupSettings } from './settings.ts';
import { isSameCounts, subscribedTopics, topicFacts } from './subscribed-topics.ts';

const NO_GENERATION = -1;
/** The coordinator answers a join when the rebalance is over, so after the rebalance timeout at the latest. */
const JOIN_GRACE_MS = 5000;
/** How often a leader looks whether topics are there by now that were not when it assigned. */
const MISSING_TOPICS_MS = 1000;
const LEAVE_TIMEOUT_MS = 3000;

type JoinAnswer = ResponseBody<typeof joinGroup>;

export class ClassicMember implements GroupMembership {
  readonly usesMemberEpoch = false;
  state: MemberState = 'away';
  readonly #cluster: Cluster;
  readonly #link: CoordinatorLink;
  readonly #settings: GroupSettings;
  readonly #host: MembershipHost;
  readonly #stop = new AbortController();
  /** Counts the starts; what was begun before the last one has no say any more. */
  #life = 0;
  #runningLife = 0;
  #memberId = '';
  #generation = NO_GENERATION;
  /** What was assigned last, for sticky assignors. */
  #held: Held | undefined;
  /** What this member assigned by, while it leads the group. */
  #assignedBy: { readonly topics: readonly string[]; readonly counts: PartitionCounts } | undefined;
  #joinedTopics: readonly string[] = [];
  #wantsRejoin = false;
  #isLost = false;
  #wake: (() => void) | undefined;
  #heartbeat: Timer | undefined;
  #watch: Timer | undefined;
  #failures = 0;
  #running: Promise<void> | undefined;

  constructor(cluster: Cluster, link: CoordinatorLink, settings: GroupSettings, host: MembershipHost) {
    this.#cluster = cluster;
    this.#link = link;
    this.#settings = settings;
    this.#host = host;
  }

  get identity(): MemberIdentity {
    return { memberId: this.#memberId, epoch: this.#generation, instanceId: this.#settings.instanceId };
  }

  start(): void {
    if (this.state !== 'away') return;
    this.state = nextState(this.state, 'start');
    const life = ++this.#life;
    this.#running = (this.#running ?? Promise.resolve()).then(() => {
      this.#runningLife = life;
      return this.#run();
    });
  }

  subscriptionChanged(): void {
    this.#rejoin();
  }

  commitRefused(code: number): void {
    this.#react(commitReaction(code), code);
  }

  async suspend(): Promise<void> {
    if (this.state === 'away' || this.state === 'closed') return;
    this.state = nextState(this.state, 'suspended');
    this.#quiet();
    this.#wake?.();
    // At once, so that nothing is committed any more in its name.
    this.#generation = NO_GENERATION;
    if (this.#settings.instanceId === null) await this.#leave('the reader has not come back in time');
  }

  async resume(): Promise<void> {
    if (this.state !== 'away') return;
    this.#isLost = true;
    this.start();
  }

  async close(leave: boolean): Promise<void> {
    this.state = nextState(this.state, 'closed');
    this.#quiet();
    this.#stop.abort();
    this.#wake?.();
    await this.#running;
    if (leave) await this.#leave('the consumer is closed');
    this.#generation = NO_GENERATION;
  }

  /** From rebalance to rebalance, until the member is away or closed. */
  async #run(): Promise<void> {
    while (this.#isActive()) {
      try {
        await this.#rebalance();
        this.#failures = 0;
        await this.#untilRejoin();
      } catch (error) {
        if (!this.#isActive()) return;
        if (!mayRetry(error)) {
          this.#quiet();
          this.state = nextState(this.state, 'suspended');
          this.#host.fail(error instanceof SluiceError ? error : unexpected(error));
          return;
        }
        this.state = nextState(this.state, 'again');
        await this.#pause();
      }
    }
  }

  /** As a call, for the state changes while others are waited for: a member may even go and come back meanwhile. */
  #isActive(): boolean {
    return this.state !== 'away' && this.state !== 'closed' && this.#runningLife === this.#life;
  }

  async #pause(): Promise<void> {
    this.#failures++;
    const { options, dependencies } = this.#cluster;
    const delayMs = backoffMs(options.backoff, this.#failures, dependencies.random);
    await sleep(dependencies.clock, delayMs, [this.#stop.signal]).catch(() => undefined);
  }

  async #rebalance(): Promise<void> {
    await this.#prepare();
    if (!this.#isActive()) return;
    this.state = nextState(this.state, 'prepared');
    const joined = await this.#join();
    if (joined === undefined || !this.#isActive()) return;
    this.state = nextState(this.state, 'joined');
    const assigned = await this.#sync(joined);
    if (assigned === undefined || !this.#isActive()) return;
    this.state = nextState(this.state, 'assigned');
    this.#beatLater();
    await this.#adopt(assigned);
    if (!this.#isActive()) return;
    this.state = nextState(this.state, 'adopted');
    this.#watchTopics();
  }

  get #isCooperative(): boolean {
    return this.#settings.assignors.every(({ cooperative }) => cooperative);
  }

  /** Gives up what may not be held during the rebalance. Heartbeats go on meanwhile. */
  async #prepare(): Promise<void> {
    this.#wantsRejoin = false;
    this.#watch?.cancel();
    if (await this.#loseIfLost()) return;
    if (!this.#isCooperative) {
      await this.#host.revoke(this.#host.owned);
    } else {
      const topics = await subscribedTopics(this.#cluster, this.#host.subscription);
      const unwanted = this.#host.owned.filter(({ topic }) => !topics.includes(topic));
      if (unwanted.length > 0) await this.#host.revoke(unwanted);
    }
    await this.#loseIfLost();
  }

  async #loseIfLost(): Promise<boolean> {
    if (!this.#isLost) return false;
    this.#isLost = false;
    await this.#host.lose(this.#host.owned);
    return true;
  }

  /** Undefined where the refusal leads to another attempt. */
  async #join(): Promise<JoinAnswer | undefined> {
    this.#heartbeat?.cancel();
    this.#joinedTopics = await subscribedTopics(this.#cluster, this.#host.subscription);
    const { groupId, instanceId, sessionTimeoutMs, maxPollIntervalMs } = this.#settings;
    const about = { topics: this.#joinedTopics, owned: this.#host.owned, generation: this.#generation };
    const asking = this.#link.request(
      'join',
      joinGroup,
      {
        groupId,
        groupInstanceId: instanceId,
        memberId: this.#memberId,
        sessionTimeoutMs,
        rebalanceTimeoutMs: maxPollIntervalMs,
        protocolType: CONSUMER_PROTOCOL_TYPE,
        protocols: offeredProtocols(this.#settings, { ...about, held: this.#held }),
      },
      { timeoutMs: maxPollIntervalMs + JOIN_GRACE_MS },
    );
    const answer = await unlessAborted(asking, [this.#stop.signal]);
    if (!this.#isActive()) return undefined;
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) this.#memberId = answer.memberId;
    if (!this.#accepts(answer.errorCode)) return undefined;
    this.#memberId = answer.memberId;
    this.#generation = answer.generationId;
    return answer;
  }

  async #sync(joined: JoinAnswer): Promise<readonly TopicPartition[] | undefined> {
    const { groupId, instanceId } = this.#settings;
    const asking = this.#link.request(
      'join',
      syncGroup,
      {
        groupId,
        groupInstanceId: instanceId,
        memberId: this.#memberId,
        generationId: this.#generation,
        protocolType: CONSUMER_PROTOCOL_TYPE,
        protocolName: joined.protocolName,
        assignments: await this.#assignmentsOf(joined),
      },
      { timeoutMs: this.#settings.maxPollIntervalMs + JOIN_GRACE_MS },
    );
    const answer = await unlessAborted(asking, [this.#stop.signal]);
    if (!this.#accepts(answer.errorCode)) return undefined;
    if (answer.assignment.length === 0) return [];
    const assignment = readAssignment(answer.assignment);
    if (assignment === undefined) throw unreadable(groupId);
    return assignment.assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    );
  }

  /** Where this member leads: what everybody gets. */
  async #assignmentsOf(joined: JoinAnswer): Promise<{ memberId: string; assignment: Buffer }[]> {
    this.#assignedBy = undefined;
    if (joined.leader !== joined.memberId) return [];
    const { topics, assign } = assignGroup(this.#settings, joined);
    const { counts, racks } = await topicFacts(this.#cluster, topics);
    this.#assignedBy = { topics, counts };
    return joined.skipAssignment ? [] : assign(counts, racks);
  }

  async #adopt(assigned: readonly TopicPartition[]): Promise<void> {
    const { owned } = this.#host;
    const revoked = without(owned, assigned);
    this.#held = { partitions: assigned, generation: this.#generation };
    if (revoked.length > 0) {
      await this.#host.revoke(revoked);
      // Somebody waits for what was given up.
      this.#wantsRejoin = true;
    }
    if (this.#isLost || !this.#isActive()) return;
    await this.#host.assign(without(assigned, owned));
  }

  async #untilRejoin(): Promise<void> {
    while (this.#isActive() && !this.#wantsRejoin && this.state === 'stable') {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#isActive()) this.state = nextState(this.state, 'again');
  }

  #rejoin(): void {
    this.#wantsRejoin = true;
    this.#wake?.();
  }

  /** Whether the answer is no refusal; otherwise does about it what has to be done. */
  #accepts(code: number): boolean {
    const reaction = classicReaction(code);
    if (reaction === 'wait' || reaction === 'find') {
      this.#link.forgetAfter(code);
      throw refusedBy(code, `group ${this.#settings.groupId}`);
    }
    this.#react(reaction, code);
    return reaction === 'fine';
  }

  #react(reaction: Reaction, code: number): void {
    switch (reaction) {
      case 'fine':
      case 'wait':
      case 'named':
        break;
      case 'find':
        this.#link.forgetAfter(code);
        break;
      case 'rejoin':
        this.#rejoin();
        break;
      case 'unknown':
      case 'lost':
        if (reaction === 'unknown') this.#memberId = '';
        this.#generation = NO_GENERATION;
        this.#isLost = true;
        this.#rejoin();
        break;
      case 'fatal':
        throw refusedBy(code, `group ${this.#settings.groupId}`);
    }
  }

  #beatLater(): void {
    this.#heartbeat?.cancel();
    const { clock } = this.#cluster.dependencies;
    this.#heartbeat = clock.after(this.#settings.heartbeatIntervalMs, () => void this.#beat());
  }

  async #beat(): Promise<void> {
    const { groupId, instanceId, sessionTimeoutMs } = this.#settings;
    const generationId = this.#generation;
    const memberId = this.#memberId;
    const body = { groupId, generationId, memberId, groupInstanceId: instanceId };
    try {
      const { errorCode } = await this.#link.request('heartbeat', heartbeat, body, { timeoutMs: sessionTimeoutMs });
      // A refusal of what this member is no more says nothing.
      if (generationId === this.#generation && memberId === this.#memberId && this.#beats) {
        this.#react(classicReaction(errorCode), errorCode);
      }
    } catch (error) {
      if (!mayRetry(error)) this.#end(error);
    }
    if (this.#beats && generationId === this.#generation) this.#beatLater();
  }

  /** Not while joining, when the coordinator itself holds this member's place. */
  get #beats(): boolean {
    const { state } = this;
    return this.#generation !== NO_GENERATION && (state === 'preparing' || state === 'adopting' || state === 'stable');
  }

  #end(error: unknown): void {
    if (!this.#isActive()) return;
    this.#quiet();
    this.state = nextState(this.state, 'suspended');
    this.#wake?.();
    this.#host.fail(error instanceof SluiceError ? error : unexpected(error));
  }

  /** The leader notices new partitions and topics; who subscribed by pattern, new topics. */
  #watchTopics(): void {
    this.#watch?.cancel();
    const { clock } = this.#cluster.dependencies;
    const isMissing = this.#assignedBy?.topics.some((topic) => !this.#assignedBy!.counts.has(topic)) ?? false;
    const { metadataMaxAgeMs } = this.#cluster.options;
    const delayMs = isMissing ? Math.min(MISSING_TOPICS_MS, metadataMaxAgeMs) : metadataMaxAgeMs;
    this.#watch = clock.after(delayMs, () => void this.#lookAtTopics());
  }

  async #lookAtTopics(): Promise<void> {
    try {
      const { subscription } = this.#host;
      if (subscription.kind === 'pattern') {
        const names = await subscribedTopics(this.#cluster, subscription);
        if (names.join('\n') !== this.#joinedTopics.join('\n')) return this.#rejoin();
      }
      const by = this.#assignedBy;
      if (by !== undefined && !isSameCounts(by.counts, (await topicFacts(this.#cluster, by.topics)).counts)) {
        return this.#rejoin();
      }
    } catch (error) {
      // The next look may do better; what cannot be mended shows in the rebalances.
      if (!(error instanceof SluiceError)) throw error;
    }
    if (this.state === 'stable') this.#watchTopics();
  }

  #quiet(): void {
    this.#heartbeat?.cancel();
    this.#watch?.cancel();
  }

  async #leave(reason: string): Promise<void> {
    const memberId = this.#memberId;
    if (memberId === '') return;
    this.#memberId = '';
    const { groupId, instanceId } = this.#settings;
    const members = [{ memberId, groupInstanceId: instanceId, reason }];
    // Where this does not arrive, the session runs out.
    await this.#link
      .request(
        'heartbeat',
        leaveGroup,
        (connection) => {
          const many = connection.versions.choose(leaveGroup) >= MANY_MEMBERS_SINCE;
          return many ? { groupId, memberId: '', members } : { groupId, memberId, members: [] };
        },
        { timeoutMs: LEAVE_TIMEOUT_MS },
      )
      .catch(() => undefined);
  }
}

const MANY_MEMBERS_SINCE = 3;

function unexpected(cause: unknown): SluiceError {
  return new SluiceError('UNEXPECTED', 'the membership failed', { cause, remedy: 'Look at the cause.' });
}

function unreadable(groupId: string): SluiceError {
  return new SluiceError('UNREADABLE_ASSIGNMENT', `group ${groupId}: the leader assigned in an unknown format`, {
    remedy: 'See which client leads the group.',
  });
}
