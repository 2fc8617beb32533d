/**
 * Whole data directories cross over: what a real Apache Kafka wrote is served by Sluice as Kafka served it, and goes back
 * to Kafka with what Sluice wrote behind it; and a directory that Sluice began is served by Kafka.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { disk } from '../../src/base/disk.ts';
import { verifyDirectory } from '../../src/storage/verify.ts';
import { startApacheKafka } from './harness/apache-kafka.ts';
import { type RunningBroker, unusedPorts } from './harness/broker-process.ts';
import { type Client, type CodecName, type Operation, runAll, runOne } from './harness/client.ts';
import { findClient, type MakeClient } from './harness/clients.ts';
import { kafkaClassPath } from './harness/kafka-jars.ts';
import { makeCorpus, type TestRecord } from './harness/records.ts';
import { startSluice } from './harness/sluice.ts';
import { type Available, absent, requireToolchain } from './harness/toolchain.ts';

const CODECS: readonly CodecName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const NODE_ID = { 'node.id': '1' };
const DAY_MS = 86_400_000;
const CLEANED_WITHIN_MS = 60_000;
/** A pass over some dozen records that has begun. */
const PASS_ENDS_WITHIN_MS = 1000;
const CLEANING = { 'log.cleaner.backoff.ms': '100', 'log.retention.check.interval.ms': '1000' };

interface Means {
  readonly classPath: string;
  readonly java: MakeClient;
}

async function findMeans(): Promise<Available<Means>> {
  const [classPath, java] = [await kafkaClassPath(), await findClient('java')];
  if (classPath.value === undefined) return absent(classPath.reason);
  if (java.value === undefined) return absent(java.reason);
  return { value: { classPath: classPath.value, java: java.value } };
}

function records(label: string, count: number, more: Partial<TestRecord> = {}): TestRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    partition: 0,
    key: Buffer.from(`k${index % 7}`),
    value: Buffer.from(`${label} ${index} ${'x'.repeat(index % 90)}`),
    headers: [],
    ...more,
  }));
}

/** Rounds of the same keys, each old enough against the one before that a new segment begins. */
function overwritten(rounds: number): TestRecord[] {
  const now = Date.now();
  return Array.from({ length: rounds }, (_, round) =>
    records(`round ${round}`, 14, { timestamp: now - (rounds - round) * DAY_MS }),
  ).flat();
}

const TOPICS = [
  ...CODECS.map((codec) => ({ name: `codec-${codec}`, partitions: 2 })),
  {
    name: 'compacted',
    partitions: 1,
    configs: { 'cleanup.policy': 'compact', 'segment.ms': '1000', 'min.cleanable.dirty.ratio': '0.01' },
  },
  { name: 'transactions', partitions: 1, configs: { 'internal.segment.bytes': '4000', 'index.interval.bytes': '500' } },
  { name: 'segments', partitions: 1, configs: { 'internal.segment.bytes': '6000', 'retention.ms': '-1' } },
  { name: 'idempotent', partitions: 1 },
] as const;

function* fill(): Generator<Operation> {
  yield { op: 'createTopics', topics: TOPICS };
  for (const codec of CODECS) {
    const corpus = makeCorpus({ label: codec, partitions: 2, count: 40 });
    yield { op: 'produce', topic: `codec-${codec}`, records: corpus, codec, acks: -1, idempotent: codec !== 'gzip' };
  }
  for (let part = 0; part < 10; part++) {
    yield { op: 'produce', topic: 'segments', records: records(`part ${part}`, 40), codec: 'none', acks: 1 };
  }
  yield { op: 'deleteRecords', topic: 'segments', partition: 0, before: 150 };
  for (const part of [0, 1, 2, 3]) {
    const from = part * 28;
    const some = overwritten(8).slice(from, from + 28);
    yield { op: 'produce', topic: 'compacted', records: some, codec: part % 2 === 0 ? 'none' : 'zstd', acks: -1 };
  }
}

