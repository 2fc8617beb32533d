/** The curves of scaling.ts: which sizes each has, and how one point is measured on a running broker. */
import { join } from 'node:path';
import { compiled, numbersOf } from './native-program.ts';
import { createTopic } from './new-topic.ts';
import { cpuSeconds } from './process-usage.ts';
import { type Frames, type FramesSpec, replay, writeFrames } from './recorded-frames.ts';
import { median } from './results.ts';
import { writtenBack } from './write-back.ts';

export interface Scale {
  /** Sent for a rate, at least. */
  readonly megabytes: number;
  /** Of a paced load. */
  readonly seconds: number;
  readonly mostPartitions: number;
  readonly mostConnections: number;
  readonly mostConsumers: number;
  readonly mostGigabytes: number;
}

export const FULL: Scale = {
  megabytes: 400,
  seconds: 3,
  mostPartitions: 10_000,
  mostConnections: 5000,
  mostConsumers: 50,
  mostGigabytes: 2,
};
export const SMOKE: Scale = {
  megabytes: 5,
  seconds: 0.2,
  mostPartitions: 10,
  mostConnections: 10,
  mostConsumers: 2,
  mostGigabytes: 0.01,
};

export interface Point {
  readonly value: number;
  /** Records or requests, as the curve tells. */
  readonly unitsPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the broker, at full speed. */
  readonly cpuSecondsAGigabyte: number;
  readonly fetch?: {
    readonly megabytesPerSecond: number;
    readonly p99Ms: number;
    readonly cpuSecondsAGigabyte: number;
  };
}

export interface Setting {
  readonly port: number;
  readonly pid: number;
  /** For files of the generators. */
  readonly home: string;
  readonly scale: Scale;
  /** What the points before have left, where a curve goes on with that. */
  readonly stored: { records: number; bytes: number };
}

export interface Curve {
  readonly name: string;
  readonly title: string;
  /** Of the horizontal axis. */
  readonly label: string;
  readonly unit: 'records' | 'requests';
  readonly reads: boolean;
  values(scale: Scale): readonly number[];
  most(scale: Scale): number;
  measure(value: number, setting: Setting): Promise<Point>;
}

const MEGABYTE = 1e6;
const GIGABYTE = 1e9;
/** What a batch of a producer made for throughput holds. */
const BATCH_BYTES = 128 * 1024;
const SMALL_RECORD_BYTES = 100;
const LARGE_RECORD_BYTES = 1000;
/** Records that stand for a small request where not their number is the point. */
const SMALL_BATCH_RECORDS = 40;
const FEW_PARTITIONS = 4;
const MOST_REQUESTS = 100_000;
const LEAST_REQUESTS = 100;
const WARM_UP_SHARE = 0.1;
const PACED_SHARE = 0.1;

interface WriteLoad {
  readonly spec: FramesSpec;
  readonly unit: Curve['unit'];
  readonly connections?: number;
  readonly inFlight?: number;
}

/** As fast as it goes, then at a tenth of that. */
async function measureWrites(value: number, setting: Setting, load: WriteLoad): Promise<Point> {
  const { port, pid, home, scale } = setting;
  const { spec, unit, connections = 1, inFlight = 5 } = load;
  const frames = writeFrames(join(home, 'frames'), spec);
  const requests = bounded(Math.ceil((scale.megabytes * MEGABYTE) / frames.valueBytes), connections * inFlight);
  const warmUpRequests = Math.max(spec.partitions, Math.ceil(requests * WARM_UP_SHARE));
  const cpuBefore = cpuSeconds(pid);
  const fast = await replay({ port, frames, requests, warmUpRequests, connections, inFlight });
  const cpuSecondsAGigabyte = (cpuSeconds(pid) - cpuBefore) / (fast.bytes / GIGABYTE);
  const pace = fast.requestsPerSecond * PACED_SHARE;
  const pacedRequests = bounded(Math.ceil(pace * scale.seconds), 1);
  const slow = { port, frames, requests: pacedRequests, warmUpRequests: Math.ceil(pacedRequests / 10), connections };
  const { p50Ms, p99Ms } = await replay({ ...slow, inFlight, pace });
  return {
    value,
    unitsPerSecond: unit === 'records' ? fast.recordsPerSecond : fast.requestsPerSecond,
    megabytesPerSecond: fast.bytesPerSecond / MEGABYTE,
    p50Ms,
    p99Ms,
    cpuSecondsAGigabyte,
  };
}

