/**
 * Several quorum instances around an ensemble in memory, on one simulated clock: processes that are killed and started
 * again, links to ZooKeeper and among each other that are cut. Everything from one seed.
 */
import assert from 'node:assert/strict';
import type { Clock } from '../../../base/clock.ts';
import { SluiceError } from '../../../base/errors.ts';
import { type Logger, silentLogger } from '../../../base/logger.ts';
import { type Random, seededRandom } from '../../../base/random.ts';
import { SimulatedClock } from '../../../base/simulated-clock.ts';
import type { Channel } from '../../../network/channel.ts';
import { apiVersions } from '../../../protocol/apis/api-versions.ts';
import { fetch } from '../../../protocol/apis/fetch.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { BrokerRegistration } from '../../broker-registration.ts';
import type { MetadataImage } from '../../image.ts';
import { recordsOf } from '../../image-records.ts';
import { encodeRecord } from '../../records.ts';
import type { RecordStream } from '../../stream/record-stream.ts';
import { openSession } from './client/session.ts';
import { SimulatedEnsemble, type SimulatedEnsembleOptions } from './ensemble.test-kit.ts';
import { loadImage } from './store/load-image.ts';
import type { MultiLimits } from './store/plan-writes.ts';
import { ZooKeeperQuorum } from './zookeeper-quorum.ts';

export const SESSION_MS = 6000;
const STEP_MS = 2;
const FETCH_WAIT_MS = 1000;
const HANG_MS = 4000;
export const ROOT = '/sluice-test';

export interface WorldOptions extends SimulatedEnsembleOptions {
  readonly seed?: number;
  readonly limits?: MultiLimits;
  /** Of all brokers. */
  readonly logger?: Logger;
}

export interface NodeOptions {
  /** Of its data directory. */
  readonly identity?: string;
  /** Of its data directory, where it has one. */
  readonly clusterId?: string;
}

export class QuorumWorld {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly ensemble: SimulatedEnsemble;
  readonly nodes = new Map<number, QuorumNode>();
  readonly limits: MultiLimits | undefined;
  readonly logger: Logger;
  /** `a-b`: nothing passes between these brokers, and nobody is told. */
  readonly cutLinks = new Set<string>();
  /** Brokers whose listener refuses connections, and breaks those that it has, although they live. */
  readonly deaf = new Set<number>();

  constructor(options: WorldOptions = {}) {
    this.random = seededRandom(options.seed ?? 1);
    this.limits = options.limits;
    this.logger = options.logger ?? silentLogger;
    this.ensemble = new SimulatedEnsemble(options, this);
  }

  /** A new life of a broker: its process starts, registers and follows or leads. */
  start(id: number, options: NodeOptions = {}): QuorumNode {
    const life = (this.nodes.get(id)?.life ?? 0) + 1;
    const node = new QuorumNode(this, id, life, options);
    this.nodes.set(id, node);
    return node;
  }

  /** Lets time pass, a little at a time, with everything that follows from it. */
  async run(ms: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + ms;
    while (this.clock.monotonicMs() < untilMs) await this.#step();
  }

  async #step(): Promise<void> {
    this.clock.advance(STEP_MS);
    do {
      await new Promise(setImmediate);
    } while (this.clock.endTurn());
  }

  async until(condition: () => boolean, what: string, limitMs = 60_000): Promise<number> {
    const startedMs = this.clock.monotonicMs();
    while (!condition()) {
      assert.ok(this.clock.monotonicMs() - startedMs < limitMs, `within ${limitMs} ms: ${what}`);
      await this.#step();
    }
    return this.clock.monotonicMs() - startedMs;
  }

  /** Awaits a promise that needs time to pass. */
  async settled<T>(promise: Promise<T>, limitMs = 60_000): Promise<PromiseSettledResult<T>> {
    let outcome: PromiseSettledResult<T> | undefined;
    promise.then(
      (value) => {
        outcome = { status: 'fulfilled', value };
      },
      (reason: unknown) => {
        outcome = { status: 'rejected', reason };
      },
    );
    await this.until(() => outcome !== undefined, 'it settles', limitMs);
    return outcome!;
  }

  async value<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    const outcome = await this.settled(promise, limitMs);
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  get living(): QuorumNode[] {
    return [...this.nodes.values()].filter(({ alive }) => alive);
  }

  get active(): QuorumNode[] {
    return this.living.filter(({ quorum }) => quorum.isActiveController());
  }

  /** The one active controller that all others follow. */
  async leader(limitMs?: number): Promise<QuorumNode> {
    await this.until(
      () => {
        const [leader, ...others] = this.active;
        if (leader === undefined || others.length > 0) return false;
        const epoch = leader.quorum.controllerEpoch();
        return this.living.every(({ quorum }) => quorum.controllerEpoch() === epoch && quorum.image().epoch === epoch);
      },
      'one controller that all follow',
      limitMs,
    );
    return this.active[0]!;
  }

  /** What the znodes say, read by an outsider. */
  async stored(): Promise<MetadataImage> {
    const session = openSession(
      { connect: this.connect, sessionTimeoutMs: 10_000, connectionTimeoutMs: 10_000, maxInFlight: 100 },
      { clock: this.clock, random: this.random, transport: this.ensemble.transport('outsider'), logger: silentLogger },
    );
    const newId = (): string => assert.fail('all topics have ids');
    const { image, repairs } = await this.value(loadImage(session, { clusterId: 'any', epoch: 1, newId, nowMs: 1 }));
    assert.deepEqual(repairs, [], 'nothing is half done');
    await this.value(session.close());
    return image;
  }

  get connect(): string {
    return `${this.ensemble.connect}${ROOT}`;
  }

  reaches(from: number, to: number): boolean {
    return !this.cutLinks.has(`${from}-${to}`) && !this.cutLinks.has(`${to}-${from}`);
  }
}

