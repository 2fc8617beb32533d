/**
 * What is measured of one system in one round, in order, on a fresh broker: start, idle memory, produce, fetch, latency,
 * compressed batches, the share of the limit, memory under load. Every measure yields samples; medians over rounds are
 * formed elsewhere.
 */
import { startApacheKafka } from '../test/compat/harness/apache-kafka.ts';
import type { RunningBroker } from '../test/compat/harness/broker-process.ts';
import { unusedPorts } from '../test/compat/harness/broker-process.ts';
import { startSluice } from '../test/compat/harness/sluice.ts';
import { firstAcknowledgement } from './first-record.ts';
import { produce, type Reader, type ReadLoad, type ReadResult, readWithKcat } from './generators.ts';
import { measureCompression, measureLatency, measureShareOfLimit } from './load-measures.ts';
import { createTopic } from './new-topic.ts';
import { cpuSeconds, residentMebibytes } from './process-usage.ts';
import type { Sample } from './report.ts';
import { median } from './results.ts';
import { writtenBack } from './write-back.ts';

export type System = 'sluice' | 'kafka';

export interface Size {
  readonly smallRecords: number;
  readonly largeRecords: number;
  readonly unbatchedRecords: number;
  readonly idleMs: number;
  readonly latencySeconds: number;
  /** Of values, before compression. */
  readonly compressedMegabytes: number;
  readonly limitMegabytes: number;
  /** Read in all by each reader of each topic. */
  readonly readMegabytes: number;
}

export const FULL: Size = {
  smallRecords: 3_000_000,
  largeRecords: 500_000,
  unbatchedRecords: 60_000,
  idleMs: 3000,
  latencySeconds: 10,
  compressedMegabytes: 1000,
  limitMegabytes: 1000,
  readMegabytes: 2000,
};
export const SMOKE: Size = {
  smallRecords: 100_000,
  largeRecords: 20_000,
  unbatchedRecords: 2000,
  idleMs: 500,
  latencySeconds: 1,
  compressedMegabytes: 20,
  limitMegabytes: 20,
  readMegabytes: 20,
};

export interface Setup {
  readonly system: System;
  readonly round: number;
  readonly size: Size;
  /** Names of measures; none means all but those that want to be named. */
  readonly only: readonly string[];
  readonly classPath: string;
  readonly consumer: Reader;
  readonly drain: Reader;
}

export interface Stage extends Setup {
  readonly broker: RunningBroker;
  readonly pid: number;
  readonly record: (measure: string, unit: string, better: Sample['better'], value: number) => void;
}

const SMALL_BYTES = 100;
const LARGE_BYTES = 1000;
const PARTITIONS = 4;
/** A tenth of the records warm the generator and the broker up. */
const WARM_UP_SHARE = 0.1;
const BYTES_A_GIGABYTE = 1e9;

interface Measure {
  readonly name: string;
  /** Runs only where it is asked for by its name. */
  readonly named?: true;
  readonly run: (stage: Stage) => Promise<void>;
}

export const MEASURES: readonly Measure[] = [
  { name: 'start', run: measureStart },
  { name: 'produce-100', run: (stage) => measureProduce(stage, { recordBytes: SMALL_BYTES, label: '100 B' }) },
  { name: 'produce-1000', run: (stage) => measureProduce(stage, { recordBytes: LARGE_BYTES, label: '1 KB' }) },
  { name: 'produce-unbatched', run: measureUnbatched },
  { name: 'fetch', run: measureFetch },
  { name: 'latency', named: true, run: measureLatency },
  { name: 'compression', named: true, run: measureCompression },
  { name: 'limit', named: true, run: measureShareOfLimit },
  { name: 'memory', run: measureMemory },
];

export async function runSystem(setup: Setup): Promise<Sample[]> {
  const samples: Sample[] = [];
  const { system, round } = setup;
  const record: Stage['record'] = (measure, unit, better, value) => {
    samples.push({ system, round, measure, unit, better, value });
    console.error(`  ${measure}: ${Math.round(value * 100) / 100} ${unit}`);
  };
  const [port] = (await unusedPorts(1)) as [number];
  const started = { port, waitUntilReady: false };
  const broker =
    system === 'sluice'
      ? await startSluice(started)
      : await startApacheKafka({ ...started, classPath: setup.classPath, flags: 'benchmark' });
  const stage: Stage = { ...setup, broker, pid: broker.child.pid!, record };
  try {
    for (const { name, named, run } of MEASURES) {
      const wanted = setup.only.length === 0 ? named === undefined : setup.only.includes(name);
      // The start is what all the others begin with.
      if (name === 'start' || wanted) await run(stage);
    }
  } finally {
    await broker.remove();
  }
  return samples;
}

async function measureStart({ broker, pid, size, record }: Stage): Promise<void> {
  const acknowledged = await firstAcknowledgement(broker.port);
  record('start to first acknowledged record', 'ms', 'lower', acknowledged - broker.startedAt);
  const cpuBefore = cpuSeconds(pid);
  await new Promise((resolve) => setTimeout(resolve, size.idleMs));
  record('idle CPU', '% of a core', 'lower', ((cpuSeconds(pid) - cpuBefore) / (size.idleMs / 1000)) * 100);
  record('idle memory', 'MiB', 'lower', residentMebibytes(pid).now);
}