/** Every place for a request is taken at least ten times. */
function bounded(requests: number, places: number): number {
  return Math.max(LEAST_REQUESTS, places * 10, Math.min(MOST_REQUESTS, requests));
}

async function newTopic(setting: Setting, name: string, partitions: number): Promise<string> {
  await createTopic(setting.port, { name, partitions });
  return name;
}

const message: Curve = {
  name: 'message',
  title: 'By bytes of a message',
  label: 'bytes of a message, batches of 128 KiB',
  unit: 'records',
  reads: false,
  values: () => [10, 100, 1000, 10_000, 100_000, 1_000_000],
  most: () => Number.POSITIVE_INFINITY,
  measure: async (recordBytes, setting) => {
    const topic = await newTopic(setting, `message-${recordBytes}`, FEW_PARTITIONS);
    const recordsPerBatch = Math.max(1, Math.floor(BATCH_BYTES / (recordBytes + 10)));
    const spec = { topic, partitions: FEW_PARTITIONS, recordBytes, recordsPerBatch };
    return measureWrites(recordBytes, setting, { spec, unit: 'records' });
  },
};

const batch: Curve = {
  name: 'batch',
  title: 'By records of a batch, 100 B each',
  label: 'records of a batch',
  unit: 'records',
  reads: false,
  values: () => [1, 3, 10, 30, 100, 300, 1000, 3000, 9000],
  most: () => Number.POSITIVE_INFINITY,
  measure: async (recordsPerBatch, setting) => {
    const topic = await newTopic(setting, `batch-${recordsPerBatch}`, FEW_PARTITIONS);
    const spec = { topic, partitions: FEW_PARTITIONS, recordBytes: SMALL_RECORD_BYTES, recordsPerBatch };
    return measureWrites(recordsPerBatch, setting, { spec, unit: 'records' });
  },
};

const partitions: Curve = {
  name: 'partitions',
  title: 'By partitions, one batch of 4 KB a request to each in turn',
  label: 'partitions',
  unit: 'requests',
  reads: false,
  values: () => [1, 10, 100, 1000, 10_000],
  most: ({ mostPartitions }) => mostPartitions,
  measure: async (count, setting) => {
    const topic = await newTopic(setting, `partitions-${count}`, count);
    const sizes = { recordBytes: SMALL_RECORD_BYTES, recordsPerBatch: SMALL_BATCH_RECORDS };
    return measureWrites(count, setting, { spec: { topic, partitions: count, ...sizes }, unit: 'requests' });
  },
};

const connections: Curve = {
  name: 'connections',
  title: 'By connections, one request of 4 KB in flight on each',
  label: 'connections',
  unit: 'requests',
  reads: false,
  values: () => [1, 10, 100, 1000, 5000],
  most: ({ mostConnections }) => mostConnections,
  measure: async (count, setting) => {
    const topic = await newTopic(setting, `connections-${count}`, FEW_PARTITIONS);
    const sizes = { recordBytes: SMALL_RECORD_BYTES, recordsPerBatch: SMALL_BATCH_RECORDS };
    const spec = { topic, partitions: FEW_PARTITIONS, ...sizes };
    return measureWrites(count, setting, { spec, unit: 'requests', connections: count, inFlight: 1 });
  },
};

interface Reading {
  readonly topic: string;
  readonly partitions: number;
  readonly records: number;
  readonly from?: number;
  /** At the same time. */
  readonly consumers?: number;
}

interface Read {
  readonly megabytesPerSecond: number;
  readonly recordsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuSecondsAGigabyte: number;
}