/** An image as text that does not depend on the order in which it came about. */
export function contentOf(image: MetadataImage): string[] {
  return [...recordsOf(image)].map((record) => encodeRecord(record).toString('hex')).sort();
}

export class QuorumNode {
  readonly id: number;
  readonly life: number;
  readonly quorum: ZooKeeperQuorum;
  readonly failures: Error[] = [];
  readonly roles: boolean[] = [];
  readonly started: Promise<void>;
  /** Of its registration. */
  brokerEpoch = -1;
  alive = true;
  readonly #world: QuorumWorld;

  constructor(world: QuorumWorld, id: number, life: number, options: NodeOptions) {
    const { identity = `directory-${id}`, clusterId } = options;
    this.#world = world;
    this.id = id;
    this.life = life;
    this.quorum = new ZooKeeperQuorum(
      {
        brokerId: id,
        interBrokerListener: 'INTERNAL',
        connect: world.connect,
        sessionTimeoutMs: SESSION_MS,
        connectionTimeoutMs: SESSION_MS,
        maxInFlight: 10,
        ...(world.limits === undefined ? {} : { limits: world.limits }),
        onFailure: (error) => this.failures.push(error),
      },
      {
        clock: this.#ownClock(),
        random: seededRandom(world.random.below(2 ** 31)),
        logger: world.logger,
        transport: world.ensemble.transport(this.client),
        connectController: ({ port }) => this.#connectTo(port),
      },
    );
    this.quorum.onRole((active) => this.roles.push(active));
    this.started = this.quorum.clusterId(clusterId).then(() => this.quorum.start(identity));
    this.started.then(
      () => this.#register(identity),
      // A process that cannot start ends.
      () => this.kill(),
    );
  }

  /** The name of this life on the way to ZooKeeper. */
  get client(): string {
    return `broker-${this.id}-life-${this.life}`;
  }

  #register(identity: string): void {
    if (!this.alive) return;
    this.quorum.registerBroker(registrationOf(this.id, this.life, identity)).then(
      ({ brokerEpoch }) => {
        this.brokerEpoch = brokerEpoch;
      },
      () => undefined,
    );
  }

  /** kill -9: nothing of it runs any more, its connections break, its session lives on until it times out. */
  kill(): void {
    this.alive = false;
    this.#world.ensemble.dropConnections(this.client);
    this.quorum.stream.close();
  }

  async stop(): Promise<void> {
    await this.#world.value(this.quorum.close());
    this.alive = false;
  }

  #ownClock(): Clock {
    const { clock } = this.#world;
    const ifAlive = (callback: () => void) => (): void => {
      if (this.alive) callback();
    };
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, callback) => clock.after(delayMs, ifAlive(callback)),
      every: (periodMs, callback) => clock.every(periodMs, ifAlive(callback)),
      afterTurn: (callback) => clock.afterTurn(ifAlive(callback)),
    };
  }

  /** The port is the broker's id. */
  async #connectTo(port: number): Promise<Channel> {
    const world = this.#world;
    const peer = world.nodes.get(port);
    if (!world.reaches(this.id, port)) {
      await new Promise<void>((resolve) => world.clock.after(HANG_MS, resolve));
      throw new SluiceError('BROKER_UNREACHABLE', 'timed out');
    }
    if (peer?.alive !== true || world.deaf.has(port)) {
      const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      throw new SluiceError('BROKER_UNREACHABLE', 'connect ECONNREFUSED', { cause });
    }
    const { clock } = world;
    return channelTo(peer.quorum.stream, clock, async (closed) => {
      if (!world.reaches(this.id, port)) {
        await Promise.race([new Promise<void>((resolve) => clock.after(HANG_MS, resolve)), closed]);
        throw new SluiceError('REQUEST_TIMED_OUT', 'timed out');
      }
      if (!peer.alive || world.deaf.has(port)) throw new SluiceError('BROKER_DISCONNECTED', 'gone');
    });
  }
}