/** Only a cluster with a transaction coordinator can. Leaves one transaction open. */
function* fillTransactions(): Generator<Operation> {
  for (const name of ['a', 'b', 'open']) {
    yield { op: 'openProducer', name, codec: name === 'a' ? 'none' : 'lz4', transactionalId: `parity-${name}` };
  }
  for (let round = 0; round < 6; round++) {
    yield { op: 'send', name: 'a', topic: 'transactions', records: records(`a${round}`, 4) };
    yield { op: 'send', name: 'b', topic: 'transactions', records: records(`b${round}`, 6) };
    yield { op: 'endTransaction', name: 'a', commit: round % 2 === 0 };
    yield { op: 'send', name: 'a', topic: 'transactions', records: records(`A${round}`, 2) };
    yield { op: 'endTransaction', name: 'b', commit: round % 3 === 0 };
    yield { op: 'endTransaction', name: 'a', commit: round % 3 !== 0 };
  }
  yield { op: 'send', name: 'open', topic: 'transactions', records: records('undecided', 3) };
  yield { op: 'produce', topic: 'transactions', records: records('behind', 2), codec: 'none', acks: -1 };
}

const CONFIG_TOOL = 'kafka.admin.ConfigCommand';

/** What Sluice does not act on must survive it all the same. */
function principals(bootstrap: string, ...change: readonly string[]): Operation {
  const parameters = ['--bootstrap-server', bootstrap, '--entity-type', 'users', '--entity-name', 'alice', ...change];
  return { op: 'tool', main: CONFIG_TOOL, parameters };
}

/** By topic and then by what was asked. */
type View = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** One question after the other, so that a difference can be read. */
function assertSameView(actual: View, expected: View): void {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [topic, answers] of Object.entries(expected)) {
    for (const [question, answer] of Object.entries(answers)) {
      const got = actual[topic]?.[question];
      if (Array.isArray(answer) && Array.isArray(got)) {
        for (const [index, each] of answer.entries())
          assert.deepEqual(got[index], each, `${topic}: ${question} ${index}`);
        assert.equal(got.length, answer.length, `${topic}: ${question}`);
      } else assert.deepEqual(got, answer, `${topic}: ${question}`);
    }
  }
}

const QUESTIONS = ['all', 'committed', 'earliest', 'latest', 'lastStable', 'producers', 'topic'] as const;

function questionsOn({ name, partitions }: (typeof TOPICS)[number]): readonly Operation[] {
  const toEnd = Array.from({ length: partitions }, (_, partition) => {
    return { partition, offset: 'beginning', count: 'end' } as const;
  });
  const first = { topic: name, partition: 0 };
  return [
    { op: 'consume', topic: name, partitions: toEnd },
    { op: 'consume', topic: name, partitions: toEnd, isolation: 'read_committed' },
    { op: 'listOffsets', ...first, at: 'earliest' },
    { op: 'listOffsets', ...first, at: 'latest' },
    { op: 'listOffsets', ...first, at: 'latest', isolation: 'read_committed' },
    { op: 'describeProducers', ...first },
    { op: 'describeTopics', names: [name] },
  ];
}

/** Everything that a client can see of the topics, asked in one process. */
async function look(client: Client): Promise<View> {
  const answers: unknown[] = await runAll(client, TOPICS.flatMap(questionsOn));
  const seen: Record<string, Record<string, unknown>> = {};
  for (const [index, { name }] of TOPICS.entries()) {
    const own = answers.slice(index * QUESTIONS.length, (index + 1) * QUESTIONS.length);
    seen[name] = Object.fromEntries(QUESTIONS.map((question, at) => [question, sorted(own[at])]));
    assert.ok((own[0] as unknown[]).length > 0, `there are records in ${name}`);
  }
  return seen;
}

/** Records of several partitions arrive in any order, and so do producers. */
function sorted(answer: unknown): unknown {
  if (!Array.isArray(answer)) return answer;
  const rank = ({ partition = 0, offset = 0, producerId = 0 }: Readonly<Record<string, number>>): number =>
    partition * 2 ** 40 + offset + producerId;
  return answer.sort((left, right) => rank(left) - rank(right));
}

