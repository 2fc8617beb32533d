/** A seeded random life of replicating brokers, checked against what must hold after every step and once all is healed. */
import assert from 'node:assert/strict';
import type { BrokerId } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { ReplicaWorld, recordsOf, TOPIC, TOPIC_ID } from './replica-world.test.support.ts';

const PARTITIONS = 2;
/** The controller gives a broker up that it did not hear of for so long. */
const SESSION_MS = 1500;

export interface WalkReport {
  readonly acknowledged: number;
  readonly refused: number;
  readonly kills: number;
  readonly elections: number;
}

interface Acknowledged {
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
}

export class ReplicaWalk {
  readonly world: ReplicaWorld;
  readonly #acknowledged: Acknowledged[] = [];
  /** By partition: what somebody could see as committed, by offset. */
  readonly #committed: Map<number, string>[] = Array.from({ length: PARTITIONS }, () => new Map());
  /** By broker process and partition: up to where that was looked at, and how often the log was cut. */
  readonly #seen = new Map<string, number>();
  readonly #leaders = new Map<string, BrokerId>();
  readonly #unreachableSince = new Map<BrokerId, number>();
  /** High watermark of each partition in one leadership. */
  readonly #highWatermarks = new Map<string, number>();
  #pending = 0;
  #values = 0;
  #refused = 0;
  #kills = 0;

  /** Every third seed makes records durable before they are acknowledged, every fourth fetches through two connections. */
  static async create(seed: number): Promise<ReplicaWalk> {
    const flushes = seed % 3 === 0 ? { 'flush.messages': 1 } : {};
    const configs = { 'min.insync.replicas': 2, 'internal.segment.bytes': 1500, ...flushes };
    const overrides = { 'num.replica.fetchers': seed % 4 === 0 ? '2' : '1' };
    const holdsDisks = seed % 3 === 0;
    return new ReplicaWalk(await ReplicaWorld.create({ seed, partitions: PARTITIONS, configs, overrides, holdsDisks }));
  }

  constructor(world: ReplicaWorld) {
    this.world = world;
  }