/** A connection to the broker that has this stream. `deliver` may keep an answer from arriving. */
export function channelTo(
  stream: RecordStream,
  clock: Clock,
  deliver: (closed: Promise<never>) => Promise<void> = async () => undefined,
): Channel {
  let close = (): void => undefined;
  const closed = new Promise<never>((_, reject) => {
    close = () => reject(new SluiceError('CHANNEL_CLOSED', 'closed'));
  });
  closed.catch(() => undefined);
  const request = async (api: { key: number }, _version: number, body: never): Promise<unknown> => {
    const answer = api.key === apiVersions.key ? {} : answerOf(stream, clock, api.key === fetch.key, body);
    const reply = await Promise.race([answer, closed]);
    await deliver(closed);
    return reply;
  };
  return { request, close: async () => close() } as unknown as Channel;
}

/** As a broker's handlers answer. */
async function answerOf(stream: RecordStream, clock: Clock, isFetch: boolean, body: never): Promise<unknown> {
  if (!isFetch) return answerSnapshot(stream, body);
  const { topics } = body as { topics: { partitions: { fetchOffset: number; lastFetchedEpoch: number }[] }[] };
  const { fetchOffset, lastFetchedEpoch } = topics[0]!.partitions[0]!;
  const answer = (part: object): unknown => ({
    errorCode: 0,
    responses: [
      { partitions: [{ errorCode: 0, snapshotId: { endOffset: -1, epoch: -1 }, records: Buffer.alloc(0), ...part }] },
    ],
  });
  const untilMs = clock.monotonicMs() + FETCH_WAIT_MS;
  for (;;) {
    const found = stream.read(fetchOffset, lastFetchedEpoch, 100_000);
    if (found.kind === 'closed') return answer({ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER });
    if (found.kind === 'snapshot') return answer({ snapshotId: { endOffset: found.id.offset, epoch: found.id.epoch } });
    const leftMs = untilMs - clock.monotonicMs();
    if (found.bytes.length > 0 || leftMs <= 0) return answer({ records: Buffer.concat(found.bytes) });
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        stop();
        timer.cancel();
        resolve();
      };
      const stop = stream.onChange(finish);
      const timer = clock.after(leftMs, finish);
    });
  }
}

async function answerSnapshot(stream: RecordStream, body: never): Promise<unknown> {
  const { topics } = body as {
    topics: { partitions: { snapshotId: { endOffset: number; epoch: number }; position: number }[] }[];
  };
  const { snapshotId, position } = topics[0]!.partitions[0]!;
  const content = await stream.snapshot({ offset: snapshotId.endOffset, epoch: snapshotId.epoch });
  const partition =
    content === undefined
      ? { errorCode: ErrorCode.SNAPSHOT_NOT_FOUND }
      : { errorCode: 0, size: content.length, unalignedRecords: content.subarray(position) };
  return { errorCode: 0, topics: [{ partitions: [partition] }] };
}

export function registrationOf(brokerId: number, life: number, directory: string): BrokerRegistration {
  const inBytes = (text: string): string => Buffer.from(text.padEnd(16, '.').slice(0, 16)).toString('base64url');
  return {
    brokerId,
    clusterId: 'any',
    incarnationId: inBytes(`life-${brokerId}-${life}`),
    endpoints: [
      { name: 'CLIENTS', host: 'clients.example', port: 1, securityProtocol: 0 },
      { name: 'INTERNAL', host: 'broker', port: brokerId, securityProtocol: 0 },
    ],
    rack: brokerId % 2 === 0 ? 'even' : null,
    logDirs: [inBytes(directory)],
    features: [{ name: 'group.version', minSupportedVersion: 0, maxSupportedVersion: 1 }],
    unfenced: true,
  };
}
