/**
 * What is measured of a cluster of three brokers in one round, in order, on fresh directories: replicated produce, its
 * latency, how a follower catches up. Brokers share the machine with their load, over loopback.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../test/cluster/harness/cluster.ts';
import { startCluster } from '../test/cluster/harness/cluster.ts';
import type { SystemName } from '../test/cluster/harness/system.ts';
import { produce } from './generators.ts';
import { cpuSeconds, residentMebibytes } from './process-usage.ts';
import type { Sample } from './report.ts';

export interface ReplicatedSize {
  readonly smallRecords: number;
  readonly largeRecords: number;
  readonly unbatchedRecords: number;
  readonly latencySeconds: number;
  readonly catchUpBytes: number;
}

export const FULL: ReplicatedSize = {
  smallRecords: 1_500_000,
  largeRecords: 300_000,
  unbatchedRecords: 20_000,
  latencySeconds: 15,
  catchUpBytes: 1e9,
};
export const SMOKE: ReplicatedSize = {
  smallRecords: 200_000,
  largeRecords: 40_000,
  unbatchedRecords: 2000,
  latencySeconds: 4,
  catchUpBytes: 1e8,
};

export interface Round {
  readonly system: SystemName;
  readonly round: number;
  readonly size: ReplicatedSize;
  /** Names of measures; none means all. */
  readonly only: readonly string[];
  readonly classPath: string;
}

interface Stage extends Round {
  readonly cluster: Cluster;
  readonly record: (measure: string, unit: string, better: Sample['better'], value: number) => void;
}

const REPLICAS = 3;
const PARTITIONS = 6;
/** A fifth of the records warm the generator and the brokers up. */
const WARM_UP_SHARE = 0.2;
const SMALL_BYTES = 100;
const LARGE_BYTES = 1000;
const PACE = 5000;
const BYTES_A_GIGABYTE = 1e9;
const BYTES_A_MEGABYTE = 1e6;
const CATCH_UP_TIMEOUT_MS = 300_000;

export const MEASURES: readonly { readonly name: string; readonly run: (stage: Stage) => Promise<void> }[] = [
  { name: 'produce-100', run: (stage) => measureProduce(stage, '100 B', SMALL_BYTES, stage.size.smallRecords) },
  { name: 'produce-1000', run: (stage) => measureProduce(stage, '1 KB', LARGE_BYTES, stage.size.largeRecords) },
  { name: 'produce-unbatched', run: measureUnbatched },
  { name: 'latency', run: measureLatency },
  { name: 'catch-up', run: measureCatchUp },
  { name: 'memory', run: measureMemory },
];

export async function measureRound(round: Round): Promise<Sample[]> {
  const samples: Sample[] = [];
  const record: Stage['record'] = (measure, unit, better, value) => {
    samples.push({ system: round.system, round: round.round, measure, unit, better, value });
    console.error(`  ${measure}: ${Math.round(value * 100) / 100} ${unit}`);
  };
  const cluster = await startCluster({ system: round.system, flags: 'benchmark' });
  try {
    for (const { name, run } of MEASURES) {
      if (round.only.length === 0 || round.only.includes(name)) await run({ ...round, cluster, record });
    }
  } finally {
    await cluster.close();
  }
  return samples;
}

/** Of all brokers together. What ZooKeeper uses meanwhile is too little to be counted. */
function brokersCpuSeconds({ brokers }: Cluster): number {
  return brokers.reduce((sum, { pid }) => sum + (pid === undefined ? 0 : cpuSeconds(pid)), 0);
}

async function createTopic({ cluster }: Stage, name: string): Promise<void> {
  await cluster.createTopic({ name, partitions: PARTITIONS, replicationFactor: REPLICAS });
}

interface Produced {
  readonly rate: number;
  readonly cpuSecondsAGigabyte: number;
}

interface Records {
  readonly topic: string;
  readonly recordBytes: number;
  readonly records: number;
  readonly batched?: boolean;
}

async function produced({ cluster, classPath }: Stage, sent: Records): Promise<Produced> {
  const { topic, recordBytes, records, batched = true } = sent;
  const warmUpRecords = Math.round(records * WARM_UP_SHARE);
  const cpuBefore = brokersCpuSeconds(cluster);
  const { bootstrap } = cluster;
  const { recordsPerSecond: rate } = await produce({
    classPath,
    bootstrap,
    topic,
    records,
    warmUpRecords,
    recordBytes,
    acks: 'all',
    batched,
  });
  const gigabytes = ((records + warmUpRecords) * recordBytes) / BYTES_A_GIGABYTE;
  return { rate, cpuSecondsAGigabyte: (brokersCpuSeconds(cluster) - cpuBefore) / gigabytes };
}

