/**
 * A member of a group of the newer protocol (KIP-848): heartbeats say what it wants and holds, their answers what it
 * shall hold; it lets go first, takes then, and says so. One heartbeat at a time, on a timer and a connection of their own;
 * adopting an assignment waits for the reader and never holds them up.
 */
import type { Timer } from '../../../base/clock.ts';
import { SluiceError } from '../../../base/errors.ts';
import type { TopicPartition } from '../../../base/units.ts';
import { newUuid, type Uuid } from '../../../base/uuid.ts';
import { consumerGroupHeartbeat } from '../../../protocol/apis/consumer-group-heartbeat.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { RequestBody, ResponseBody } from '../../api-types.ts';
import type { Cluster } from '../../cluster.ts';
import { mayRetry, refusedBy } from '../../errors.ts';
import { backoffMs } from '../../retry.ts';
import type { CoordinatorLink } from './coordinator-link.ts';
import {
  type GroupMembership,
  type MemberIdentity,
  type MemberState,
  type MembershipHost,
  nextState,
} from './membership.ts';
import { byTopic, without } from './partition-sets.ts';
import { commitReaction, consumerReaction } from './reactions.ts';
import type { GroupSettings } from './settings.ts';

const JOIN = 0;
const LEAVE = -1;
/** Of a static member, which keeps its partitions until it is back or its session is over. */
const LEAVE_FOR_NOW = -2;
const LEAVE_TIMEOUT_MS = 3000;
/** Until the first answer tells the group's own interval. */
const FIRST_INTERVAL_MS = 1000;
/** Before a topic is looked up again whose id nobody knew. */
const UNKNOWN_TOPIC_MS = 250;

type Body = RequestBody<typeof consumerGroupHeartbeat>;
type Answer = ResponseBody<typeof consumerGroupHeartbeat>;
type Target = NonNullable<Answer['assignment']>['topicPartitions'];

export class ConsumerMember implements GroupMembership {
  readonly usesMemberEpoch = true;
  state: MemberState = 'away';
  readonly #cluster: Cluster;
  readonly #link: CoordinatorLink;
  readonly #settings: GroupSettings;
  readonly #host: MembershipHost;
  readonly #memberId: Uuid;
  #epoch = JOIN;
  #intervalMs = FIRST_INTERVAL_MS;
  /** What the coordinator knows of this member; undefined where it has to be told all. */
  #told: { readonly subscription: string; readonly owned: string } | undefined;
  #target: Target | undefined;
  /** Partitions that are being taken: held as soon as that is through. */
  #taking: readonly TopicPartition[] = [];
  readonly #topicIds = new Map<string, Uuid>();
  #timer: Timer | undefined;
  #beating: Promise<void> | undefined;
  #beatAgain = false;
  #adopting: Promise<void> | undefined;
  #isLost = false;
  /** Counts the attempts to join, of which only the last one goes on. */
  #joins = 0;
  #failures = 0;

  constructor(cluster: Cluster, link: CoordinatorLink, settings: GroupSettings, host: MembershipHost) {
    this.#cluster = cluster;
    this.#link = link;
    this.#settings = settings;
    this.#host = host;
    this.#memberId = newUuid(cluster.dependencies.random);
  }

