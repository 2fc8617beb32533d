/**
 * What one process of a broker can do, and what more of them on the same machine add for the same clients: `sluice start
 * --brokers N`, nothing replicated, each client's topic on one broker, the topics spread evenly. The clients are as many in
 * every setting and use the same cores: on two of them more processes cannot bring much, and the share of a core that
 * the brokers had is told beside the rate.
 *
 * usage: node dist/bench/cores.js [--brokers 1,2] [--clients 2] [--rounds 3] [--megabytes 2000] [--smoke] [--out DIRECTORY]
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { startSluice } from '../test/compat/harness/sluice.ts';
import { findDrain } from './generators.ts';
import { createTopic } from './new-topic.ts';
import { childrenOf, cpuSeconds } from './process-usage.ts';
import { type Frames, replay, writeFrames } from './recorded-frames.ts';
import { deliver, median, shown, table } from './results.ts';

interface Shape {
  readonly label: string;
  readonly recordBytes: number;
  readonly recordsPerBatch: number;
  readonly inFlight: number;
  /** Of the megabytes that are asked for: small requests take longer. */
  readonly share: number;
}

const SHAPES: readonly Shape[] = [
  { label: '1 KB, batches of 128 KiB', recordBytes: 1000, recordsPerBatch: 130, inFlight: 5, share: 1 },
  { label: '100 B, one a request', recordBytes: 100, recordsPerBatch: 1, inFlight: 500, share: 0.02 },
];
const PARTITIONS = 4;
const WARM_UP_SHARE = 0.1;
const FIRST_BROKER_ID = 1;
const READY_MS = 30_000;
const POLL_MS = 20;
const MEGABYTE = 1e6;
const GIGABYTE = 1e9;

interface Sample {
  readonly brokers: number;
  readonly measure: string;
  readonly unit: string;
  readonly perSecond: number;
  readonly cpuSecondsAGigabyte: number;
  /** Of all broker processes together; 1 is one core. */
  readonly cores: number;
}

interface Client {
  readonly port: number;
  readonly topic: string;
  readonly frames: Frames;
}

interface Setting {
  readonly brokers: number;
  readonly clients: number;
  readonly megabytes: number;
}

async function measure(setting: Setting): Promise<Sample[]> {
  const home = makeTemporaryDirectory('sluice-bench-cores');
  const broker = await startSluice({ brokers: setting.brokers });
  try {
    await untilReady(() => broker.output());
    const pids = [broker.child.pid!, ...childrenOf(broker.child.pid!)];
    const samples: Sample[] = [];
    for (const shape of SHAPES) {
      const clients = await prepare(shape, { ...setting, home, port: broker.port });
      samples.push(...(await measureShape(shape, clients, { ...setting, pids })));
    }
    return samples;
  } finally {
    await broker.remove();
    rmSync(home, { recursive: true, force: true });
  }
}

async function untilReady(output: () => string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!/(is|are) ready after/.test(output())) {
    if (performance.now() > deadline) throw new Error(`the brokers were not ready in time:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A topic for each client, each on one broker; the client sends to that broker alone. */
async function prepare(
  { recordBytes, recordsPerBatch }: Shape,
  { brokers, clients, home, port }: Setting & { readonly home: string; readonly port: number },
): Promise<Client[]> {
  const prepared: Client[] = [];
  for (let index = 0; index < clients; index++) {
    const topic = `cores-${recordsPerBatch}-${index}`;
    const on = { brokerId: FIRST_BROKER_ID + (index % brokers), port: port + (index % brokers) };
    await createTopic(port, { name: topic, partitions: PARTITIONS, on });
    const frames = writeFrames(join(home, topic), { topic, partitions: PARTITIONS, recordBytes, recordsPerBatch });
    prepared.push({ port: on.port, topic, frames });
  }
  return prepared;
}

async function measureShape(
  { label, recordBytes, inFlight, share }: Shape,
  clients: readonly Client[],
  { brokers, megabytes, pids }: Setting & { readonly pids: readonly number[] },
): Promise<Sample[]> {
  const requests = Math.ceil((megabytes * share * MEGABYTE) / clients.length / clients[0]!.frames.valueBytes);
  const warmUpRequests = Math.ceil(requests * WARM_UP_SHARE);
  const records = (requests + warmUpRequests) * clients[0]!.frames.recordsPerRequest;
  const cpu = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const drain = await findDrain();
  const timed = async (kind: string, run: (client: Client) => Promise<void>): Promise<Sample> => {
    const [before, started] = [cpu(), performance.now()];
    await Promise.all(clients.map(run));
    const [used, seconds] = [cpu() - before, (performance.now() - started) / 1000];
    const bytes = records * recordBytes * clients.length;
    const batched = share === 1;
    return {
      brokers,
      measure: `${kind} ${label}`,
      unit: batched ? 'MB/s' : 'records/s',
      perSecond: batched ? bytes / MEGABYTE / seconds : (records * clients.length) / seconds,
      cpuSecondsAGigabyte: used / (bytes / GIGABYTE),
      cores: used / seconds,
    };
  };
  const produce = async ({ port, frames }: Client): Promise<void> => {
    await replay({ port, frames, requests, warmUpRequests, inFlight });
  };
  const fetch = async ({ port, topic }: Client): Promise<void> => {
    await drain({ bootstrap: `127.0.0.1:${port}`, topic, partitions: PARTITIONS, records });
  };
  return [await timed('produce', produce), await timed('fetch', fetch)];
}

function render(samples: readonly Sample[], settings: readonly number[]): string {
  const measures = [...new Set(samples.map((sample) => sample.measure))];
  const rows = measures.flatMap((name) =>
    settings.map((brokers) => {
      const found = samples.filter((sample) => sample.measure === name && sample.brokers === brokers);
      const of = (value: (sample: Sample) => number): number => median(found.map(value));
      const rate = `${shown(of(({ perSecond }) => perSecond))} ${found[0]!.unit}`;
      return [
        name,
        String(brokers),
        rate,
        shown(of(({ cores }) => cores)),
        shown(of(({ cpuSecondsAGigabyte }) => cpuSecondsAGigabyte)),
      ];
    }),
  );
  return table(['', 'brokers', 'all clients', 'cores used by brokers', 'their CPU, s/GB'], rows);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      brokers: { type: 'string', default: '1,2' },
      clients: { type: 'string', default: '2' },
      rounds: { type: 'string' },
      megabytes: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const settings = values.brokers.split(',').map(Number);
  const clients = Number(values.clients);
  const rounds = Number(values.rounds ?? (values.smoke ? 1 : 3));
  const megabytes = Number(values.megabytes ?? (values.smoke ? 20 : 2000));
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const brokers of round % 2 === 0 ? settings : settings.toReversed())
      samples.push(...(await measure({ brokers, clients, megabytes })));
  }
  const title = `Processes: ${clients} clients, ${rounds} rounds`;
  deliver({ name: 'cores', title, markdown: render(samples, settings), json: samples }, values.out);
}

await main();
