/**
 * Walks a group through random joins, leaves, deaths, changes of subscription, new and growing topics and restarts of
 * the broker, over simulated time, with members that behave as KIP-848 asks of clients.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Random, seededRandom } from '../../../base/random.ts';
import type { ConsumerGroupHeartbeatResponse } from '../../../protocol/apis/consumer-group-heartbeat.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import { SimulatedShard } from './simulated-shard.test.support.ts';

const HEARTBEAT_MS = 5000;
const SESSION_MS = 45_000;
const TOPICS = ['a', 'b', 'c'];
const PATTERNS = ['[ab]', 'c.*', '.*'];

interface Subscription {
  readonly names: readonly string[] | null;
  readonly pattern: string | null;
}

/** A client: gives up partitions a while after it is told to, and takes new ones at once. */
class Member {
  readonly id: string;
  readonly instanceId: string | null;
  epoch = 0;
  owned = new Set<string>();
  target: Set<string> | undefined;
  subscription: Subscription;
  alive = true;
  #told = false;
  #lastBeatMs = Number.NEGATIVE_INFINITY;
  #revokedAtMs = 0;
  readonly #revokeMs: number;

  constructor(id: string, instanceId: string | null, subscription: Subscription, random: Random) {
    this.id = id;
    this.instanceId = instanceId;
    this.subscription = subscription;
    this.#revokeMs = random.below(4) * 4000;
  }

  tick(shard: SimulatedShard): void {
    const nowMs = shard.clock.monotonicMs();
    this.#revoke(nowMs);
    if (nowMs - this.#lastBeatMs < HEARTBEAT_MS) return;
    this.#lastBeatMs = nowMs;
    const joins = this.epoch === 0;
    const { names, pattern } = this.subscription;
    const told = joins || !this.#told;
    this.#told = true;
    const reply = shard.beat({
      memberId: this.id,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      rebalanceTimeoutMs: told ? 30_000 : -1,
      subscribedTopicNames: told ? [...(names ?? [])] : null,
      subscribedTopicRegex: told ? (pattern ?? '') : null,
      topicPartitions: listOf(this.owned),
    });
    this.#take(reply, nowMs);
  }

  subscribe(subscription: Subscription): void {
    this.subscription = subscription;
    this.#told = false;
  }

  #take(reply: ConsumerGroupHeartbeatResponse, nowMs: number): void {
    if (reply.errorCode === ErrorCode.FENCED_MEMBER_EPOCH || reply.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) {
      this.epoch = 0;
      this.owned.clear();
      this.target = undefined;
      return;
    }
    if (reply.errorCode === ErrorCode.UNRELEASED_INSTANCE_ID) return;
    assert.equal(reply.errorCode, ErrorCode.NONE, String(reply.errorMessage));
    assert.ok(reply.memberEpoch! >= this.epoch, 'the epoch of a member never falls');
    this.epoch = reply.memberEpoch!;
    if (reply.assignment === null || reply.assignment === undefined) return;
    const assigned = reply.assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
      partitions.map((partition) => `${topicId}:${partition}`),
    );
    this.target = new Set(assigned);
    const isShrinking = [...this.owned].some((partition) => !this.target!.has(partition));
    if (isShrinking) this.#revokedAtMs = nowMs + this.#revokeMs;
    else this.owned = new Set(assigned);
  }

  #revoke(nowMs: number): void {
    if (this.target === undefined || nowMs < this.#revokedAtMs) return;
    if ([...this.owned].some((partition) => !this.target!.has(partition))) {
      this.owned = new Set(this.target);
      // A client tells at once that it has let go.
      this.#lastBeatMs = Number.NEGATIVE_INFINITY;
    }
  }
}

function listOf(owned: ReadonlySet<string>): { topicId: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const partition of owned) {
    const [topicId, number] = partition.split(':') as [string, string];
    topics.set(topicId, [...(topics.get(topicId) ?? []), Number(number)]);
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions }));
}

class Walk {
  readonly shard: SimulatedShard;
  readonly random: Random;
  members: Member[] = [];
  #next = 0;
  #groupEpoch = 0;

