/**
 * Brokers that replicate, in one process on simulated time and disks: requests travel as frames through links that delay
 * and can be cut, the controller's decisions reach each broker when they do, brokers are killed, lose power, hang and come
 * back. What happens is decided by the seed and the test.
 */
import assert from 'node:assert/strict';
import { SluiceError } from '../base/errors.ts';
import type { silentLogger } from '../base/logger.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { SimulatedDisk } from '../base/simulated-disk.ts';
import type { BrokerId } from '../base/units.ts';
import type { Channel } from '../network/channel.ts';
import type { Connection } from '../network/connection.ts';
import { SessionSlots } from '../network/session-slots.ts';
import type { AlterPartitionResponse } from '../protocol/apis/alter-partition.ts';
import { fetch } from '../protocol/apis/fetch.ts';
import { type ProduceResponse, produce } from '../protocol/apis/produce.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../protocol/frames.ts';
import type { Api, DecodedFields, EncodableFields, Fields } from '../protocol/schema.ts';
import * as batch from '../records/batch.ts';
import { buildBatch } from '../records/builder.ts';
import { readRecords } from '../records/reader.ts';
import type { Partition } from '../replication/partition.ts';
import type { Log } from '../storage/log.ts';
import { TestController } from './replica-controller.test.support.ts';
import { ProcessClock, ReplicaNode } from './replica-node.test.support.ts';

export const TOPIC = 't';
export const TOPIC_ID = 'qqqqqqqqqqqqqqqqqqqqqg';
/** Stands for the controller, and for clients, where links are cut. */
export const CONTROLLER = -1;
export const CLIENT = -2;

const OVERRIDES = {
  'replica.lag.time.max.ms': '2000',
  'replica.fetch.wait.max.ms': '500',
  'replica.fetch.backoff.ms': '400',
  'replica.socket.timeout.ms': '3000',
  'log.segment.delete.delay.ms': '0',
};

export interface WorldOptions {
  readonly seed?: number;
  readonly brokers?: number;
  readonly overrides?: Readonly<Record<string, string>>;
  /** How long a message travels, at most. */
  readonly delayMs?: number;
  /** What waits for a disk waits for the end of a step, and longer while the disk is in `heldDisks`. */
  readonly holdsDisks?: boolean;
}

export class ReplicaWorld {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly controller = new TestController();
  readonly nodes = new Map<BrokerId, ReplicaNode>();
  readonly disks = new Map<BrokerId, SimulatedDisk>();
  readonly racks = new Map<BrokerId, string>();
  readonly heldDisks = new Set<BrokerId>();
  readonly brokerIds: readonly BrokerId[];
  delayMs: number;
  readonly #overrides: Readonly<Record<string, string>>;
  readonly #cut = new Set<string>();
  readonly channels = new Set<WorldChannel>();
  #seeds = 0;
  /** What went wrong where nobody could throw. */
  readonly failures: unknown[] = [];

  constructor(options: WorldOptions = {}) {
    const seed = options.seed ?? 1;
    this.random = seededRandom(seed);
    this.delayMs = options.delayMs ?? 2;
    this.#overrides = { ...OVERRIDES, ...options.overrides };
    this.brokerIds = Array.from({ length: options.brokers ?? 3 }, (_, index) => index + 1);
    const { holdsDisks: holdsAsync = false } = options;
    for (const id of this.brokerIds) {
      this.disks.set(id, new SimulatedDisk({ random: seededRandom(seed * 31 + id), holdsAsync }));
    }
    this.controller.onCommit = () => this.#tellMetadata();
  }

  /** A world whose brokers run and know of one topic, with one replica of each partition on every broker. */
  static async create(options: WorldOptions & { partitions?: number; configs?: object } = {}): Promise<ReplicaWorld> {
    const world = new ReplicaWorld(options);
    for (const id of world.brokerIds) await world.start(id);
    const assignments = Array.from({ length: options.partitions ?? 1 }, (_, index) =>
      world.brokerIds.map((_id, at) => world.brokerIds[(at + index) % world.brokerIds.length]!),
    );
    world.controller.createTopic(TOPIC, TOPIC_ID, assignments, options.configs);
    await world.run(1500);
    return world;
  }