interface RecordKind {
  readonly recordBytes: number;
  readonly label: string;
}

function topicOf(recordBytes: number, acks: string): string {
  return `bench-${recordBytes}-${acks}`;
}

function countOf(size: Size, recordBytes: number): { records: number; warmUpRecords: number } {
  const records = recordBytes === SMALL_BYTES ? size.smallRecords : size.largeRecords;
  return { records, warmUpRecords: Math.round(records * WARM_UP_SHARE) };
}

async function measureProduce(stage: Stage, { recordBytes, label }: RecordKind): Promise<void> {
  const { size, broker, classPath, pid, record } = stage;
  const { records, warmUpRecords } = countOf(size, recordBytes);
  for (const acks of ['1', 'all'] as const) {
    const topic = topicOf(recordBytes, acks);
    await createTopic(broker.port, { name: topic, partitions: PARTITIONS });
    const cpuBefore = cpuSeconds(pid);
    const load = { classPath, bootstrap: broker.bootstrap, topic, records, warmUpRecords, recordBytes, acks };
    const { recordsPerSecond } = await produce({ ...load, batched: true });
    const gigabytes = ((records + warmUpRecords) * recordBytes) / BYTES_A_GIGABYTE;
    record(`produce ${label}, acks=${acks}`, 'records/s', 'higher', recordsPerSecond);
    record(`broker CPU to produce ${label}, acks=${acks}`, 's/GB', 'lower', (cpuSeconds(pid) - cpuBefore) / gigabytes);
  }
}

async function measureUnbatched(stage: Stage): Promise<void> {
  const { size, broker, classPath, record } = stage;
  const topic = 'bench-unbatched';
  await createTopic(broker.port, { name: topic, partitions: 1 });
  const records = size.unbatchedRecords;
  const load = { classPath, bootstrap: broker.bootstrap, topic, records, recordBytes: SMALL_BYTES, acks: '1' } as const;
  const unbatched = { ...load, warmUpRecords: Math.round(records * WARM_UP_SHARE), batched: false };
  const { recordsPerSecond } = await produce(unbatched);
  record('produce 100 B, one a request', 'records/s', 'higher', recordsPerSecond);
}

/** Reads what the produce measures wrote; those must have run. */
async function measureFetch(stage: Stage): Promise<void> {
  const { size, broker, consumer, drain, pid, record } = stage;
  await writtenBack();
  for (const { recordBytes, label } of [
    { recordBytes: SMALL_BYTES, label: '100 B' },
    { recordBytes: LARGE_BYTES, label: '1 KB' },
  ]) {
    const { records, warmUpRecords } = countOf(size, recordBytes);
    const topic = topicOf(recordBytes, 'all');
    const load = { bootstrap: broker.bootstrap, topic, partitions: PARTITIONS, records: records + warmUpRecords };
    const times = Math.max(1, Math.round(size.readMegabytes / ((load.records * recordBytes) / 1e6)));
    const consumed = await readRepeatedly(consumer, load, { times, pid });
    record(`consume ${label} from the start`, 'records/s', 'higher', consumed.recordsPerSecond);
    record(`broker CPU to consume ${label}`, 's/GB', 'lower', consumed.brokerCpu);
    record(`the consumer's own CPU to consume ${label}`, 's/GB', 'lower', consumed.readerCpu);
    const drained = await readRepeatedly(drain, load, { times, pid });
    record(`fetch ${label} from the start, nothing decoded`, 'MB/s', 'higher', drained.bytesPerSecond / 1e6);
    record(`broker CPU to fetch ${label}, nothing decoded`, 's/GB', 'lower', drained.brokerCpu);
    if (recordBytes === LARGE_BYTES) {
      const rate = await readWithKcat({ ...load, bytes: consumed.bytes });
      if (rate !== undefined) record('kcat reads 1 KB from the start', 'MB/s', 'higher', rate / 1e6);
    }
  }
}

interface Repeated extends ReadResult {
  /** Of the broker and of who reads, s/GB. */
  readonly brokerCpu: number;
  readonly readerCpu: number;
}

/** Reads the same again and again; the first time, for the page cache and the broker's own warming, does not count. */
async function readRepeatedly(
  read: Reader,
  load: ReadLoad,
  { times, pid }: { readonly times: number; readonly pid: number },
): Promise<Repeated> {
  await read(load);
  const cpuBefore = cpuSeconds(pid);
  const results: ReadResult[] = [];
  for (let time = 0; time < times; time++) results.push(await read(load));
  const brokerSeconds = cpuSeconds(pid) - cpuBefore;
  const middle = (of: (result: ReadResult) => number): number => median(results.map(of));
  const { bytes } = results[0]!;
  const gigabytes = (bytes * times) / BYTES_A_GIGABYTE;
  const readerSeconds = results.reduce((sum, result) => sum + result.cpuSeconds, 0);
  return {
    recordsPerSecond: middle(({ recordsPerSecond }) => recordsPerSecond),
    bytesPerSecond: middle(({ bytesPerSecond }) => bytesPerSecond),
    bytes,
    cpuSeconds: readerSeconds,
    brokerCpu: brokerSeconds / gigabytes,
    readerCpu: readerSeconds / gigabytes,
  };
}

async function measureMemory({ pid, record }: Stage): Promise<void> {
  record('peak memory under load', 'MiB', 'lower', residentMebibytes(pid).peak);
}
