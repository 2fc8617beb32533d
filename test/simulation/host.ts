/**
 * One machine of a simulated cluster: its disk, which outlives programs, and the program that runs on it, a real broker.
 * Owns starting, stopping, crashing, and stopping without dying (SIGSTOP). Time and network belong to the world.
 */
import type { Logger } from '../../src/base/logger.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import type { SimulatedClock } from '../../src/base/simulated-clock.ts';
import { type CrashMode, SimulatedDisk } from '../../src/base/simulated-disk.ts';
import { type Broker, createBroker } from '../../src/broker/broker.ts';
import type { BrokerServices } from '../../src/broker/services.ts';
import { loadBrokerConfig } from '../../src/config/broker-config.ts';
import type { SimulatedEnsemble } from '../../src/metadata/quorums/zookeeper/ensemble.test-kit.ts';
import type { TransportSocket } from '../../src/network/transport.ts';
import type { Partition } from '../../src/replication/partition.ts';
import { withEnsemble } from './ensemble-transport.ts';
import type { SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';

export interface HostOptions {
  readonly brokerId: number;
  readonly seed: number;
  readonly mode: CrashMode;
  /** Of the broker, by Kafka's names; `node.id`, listeners and directories are the host's. */
  readonly config: Readonly<Record<string, string>>;
}

export interface HostDependencies {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  /** Where the brokers keep their metadata in ZooKeeper. */
  readonly ensemble: SimulatedEnsemble | undefined;
  readonly logger: Logger;
  /** A broker was built, and has not yet started. */
  readonly onServices: (host: SimulatedHost, services: BrokerServices) => void;
}

export const BROKER_PORT = 9092;
/** What a disk takes for a sync or a read that is not in memory. */
const LONGEST_DISK_MS = 4;

export class SimulatedHost {
  readonly name: string;
  readonly brokerId: number;
  /** Another one after `loseDisk`. */
  disk: SimulatedDisk;
  readonly #options: HostOptions;
  readonly #dependencies: HostDependencies;
  readonly #random: Random;
  #process: SimulatedProcess | undefined;
  #broker: Broker | undefined;
  #services: BrokerServices | undefined;
  #diskTimer = false;
  /** To the ensemble. */
  readonly #ensembleSockets = new Set<TransportSocket>();
  /** What starting or stopping came to, where it failed. */
  failure: Error | undefined;
  /** How often a broker was started here. */
  starts = 0;
  /** Nothing on its disk can be read. */
  hasBrokenDisk = false;
  /** How often the power failed. */
  losses = 0;
  /** The clock on the wall of this machine against the others'. */
  wallAheadMs = 0;

  constructor(options: HostOptions, dependencies: HostDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.brokerId = options.brokerId;
    this.name = `b${options.brokerId}`;
    this.#random = seededRandom(options.seed);
    this.disk = this.#newDisk();
    dependencies.network.addHost(this.name);
  }

  #newDisk(): SimulatedDisk {
    return new SimulatedDisk({
      random: this.#random,
      mode: this.#options.mode,
      nowMs: () => this.#dependencies.clock.wallMs() + this.wallAheadMs,
      holdsAsync: true,
    });
  }

  /** Whether a program runs, or is stopped. */
  get isUp(): boolean {
    return this.#process?.alive === true;
  }

  get isPaused(): boolean {
    return this.isUp && this.#process!.stopped;
  }

  /** Whether the broker is through with its start. */
  get serves(): boolean {
    return this.isUp && this.#broker !== undefined;
  }

  /** Of the broker that runs, started or about to be. */
  get services(): BrokerServices | undefined {
    return this.isUp ? this.#services : undefined;
  }

  /** The replica of a partition that runs here, untouched: what asks the broker's own way may open it. */
  replica(topic: string, partition: number): Partition | undefined {
    for (const each of this.services?.replicas.partitions() ?? []) {
      if (each.topic === topic && each.partition === partition) return each;
    }
    return undefined;
  }

  /** Starts a broker; `serves` and `failure` tell what becomes of it. */
  start(): void {
    if (this.isUp) return;
    const { clock, network, ensemble, logger, onServices } = this.#dependencies;
    this.starts++;
    this.failure = undefined;
    const fileSystem = this.disk.boot();
    const disk = this.disk;
    const process = new SimulatedProcess(this.name, clock, {
      isUp: () => disk.isUp,
      wallAheadMs: () => this.wallAheadMs,
    });
    this.#process = process;
    network.plug(this.name);
    const config = loadBrokerConfig({
      overrides: {
        'node.id': String(this.brokerId),
        listeners: `PLAINTEXT://${this.name}:${BROKER_PORT}`,
        'advertised.listeners': `PLAINTEXT://${this.name}:${BROKER_PORT}`,
        'log.dirs': '/data',
        ...this.#options.config,
      },
    });
    const starting = createBroker(
      { config },
      {
        clock: process.clock,
        random: seededRandom(this.#options.seed + 7919 * this.starts),
        fileSystem,
        transport:
          ensemble === undefined
            ? network.transportOf(process)
            : withEnsemble(network.transportOf(process), ensemble, process, this.#ensembleSockets),
        logger: logger.with({ host: this.name }),
        onServices: (services) => {
          this.#services = services;
          onServices(this, services);
        },
      },
    );
    starting.then(
      (broker) => {
        if (this.#process === process) this.#broker = broker;
      },
      (error: unknown) => {
        if (this.#process === process) this.#ended(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  /** SIGTERM: the broker stops as it likes to. */
  stop(): void {
    const broker = this.#broker;
    const process = this.#process;
    if (broker === undefined) return;
    this.#broker = undefined;
    broker.close().then(
      () => this.#process === process && this.#ended(undefined),
      (error: unknown) =>
        this.#process === process && this.#ended(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #ended(failure: Error | undefined): void {
    this.failure = failure;
    this.kill();
  }

  /** kill -9: what was written stays in the page cache, the kernel closes the sockets. */
  kill(): void {
    const process = this.#process;
    if (process === undefined) return;
    process.die();
    this.#dependencies.network.kill(process);
    for (const socket of [...this.#ensembleSockets]) socket.destroy();
    this.disk.abandon();
    this.disk.kill();
    this.#forget();
  }

  /** Gone without a word to anybody, and without what was not synced. */
  losePower(): void {
    this.losses++;
    this.#process?.die();
    this.#dependencies.network.unplug(this.name);
    this.disk.abandon();
    this.disk.losePower();
    this.#forget();
  }

  /** Everything on its disk is gone, and the program with it. */
  loseDisk(): void {
    this.losePower();
    this.disk = this.#newDisk();
  }

  #forget(): void {
    this.#ensembleSockets.clear();
    this.#process = undefined;
    this.#broker = undefined;
    this.#services = undefined;
  }

  pause(): void {
    this.#process?.stop();
  }

  resume(): void {
    this.#process?.resume();
  }

  /** The power fails during one of the next so many changes of the disk. */
  losePowerWithin(operations: number): void {
    this.disk.crashAt = this.disk.operations + 1 + this.#random.below(operations);
  }

  /** It did not fail. */
  keepPower(): void {
    if (this.isUp) this.disk.crashAt = Number.POSITIVE_INFINITY;
  }

  /** After each turn: a disk that died ends the host, and what waits for the disk gets it in time. */
  afterTurn(): void {
    const process = this.#process;
    if (process !== undefined && !this.disk.isUp) {
      this.losePower();
      return;
    }
    if (process === undefined || this.#diskTimer || this.disk.waiting === 0) return;
    this.#diskTimer = true;
    this.#dependencies.clock.after(this.#random.fraction() ** 3 * LONGEST_DISK_MS, () => {
      this.#diskTimer = false;
      process.run(() => {
        if (this.disk.waiting > 1 && this.#random.below(2) === 0)
          this.disk.letGo(1 + this.#random.below(this.disk.waiting));
        else this.disk.letGo();
      });
    });
  }
}