  /** Starts a broker process. Resolves once it takes part. */
  async start(id: BrokerId): Promise<ReplicaNode> {
    assert.equal(this.nodes.has(id), false, `broker ${id} runs already`);
    const fileSystem = this.disks.get(id)!.boot();
    const clock = new ProcessClock(this.clock);
    const brokerEpoch = this.controller.register(id, this.racks.get(id) ?? null);
    const node = new ReplicaNode(
      { brokerId: id, brokerEpoch, overrides: this.#overrides, seed: 1000 * ++this.#seeds + id },
      {
        clock,
        fileSystem,
        image: this.controller.image,
        isrChanges: {
          alter: (request) =>
            this.ask<AlterPartitionResponse>(id, CONTROLLER, clock, () =>
              Promise.resolve(this.controller.alter(request)),
            ),
        },
        openChannel: (peer) => this.connect(id, peer, clock),
        ...(process.env.WORLD_LOG === undefined ? {} : { logger: this.#printing(id) }),
      },
    );
    const known = this.controller.commits.length;
    let started = false;
    const starting = node.start().then(() => {
      started = true;
    });
    await this.settle();
    await starting;
    assert.ok(started);
    this.nodes.set(id, node);
    this.#metadataAt.set(node, known);
    this.controller.unfence(id);
    await this.settle();
    return node;
  }

  #printing(id: BrokerId) {
    const print = (message: string, fields: object = {}): void => {
      console.error(this.clock.monotonicMs().toFixed(0), id, message, JSON.stringify(fields));
    };
    const logger = { debug: print, info: print, warn: print, error: print, with: () => logger };
    return logger as typeof silentLogger;
  }

  /** The process is gone; its disk keeps what it wrote, or only what was synced. */
  kill(id: BrokerId, { losesPower = false } = {}): void {
    const node = this.nodes.get(id)!;
    this.nodes.delete(id);
    node.clock.isDead = true;
    if (losesPower) this.disks.get(id)!.losePower();
    else this.disks.get(id)!.kill();
    for (const channel of [...this.channels]) if (channel.from === id || channel.to === id) channel.reset();
  }

  async stop(id: BrokerId): Promise<void> {
    const node = this.nodes.get(id)!;
    const stopped = node.stop();
    await this.settle();
    await stopped;
    this.nodes.delete(id);
    node.clock.isDead = true;
    for (const channel of [...this.channels]) if (channel.from === id || channel.to === id) channel.reset();
  }

  // Links

  cut(from: BrokerId, to: BrokerId): void {
    this.#cut.add(`${from}>${to}`);
  }

  isolate(id: BrokerId): void {
    for (const other of [...this.brokerIds, CONTROLLER, CLIENT]) {
      if (other === id) continue;
      this.cut(id, other);
      this.cut(other, id);
    }
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Whether the controller and a broker do not hear of each other. */
  isCut(id: BrokerId): boolean {
    return this.#cut.has(`${id}>${CONTROLLER}`) || this.#cut.has(`${CONTROLLER}>${id}`);
  }

  /** Lets `arrive` happen on the other side: later, and not before the link is there. */
  transmit(from: BrokerId, to: BrokerId, arrive: () => void, notBeforeMs = 0): number {
    const nowMs = this.clock.monotonicMs();
    const atMs = Math.max(notBeforeMs, nowMs + this.random.fraction() * this.delayMs);
    const attempt = (): void => {
      if (this.#cut.has(`${from}>${to}`)) this.clock.after(20, attempt);
      else arrive();
    };
    this.clock.after(atMs - nowMs, attempt);
    return atMs;
  }

  /** A request to the controller: rejects where no answer comes in time. */
  ask<Answer>(from: BrokerId, to: BrokerId, clock: ProcessClock, answer: () => Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      clock.after(1000, () => reject(new SluiceError('REQUEST_TIMED_OUT', 'no answer', { retriable: true })));
      this.transmit(from, to, () => {
        void answer().then((value) => {
          this.transmit(to, from, () => clock.run(() => resolve(value)));
        });
      });
    });
  }

  connect(from: BrokerId, to: BrokerId, clock: ProcessClock): Promise<Channel> {
    return new Promise((resolve, reject) => {
      const refuse = (why: string): void => reject(new SluiceError('BROKER_UNREACHABLE', why, { retriable: true }));
      const timer = clock.after(1000, () => refuse('no answer'));
      this.transmit(from, to, () => {
        const node = this.nodes.get(to);
        this.transmit(to, from, () =>
          clock.run(() => {
            timer.cancel();
            if (node === undefined || this.nodes.get(to) !== node) refuse('connection refused');
            else resolve(new WorldChannel(this, { from, to, node }, clock));
          }),
        );
      });
    });
  }

  // Metadata

  readonly #metadataAt = new Map<ReplicaNode, number>();
  /** How long a decision of the controller takes to reach a broker, at most. */
  metadataDelayMs = 5;

  #tellMetadata(): void {
    for (const node of this.nodes.values()) {
      const delay = this.random.fraction() * this.metadataDelayMs;
      this.clock.after(delay, () => this.#catchUp(node, this.controller.commits.length));
    }
  }

  #catchUp(node: ReplicaNode, upTo: number): void {
    if (this.nodes.get(node.brokerId) !== node) return;
    if (this.#cut.has(`${CONTROLLER}>${node.brokerId}`)) {
      this.clock.after(20, () => this.#catchUp(node, upTo));
      return;
    }
    const from = this.#metadataAt.get(node)!;
    this.#metadataAt.set(node, Math.max(from, upTo));
    for (const { delta, image } of this.controller.commits.slice(from, upTo)) {
      node.clock.run(() => node.follow(delta, image));
    }
  }

  /** Metadata reach the broker only when told. */
  async deliverMetadata(id: BrokerId): Promise<void> {
    this.#catchUp(this.nodes.get(id)!, this.controller.commits.length);
    await this.settle();
  }

  // Time

  /** Lets all that is possible now happen. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise(setImmediate);
      let busy = this.clock.endTurn();
      for (const [id, disk] of this.disks) {
        if (this.heldDisks.has(id) || disk.waiting === 0) continue;
        disk.letGo();
        busy = true;
      }
      quiet = busy ? 0 : quiet + 1;
    }
    if (this.failures.length > 0) throw this.failures[0];
  }

  async run(ms: number, stepMs = 5): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(stepMs);
      await this.settle();
    }
  }

  /** Runs until the condition holds; fails where it does not in time. */
  async until(condition: () => boolean, what: string, withinMs = 20_000): Promise<void> {
    for (let passed = 0; !condition(); passed += 5) {
      assert.ok(passed < withinMs, `not within ${withinMs} ms: ${what}`);
      await this.run(5);
    }
  }

  // Clients

  partition(id: BrokerId, index = 0, topic = TOPIC): Partition {
    const found = this.nodes.get(id)!.replication.replicas.find(topic, index);
    assert.ok(typeof found !== 'number', `broker ${id} has no ${topic}-${index}: ${String(found)}`);
    return found;
  }

  log(id: BrokerId, index = 0): Log {
    return this.partition(id, index).log;
  }

  state(index = 0) {
    return this.controller.image.topics.byId.get(TOPIC_ID)!.partitions[index]!;
  }

  /** Produces values in one batch; resolves with the partition's response, rejects where none came. */
  async produce(
    to: BrokerId,
    values: readonly string[],
    options: { readonly acks?: number; readonly timeoutMs?: number; readonly partition?: number } = {},
  ): Promise<Produced> {
    const { acks = -1, timeoutMs = 3000, partition = 0 } = options;
    const timestamp = this.clock.wallMs();
    const records = buildBatch({
      records: values.map((value) => ({ key: null, value: Buffer.from(value), timestamp })),
    });
    const clock = new ProcessClock(this.clock);
    const channel = await this.connect(CLIENT, to, clock);
    const body = { transactionalId: null, acks, timeoutMs };
    try {
      const response: ProduceResponse = await channel.request(
        produce,
        12,
        { ...body, topicData: [{ name: TOPIC, topicId: TOPIC_ID, partitionData: [{ index: partition, records }] }] },
        { timeoutMs: timeoutMs + 2000 },
      );
      const told = response.responses![0]!.partitionResponses![0]!;
      return { errorCode: told.errorCode!, baseOffset: told.baseOffset!, response };
    } finally {
      void channel.close();
    }
  }

  /** Runs the world until a promise settles. */
  async finish<Value>(promise: Promise<Value>, withinMs = 20_000): Promise<Value> {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    await this.until(() => done, 'a request is answered', withinMs);
    return settled;
  }

  async fetch(
    to: BrokerId,
    asked: { readonly offset: number; readonly epoch?: number; readonly rack?: string; readonly maxWaitMs?: number },
  ) {
    const channel = await this.connect(CLIENT, to, new ProcessClock(this.clock));
    try {
      const partition = { partition: 0, fetchOffset: asked.offset, currentLeaderEpoch: asked.epoch ?? -1 };
      const response = await channel.request(fetch, fetch.request.versions.to, {
        maxWaitMs: asked.maxWaitMs ?? 0,
        minBytes: 1,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [{ topic: '', topicId: TOPIC_ID, partitions: [{ ...partition, partitionMaxBytes: 1_000_000 }] }],
        forgottenTopicsData: [],
        rackId: asked.rack ?? '',
      });
      return { ...response.responses[0]!.partitions[0]!, nodeEndpoints: response.nodeEndpoints };
    } finally {
      void channel.close();
    }
  }
}

export interface Produced {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly response: ProduceResponse;
}

interface WorldRequest {
  /** Decodes and resolves. */
  accept(frame: Buffer): void;
  reject(error: SluiceError): void;
}

/** A connection between two processes: what is sent arrives in order, or never. */
export class WorldChannel implements Channel {
  readonly host = 'sim';
  readonly port = 1;
  readonly queuedBytes = 0;
  open = true;
  readonly from: BrokerId;
  readonly to: BrokerId;
  readonly #world: ReplicaWorld;
  readonly #node: ReplicaNode;
  readonly #clock: ProcessClock;
  readonly #connection: Connection;
  readonly #onClose: ((reason: SluiceError | undefined) => void)[] = [];
  readonly #serverClose: (() => void)[] = [];
  #pending: WorldRequest[] = [];
  readonly #there: Buffer[] = [];
  readonly #back: Buffer[] = [];
  #correlationId = 0;
  #lastThereMs = 0;
  #lastBackMs = 0;
  #replies: Promise<void> = Promise.resolve();

  constructor(world: ReplicaWorld, ends: { from: BrokerId; to: BrokerId; node: ReplicaNode }, clock: ProcessClock) {
    this.#world = world;
    this.from = ends.from;
    this.to = ends.to;
    this.#node = ends.node;
    this.#clock = clock;
    this.#connection = {
      id: 1,
      remoteAddress: `broker ${ends.from}`,
      remotePort: 1,
      localPort: 1,
      listenerName: 'PLAINTEXT',
      state: new SessionSlots(),
      authenticated: true,
      recycle: () => undefined,
      close: () => undefined,
      onClose: (listener) => void this.#serverClose.push(listener),
      onPeerEnd: (listener) => void this.#serverClose.push(listener),
    };
    world.channels.add(this);
  }

  get requestsInFlight(): number {
    return this.#pending.length;
  }

  request<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    version: number,
    body: EncodableFields<Req>,
    { timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {},
  ): Promise<DecodedFields<Res>> {
    if (!this.open) return Promise.reject(new SluiceError('CHANNEL_CLOSED', 'closed', { retriable: true }));
    const correlationId = this.#correlationId++;
    const frame = Buffer.concat(encodeRequestFrame(api, version, { correlationId, clientId: 'test' }, body)).subarray(
      4,
    );
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => this.#fail('REQUEST_TIMED_OUT'));
      const settled = (act: () => void): void => {
        timer.cancel();
        act();
      };
      this.#pending.push({
        accept: (answer) => settled(() => resolve(decodeResponseFrame(api, version, answer).body)),
        reject: (error) => settled(() => reject(error)),
      });
      this.#there.push(frame);
      // Whatever arrives is what was sent first: a cut that ends may let the second one through before.
      const arrived = (): void => this.#arrived(this.#there.shift()!);
      this.#lastThereMs = this.#world.transmit(this.from, this.to, arrived, this.#lastThereMs);
    });
  }

  #arrived(frame: Buffer): void {
    this.#node.clock.run(() => {
      if (!this.open) return;
      const answer = this.#node.answer(frame, this.#connection);
      this.#replies = this.#replies.then(async () => {
        try {
          const bytes = await answer;
          if (bytes !== undefined && !this.#node.clock.isDead) this.#reply(bytes);
        } catch (error) {
          // A process that is gone fails at its disk.
          if (!this.#node.clock.isDead) this.#world.failures.push(error);
        }
      });
    });
  }

  #reply(bytes: Buffer): void {
    this.#back.push(bytes);
    const deliver = (): void => {
      const first = this.#back.shift()!;
      this.#clock.run(() => {
        if (this.open) this.#pending.shift()!.accept(first);
      });
    };
    this.#lastBackMs = this.#world.transmit(this.to, this.from, deliver, this.#lastBackMs);
  }

  send(): void {
    assert.fail('nobody sends without waiting here');
  }

  onClose(listener: (reason: SluiceError | undefined) => void): void {
    this.#onClose.push(listener);
  }

  close(): Promise<void> {
    this.#fail('CHANNEL_CLOSED');
    return Promise.resolve();
  }

  /** The process at one end is gone: the other one is told, where anything gets through. */
  reset(): void {
    this.#world.transmit(this.to, this.from, () => this.#fail('BROKER_DISCONNECTED'));
    this.#hangUp();
  }

  #fail(code: string): void {
    if (!this.open) return;
    this.open = false;
    this.#world.channels.delete(this);
    const error = new SluiceError(code, code, { retriable: true });
    for (const request of this.#pending.splice(0)) request.reject(error);
    for (const listener of this.#onClose) listener(error);
    this.#world.transmit(this.from, this.to, () => this.#hangUp());
  }

  #hangUp(): void {
    for (const listener of this.#serverClose.splice(0)) this.#node.clock.run(listener);
  }
}

/** Every record of a log from `from` on, below `to`, as offset, epoch and value. */
export function recordsOf(log: Log, from = log.startOffset, to = log.endOffset) {
  const records: { offset: number; epoch: number; value: string }[] = [];
  for (let next = from; next < to; ) {
    const read = log.read(next, { maxBytes: 100_000, minOneBatch: true, upTo: to });
    assert.ok(read.ok, 'a log can be read');
    if (read.region === undefined) break;
    const bytes = Buffer.alloc(read.region.length);
    read.region.file.readSync(bytes, read.region.position);
    read.region.release();
    for (let at = 0; at + batch.BATCH_HEADER_BYTES <= bytes.length; at += batch.batchBytes(bytes, at)) {
      if (at + batch.batchBytes(bytes, at) > bytes.length) break;
      const epoch = batch.leaderEpoch(bytes, at);
      for (const record of readRecords(bytes, at, { maxUncompressedBytes: 1_000_000 })) {
        if (record.offset >= next && record.offset < to) {
          records.push({ offset: record.offset, epoch, value: String(record.value) });
        }
      }
      next = Math.max(next, batch.lastOffset(bytes, at) + 1);
    }
  }
  return records;
}

export const NONE = ErrorCode.NONE;
