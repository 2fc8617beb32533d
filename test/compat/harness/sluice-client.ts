/**
 * This package's own client behind the suites' operations, through what programs import: as the programs in clients/ it takes
 * the operations as JSON on standard input and prints the results.
 */
import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Client, type Consumer, type Outcome, SluiceError } from '../../../src/index.ts';
import type { Answers, CodecName, Operation, Result } from './client.ts';
import { readWritten } from './records.ts';

type Asked<Name extends Operation['op']> = Extract<Operation, { op: Name }> & { readonly file: string };

const { bootstrap, operations } = JSON.parse(await text(process.stdin)) as {
  readonly bootstrap: string;
  readonly operations: readonly (Operation & { readonly file: string })[];
};
const client = new Client({ brokers: bootstrap, clientId: 'sluice-client' });
const admin = client.admin();

function codes<T extends { readonly name: string }>(outcomes: readonly Outcome<T>[]): Record<string, string> {
  return Object.fromEntries(outcomes.map((each) => [each.name, each.ok ? 'NONE' : each.error.code]));
}

function firstOf<T>(outcomes: readonly Outcome<T>[]): T {
  const [first] = outcomes;
  if (first === undefined) throw new Error('no outcome');
  if (!first.ok) throw first.error;
  return first;
}

async function produce({
  topic,
  file,
  codec,
  acks,
  idempotent = false,
}: Asked<'produce'>): Promise<Answers['produce']> {
  const producer = client.producer({ acks: acks === -1 ? 'all' : acks, compression: codec as CodecName, idempotent });
  const records = readWritten(file).map(({ headers, ...record }) => ({
    ...record,
    topic,
    headers: headers.map(([key, value]) => ({ key, value })),
  }));
  const receipts = await producer.sendAll(records);
  await producer.close();
  return { written: receipts.map(({ partition, offset }) => [partition, Number(offset)]) };
}

async function consume({ topic, partitions, isolation, fetchBytes, file }: Asked<'consume'>): Promise<[]> {
  const places = partitions.map(({ partition }) => ({ topic, partition }));
  const consumer = client.consumer({
    isolation,
    partitionMaxBytes: fetchBytes,
    offsetReset: 'earliest',
    maxWaitMs: 100,
  });
  consumer.assign(places);
  const left = new Map<number, bigint>();
  const ends = await admin.listOffsets(
    places.map((each) => ({ ...each, at: 'latest' })),
    { isolation },
  );
  for (const [index, { partition, offset, count }] of partitions.entries()) {
    if (offset !== 'beginning') consumer.seek({ topic, partition }, BigInt(offset));
    const from = BigInt(offset === 'beginning' ? 0 : offset);
    left.set(partition, count === 'end' ? ends[index]!.offset : from + BigInt(count));
  }
  await readTo(consumer, left, file);
  await consumer.close();
  return [];
}

/** Counts stand for offsets: what the suites write lies close together. */
async function readTo(consumer: Consumer<Buffer, Buffer>, before: Map<number, bigint>, file: string): Promise<void> {
  const lines: string[] = [];
  const base64 = (bytes: Buffer | null) => bytes?.toString('base64') ?? null;
  for (const [partition, end] of before) if (end <= 0n) before.delete(partition);
  if (before.size > 0) {
    for await (const { partition, offset, timestamp, key, value, headers } of consumer) {
      const end = before.get(partition);
      if (end !== undefined && offset < end) {
        const h = headers.map((each) => [each.key, base64(each.value)]);
        const line = { p: partition, o: Number(offset), t: timestamp, k: base64(key), v: base64(value), h };
        lines.push(`${JSON.stringify(line)}\n`);
      }
      if (end !== undefined && offset + 1n >= end) before.delete(partition);
      if (before.size === 0) break;
    }
  }
  writeFileSync(file, lines.join(''));
}

async function describeTopics({ names }: Asked<'describeTopics'>): Promise<Answers['describeTopics']> {
  const found = await admin.describeTopics(names);
  return Object.fromEntries(
    found.map((each) => {
      if (!each.ok) return [each.name, { error: each.error.code }];
      return [each.name, { partitions: each.partitions.length, leaders: each.partitions.map(({ leader }) => leader) }];
    }),
  );
}

async function describeConfigs({ type, name }: Asked<'describeConfigs'>): Promise<Answers['describeConfigs']> {
  const { entries } = firstOf(await admin.describeConfigs([{ type, name }], { synonyms: true }));
  return Object.fromEntries(
    entries.map(({ name: option, value, source, synonyms }) => {
      return [option, { value, default: source === 'default', synonyms: synonyms.length }];
    }),
  );
}

async function describeLogDirs(): Promise<Answers['describeLogDirs']> {
  const directories = await admin.describeLogDirectories();
  return directories.map((each) => ({
    path: each.path,
    error: each.ok ? 'NONE' : each.error.code,
    partitions: Object.fromEntries(
      each.replicas.map(({ topic, partition, bytes }) => [`${topic}-${partition}`, bytes]),
    ),
  }));
}

const RESOURCE_NUMBERS = { topic: 2, broker: 4, 'broker-logger': 8, 'client-metrics': 16, group: 32 } as const;

const handlers: { readonly [Name in Operation['op']]?: (operation: Asked<Name>) => Promise<Answers[Name]> } = {
  createTopics: async ({ topics, validateOnly }) => codes(await admin.createTopics(topics, { validateOnly })),
  deleteTopics: async ({ names }) => codes(await admin.deleteTopics(names)),
  describeTopics,
  listTopics: async () => (await admin.listTopics()).map(({ name }) => name),
  describeCluster: async () => {
    const { clusterId, controllerId, brokers } = await admin.describeCluster();
    return { clusterId, controller: controllerId, brokers: brokers.map(({ id, host, port }) => ({ id, host, port })) };
  },
  produce,
  consume,
  listOffsets: async ({ topic, partition, at, isolation }) => {
    const where = at === 'maxTimestamp' ? 'max-timestamp' : at;
    const [found] = await admin.listOffsets([{ topic, partition, at: where }], { isolation });
    return { offset: Number(found!.offset), timestamp: found!.timestamp };
  },
  describeConfigs,
  alterConfigs: async ({ type, name, set, delete: removed }) => {
    firstOf(await admin.alterConfigs([{ type, name, set, remove: removed }]));
    return 'NONE';
  },
  createPartitions: async ({ topic, total }) => {
    firstOf(await admin.createPartitions([{ name: topic, count: total }]));
    return 'NONE';
  },
  deleteRecords: async ({ topic, partition, before }) => {
    const { start } = firstOf(await admin.deleteRecords([{ topic, partition, before: BigInt(before) }]));
    return { lowWatermark: Number(start) };
  },
  describeProducers: async ({ topic, partition }) => {
    const { producers } = firstOf(await admin.describeProducers([{ topic, partition }]));
    return producers.map(({ transactionStart, ...each }) => ({ ...each, transactionStart: Number(transactionStart) }));
  },
  describeLogDirs,
  listConfigResources: async () =>
    (await admin.listConfigResources()).map(({ type, name }) => `${RESOURCE_NUMBERS[type]}:${name}`),
};

const results: Result[] = [];
for (const operation of operations) {
  try {
    const handle = handlers[operation.op] as ((asked: typeof operation) => Promise<unknown>) | undefined;
    results.push({ ok: await handle!(operation) });
  } catch (error) {
    const name = error instanceof SluiceError ? error.code : 'UNEXPECTED';
    results.push({ error: name, message: String((error as Error).stack) });
  }
}
await client.close();
process.stdout.write(JSON.stringify(results));