async function assertSound(directory: string): Promise<void> {
  const faults: string[] = [];
  await verifyDirectory(
    directory,
    {
      onFinding: ({ severity, path, problem }) => {
        if (severity !== 'note') faults.push(`${path}: ${problem}`);
      },
    },
    disk,
  );
  assert.deepEqual(faults, []);
}

async function waitFor(what: string, isThere: () => boolean): Promise<void> {
  const deadline = performance.now() + CLEANED_WITHIN_MS;
  while (!isThere()) {
    assert.ok(performance.now() < deadline, `waited in vain for ${what}`);
    await sleep(100);
  }
}

/** Waits for a pass over the compacted topic, and keeps everybody from another: records are compared from here on. */
async function compacted(client: Client, directory: string): Promise<void> {
  const checkpoint = join(directory, 'cleaner-offset-checkpoint');
  await waitFor('compaction', () => {
    return existsSync(checkpoint) && /^compacted 0 [1-9]/m.test(readFileSync(checkpoint, 'utf8'));
  });
  const set = { 'min.compaction.lag.ms': String(1000 * DAY_MS) };
  await runOne(client, { op: 'alterConfigs', type: 'topic', name: 'compacted', set });
  await sleep(PASS_ENDS_WITHIN_MS);
}

function appended(topic: string): Operation {
  return { op: 'produce', topic, records: records('appended', 5), codec: 'zstd', acks: -1, idempotent: true };
}

