/**
 * A whole cluster in one process: hosts with real brokers, clients, one network and one clock, all from a seed. Owns the
 * loop that lets things happen, one event after another. What is done to the cluster is in cluster-steps.ts, what must
 * hold in cluster-invariants.ts.
 */
import { type Random, seededRandom } from '../../src/base/random.ts';
import { SimulatedClock } from '../../src/base/simulated-clock.ts';
import type { BrokerServices } from '../../src/broker/services.ts';
import { Cluster } from '../../src/client/cluster.ts';
import { SimulatedEnsemble } from '../../src/metadata/quorums/zookeeper/ensemble.test-kit.ts';
import { connect } from '../../src/network/channel.ts';
import { forgetAllCopyBuffers } from '../../src/network/copy-buffers.ts';
import { BROKER_PORT, SimulatedHost } from './host.ts';
import { SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';
import { Trace } from './trace.ts';

/** Where the brokers of a cluster keep their metadata: with the first of them, or in ZooKeeper. */
export type QuorumKind = 'local' | 'zookeeper';

export interface WorldOptions {
  readonly seed: number;
  readonly quorum: QuorumKind;
  readonly brokers: number;
  readonly config?: Readonly<Record<string, string>>;
  readonly print?: ((line: string) => void) | undefined;
}

/** Events without any passing of time after which something runs in a circle. */
const MOST_TURNS = 100_000;
/** The broker whose own quorum the others follow. */
export const CONTROLLER_ID = 1;

/** Options of each broker: everything as in production but small, quick to notice, and without threads. */
const BROKER_CONFIG: Readonly<Record<string, string>> = {
  'log.cleaner.enable': 'false',
  'queued.max.request.bytes': '134217728',
  'offsets.topic.num.partitions': '2',
  'offsets.topic.replication.factor': '3',
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'auto.create.topics.enable': 'false',
  'replica.lag.time.max.ms': '1500',
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'leader.imbalance.check.interval.seconds': '5',
  'log.roll.ms': '4000',
  'log.index.interval.bytes': '512',
  'log.index.size.max.bytes': '8192',
};

export class ClusterWorld {
  readonly seed: number;
  readonly clock = new SimulatedClock();
  readonly trace: Trace;
  readonly network: SimulatedNetwork;
  readonly ensemble: SimulatedEnsemble | undefined;
  readonly hosts: SimulatedHost[] = [];
  /** Rejections that nobody handled: bugs of whoever rejected. */
  readonly unhandled: unknown[] = [];
  /** Called for each broker that was built. */
  onServices: (host: SimulatedHost, services: BrokerServices) => void = () => undefined;
  /** Called after each event, when nothing is under way any more. */
  afterEvent: () => void = () => undefined;
  events = 0;
  readonly #clients: Cluster[] = [];
  readonly #onUnhandled = (reason: unknown): void => void this.unhandled.push(reason);

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    forgetAllCopyBuffers();
    this.trace = new Trace({ clock: this.clock, print: options.print });
    this.network = new SimulatedNetwork({
      clock: this.clock,
      random: this.randomFor('network'),
      onArrival: (_from, _to, bytes) => this.trace.arrival(bytes),
    });
    if (options.quorum === 'zookeeper') {
      this.ensemble = new SimulatedEnsemble({}, { clock: this.clock, random: this.randomFor('ensemble') });
    }
    for (let brokerId = 1; brokerId <= options.brokers; brokerId++) {
      this.hosts.push(
        new SimulatedHost(
          {
            brokerId,
            seed: options.seed * 31 + brokerId,
            mode: (options.seed + brokerId) % 2 === 0 ? 'journal' : 'any',
            config: { ...BROKER_CONFIG, ...this.#quorumConfig(brokerId), ...options.config },
          },
          {
            clock: this.clock,
            network: this.network,
            ensemble: this.ensemble,
            logger: this.trace.logger(),
            onServices: (host, services) => this.onServices(host, services),
          },
        ),
      );
    }
    process.on('unhandledRejection', this.#onUnhandled);
  }

  #quorumConfig(brokerId: number): Readonly<Record<string, string>> {
    const { ensemble } = this;
    if (ensemble !== undefined) {
      const sessionMs = { 'zookeeper.session.timeout.ms': '3000', 'zookeeper.connection.timeout.ms': '10000' };
      return { 'zookeeper.connect': `${ensemble.connect}/sluice`, ...sessionMs };
    }
    if (brokerId === CONTROLLER_ID) return {};
    return {
      'process.roles': 'broker',
      'controller.quorum.voters': `${CONTROLLER_ID}@b${CONTROLLER_ID}:${BROKER_PORT}`,
    };
  }

  /** Randomness for one purpose: what one does with it changes nothing for the others. */
  randomFor(purpose: string): Random {
    let mixed = this.seed | 0;
    for (const char of purpose) mixed = (Math.imul(mixed, 31) + char.charCodeAt(0)) | 0;
    return seededRandom(mixed);
  }

  host(brokerId: number): SimulatedHost {
    return this.hosts[brokerId - 1]!;
  }

  /** A client on a host of its own that nothing happens to. */
  client(name: string): Cluster {
    const process = new SimulatedProcess(name, this.clock);
    this.network.addHost(name);
    const transport = this.network.transportOf(process);
    const { clock } = process;
    const cluster = new Cluster(
      {
        bootstrapServers: this.hosts.map((host) => `${host.name}:${BROKER_PORT}`),
        clientId: name,
        connectTimeoutMs: 1000,
        requestTimeoutMs: 3000,
        operationTimeoutMs: 20_000,
      },
      { clock, random: this.randomFor(name), connect: (options) => connect(options, { clock, transport }) },
    );
    this.#clients.push(cluster);
    return cluster;
  }

  /** Lets everything happen that no time is needed for. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      await microtasks();
      for (const host of this.hosts) host.afterTurn();
      if (this.clock.endTurn()) continue;
      this.events++;
      this.afterEvent();
      return;
    }
    throw new Error('what happens never ends');
  }

  /** Lets time pass. */
  async runFor(ms: number): Promise<void> {
    await this.runUntil(() => false, ms);
  }

  /** Lets time pass until something is true; says whether it is. */
  async runUntil(condition: () => boolean, withinMs: number): Promise<boolean> {
    const untilMs = this.clock.monotonicMs() + withinMs;
    await this.settle();
    while (!condition()) {
      if (!this.clock.fireNext(untilMs)) {
        this.clock.advance(untilMs - this.clock.monotonicMs());
        return condition();
      }
      await this.settle();
    }
    return true;
  }

  /** Lets time pass until a promise is settled. */
  async runUntilSettled<Result>(promise: Promise<Result>, withinMs: number): Promise<Result> {
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    if (await this.runUntil(() => settled, withinMs)) return promise;
    throw new Error(`something took longer than ${withinMs} ms`);
  }

  /** Nothing happens in here any more. */
  close(): void {
    for (const host of this.hosts) host.kill();
    this.ensemble?.close();
    this.clock.forget();
    process.off('unhandledRejection', this.#onUnhandled);
  }
}

/** Runs all microtasks; nothing else is ever under way. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