async function measureReads({ port, pid }: Setting, reading: Reading): Promise<Read> {
  const { topic, partitions: count, records, from = 0, consumers = 1 } = reading;
  const program = await compiled('drain');
  const cpuBefore = cpuSeconds(pid);
  const started = performance.now();
  const read = await Promise.all(
    Array.from({ length: consumers }, () => numbersOf(program, [port, topic, count, records, from])),
  );
  // Of one alone its own time; of several the whole, so that those left at the end do not count as all.
  const seconds = consumers === 1 ? read[0]![2]! : (performance.now() - started) / 1000;
  const sum = (column: number): number => read.reduce((total, numbers) => total + numbers[column]!, 0);
  const middle = (column: number): number => median(read.map((numbers) => numbers[column]!)) / 1000;
  return {
    recordsPerSecond: sum(0) / seconds,
    megabytesPerSecond: sum(1) / seconds / MEGABYTE,
    p50Ms: middle(3),
    p99Ms: middle(4),
    cpuSecondsAGigabyte: (cpuSeconds(pid) - cpuBefore) / (sum(1) / GIGABYTE),
  };
}

interface Filling extends FramesSpec {
  readonly bytes: number;
}

/** Appends about as many bytes; how many records those are. */
async function fill({ port, home }: Setting, { bytes, ...spec }: Filling): Promise<number> {
  const frames: Frames = writeFrames(join(home, 'filling'), spec);
  const requests = Math.max(1, Math.ceil(bytes / frames.valueBytes));
  await replay({ port, frames, requests, warmUpRequests: 0 });
  return requests * spec.recordsPerBatch;
}

const largeBatches = (topic: string, count: number): FramesSpec => ({
  topic,
  partitions: count,
  recordBytes: LARGE_RECORD_BYTES,
  recordsPerBatch: Math.floor(BATCH_BYTES / LARGE_RECORD_BYTES),
});

const consumers: Curve = {
  name: 'consumers',
  title: 'By consumers of the same topic, each reading all of it',
  label: 'consumers',
  unit: 'records',
  reads: true,
  values: () => [1, 2, 5, 10, 20, 50],
  most: ({ mostConsumers }) => mostConsumers,
  measure: async (count, setting) => {
    const topic = await newTopic(setting, `consumers-${count}`, FEW_PARTITIONS);
    const spec = largeBatches(topic, FEW_PARTITIONS);
    const records = await fill(setting, { ...spec, bytes: setting.scale.megabytes * MEGABYTE });
    const reading = { topic, partitions: FEW_PARTITIONS, records };
    await measureReads(setting, reading);
    const { recordsPerSecond, ...read } = await measureReads(setting, { ...reading, consumers: count });
    return { value: count, unitsPerSecond: recordsPerSecond, ...read };
  },
};

const STORED_TOPIC = 'stored';

const stored: Curve = {
  name: 'stored',
  title: 'By data that is stored already, in one partition',
  label: 'stored, GB',
  unit: 'records',
  reads: false,
  values: ({ mostGigabytes }) => (mostGigabytes < 0.1 ? [mostGigabytes] : [0.1, 0.5, 1, 2, 5, 10, 20]),
  most: ({ mostGigabytes }) => mostGigabytes,
  measure: async (gigabytes, setting) => {
    const { stored: held } = setting;
    if (held.bytes === 0) await newTopic(setting, STORED_TOPIC, 1);
    const spec = largeBatches(STORED_TOPIC, 1);
    held.records += await fill(setting, { ...spec, bytes: gigabytes * GIGABYTE - held.bytes });
    held.bytes = gigabytes * GIGABYTE;
    const { records } = held;
    await writtenBack();
    const point = await measureWrites(gigabytes, setting, { spec, unit: 'records' });
    // From the middle on, so that its place in the log must be found.
    const wanted = Math.min(records / 2, (setting.scale.megabytes * MEGABYTE) / LARGE_RECORD_BYTES);
    const reading = { topic: STORED_TOPIC, partitions: 1, records: Math.floor(wanted), from: Math.floor(records / 2) };
    await measureReads(setting, reading);
    return { ...point, fetch: await measureReads(setting, reading) };
  },
};

export const CURVES: readonly Curve[] = [message, batch, partitions, connections, consumers, stored];