async function withHome(run: (home: string) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'format-parity-'));
  try {
    await run(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function on<T>(starting: Promise<RunningBroker>, run: (broker: RunningBroker) => Promise<T>): Promise<T> {
  const broker = await starting;
  try {
    return await run(broker);
  } finally {
    await broker.remove();
  }
}

/** A producer that lives on while the brokers change under it: `resume` lets it go on, and resolves when it is done. */
interface LiveProducer {
  readonly resume: () => Promise<unknown>;
}

async function startLiveProducer(client: Client, home: string): Promise<LiveProducer> {
  const [done, go] = [join(home, 'done'), join(home, 'go')];
  const script = runAll(client, [
    { op: 'openProducer', name: 'live', codec: 'gzip' },
    { op: 'send', name: 'live', topic: 'idempotent', records: records('before', 5) },
    { op: 'handOver', done, await: go },
    { op: 'send', name: 'live', topic: 'idempotent', records: records('after', 5) },
  ]);
  // Where the test fails first, nobody waits for it.
  script.catch(() => undefined);
  await Promise.race([script, waitFor('the producer', () => existsSync(done))]);
  const resume = (): Promise<unknown> => {
    writeFileSync(go, '');
    return script;
  };
  return { resume };
}

async function fillKafka(client: Client, broker: RunningBroker): Promise<void> {
  const password = 'SCRAM-SHA-256=[iterations=4096,password=secret]';
  await runAll(client, [
    ...fill(),
    ...fillTransactions(),
    principals(broker.bootstrap, '--alter', '--add-config', password),
    principals(broker.bootstrap, '--alter', '--add-config', 'producer_byte_rate=1048576'),
  ]);
  await compacted(client, broker.dataDirectory);
}

async function growInSluice(client: Client, producer: LiveProducer): Promise<void> {
  await producer.resume();
  for (const { name } of TOPICS) {
    if (name !== 'transactions') await runOne(client, appended(name));
  }
  const late = records('late', 2);
  const everything = [{ partition: 0, offset: 0, count: 'end' }] as const;
  const [, , all] = await runAll(client, [
    { op: 'createTopics', topics: [{ name: 'made-by-sluice', partitions: 1 }] },
    { op: 'produce', topic: 'transactions', records: late, codec: 'none', acks: -1 },
    { op: 'consume', topic: 'idempotent', partitions: everything },
  ]);
  assert.equal(all.length, 15, 'the live producer went on, and nothing lies there twice');
}

async function checkBackInKafka(client: Client, broker: RunningBroker): Promise<void> {
  const [topics, described] = await runAll(client, [{ op: 'listTopics' }, principals(broker.bootstrap, '--describe')]);
  assert.ok(topics.includes('made-by-sluice'));
  const { stdout } = described as { stdout: string };
  assert.match(stdout, /SCRAM-SHA-256/);
  assert.match(stdout, /producer_byte_rate=1048576/);
}

describe('data directories', () => {
  test('a directory of Apache Kafka is served by Sluice as by Kafka, and goes back with what Sluice appended', async (context) => {
    const means = requireToolchain(context, await findMeans());
    if (means === undefined) return;
    const { classPath, java } = means;
    await withHome(async (home) => {
      const [port, controllerPort] = (await unusedPorts(2)) as [number, number];
      const [kafkaData, sluiceData] = [join(home, 'kafka'), join(home, 'sluice')];
      const kafka = { classPath, port, controllerPort, settings: CLEANING };
      const [expected, producer] = await on(
        startApacheKafka({ ...kafka, dataDirectory: kafkaData }),
        async (broker) => {
          const client = java(broker.bootstrap);
          await fillKafka(client, broker);
          const live = await startLiveProducer(client, home);
          const seen = await look(client);
          await broker.stop();
          return [seen, live] as const;
        },
      );
      await assertSound(kafkaData);
      cpSync(kafkaData, sluiceData, { recursive: true, preserveTimestamps: true });
      // Snapshots of the metadata are forced: Kafka must find all of its own in them.
      const frugal = { ...NODE_ID, 'metadata.log.max.record.bytes.between.snapshots': '200' };
      const grown = await on(startSluice({ dataDirectory: sluiceData, port, settings: frugal }), async (broker) => {
        const client = java(broker.bootstrap);
        assertSameView(await look(client), expected);
        await growInSluice(client, producer);
        const seen = await look(client);
        await broker.stop();
        return seen;
      });
      await assertSound(sluiceData);
      const first = join(sluiceData, '__cluster_metadata-0', '00000000000000000000-0000000000.checkpoint');
      assert.ok(!existsSync(first), 'only snapshots of our own are left');
      await on(startApacheKafka({ ...kafka, dataDirectory: sluiceData }), async (broker) => {
        const client = java(broker.bootstrap);
        assertSameView(await look(client), grown);
        await checkBackInKafka(client, broker);
      });
    });
  });

  test('a directory that Sluice began is served by Apache Kafka, appended to, and served by Sluice again', async (context) => {
    const means = requireToolchain(context, await findMeans());
    if (means === undefined) return;
    const { classPath, java } = means;
    await withHome(async (home) => {
      const [port, controllerPort] = (await unusedPorts(2)) as [number, number];
      const data = join(home, 'data');
      const cleaning = { ...NODE_ID, ...CLEANING };
      const expected = await on(startSluice({ dataDirectory: data, settings: cleaning }), async (broker) => {
        const client = java(broker.bootstrap);
        await runAll(client, [...fill(), appended('idempotent'), appended('transactions')]);
        await compacted(client, data);
        const seen = await look(client);
        await broker.stop();
        return seen;
      });
      await assertSound(data);
      // A single node of Sluice's writes no voters into its log: Kafka is told of them by its configuration.
      const settings = { 'controller.quorum.voters': `1@127.0.0.1:${controllerPort}` };
      const kafka = { classPath, port, controllerPort, settings, dataDirectory: data };
      const grown = await on(startApacheKafka(kafka), async (broker) => {
        const client = java(broker.bootstrap);
        assertSameView(await look(client), expected);
        await runAll(client, [appended('codec-gzip'), ...fillTransactions()]);
        const seen = await look(client);
        await broker.stop();
        return seen;
      });
      await on(startSluice({ dataDirectory: data, settings: NODE_ID }), async (broker) => {
        assertSameView(await look(java(broker.bootstrap)), grown);
      });
    });
  });
});
