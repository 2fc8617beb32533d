/**
 * A broker against the limit: C programs that only read a socket, check CRC-32C and append to a file, and that only
 * sendfile a file to a socket. Both sides get the same recorded requests from the same generator, in turn, and the
 * share of the bare program that the broker reaches is told.
 *
 * usage: node dist/bench/limit.js [--rounds 5] [--megabytes 2000] [--smoke] [--out DIRECTORY]
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { startSluice } from '../test/compat/harness/sluice.ts';
import { findDrain } from './generators.ts';
import { compiled, numbersOf, startServer } from './native-program.ts';
import { createTopic } from './new-topic.ts';
import { cpuSeconds } from './process-usage.ts';
import { type Frames, replay, writeFrames } from './recorded-frames.ts';
import { deliver, median, shown, table } from './results.ts';

interface Shape {
  readonly recordBytes: number;
  /** Requests of about 128 KiB, which is what producers made for throughput send. */
  readonly recordsPerBatch: number;
  readonly label: string;
}

const SHAPES: readonly Shape[] = [
  { recordBytes: 100, recordsPerBatch: 1200, label: '100 B' },
  { recordBytes: 1000, recordsPerBatch: 130, label: '1 KB' },
];
const PARTITIONS = 4;
const WARM_UP_SHARE = 0.1;
const BYTES_A_MEGABYTE = 1e6;
const BYTES_A_GIGABYTE = 1e9;

/** Of one system in one round. */
export interface LimitSample {
  readonly measure: string;
  readonly system: 'broker' | 'limit';
  readonly megabytesPerSecond: number;
  readonly cpuSecondsAGigabyte: number;
}

export interface LimitedBroker {
  readonly port: number;
  readonly pid: number;
  readonly dataDirectory: string;
}

interface Load {
  readonly frames: Frames;
  readonly measure: string;
  readonly requests: number;
}

async function replayed(system: LimitSample['system'], port: number, pid: number, load: Load): Promise<LimitSample> {
  const { frames, measure, requests } = load;
  const warmUpRequests = Math.ceil(requests * WARM_UP_SHARE);
  const cpuBefore = cpuSeconds(pid);
  const { bytesPerSecond, bytes, acknowledged } = await replay({ port, frames, requests, warmUpRequests });
  if (system === 'broker' && acknowledged !== requests + warmUpRequests)
    throw new Error(`${acknowledged} of ${requests + warmUpRequests} batches were acknowledged`);
  const cpuSecondsAGigabyte = (cpuSeconds(pid) - cpuBefore) / (bytes / BYTES_A_GIGABYTE);
  return { measure, system, megabytesPerSecond: bytesPerSecond / BYTES_A_MEGABYTE, cpuSecondsAGigabyte };
}

async function takenAtTheLimit(measure: string, files: readonly string[], bytes: number): Promise<LimitSample> {
  const server = await startServer(await compiled('sendfile-limit'), files);
  try {
    const take = await compiled('take');
    await numbersOf(take, [server.port, bytes]);
    const cpuBefore = cpuSeconds(server.pid);
    const [taken, seconds] = (await numbersOf(take, [server.port, bytes])) as [number, number];
    return {
      measure,
      system: 'limit',
      megabytesPerSecond: taken / seconds / BYTES_A_MEGABYTE,
      cpuSecondsAGigabyte: (cpuSeconds(server.pid) - cpuBefore) / (taken / BYTES_A_GIGABYTE),
    };
  } finally {
    await server.stop();
  }
}

/** The segments of a topic's partitions. */
function segments(dataDirectory: string, topic: string): string[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => join(dataDirectory, `${topic}-${partition}`)).flatMap(
    (directory) =>
      readdirSync(directory)
        .filter((file) => file.endsWith('.log'))
        .sort()
        .map((file) => join(directory, file)),
  );
}

interface Round {
  readonly round: number;
  readonly megabytes: number;
}

/** One round of both shapes, written and then read, on a running broker and on the bare programs. */
export async function measureLimit(broker: LimitedBroker, { round, megabytes }: Round): Promise<LimitSample[]> {
  const home = makeTemporaryDirectory('sluice-bench-limit');
  const samples: LimitSample[] = [];
  try {
    for (const { recordBytes, recordsPerBatch, label } of SHAPES) {
      const topic = `limit-${recordBytes}-${round}`;
      const frames = writeFrames(join(home, topic), { topic, partitions: PARTITIONS, recordBytes, recordsPerBatch });
      const requests = Math.ceil((megabytes * BYTES_A_MEGABYTE) / frames.valueBytes);
      await createTopic(broker.port, { name: topic, partitions: PARTITIONS });
      const load = { frames, measure: `produce ${label}`, requests };
      const alone = () => producedAtTheLimit(home, load);
      const ours = () => replayed('broker', broker.port, broker.pid, load);
      // Whoever comes first meets a cooler machine: take turns.
      for (const run of round % 2 === 0 ? [alone, ours] : [ours, alone]) samples.push(await run());
      samples.push(...(await measureFetch(broker, { topic, label, requests, frames, round })));
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  return samples;
}

async function producedAtTheLimit(home: string, load: Load): Promise<LimitSample> {
  const directory = join(home, 'log');
  mkdirSync(directory);
  const server = await startServer(await compiled('receive-limit'), [join(directory, 'file')]);
  try {
    return await replayed('limit', server.port, server.pid, load);
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true });
  }
}

