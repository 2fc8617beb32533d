/** Members of groups in `groups.ts`, as simple as the protocols allow: they read nothing, and only keep their place. */
import { systemClock } from '../src/base/clock.ts';
import { systemRandom } from '../src/base/random.ts';
import { newUuid } from '../src/base/uuid.ts';
import type { Channel } from '../src/network/channel.ts';
import { consumerGroupHeartbeat } from '../src/protocol/apis/consumer-group-heartbeat.ts';
import { heartbeat } from '../src/protocol/apis/heartbeat.ts';
import { joinGroup } from '../src/protocol/apis/join-group.ts';
import { leaveGroup } from '../src/protocol/apis/leave-group.ts';
import { syncGroup } from '../src/protocol/apis/sync-group.ts';
import { readAssignment, writeAssignment } from '../src/protocol/consumer-protocol.ts';
import { ErrorCode, errorName } from '../src/protocol/error-codes.ts';
import type { BenchMember } from './groups.ts';

const HEARTBEAT_MS = 3000;
const SESSION_MS = 45_000;
const REBALANCE_MS = 60_000;
const PROTOCOL = { protocolType: 'consumer', protocolName: 'range' } as const;

const pause = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.after(ms, resolve));

/** The first heartbeat comes some time within the interval: members of real groups do not beat as one. */
const spread = (ms: number): number => Math.ceil(systemRandom.fraction() * ms);

/** Version 0, one topic, no user data. */
function subscription(topic: string): Buffer {
  const head = Buffer.from([0, 0, 0, 0, 0, 1, 0, topic.length]);
  return Buffer.concat([head, Buffer.from(topic), Buffer.from([0xff, 0xff, 0xff, 0xff])]);
}

export class ClassicBenchMember implements BenchMember {
  settledIn: number | undefined;
  partitions: readonly number[] = [];
  requests = 0;
  readonly #channel: Channel;
  readonly #topic: string;
  readonly #partitions: number;
  #memberId = '';
  #generation = -1;
  #left = false;
  #beats = 0;

  constructor(channel: Channel, { topic, partitions }: { readonly topic: string; readonly partitions: number }) {
    this.#channel = channel;
    this.#topic = topic;
    this.#partitions = partitions;
  }

  start(): void {
    void this.#live();
  }

  async #live(): Promise<void> {
    while (!this.#left) {
      if (this.settledIn === undefined) await this.#rebalance();
      else {
        await pause(this.#beats++ === 0 ? spread(HEARTBEAT_MS) : HEARTBEAT_MS);
        if (!this.#left) await this.#beat();
      }
    }
  }

  async #rebalance(): Promise<void> {
    this.requests++;
    const joined = await this.#channel.request(joinGroup, 9, {
      groupId: 'classic',
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      memberId: this.#memberId,
      groupInstanceId: null,
      protocolType: PROTOCOL.protocolType,
      protocols: [{ name: PROTOCOL.protocolName, metadata: subscription(this.#topic) }],
      reason: null,
    });
    if (joined.memberId !== '') this.#memberId = joined.memberId;
    if (joined.errorCode !== ErrorCode.NONE) return;
    this.#generation = joined.generationId;
    this.requests++;
    const isLeader = joined.leader === joined.memberId;
    const synced = await this.#channel.request(syncGroup, 5, {
      groupId: 'classic',
      generationId: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: null,
      ...PROTOCOL,
      assignments: isLeader ? this.#assign(joined.members.map(({ memberId }) => memberId)) : [],
    });
    if (synced.errorCode !== ErrorCode.NONE) return;
    this.partitions = readAssignment(synced.assignment)?.assignedPartitions[0]?.partitions ?? [];
    this.settledIn = this.#generation;
  }

  #assign(members: readonly string[]): { memberId: string; assignment: Buffer }[] {
    return members.map((memberId, at) => {
      const mine: number[] = [];
      for (let partition = at; partition < this.#partitions; partition += members.length) mine.push(partition);
      return { memberId, assignment: writeAssignment(0, [{ topic: this.#topic, partitions: mine }]) };
    });
  }

  async #beat(): Promise<void> {
    this.requests++;
    const { errorCode } = await this.#channel.request(heartbeat, 4, {
      groupId: 'classic',
      generationId: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: null,
    });
    if (errorCode !== ErrorCode.NONE) this.settledIn = undefined;
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = '';
  }

  async leave(): Promise<void> {
    this.#left = true;
    const members = [{ memberId: this.#memberId, groupInstanceId: null, reason: null }];
    await this.#channel.request(leaveGroup, 5, { groupId: 'classic', members, memberId: '' });
    await this.#channel.close();
  }
}

export class ConsumerBenchMember implements BenchMember {
  settledIn: number | undefined;
  partitions: readonly number[] = [];
  requests = 0;
  readonly #channel: Channel;
  readonly #topic: string;
  readonly #topicId: string;
  readonly #memberId = newUuid(systemRandom);
  #epoch = 0;
  #left = false;
  #beats = 0;
  #wake: () => void = () => undefined;

  constructor(channel: Channel, { topic, topicId }: { readonly topic: string; readonly topicId: string }) {
    this.#channel = channel;
    this.#topic = topic;
    this.#topicId = topicId;
  }

  start(): void {
    void this.#live();
  }

  async #live(): Promise<void> {
    let tellOwned = true;
    while (!this.#left) {
      const { heartbeatIntervalMs, changed } = await this.#beat(tellOwned);
      // What it was given or had to give up it tells at once, as consumers do.
      tellOwned = changed;
      if (changed || this.#left) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        systemClock.after(this.#beats++ === 0 ? spread(heartbeatIntervalMs) : heartbeatIntervalMs, resolve);
      });
    }
  }

  async #beat(tellOwned: boolean): Promise<{ heartbeatIntervalMs: number; changed: boolean }> {
    this.requests++;
    const isNew = this.#epoch === 0;
    const owned = this.partitions.length === 0 ? [] : [{ topicId: this.#topicId, partitions: [...this.partitions] }];
    const answer = await this.#channel.request(consumerGroupHeartbeat, 1, {
      groupId: 'consumer',
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: isNew ? REBALANCE_MS : -1,
      subscribedTopicNames: isNew ? [this.#topic] : null,
      subscribedTopicRegex: isNew ? '' : null,
      serverAssignor: null,
      topicPartitions: tellOwned || isNew ? owned : null,
    });
    const { errorCode, memberEpoch, heartbeatIntervalMs, assignment } = answer;
    if (this.#left) return { heartbeatIntervalMs, changed: false };
    if (errorCode !== ErrorCode.NONE) throw new Error(`a heartbeat was refused: ${errorName(errorCode as ErrorCode)}`);
    this.#epoch = memberEpoch;
    this.settledIn = memberEpoch;
    if (assignment === null) return { heartbeatIntervalMs, changed: false };
    this.partitions = assignment.topicPartitions.flatMap(({ partitions }) => partitions);
    return { heartbeatIntervalMs, changed: true };
  }

  async leave(): Promise<void> {
    this.#left = true;
    this.#wake();
    const answer = { groupId: 'consumer', memberId: this.#memberId, memberEpoch: -1, instanceId: null, rackId: null };
    await this.#channel.request(consumerGroupHeartbeat, 1, {
      ...answer,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
    });
    await this.#channel.close();
  }
}
