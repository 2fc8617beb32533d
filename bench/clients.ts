/**
 * This package's client, @platformatic/kafka and kafkajs against one broker in one run: each client alone on one core, the
 * broker on the other, rounds in turn, medians. A table goes to standard output, then all samples as JSON.
 *
 * `--profile DIRECTORY` leaves a CPU profile of each client there.
 *
 * usage: node dist/bench/clients.js [--rounds N] [--seconds N] [--records N] [--only LOAD,...] [--clients NAME,...]
 */
import { execFile, execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { Client } from '../src/index.ts';
import { startSluice } from '../test/compat/harness/sluice.ts';

const CLIENTS = ['sluice', 'platformatic', 'kafkajs'] as const;
const LOADS = ['single', 'concurrent', 'batch', 'consume'] as const;
const SIZES = [100, 1000] as const;
const TITLES: Readonly<Record<(typeof LOADS)[number], string>> = {
  single: 'one record a call, one call at a time',
  concurrent: 'one record a call, 100 calls at a time',
  batch: '100 records a call, one call at a time',
  consume: 'consume from the beginning, one by one',
};
const BROKER_CORE = 0;
const CLIENT_CORE = 1;
const MOST_MS = 120_000;

type Load = (typeof LOADS)[number];

interface Sample {
  readonly client: string;
  readonly load: Load;
  readonly bytes: number;
  readonly recordsASecond: number;
  /** By the CPU time of the client's process alone: what a busy machine does not change. */
  readonly recordsACpuSecond: number;
}

type Measure = 'recordsASecond' | 'recordsACpuSecond';

function parse() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
      records: { type: 'string', default: '500000' },
      only: { type: 'string', default: LOADS.join() },
      clients: { type: 'string', default: CLIENTS.join() },
      profile: { type: 'string' },
    },
  });
  return {
    profile: values.profile,
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    records: Number(values.records),
    loads: LOADS.filter((load) => values.only.split(',').includes(load)),
    clients: CLIENTS.filter((client) => values.clients.split(',').includes(client)),
  };
}

const program = join(import.meta.dirname, 'clients', `load${import.meta.filename.slice(-3)}`);

interface Run {
  readonly client: string;
  readonly load: Load;
  readonly bytes: number;
  readonly bootstrap: string;
  readonly topic: string;
  /** Seconds, or records. */
  readonly amount: number;
  readonly profile: string | undefined;
}

async function run({ client, load, bytes, bootstrap, topic, amount, profile }: Run): Promise<Sample> {
  const flags =
    profile === undefined
      ? []
      : ['--cpu-prof', '--cpu-prof-dir', profile, '--cpu-prof-name', `${client}-${load}-${bytes}.cpuprofile`];
  const parameters = [...flags, program, client, load, String(bytes), bootstrap, topic, String(amount)];
  const command = ['-c', String(CLIENT_CORE), process.execPath, ...parameters];
  const { stdout } = await promisify(execFile)('taskset', command, { timeout: MOST_MS });
  const { records, ms, cpuMs } = JSON.parse(stdout) as { records: number; ms: number; cpuMs: number };
  const rates = { recordsASecond: (records / ms) * 1000, recordsACpuSecond: (records / cpuMs) * 1000 };
  return { client, load, bytes, ...rates };
}

/** As many records as are read, in batches as producers make them. */
async function fill(client: Client, topic: string, bytes: number, records: number): Promise<void> {
  await client.admin().createTopic({ name: topic, partitions: 1, replicationFactor: 1 });
  const producer = client.producer({ batchBytes: 16_384, lingerMs: 20 });
  const value = Buffer.alloc(bytes, 'x');
  for (let index = 0; index < records; index++) {
    if (!producer.write({ topic, value })) await producer.drained();
  }
  await producer.close();
}

const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[values.length >> 1]!;

function table(samples: readonly Sample[], measure: Measure, { loads, clients }: ReturnType<typeof parse>): string {
  const rate = (client: string, load: Load, bytes: number): number => {
    const found = samples.filter((each) => each.client === client && each.load === load && each.bytes === bytes);
    return median(found.map((each) => each[measure]));
  };
  const rows = loads.flatMap((load) =>
    SIZES.map((bytes) => {
      const rates = clients.map((client) => rate(client, load, bytes));
      const others = Math.max(...rates.slice(1));
      const shown = rates.map((each) => Math.round(each).toLocaleString('en'));
      return `| ${TITLES[load]}, ${bytes} B | ${shown.join(' | ')} | ${(rates[0]! / others).toFixed(2)} |`;
    }),
  );
  const title = measure === 'recordsASecond' ? 'records a second' : "records a second of the client's CPU";
  const heads = [`| ${title} | ${clients.join(' | ')} | ratio to the better of the others |`];
  return [...heads, `|---|${'---:|'.repeat(clients.length + 1)}`, ...rows].join('\n');
}

async function main(): Promise<void> {
  const options = parse();
  // Nobody else comes to a group here, so that none has to wait for others.
  const broker = await startSluice({ settings: { 'group.initial.rebalance.delay.ms': '0' } });
  execFileSync('taskset', ['-a', '-p', '-c', String(BROKER_CORE), String(broker.child.pid)]);
  const client = new Client({ brokers: broker.bootstrap });
  const samples: Sample[] = [];
  try {
    for (const bytes of SIZES) {
      if (options.loads.includes('consume')) await fill(client, `consumed-${bytes}`, bytes, options.records);
      await client.admin().createTopic({ name: `produced-${bytes}`, partitions: 1, replicationFactor: 1 });
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const load of options.loads) {
        for (const bytes of SIZES) {
          // Whoever comes first meets a cooler machine: take turns.
          for (const name of round % 2 === 0 ? options.clients : options.clients.toReversed()) {
            const topic = `${load === 'consume' ? 'consumed' : 'produced'}-${bytes}`;
            const amount = load === 'consume' ? options.records : options.seconds;
            const { bootstrap } = broker;
            const sample = await run({ client: name, load, bytes, bootstrap, topic, amount, profile: options.profile });
            console.error(
              `${round + 1} ${name} ${load} ${bytes}: ${Math.round(sample.recordsASecond)} ${Math.round(sample.recordsACpuSecond)}`,
            );
            samples.push(sample);
          }
        }
      }
    }
  } finally {
    await client.close();
    await broker.remove();
  }
  console.log(`${options.rounds} rounds, ${cpus().length} cores, Node ${process.version}`);
  for (const measure of ['recordsASecond', 'recordsACpuSecond'] as const) {
    console.log(`\n${table(samples, measure, options)}`);
  }
  console.log(`\n${JSON.stringify(samples)}`);
}

await main();
