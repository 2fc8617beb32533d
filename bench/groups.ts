/**
 * A group of many members, each on a connection of its own, on as many partitions, in both protocols: how long until all
 * have what they shall read, how long again when one comes and when one goes, what of the broker's CPU that takes, what
 * another client notices meanwhile, and what it costs that they live. SLUICE_COMPAT_TARGET=kafka asks Apache Kafka.
 * Run: node dist/bench/groups.js [members]
 */
import { fork } from 'node:child_process';
import { systemClock } from '../src/base/clock.ts';
import { type Channel, connect } from '../src/network/channel.ts';
import { apiVersions } from '../src/protocol/apis/api-versions.ts';
import { createTopics } from '../src/protocol/apis/create-topics.ts';
import { findCoordinator } from '../src/protocol/apis/find-coordinator.ts';
import type { RunningBroker } from '../test/compat/harness/broker-process.ts';
import { startTarget } from '../test/compat/harness/target.ts';
import { ClassicBenchMember, ConsumerBenchMember } from './group-members.ts';
import { cpuSeconds, residentMebibytes } from './process-usage.ts';

const TOPIC = 'read-by-many';
const PATIENCE_MS = 120_000;
const IDLE_MS = 20_000;
const POLL_MS = 5;
const PROBE_PAUSE_MS = 5;
const SETTINGS = { 'offsets.topic.num.partitions': '4', 'offsets.topic.replication.factor': '1' };
/** Connections that are set up at once. */
const CONNECTING = 50;

export interface BenchMember {
  /** Generation, or epoch, in which it has what it shall read; undefined while it does not know. */
  readonly settledIn: number | undefined;
  readonly partitions: readonly number[];
  /** JoinGroup and SyncGroup, or heartbeats: what it asked so far. */
  readonly requests: number;
  start(): void;
  /** Leaves the group and hangs up. */
  leave(): Promise<void>;
}

const channelTo = (port: number): Promise<Channel> =>
  connect({ host: '127.0.0.1', port, clientId: 'bench', requestTimeoutMs: PATIENCE_MS }, { clock: systemClock });

/** A process of its own that asks for ApiVersions all the time: prints how long answers took, in ms, when told to end. */
async function probe(port: number): Promise<void> {
  const channel = await channelTo(port);
  const took: number[] = [];
  let ended = false;
  process.once('message', () => {
    ended = true;
  });
  const request = { clientSoftwareName: 'bench', clientSoftwareVersion: '1' };
  while (!ended) {
    const began = performance.now();
    await channel.request(apiVersions, 3, request);
    took.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, PROBE_PAUSE_MS));
  }
  took.sort((left, right) => left - right);
  const at = (share: number): string => (took[Math.floor((took.length - 1) * share)] ?? 0).toFixed(1);
  process.send?.(`${at(0.5)} / ${at(0.99)} / ${at(1)}`, () => process.exit(0));
}

interface Told {
  readonly ms: number;
  readonly cpuSeconds: number;
  readonly waits: string;
}