  constructor(seed: number) {
    this.shard = new SimulatedShard({
      seed,
      config: { 'group.consumer.assignors': seed % 3 === 0 ? 'range' : 'uniform' },
    });
    this.random = seededRandom(seed + 1);
    for (const topic of TOPICS.slice(0, 2)) this.shard.createTopic(topic, 1 + this.random.below(6));
  }

  #subscription(): Subscription {
    if (this.random.below(4) === 0) return { names: null, pattern: PATTERNS[this.random.below(PATTERNS.length)]! };
    return { names: TOPICS.filter(() => this.random.below(3) > 0), pattern: null };
  }

  event(): void {
    const { shard, random, members } = this;
    const some = members[random.below(Math.max(1, members.length))];
    switch (random.below(11)) {
      case 0:
      case 1:
      case 2: {
        const id = `m${this.#next++}`;
        const instanceId = random.below(4) === 0 ? `i-${id}` : null;
        if (members.length < 7) members.push(new Member(id, instanceId, this.#subscription(), random));
        return;
      }
      case 3:
        if (some !== undefined) this.#leave(some);
        return;
      case 4:
        if (some !== undefined) some.alive = false;
        return;
      case 5:
      case 6:
        some?.subscribe(this.#subscription());
        return;
      case 7:
        shard.growTopic(TOPICS[random.below(2)]!);
        return;
      case 8:
        if (!shard.image.topics.byName.has('c')) shard.createTopic('c', 3);
        else shard.deleteTopic('c');
        return;
      case 9:
        this.#restart();
        return;
      default:
        return;
    }
  }

  #leave(member: Member): void {
    this.members = this.members.filter((one) => one !== member);
    if (member.epoch > 0) {
      this.shard.beat({ memberId: member.id, memberEpoch: -1, instanceId: member.instanceId });
    }
  }

  /** What is loaded is what was there. */
  #restart(): void {
    const before = this.shard.shard.consumer.describe(['g']);
    this.shard.restart();
    assert.deepEqual(this.shard.shard.consumer.describe(['g']), before);
  }

  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1000) {
      for (const member of this.members) if (member.alive) member.tick(this.shard);
      this.shard.clock.advance(1000);
      this.check();
    }
  }

  /** Nobody holds what another holds; epochs only rise. Whoever is dead may hold things until its session ends. */
  check(): void {
    const owners = new Map<string, string>();
    const known = this.shard.group?.members;
    for (const member of this.members) {
      if (!member.alive || !known?.has(member.id)) continue;
      for (const partition of member.owned) {
        assert.equal(owners.get(partition), undefined, `${partition} is ${member.id}'s alone`);
        owners.set(partition, member.id);
      }
    }
    const epoch = this.shard.group?.groupEpoch ?? this.#groupEpoch;
    assert.ok(epoch >= this.#groupEpoch, 'the group epoch never falls');
    this.#groupEpoch = epoch;
  }

  /** After a quiet time all that somebody wants is somebody's. */
  settle(): void {
    this.members = this.members.filter(({ alive }) => alive);
    this.run(SESSION_MS + 180_000);
    if (this.members.length === 0) return;
    const owned = new Set(this.members.flatMap((member) => [...member.owned]));
    const wanted = [...this.shard.image.topics.byName.values()].filter(({ name }) =>
      this.members.some(({ subscription: { names, pattern } }) =>
        names === null ? new RegExp(`^(?:${pattern})$`).test(name) : names.includes(name),
      ),
    );
    const all = wanted.flatMap(({ id, partitions }) => partitions.map((_, partition) => `${id}:${partition}`));
    assert.deepEqual([...owned].sort(), all.sort());
    assert.equal(this.shard.group!.stateName, 'Stable');
  }
}

const SEEDS = Number(process.env['SLUICE_WALKS'] ?? 60);
const first = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1_000_000));

test(`a partition is one member's at a time and none is forgotten (seeds from ${first})`, () => {
  for (let seed = first; seed < first + SEEDS; seed++) {
    try {
      const walk = new Walk(seed);
      for (let event = 0; event < 40; event++) {
        walk.event();
        walk.run(1000 * (1 + walk.random.below(15)));
      }
      walk.settle();
    } catch (error) {
      throw new Error(`SLUICE_SEED=${seed} SLUICE_WALKS=1 repeats this`, { cause: error });
    }
  }
});