interface Stored {
  readonly topic: string;
  readonly label: string;
  readonly requests: number;
  readonly frames: Frames;
  readonly round: number;
}

async function measureFetch(broker: LimitedBroker, stored: Stored): Promise<LimitSample[]> {
  const { topic, label, requests, frames, round } = stored;
  const drain = await findDrain();
  const records = (requests + Math.ceil(requests * WARM_UP_SHARE)) * frames.recordsPerRequest;
  const load = { bootstrap: `127.0.0.1:${broker.port}`, topic, partitions: PARTITIONS, records };
  const measure = `fetch ${label}`;
  const { bytes } = await drain(load);
  const ours = async (): Promise<LimitSample> => {
    const cpuBefore = cpuSeconds(broker.pid);
    const { bytesPerSecond } = await drain(load);
    const cpuSecondsAGigabyte = (cpuSeconds(broker.pid) - cpuBefore) / (bytes / BYTES_A_GIGABYTE);
    return { measure, system: 'broker', megabytesPerSecond: bytesPerSecond / BYTES_A_MEGABYTE, cpuSecondsAGigabyte };
  };
  const alone = () => takenAtTheLimit(measure, segments(broker.dataDirectory, topic), bytes);
  const samples: LimitSample[] = [];
  for (const run of round % 2 === 0 ? [alone, ours] : [ours, alone]) samples.push(await run());
  return samples;
}

/** The broker's share of the bare program by measure, in one round. */
export function sharesOf(samples: readonly LimitSample[]): Map<string, number> {
  const rate = (measure: string, system: LimitSample['system']): number =>
    median(samples.filter((each) => each.measure === measure && each.system === system).map(rateOf));
  const measures = new Set(samples.map(({ measure }) => measure));
  return new Map([...measures].map((measure) => [measure, rate(measure, 'broker') / rate(measure, 'limit')]));
}

const rateOf = ({ megabytesPerSecond }: LimitSample): number => megabytesPerSecond;

function render(samples: readonly LimitSample[]): string {
  const shares = sharesOf(samples);
  const cell = (measure: string, system: LimitSample['system'], of: (sample: LimitSample) => number): string =>
    shown(median(samples.filter((each) => each.measure === measure && each.system === system).map(of)));
  const rows = [...shares].map(([measure, share]) => [
    measure,
    cell(measure, 'broker', rateOf),
    cell(measure, 'limit', rateOf),
    `${(share * 100).toFixed(0)} %`,
    measure.startsWith('produce') ? '60 %' : '70 %',
    cell(measure, 'broker', ({ cpuSecondsAGigabyte }) => cpuSecondsAGigabyte),
    cell(measure, 'limit', ({ cpuSecondsAGigabyte }) => cpuSecondsAGigabyte),
  ]);
  const head = ['', 'Sluice, MB/s', 'bare C, MB/s', 'share', 'goal', 'CPU of Sluice, s/GB', 'CPU of bare C, s/GB'];
  return table(head, rows);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      megabytes: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds ?? (values.smoke ? 1 : 5));
  const megabytes = Number(values.megabytes ?? (values.smoke ? 50 : 2000));
  const samples: LimitSample[] = [];
  for (let round = 0; round < rounds; round++) {
    // A fresh broker a round, so that no round pays for what another has left to be written.
    const broker = await startSluice();
    try {
      const { port, dataDirectory } = broker;
      samples.push(...(await measureLimit({ port, pid: broker.child.pid!, dataDirectory }, { round, megabytes })));
    } finally {
      await broker.remove();
    }
    for (const [measure, share] of sharesOf(samples))
      console.error(`round ${round + 1}: ${measure} ${(share * 100).toFixed(0)} %`);
  }
  const title = `Against the limit: ${megabytes} MB, ${rounds} rounds`;
  deliver({ name: 'limit', title, markdown: render(samples), json: samples }, values.out);
}

if (process.argv[1] === import.meta.filename) await main();