async function measureProduce(stage: Stage, label: string, recordBytes: number, records: number): Promise<void> {
  const topic = `replicated-${recordBytes}`;
  await createTopic(stage, topic);
  const { rate, cpuSecondsAGigabyte } = await produced(stage, { topic, recordBytes, records });
  stage.record(`produce ${label}`, 'records/s', 'higher', rate);
  stage.record(`CPU of three brokers to produce ${label}`, 's/GB', 'lower', cpuSecondsAGigabyte);
}

async function measureUnbatched(stage: Stage): Promise<void> {
  const topic = 'replicated-unbatched';
  await createTopic(stage, topic);
  const records = stage.size.unbatchedRecords;
  const { rate } = await produced(stage, { topic, recordBytes: SMALL_BYTES, records, batched: false });
  stage.record('produce 100 B, one a request', 'records/s', 'higher', rate);
}

async function measureLatency(stage: Stage): Promise<void> {
  const { cluster, classPath, size, record } = stage;
  const topic = 'replicated-paced';
  await createTopic(stage, topic);
  const records = PACE * size.latencySeconds;
  const load = { classPath, bootstrap: cluster.bootstrap, topic, records, recordBytes: LARGE_BYTES } as const;
  const warmUpRecords = Math.round(records * WARM_UP_SHARE);
  const cpuBefore = brokersCpuSeconds(cluster);
  const told = await produce({ ...load, warmUpRecords, acks: 'all', batched: true, pace: PACE, lingerMs: 0 });
  const what = `1 KB, ${PACE} records/s`;
  record(`acknowledgement of ${what}: mean`, 'ms', 'lower', told.meanMs);
  record(`acknowledgement of ${what}: p50`, 'ms', 'lower', told.p50Ms);
  record(`acknowledgement of ${what}: p99`, 'ms', 'lower', told.p99Ms);
  const cpu = brokersCpuSeconds(cluster) - cpuBefore;
  record(
    `CPU of three brokers, ${what}`,
    '% of a core',
    'lower',
    (cpu / (size.latencySeconds * (1 + WARM_UP_SHARE))) * 100,
  );
}

/** One broker is away while much is written; nothing else is asked of the cluster when it comes back. */
async function measureCatchUp(stage: Stage): Promise<void> {
  const { cluster, size, record } = stage;
  const topic = 'catch-up';
  await createTopic(stage, topic);
  const follower = cluster.broker(REPLICAS);
  await follower.stop();
  await produced(stage, { topic, recordBytes: LARGE_BYTES, records: Math.round(size.catchUpBytes / LARGE_BYTES) });
  const { dataDirectory } = follower.place;
  const started = performance.now();
  await cluster.startBroker(follower);
  await cluster.until('the follower fetches', CATCH_UP_TIMEOUT_MS, async () => storedBytes(dataDirectory, topic) > 0);
  const cpuBefore = brokersCpuSeconds(cluster);
  const fetching = performance.now();
  await cluster.allInSync(topic, CATCH_UP_TIMEOUT_MS);
  const ended = performance.now();
  const bytes = storedBytes(dataDirectory, topic);
  const seconds = (ended - fetching) / 1000;
  record('start of a follower to in sync', 's', 'lower', (ended - started) / 1000);
  record('catch-up of a follower', 'MB/s', 'higher', bytes / BYTES_A_MEGABYTE / seconds);
  const cpu = (brokersCpuSeconds(cluster) - cpuBefore) / (bytes / BYTES_A_GIGABYTE);
  record('CPU of three brokers to catch up', 's/GB', 'lower', cpu);
}

/** Of the records of a topic in a data directory. */
function storedBytes(dataDirectory: string, topic: string): number {
  let bytes = 0;
  for (const name of readdirSync(dataDirectory)) {
    if (!name.startsWith(`${topic}-`)) continue;
    const directory = join(dataDirectory, name);
    for (const file of readdirSync(directory)) {
      if (file.endsWith('.log')) bytes += statSync(join(directory, file)).size;
    }
  }
  return bytes;
}

async function measureMemory({ cluster, record }: Stage): Promise<void> {
  const peaks = cluster.brokers.map(({ pid }) => (pid === undefined ? 0 : residentMebibytes(pid).peak));
  record('peak memory of a broker', 'MiB', 'lower', Math.max(...peaks));
}