  get identity(): MemberIdentity {
    return { memberId: this.#memberId, epoch: this.#epoch, instanceId: this.#settings.instanceId };
  }

  start(): void {
    if (this.state !== 'away') return;
    this.state = nextState(this.state, 'start');
    void this.#join();
  }

  /** Takes a new place in the group, having given up what the former one held. */
  async #join(): Promise<void> {
    const joins = ++this.#joins;
    if (this.#isLost) await this.#host.lose(this.#host.owned);
    // Who went meanwhile, and perhaps came back, joins by a later call.
    if (!this.#isActive() || joins !== this.#joins) return;
    this.#isLost = false;
    this.#epoch = JOIN;
    this.#told = undefined;
    this.#target = undefined;
    this.state = nextState(this.state, 'prepared');
    this.#beatNow();
  }

  subscriptionChanged(): void {
    this.#beatNow();
  }

  /** Epochs are learned from heartbeats alone. */
  commitRefused(code: number): void {
    if (commitReaction(code) !== 'fine') this.#beatNow();
  }

  async suspend(): Promise<void> {
    if (!this.#isActive()) return;
    this.state = nextState(this.state, 'suspended');
    this.#timer?.cancel();
    // At once, so that nothing is committed any more in its name.
    this.#epoch = LEAVE;
    await this.#leave();
  }

  async resume(): Promise<void> {
    if (this.state !== 'away') return;
    this.#isLost = true;
    this.start();
  }

  async close(leave: boolean): Promise<void> {
    const wasMember = this.#isActive();
    this.state = nextState(this.state, 'closed');
    this.#timer?.cancel();
    await this.#adopting;
    if (wasMember && (leave || this.#settings.instanceId !== null)) await this.#leave(leave);
    await this.#beating;
  }

  /** As a call, for the state changes while others are waited for. */
  #isActive(): boolean {
    return this.state !== 'away' && this.state !== 'closed';
  }

  #beatNow(): void {
    this.#beatAgain = true;
    if (this.#beating !== undefined || !this.#isActive() || this.state === 'preparing') return;
    this.#timer?.cancel();
    this.#beatAgain = false;
    this.#beating = this.#beat().finally(() => {
      this.#beating = undefined;
      if (this.#beatAgain) this.#beatNow();
    });
  }

  #beatIn(delayMs: number): void {
    this.#timer?.cancel();
    // Whoever waits for records has nothing else open while the coordinator is away.
    const holdsProcess = this.#failures > 0;
    this.#timer = this.#cluster.dependencies.clock.after(delayMs, () => this.#beatNow(), { holdsProcess });
  }

  async #beat(): Promise<void> {
    const { body, told } = this.#request();
    const isJoining = body.memberEpoch === JOIN;
    try {
      const answer = await this.#link.request('heartbeat', consumerGroupHeartbeat, body);
      // Of a place in the group that it has given up meanwhile.
      if (!this.#isActive() || (isJoining ? this.#epoch !== JOIN : this.#epoch === JOIN)) return;
      if (answer.errorCode === ErrorCode.NONE) this.#accept(answer, told);
      else this.#refused(answer);
    } catch (error) {
      // Nobody knows what arrived: the next one tells all again.
      this.#told = undefined;
      if (mayRetry(error)) this.#retryLater();
      else this.#end(error);
    }
  }

  #accept(answer: Answer, told: { readonly subscription: string; readonly owned: string }): void {
    this.#failures = 0;
    this.#told = told;
    this.#epoch = answer.memberEpoch;
    this.#intervalMs = answer.heartbeatIntervalMs;
    if (answer.assignment !== null) this.#target = answer.assignment.topicPartitions;
    if (this.state === 'joining' || answer.assignment !== null) {
      if (this.state !== 'adopting') this.state = nextState(this.state, 'assigned');
      this.#adopt();
    }
    this.#beatIn(this.#intervalMs);
  }

  #refused({ errorCode, errorMessage }: Answer): void {
    const reaction = consumerReaction(errorCode, { isMember: this.#epoch !== JOIN });
    this.#told = undefined;
    if (reaction === 'find' || reaction === 'wait') {
      this.#link.forgetAfter(errorCode);
      this.#retryLater();
    } else if (reaction === 'lost') {
      this.#isLost = true;
      this.#target = undefined;
      this.state = nextState(this.state, 'again');
      void this.#join();
    } else {
      this.#end(refusedBy(errorCode, `group ${this.#settings.groupId}`, errorMessage));
    }
  }

  #retryLater(): void {
    if (!this.#isActive()) return;
    this.#failures++;
    const { options, dependencies } = this.#cluster;
    this.#beatIn(backoffMs(options.backoff, this.#failures, dependencies.random));
  }

  #end(error: unknown): void {
    if (!this.#isActive()) return;
    this.#timer?.cancel();
    this.state = nextState(this.state, 'suspended');
    const remedy = 'Look at the cause.';
    const failure = new SluiceError('UNEXPECTED', 'the membership failed', { cause: error, remedy });
    this.#host.fail(error instanceof SluiceError ? error : failure);
  }

  /** A request says only what the coordinator does not know yet. */
  #request(): { body: Body; told: { subscription: string; owned: string } } {
    const { groupId, instanceId, rack, maxPollIntervalMs, serverAssignor } = this.#settings;
    const { subscription } = this.#host;
    const owned = this.#ownedIds();
    const told = { subscription: describe(this.#host), owned: JSON.stringify(owned) };
    const tellsAll = this.#told === undefined;
    const tellsWish = this.#told?.subscription !== told.subscription;
    const names = subscription.kind === 'topics' ? [...subscription.topics] : [];
    const body = {
      groupId,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      instanceId,
      rackId: tellsAll && rack !== '' ? rack : null,
      rebalanceTimeoutMs: tellsAll ? maxPollIntervalMs : -1,
      subscribedTopicNames: tellsWish ? names : null,
      // Null says that nothing changed, empty that there is no pattern any more. Those who never had one do not say so,
      // for version 0 has no word for it.
      subscribedTopicRegex: tellsWish ? this.#pattern() : null,
      serverAssignor: tellsAll ? serverAssignor : null,
      topicPartitions: tellsAll || this.#told?.owned !== told.owned ? owned : null,
    };
    return { body, told };
  }

  #pattern(): string | null {
    const { subscription } = this.#host;
    if (subscription.kind === 'pattern') return subscription.pattern.source;
    return this.#told?.subscription.startsWith('pattern') === true ? '' : null;
  }

  /**
   * What is held, and what may be held before the answer comes. Who left the latter out could be heard to have let go of a
   * partition that it is about to take: the coordinator would give it to another member at the same time.
   */
  #ownedIds(): { topicId: Uuid; partitions: number[] }[] {
    // Who joins holds nothing.
    if (this.#epoch === JOIN) return [];
    const byId = new Map<Uuid, Set<number>>();
    const add = (topicId: Uuid, partitions: readonly number[]): void => {
      const known = byId.get(topicId) ?? new Set();
      for (const partition of partitions) known.add(partition);
      byId.set(topicId, known);
    };
    for (const { topic, partitions } of byTopic([...this.#host.owned, ...this.#taking])) {
      add(this.#topicIds.get(topic)!, partitions);
    }
    for (const { topicId, partitions } of this.#target ?? []) add(topicId, partitions);
    return [...byId]
      .map(([topicId, partitions]) => ({ topicId, partitions: [...partitions].sort((left, right) => left - right) }))
      .sort((left, right) => (left.topicId < right.topicId ? -1 : 1));
  }

  #adopt(): void {
    this.#adopting ??= this.#adoptAll()
      .catch((error: unknown) => this.#end(error))
      .finally(() => {
        this.#adopting = undefined;
      });
  }

  /** Until what is held is what shall be held; a target that changes meanwhile is the next one. */
  async #adoptAll(): Promise<void> {
    while (this.#isActive() && this.#target !== undefined) {
      const target = this.#target;
      const { found, isComplete } = await this.#name(target);
      const isCurrent = (): boolean => this.#target === target && this.#isActive() && !this.#isLost;
      const revoked = without(this.#host.owned, found);
      if (revoked.length > 0 && isCurrent()) await this.#host.revoke(revoked);
      if (!isCurrent()) continue;
      const added = without(found, this.#host.owned);
      this.#taking = added;
      if (added.length > 0) await this.#host.assign(added);
      this.#taking = [];
      if (!isCurrent()) continue;
      if (isComplete) {
        this.#target = undefined;
        this.state = nextState(this.state, 'adopted');
      }
      if (revoked.length > 0 || added.length > 0) this.#beatNow();
      if (!isComplete) await this.#pause(UNKNOWN_TOPIC_MS);
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#cluster.dependencies.clock.after(delayMs, resolve);
    });
  }

  /** The partitions of topics whose names are known. */
  async #name(target: Target): Promise<{ found: TopicPartition[]; isComplete: boolean }> {
    const found: TopicPartition[] = [];
    let isComplete = true;
    for (const { topicId, partitions } of target) {
      const name = await this.#nameOf(topicId);
      if (name === undefined) isComplete = false;
      else for (const partition of partitions) found.push({ topic: name, partition });
    }
    return { found, isComplete };
  }

  async #nameOf(topicId: Uuid): Promise<string | undefined> {
    try {
      const view = await this.#cluster.topicWithId(topicId);
      if (view === undefined) return undefined;
      this.#topicIds.set(view.name, topicId);
      return view.name;
    } catch (error) {
      if (mayRetry(error) || error instanceof SluiceError) return undefined;
      throw error;
    }
  }

  /** Best effort: where this does not arrive, the session runs out. */
  async #leave(forGood = true): Promise<void> {
    const { groupId, instanceId } = this.#settings;
    const memberEpoch = instanceId !== null || !forGood ? LEAVE_FOR_NOW : LEAVE;
    if (memberEpoch === LEAVE_FOR_NOW && instanceId === null) return;
    const body = { groupId, memberId: this.#memberId, memberEpoch, instanceId };
    const timeoutMs = LEAVE_TIMEOUT_MS;
    await this.#link.request('heartbeat', consumerGroupHeartbeat, body, { timeoutMs }).catch(() => undefined);
  }
}

function describe({ subscription }: MembershipHost): string {
  if (subscription.kind === 'pattern') return `pattern ${subscription.pattern.source}`;
  return `topics ${[...subscription.topics].sort().join(',')}`;
}