/** What `work` costs the broker, and what another client notices of it. */
async function measured(broker: RunningBroker, work: () => Promise<void>): Promise<Told> {
  const prober = fork(process.argv[1]!, ['probe', String(broker.port)]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const pid = broker.child.pid!;
  const [began, before] = [performance.now(), cpuSeconds(pid)];
  await work();
  const told = { ms: performance.now() - began, cpuSeconds: cpuSeconds(pid) - before };
  const waits = new Promise<string>((resolve) => prober.once('message', (text) => resolve(String(text))));
  prober.send('end');
  return { ...told, waits: await waits };
}

function report(what: string, value: string): void {
  console.log(`${what.padEnd(56)} ${value}`);
}

function reportChange(what: string, { ms, cpuSeconds: cpu, waits }: Told): void {
  report(what, `${(ms / 1000).toFixed(2)} s, ${cpu.toFixed(2)} s of CPU; another client waits ${waits} ms`);
}

class BenchGroup {
  readonly members: BenchMember[] = [];
  readonly #partitions: number;

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** All members know what they read, in one generation, as much as the others, and every partition has one of them. */
  #isSettled(): boolean {
    const [first] = this.members;
    const round = first?.settledIn;
    if (round === undefined || this.members.some(({ settledIn }) => settledIn !== round)) return false;
    const owned = this.members.flatMap(({ partitions }) => partitions);
    const sizes = this.members.map(({ partitions }) => partitions.length);
    if (Math.max(...sizes) - Math.min(...sizes) > 1) return false;
    return owned.length === this.#partitions && new Set(owned).size === owned.length;
  }

  async settle(): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    while (!this.#isSettled()) {
      if (performance.now() > until) throw new Error(`not settled within ${PATIENCE_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  requests(): number {
    return this.members.reduce((sum, { requests }) => sum + requests, 0);
  }
}

async function runGroup(
  broker: RunningBroker,
  size: number,
  newMember: (channel: Channel) => BenchMember,
  title: string,
): Promise<void> {
  const channels: Channel[] = [];
  while (channels.length <= size) {
    const some = Math.min(CONNECTING, size + 1 - channels.length);
    channels.push(...(await Promise.all(Array.from({ length: some }, () => channelTo(broker.port)))));
  }
  const group = new BenchGroup(size);
  const add = (): void => {
    const member = newMember(channels.pop()!);
    group.members.push(member);
    member.start();
  };
  const all = await measured(broker, async () => {
    while (group.members.length < size) add();
    await group.settle();
  });
  reportChange(`${title}: ${size} members come at once`, all);
  const round = group.members[0]!.settledIn;
  report(`${title}: rounds, requests a member`, `${round}, ${(group.requests() / size).toFixed(1)}`);
  const idle = await measured(broker, () => new Promise((resolve) => setTimeout(resolve, IDLE_MS)));
  const busy = ((idle.cpuSeconds / (idle.ms / 1000)) * 100).toFixed(1);
  report(`${title}: all live`, `${busy} % of a core; another client waits ${idle.waits} ms`);
  const one = await measured(broker, async () => {
    add();
    await group.settle();
  });
  reportChange(`${title}: one comes`, one);
  const gone = await measured(broker, async () => {
    await group.members.splice(size >> 1, 1)[0]!.leave();
    await group.settle();
  });
  reportChange(`${title}: one goes`, gone);
  report(`${title}: resident memory`, `${residentMebibytes(broker.child.pid!).now.toFixed(0)} MiB`);
  await Promise.all(group.members.map((member) => member.leave()));
}

async function main(): Promise<void> {
  const size = Number(process.argv[2] ?? 1000);
  const broker = await startTarget({ settings: SETTINGS });
  try {
    const channel = await channelTo(broker.port);
    const topic = { name: TOPIC, numPartitions: size, replicationFactor: 1, assignments: [], configs: [] };
    const made = await channel.request(createTopics, 7, {
      topics: [topic],
      timeoutMs: PATIENCE_MS,
      validateOnly: false,
    });
    const { errorCode, topicId } = made.topics[0]!;
    if (errorCode !== 0) throw new Error(`the topic was not created: error ${errorCode}`);
    // The first look for a coordinator creates the topic that it keeps groups in.
    let found = -1;
    while (found !== 0) {
      const keys = { key: '', keyType: 0, coordinatorKeys: ['classic', 'consumer'] };
      const { coordinators } = await channel.request(findCoordinator, 4, keys);
      found = Math.max(...coordinators.map((one) => Math.abs(one.errorCode)));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await channel.close();
    console.log('another client waits: median / 99th percentile / longest');
    const partitions = size;
    await runGroup(broker, size, (to) => new ClassicBenchMember(to, { topic: TOPIC, partitions }), 'classic');
    await runGroup(broker, size, (to) => new ConsumerBenchMember(to, { topic: TOPIC, topicId }), 'consumer');
  } finally {
    await broker.remove();
  }
}

if (process.argv[2] === 'probe') await probe(Number(process.argv[3]));
else await main();
