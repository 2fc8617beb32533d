/**
 * A cluster of real processes with everything that can be done to it. Starts and ends only what is its own; closing, or
 * the end of this process, takes all of it along.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker, type BrokerPlace } from './broker.ts';
import { type ClusterView, coordinatorOf, createTopic, type NewTopic, viewOf } from './cluster-view.ts';
import { buildFaultyMachine, faultyMachine } from './faulty-machine.ts';
import { startKafkaSystem } from './kafka-system.ts';
import { createNetwork, type Host, type Network } from './network.ts';
import { startLocalSluiceSystem, startSluiceSystem } from './sluice-system.ts';
import { mountSmallDisk } from './small-disk.ts';
import type { ClusterPlan, RunningSystem, StartSystem, SystemName } from './system.ts';

const SYSTEMS: Readonly<Record<SystemName, StartSystem>> = {
  sluice: startSluiceSystem,
  'sluice-local': startLocalSluiceSystem,
  kafka: startKafkaSystem,
};
const PORT = 19_092;
const POLL_MS = 50;
const START_TIMEOUT_MS = 90_000;

export interface ClusterOptions {
  readonly system: SystemName;
  readonly brokers?: number;
  /** Data directories are on disks of this size, where the machine permits. */
  readonly diskBytes?: number;
  /** Disks and clocks can be broken, where there is a compiler. */
  readonly faultyMachines?: boolean;
  readonly settings?: Readonly<Record<string, string>>;
  /** Default 'tests'. */
  readonly flags?: ClusterPlan['flags'];
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const home = mkdtempSync(join(tmpdir(), 'sluice-cluster-'));
  const removeHome = (): void => rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', removeHome);
  const network = await createNetwork();
  const library = options.faultyMachines === true ? await buildFaultyMachine(home) : undefined;
  const places: BrokerPlace[] = [];
  for (let id = 1; id <= (options.brokers ?? 3); id++) {
    const directory = join(home, `broker-${id}`);
    const dataDirectory = join(directory, 'data');
    mkdirSync(dataDirectory, { recursive: true });
    const disk = options.diskBytes === undefined ? undefined : mountSmallDisk(dataDirectory, options.diskBytes);
    const machine = library === undefined ? undefined : faultyMachine(library, { home: directory, dataDirectory });
    const host = await network.addHost(`b${id}`);
    places.push({ id, host, port: PORT, home: directory, dataDirectory, disk, machine });
  }
  const { settings = {}, flags = 'tests' } = options;
  const system = await SYSTEMS[options.system]({ network, home, places, settings, flags });
  const cluster = new Cluster({ home, network, system, places });
  try {
    await cluster.startAll();
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

interface ClusterParts {
  readonly home: string;
  readonly network: Network;
  readonly system: RunningSystem;
  readonly places: readonly BrokerPlace[];
}

export class Cluster {
  readonly home: string;
  readonly network: Network;
  readonly system: RunningSystem;
  readonly brokers: readonly Broker[];
  #closed = false;
  /** What the view of a failure is about. */
  #topic: string | undefined;

  constructor({ home, network, system, places }: ClusterParts) {
    this.home = home;
    this.network = network;
    this.system = system;
    this.brokers = places.map((place) => new Broker(place, system.commandOf(place)));
  }

  /** For clients: all brokers. */
  get bootstrap(): string {
    return this.brokers.map(({ address }) => address).join(',');
  }

  get ensembleHosts(): readonly Host[] {
    return this.system.ensembleHosts;
  }

  broker(id: number): Broker {
    const found = this.brokers.find((broker) => broker.id === id);
    if (found === undefined) throw new Error(`there is no broker ${id}`);
    return found;
  }

  async startAll(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => this.startBroker(broker)));
    await this.until('all brokers are there', START_TIMEOUT_MS, async () => {
      const views = await Promise.all(this.brokers.map((broker) => viewOf(broker.wire(), '')));
      return views.every((view) => view?.brokers.length === this.brokers.length);
    });
  }

  async startBroker(broker: Broker): Promise<void> {
    await this.system.prepare(broker.place);
    broker.start();
  }

  /** The cluster as the first broker sees it that answers and is not in `besides`. */
  async view(topic: string, besides: readonly number[] = []): Promise<ClusterView | undefined> {
    const asked = this.brokers.filter(({ running, held, id }) => running && !held && !besides.includes(id));
    for (const broker of asked) {
      const view = await viewOf(broker.wire(), topic);
      if (view === undefined) continue;
      return { ...view, controller: (await this.system.controller?.(broker.wire())) ?? view.controller };
    }
    return undefined;
  }

  async coordinator(group: string): Promise<number | undefined> {
    for (const broker of this.brokers.filter(({ running, held }) => running && !held)) {
      const found = await coordinatorOf(broker.wire(), group);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async createTopic(topic: NewTopic): Promise<void> {
    this.#topic = topic.name;
    await createTopic(this.brokers[0]!.wire(), topic);
    await this.allInSync(topic.name, START_TIMEOUT_MS);
  }

  /** Resolves once every broker sees every partition led and in sync everywhere. */
  async allInSync(topic: string, timeoutMs: number): Promise<void> {
    await this.until(`all replicas of ${topic} are in sync`, timeoutMs, async () => {
      const views = await Promise.all(this.brokers.map((broker) => viewOf(broker.wire(), topic)));
      return views.every((view) => {
        if (view === undefined || view.partitions.length === 0) return false;
        return view.partitions.every(({ leader, inSync, replicas }) => {
          return leader >= 0 && inSync.length === replicas.length;
        });
      });
    });
  }

  /** Rejects, with the brokers' last words, when the time is over or a broker ended by itself. */
  async until(what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await holds())) {
      const ends = this.brokers.flatMap(({ unexpectedEnds }) => unexpectedEnds);
      if (ends.length > 0) throw new Error(`${what}: ${ends.join('\n')}`);
      if (performance.now() > deadline) {
        const words = await this.#describe();
        throw new Error(`not within ${timeoutMs} ms: ${what}\n${words}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #describe(): Promise<string> {
    const lines: string[] = [];
    for (const broker of this.brokers) {
      const view = this.#topic === undefined ? undefined : await viewOf(broker.wire(), this.#topic);
      lines.push(`broker ${broker.id}, pid ${broker.pid}, held ${broker.held}, sees ${JSON.stringify(view)}`);
    }
    return [...lines, ...this.brokers.map((broker) => `broker ${broker.id}:\n${broker.lastWords()}`)].join('\n');
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.brokers.map((broker) => broker.kill()));
    await this.system.close();
    for (const { place } of this.brokers) place.disk?.unmount();
    await this.network.close();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}