  async walk(steps: number): Promise<WalkReport> {
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.#run(1 + this.world.random.below(120));
      this.#check();
    }
    await this.#healAndCompare();
    return {
      acknowledged: this.#acknowledged.length,
      refused: this.#refused,
      kills: this.#kills,
      elections: this.world.state(0).leaderEpoch + this.world.state(1).leaderEpoch,
    };
  }

  async #run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5) {
      await this.world.run(5);
      this.#endWithoutDisk();
      this.#watchSessions();
    }
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.world.random.below(Math.max(1, items.length))];
  }

  async #step(): Promise<void> {
    const { world } = this;
    const up = [...world.nodes.keys()];
    const down = world.brokerIds.filter((id) => !world.nodes.has(id));
    const kind = world.random.below(100);
    if (kind < 52) this.#produce();
    else if (kind < 54) this.#deleteRecords();
    else if (kind < 57) this.#reassign();
    else if (kind < 60) this.#fillDisk();
    else if (kind < 64) this.#kill(this.#pick(up));
    else if (kind < 75) await this.#start(this.#pick(down));
    else if (kind < 79) this.#pause(this.#pick(up));
    else if (kind < 84) for (const node of world.nodes.values()) node.clock.resume();
    else if (kind < 88) this.#cut();
    else if (kind < 93) world.heal();
    else if (kind < 96) this.#elect();
    else if (kind < 98) world.metadataDelayMs = [0, 5, 50, 600][world.random.below(4)]!;
    else world.delayMs = [1, 2, 20, 100][world.random.below(4)]!;
  }

  #produce(): void {
    const { world } = this;
    const partition = world.random.below(PARTITIONS);
    const { leader } = world.state(partition);
    // Clients may be late to hear of a new leader.
    const to = world.random.below(5) === 0 ? this.#pick(world.brokerIds)! : leader;
    if (to < 0) return;
    const count = 1 + world.random.below(3);
    const values = Array.from({ length: count }, () => `v${++this.#values}:${'x'.repeat(world.random.below(200))}`);
    const acks = world.random.below(5) === 0 ? 1 : -1;
    this.#pending++;
    void world
      .produce(to, values, { acks, partition, timeoutMs: 200 + world.random.below(3000) })
      .then(({ errorCode, baseOffset }) => {
        if (errorCode !== ErrorCode.NONE) this.#refused++;
        if (errorCode !== ErrorCode.NONE || acks === 1) return;
        let offset = baseOffset;
        for (const value of values) this.#acknowledged.push({ partition, offset: offset++, value });
      })
      .catch(() => {
        this.#refused++;
      })
      .finally(() => {
        this.#pending--;
      });
  }

  #kill(id: BrokerId | undefined): void {
    if (id === undefined) return;
    const { world } = this;
    this.#kills++;
    // Beyond what replication promises: the last in-sync replica loses what it did not sync.
    const others = [0, 1].every((index) => world.state(index).isr.some((member) => member !== id));
    const losesPower = others && world.random.below(3) === 0;
    world.kill(id, { losesPower });
    // One that lost records must not be the last in-sync one because the controller heard of another death first.
    if (losesPower) world.controller.fence(id);
    const detectedMs = 10 + world.random.below(1000);
    const { epoch } = world.controller.image.brokers.get(id)!;
    world.clock.after(detectedMs, () => {
      if (world.controller.image.brokers.get(id)?.epoch === epoch) world.controller.fence(id);
    });
  }

  async #start(id: BrokerId | undefined): Promise<void> {
    if (id === undefined || this.world.nodes.has(id)) return;
    // Nobody starts on a full disk.
    this.world.disks.get(id)!.capacityBytes = 2 ** 40;
    await this.world.start(id);
    this.#unreachableSince.delete(id);
  }

  #pause(id: BrokerId | undefined): void {
    if (id !== undefined) this.world.nodes.get(id)!.clock.pause();
  }

  #cut(): void {
    const { world } = this;
    const id = this.#pick(world.brokerIds)!;
    const other = this.#pick(world.brokerIds.filter((one) => one !== id))!;
    switch (world.random.below(3)) {
      case 0:
        world.isolate(id);
        break;
      case 1:
        world.cut(id, other);
        world.cut(other, id);
        break;
      default:
        world.cut(id, other);
    }
  }

  #deleteRecords(): void {
    const index = this.world.random.below(PARTITIONS);
    const { leader } = this.world.state(index);
    if (!this.world.nodes.has(leader)) return;
    const partition = this.world.partition(leader, index);
    if (partition.log.failure !== undefined) return;
    partition.deleteRecordsBefore(this.world.random.below(partition.highWatermark + 1));
    partition.log.applyRetention(this.world.clock.wallMs());
  }

  /** Takes a replica away that is not needed for what is committed, or gives one back. */
  #reassign(): void {
    const { world } = this;
    const index = world.random.below(PARTITIONS);
    const { replicas, isr, leader } = world.state(index);
    const missing = world.brokerIds.filter((id) => !replicas.includes(id));
    if (missing.length > 0) world.controller.change(TOPIC_ID, index, { replicas: [...replicas, ...missing] });
    else if (isr.length === world.brokerIds.length) {
      const going = this.#pick(replicas.filter((id) => id !== leader));
      const stays = (id: BrokerId): boolean => id !== going;
      world.controller.change(TOPIC_ID, index, { replicas: replicas.filter(stays), isr: isr.filter(stays) });
    }
  }

  /** Another disk is full for a while, and then none is. */
  #fillDisk(): void {
    const full = this.world.random.below(2) === 0 ? this.#pick(this.world.brokerIds) : undefined;
    for (const [id, disk] of this.world.disks) {
      disk.capacityBytes = id === full ? disk.usedBytes + this.world.random.below(2000) : 2 ** 40;
    }
  }

  #elect(): void {
    const partition = this.world.random.below(PARTITIONS);
    const { isr, leader } = this.world.state(partition);
    const next = this.#pick(isr.filter((id) => id !== leader));
    const active = next !== undefined && this.world.controller.image.brokers.get(next)?.fenced === false;
    if (leader >= 0 && active) this.world.controller.elect(TOPIC_ID, partition, next);
  }

  /** A broker that has no log directory any more stops. */
  #endWithoutDisk(): void {
    for (const [id, node] of this.world.nodes) {
      if (node.logs.directories().some(({ online }) => online)) continue;
      this.world.kill(id);
      this.world.controller.fence(id);
    }
  }

  /** What the controller does about brokers that it does not hear of, and hears of again. */
  #watchSessions(): void {
    const { world } = this;
    const nowMs = world.clock.monotonicMs();
    for (const node of world.nodes.values()) {
      const id = node.brokerId;
      const { fenced } = world.controller.image.brokers.get(id)!;
      const reachable = !node.clock.isPaused && !world.isCut(id);
      if (reachable) {
        this.#unreachableSince.delete(id);
        if (fenced) world.controller.unfence(id);
        continue;
      }
      const since = this.#unreachableSince.get(id) ?? nowMs;
      this.#unreachableSince.set(id, since);
      if (!fenced && nowMs - since > SESSION_MS) world.controller.fence(id);
    }
  }

  /** What must hold at every moment. */
  #check(): void {
    for (const [id, node] of this.world.nodes) {
      for (let index = 0; index < PARTITIONS; index++) {
        const partition = node.replication.replicas.find(TOPIC, index);
        if (typeof partition === 'number') continue;
        const { highWatermark, log, isLeader } = partition;
        assert.ok(highWatermark <= log.endOffset, `broker ${id}: high watermark ${highWatermark} of ${log.endOffset}`);
        const key = `${node.brokerEpoch}/${index}`;
        this.#checkCommitted(id, index, `${key}#${log.directory}`);
        if (!isLeader) continue;
        const { leaderEpoch } = partition.state;
        const known = this.#leaders.get(`${index}/${leaderEpoch}`);
        assert.ok(known === undefined || known === id, `two leaders of ${index} in epoch ${leaderEpoch}`);
        this.#leaders.set(`${index}/${leaderEpoch}`, id);
        const led = `${key}/${leaderEpoch}`;
        const before = this.#highWatermarks.get(led) ?? 0;
        assert.ok(highWatermark >= before, `the high watermark of a leader fell from ${before} to ${highWatermark}`);
        this.#highWatermarks.set(led, highWatermark);
      }
    }
  }

  /** Nobody ever sees two records at one offset. */
  #checkCommitted(id: BrokerId, index: number, key: string): void {
    const { log, highWatermark } = this.world.partition(id, index);
    const cuts = `${key}#${log.truncations}`;
    const from = Math.max(this.#seen.get(cuts) ?? 0, log.startOffset);
    if (from >= highWatermark) return;
    const committed = this.#committed[index]!;
    for (const { offset, value } of recordsOf(log, from, highWatermark)) {
      const known = committed.get(offset);
      assert.ok(known === undefined || known === value, `broker ${id}, ${index}@${offset}: ${value}, seen ${known}`);
      committed.set(offset, value);
    }
    this.#seen.set(cuts, highWatermark);
  }

  async #healAndCompare(): Promise<void> {
    const { world } = this;
    world.heal();
    for (const disk of world.disks.values()) disk.capacityBytes = 2 ** 40;
    for (let index = 0; index < PARTITIONS; index++) {
      const { replicas } = world.state(index);
      const missing = world.brokerIds.filter((id) => !replicas.includes(id));
      if (missing.length > 0) world.controller.change(TOPIC_ID, index, { replicas: [...replicas, ...missing] });
    }
    world.delayMs = 2;
    world.metadataDelayMs = 5;
    for (const node of world.nodes.values()) node.clock.resume();
    this.#endWithoutDisk();
    for (const id of world.brokerIds) await this.#start(world.nodes.has(id) ? undefined : id);
    this.#watchSessions();
    const healed = (): boolean => {
      this.#watchSessions();
      return [0, 1].every((index) => world.state(index).isr.length === world.brokerIds.length);
    };
    await world.until(healed, 'all replicas are in sync again', 30_000);
    await world.run(1000);
    for (let index = 0; index < PARTITIONS; index++) {
      const told = await world.finish(world.produce(world.state(index).leader, [`last${index}`], { partition: index }));
      assert.equal(told.errorCode, ErrorCode.NONE);
    }
    await world.until(() => this.#pending === 0, 'every producer has its answer');
    await world.run(1000);
    this.#check();
    for (let index = 0; index < PARTITIONS; index++) this.#compare(index);
  }

  #compare(index: number): void {
    const { world } = this;
    const { leader } = world.state(index);
    // A leader that died may have told some replicas of a deletion that its successor does not know of.
    const startOffset = Math.max(...world.brokerIds.map((id) => world.log(id, index).startOffset));
    const records = recordsOf(world.log(leader, index), startOffset);
    for (const id of world.brokerIds) {
      const log = world.log(id, index);
      assert.deepEqual(recordsOf(log, startOffset), records, `${index}: broker ${id} has what ${leader} has`);
      assert.equal(log.highWatermark, world.log(leader, index).endOffset);
    }
    const byOffset = new Map(records.map(({ offset, value }) => [offset, value]));
    for (const { partition, offset, value } of this.#acknowledged) {
      if (partition === index && offset >= startOffset)
        assert.equal(byOffset.get(offset), value, `${index}@${offset} was acknowledged`);
    }
    for (const [offset, value] of this.#committed[index]!) {
      if (offset >= startOffset) assert.equal(byOffset.get(offset), value, `${index}@${offset} was seen`);
    }
    assert.equal(new Set(records.map(({ value }) => value)).size, records.length, 'no value is there twice');
  }
}
