/**
 * What every client must be able to do with the broker, told once: each client's test file runs the parts that its
 * client supports. Operations are batched, since starting some of these clients takes seconds.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RunningBroker } from './broker-process.ts';
import {
  type Answers,
  type Client,
  type CodecName,
  consumeAll,
  type Operation,
  type OperationName,
  positionsFor,
  runAll,
  runOne,
} from './client.ts';
import { type ClientName, findClient, findFirst, operationsOf } from './clients.ts';
import { assertSameRecords, type ConsumedRecord, makeCorpus, type TestRecord } from './records.ts';
import { startTarget } from './target.ts';
import { requireToolchain } from './toolchain.ts';

export interface Stage {
  readonly broker: RunningBroker;
  readonly client: Client;
  /** Creates topics and reads for a client that cannot; the client itself where it can. */
  readonly companion: Client;
}

const COMPANIONS: readonly ClientName[] = ['confluent-kafka', 'franz-go', 'java'];

interface Part {
  readonly title: string;
  /** The part belongs to a client that has all of these. */
  readonly needs: readonly OperationName[];
  readonly run: (stage: Stage) => Promise<void>;
}

const PARTS: readonly Part[] = [
  {
    title: 'creates topics, describes them and is refused what Kafka refuses',
    needs: ['createTopics', 'describeTopics'],
    run: createsTopics,
  },
  { title: 'describes the cluster and lists topics', needs: ['listTopics'], run: describesTheCluster },
  {
    title: 'writes with every codec, acks and idempotence what is read back byte for byte',
    needs: ['produce'],
    run: writesEverything,
  },
  { title: 'creates a topic by writing to it', needs: ['produce'], run: createsByWriting },
  { title: 'finds offsets by timestamp and at both ends', needs: ['listOffsets'], run: findsOffsets },
  {
    title: 'reads from the middle of a compressed batch and past a batch larger than it asked for',
    needs: ['consume'],
    run: readsFromTheMiddle,
  },
  { title: 'describes and alters configs', needs: ['describeConfigs', 'alterConfigs'], run: altersConfigs },
  { title: 'increases partitions and is refused a decrease', needs: ['createPartitions'], run: increasesPartitions },
  { title: 'deletes records up to an offset', needs: ['deleteRecords'], run: deletesRecords },
  { title: 'deletes topics', needs: ['deleteTopics'], run: deletesTopics },
  {
    title: 'describes producers, log directories and config resources',
    needs: ['describeProducers', 'describeLogDirs', 'listConfigResources'],
    run: describesInternals,
  },
];

/** Declares the parts of the suite that the client has the operations for. */
export function clientSuite(name: ClientName): void {
  describe(name, () => {
    let stage: Stage | undefined;
    let reason = 'no broker';

    before(async () => {
      const make = await findClient(name);
      const companion = await findFirst(COMPANIONS.includes(name) ? [name] : COMPANIONS);
      if (make.value === undefined || companion.value === undefined) {
        reason = make.reason ?? companion.reason ?? reason;
        return;
      }
      const broker = await startTarget();
      stage = { broker, client: make.value(broker.bootstrap), companion: companion.value(broker.bootstrap) };
    });
    after(() => stage?.broker.remove());

    for (const { title, needs, run } of PARTS) {
      if (!needs.every((need) => operationsOf(name).has(need))) continue;
      test(title, async (context) => {
        const found = requireToolchain(context, stage === undefined ? { reason } : { value: stage });
        if (found !== undefined) await run(found);
      });
    }
  });
}

async function createsTopics({ client }: Stage): Promise<void> {
  const create = (name: string, partitions: number) =>
    ({ op: 'createTopics', topics: [{ name, partitions }] }) as const;
  const results = await client.run([
    { op: 'createTopics', topics: [{ name: 'created', partitions: 4, configs: { 'retention.ms': '123456789' } }] },
    create('created', 4),
    create('not/allowed', 1),
    create('created.too', 1),
  ]);
  assert.equal(outcome(results[0], 'created'), 'NONE');
  assert.equal(outcome(results[1], 'created'), 'TOPIC_ALREADY_EXISTS');
  assert.equal(outcome(results[2], 'not/allowed'), 'INVALID_TOPIC_EXCEPTION');
  assert.equal(outcome(results[3], 'created.too'), 'NONE');
  const described = await describeOnceKnown(client, ['created', 'created.too']);
  assert.equal(described['created']?.partitions, 4);
  assert.equal(described['created.too']?.partitions, 1);
  assert.equal(new Set(described['created']?.leaders).size, 1);
}

const PROPAGATION_MS = 5000;

/** Apache Kafka answers a creation before its own metadata cache knows of it. */
async function describeOnceKnown(client: Client, names: readonly string[]): Promise<Answers['describeTopics']> {
  for (const deadline = performance.now() + PROPAGATION_MS; ; ) {
    const described = await runOne(client, { op: 'describeTopics', names });
    const known = names.every(
      (name) => described[name]?.error === undefined && !described[name]?.leaders?.includes(-1),
    );
    if (known || performance.now() > deadline) return described;
  }
}

/** The outcome of one topic, or the error of the operation as a whole (some clients throw). */
function outcome(result: { ok?: unknown; error?: string } | undefined, topic: string): string | undefined {
  return result?.error ?? (result?.ok as Record<string, string> | undefined)?.[topic];
}

async function describesTheCluster({ client, companion, broker }: Stage): Promise<void> {
  await runOne(companion, { op: 'createTopics', topics: [{ name: 'listed', partitions: 2 }] });
  assert.ok((await runOne(client, { op: 'listTopics' })).includes('listed'));
  if (!client.can.has('describeCluster')) return;
  const cluster = await runOne(client, { op: 'describeCluster' });
  assert.equal(cluster.clusterId.length, 22);
  assert.equal(cluster.brokers.length, 1);
  assert.equal(cluster.brokers[0]?.port, broker.port);
  assert.equal(cluster.controller, cluster.brokers[0]?.id);
}

interface Write {
  readonly topic: string;
  readonly records: readonly TestRecord[];
  readonly operation: Operation;
}

function plannedWrites(client: Client): Write[] {
  const writes: Write[] = [];
  for (const codec of client.codecs) {
    const manners = client.acks.map((acks) => ({ acks, idempotent: false }));
    if (client.idempotence) manners.push({ acks: -1, idempotent: true });
    for (const { acks, idempotent } of manners) {
      const topic = `write.${codec}.${acks === -1 ? 'all' : acks}${idempotent ? '.idempotent' : ''}`;
      const records = makeCorpus({
        label: topic,
        partitions: 3,
        count: 40,
        large: acks === -1 && !idempotent,
        headers: client.headers,
      });
      writes.push({ topic, records, operation: { op: 'produce', topic, records, codec, acks, idempotent } });
    }
  }
  // With acks=0 nobody hears of a leader that is not ready yet, so what was created a moment ago waits its turn.
  const isBlind = ({ operation }: Write) => (operation.op === 'produce' && operation.acks === 0 ? 1 : 0);
  return writes.sort((one, other) => isBlind(one) - isBlind(other));
}

async function writesEverything({ client, companion }: Stage): Promise<void> {
  const writes = plannedWrites(client);
  const reader = client.can.has('consume') ? client : companion;
  const create: Operation = { op: 'createTopics', topics: writes.map(({ topic }) => ({ name: topic, partitions: 3 })) };
  const writing = writes.map(({ operation }) => operation);
  const reading = writes.map(
    ({ topic, records }) => ({ op: 'consume', topic, partitions: positionsFor(records) }) as const,
  );
  let read: readonly unknown[];
  if (reader === client && client.can.has('createTopics')) {
    read = (await runAll(client, [create, ...writing, ...reading])).slice(1 + writing.length);
  } else {
    await runOne(companion, create);
    await runAll(client, writing);
    read = await runAll(reader, reading);
  }
  for (const [i, { topic, records }] of writes.entries()) {
    assertSameRecords(read[i] as ConsumedRecord[], records, { what: topic });
  }
}

async function createsByWriting({ client, companion }: Stage): Promise<void> {
  const topic = 'created.by.writing';
  const records = makeCorpus({ label: topic, partitions: 1, count: 5, headers: client.headers });
  await runOne(client, { op: 'produce', topic, records, codec: 'none', acks: -1 });
  assertSameRecords(await consumeAll(companion, topic, records), records, { what: topic });
}

const FIRST_TIMESTAMP = 1_700_000_000_000;

async function findsOffsets({ client, companion }: Stage): Promise<void> {
  const topic = 'offsets';
  const records = makeCorpus({ label: topic, partitions: 1, count: 92, startTimestamp: FIRST_TIMESTAMP });
  await runOne(companion, { op: 'createTopics', topics: [{ name: topic, partitions: 1 }] });
  await runOne(companion, { op: 'produce', topic, records, codec: 'lz4', acks: -1 });
  const at = (when: number | 'earliest' | 'latest' | 'maxTimestamp') =>
    ({ op: 'listOffsets', topic, partition: 0, at: when }) as const;
  const last = FIRST_TIMESTAMP + (records.length - 1) * 10;
  const [earliest, latest, exact, between, beyond, before] = await runAll(client, [
    at('earliest'),
    at('latest'),
    at(FIRST_TIMESTAMP + 500),
    at(FIRST_TIMESTAMP + 505),
    at(last + 1),
    at(1),
  ]);
  assert.equal(earliest.offset, 0);
  assert.equal(latest.offset, records.length);
  assert.equal(exact.offset, 50);
  assert.equal(between.offset, 51);
  // Nothing so late: the protocol says -1, which several clients turn into the end.
  assert.ok([-1, records.length].includes(beyond.offset), `beyond the end: ${beyond.offset}`);
  assert.equal(before.offset, 0);
  if (client.name === 'kcat' || hasKafkajsApi(client)) return;
  const newest = await runOne(client, at('maxTimestamp'));
  assert.equal(newest.offset, records.length - 1);
  assert.equal(newest.timestamp, last);
}

async function readsFromTheMiddle({ client, companion }: Stage): Promise<void> {
  const codecs: readonly CodecName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
  const records = makeCorpus({ label: 'middle', partitions: 1, count: 300, large: true, headers: client.headers });
  const topics = codecs.map((codec) => ({ codec, topic: `middle.${codec}` }));
  await runAll(companion, [
    { op: 'createTopics', topics: topics.map(({ topic }) => ({ name: topic, partitions: 1 })) },
    ...topics.map(
      ({ topic, codec }) => ({ op: 'produce', topic, records, codec, acks: -1, idempotent: true }) as const,
    ),
  ] as Operation[]);
  const starts = [1, 150];
  const reads = topics.flatMap(({ topic }) =>
    starts.map((offset, i) => {
      const partitions = [{ partition: 0, offset, count: records.length - offset }];
      const isolation = i % 2 === 0 ? 'read_uncommitted' : 'read_committed';
      return { op: 'consume', topic, partitions, fetchBytes: 1000, isolation } as const;
    }),
  );
  const answers = await runAll(client, reads);
  for (const [i, read] of answers.entries()) {
    const from = starts[i % starts.length]!;
    const what = `${reads[i]!.topic} from ${from}`;
    assertSameRecords(read, records.slice(from), { what, firstOffsets: new Map([[0, from]]) });
  }
}

async function altersConfigs({ client, companion }: Stage): Promise<void> {
  const topic = 'configured';
  await runOne(companion, {
    op: 'createTopics',
    topics: [{ name: topic, partitions: 1, configs: { 'max.message.bytes': '500000' } }],
  });
  const describeTopic = { op: 'describeConfigs', type: 'topic', name: topic } as const;
  const set = { 'retention.ms': '7200000', 'cleanup.policy': 'compact' };
  const [before, altered, afterwards] = await runAll(client, [
    describeTopic,
    { op: 'alterConfigs', type: 'topic', name: topic, set },
    describeTopic,
  ] as const);
  assert.equal(before['retention.ms']?.value, '604800000');
  assert.equal(before['retention.ms']?.default, true);
  assert.equal(before['max.message.bytes']?.value, '500000');
  assert.equal(before['max.message.bytes']?.default, false);
  assert.equal(altered, 'NONE');
  assert.equal(afterwards['retention.ms']?.value, '7200000');
  assert.equal(afterwards['retention.ms']?.default, false);
  assert.equal(afterwards['cleanup.policy']?.value, 'compact');
  const refused = await client.run([
    { op: 'alterConfigs', type: 'topic', name: topic, set: { 'retention.ms': 'soon' } },
    { op: 'alterConfigs', type: 'topic', name: topic, set: { 'no.such.config': '1' } },
  ]);
  assert.deepEqual(
    refused.map((result) => result.error ?? result.ok),
    ['INVALID_CONFIG', 'INVALID_CONFIG'],
  );
  await removesAConfig(client, topic);
}

/** Its API has no word for some things. */
function hasKafkajsApi({ name }: Client): boolean {
  return name === 'kafkajs' || name === 'sluice-kafkajs';
}

/** kafkajs and others replace all configs at once (AlterConfigs); those that alter one by one can also remove one. */
async function removesAConfig(client: Client, topic: string): Promise<void> {
  if (hasKafkajsApi(client)) return;
  const [outcome, described, broker] = await runAll(client, [
    { op: 'alterConfigs', type: 'topic', name: topic, delete: ['retention.ms'] },
    { op: 'describeConfigs', type: 'topic', name: topic },
    { op: 'describeConfigs', type: 'broker', name: '1' },
  ] as const);
  assert.equal(outcome, 'NONE');
  assert.equal(described['retention.ms']?.value, '604800000');
  assert.equal(described['cleanup.policy']?.value, 'compact');
  assert.equal(broker['log.segment.bytes']?.value, '1073741824');
}

async function increasesPartitions({ client, companion }: Stage): Promise<void> {
  const topic = 'growing';
  await runOne(companion, { op: 'createTopics', topics: [{ name: topic, partitions: 2 }] });
  const results = await client.run([
    { op: 'createPartitions', topic, total: 5 },
    { op: 'createPartitions', topic, total: 3 },
  ]);
  assert.deepEqual(
    results.map((result) => result.error ?? result.ok),
    ['NONE', 'INVALID_PARTITIONS'],
  );
  const described = await describeOnceKnown(client, [topic]);
  assert.equal(described[topic]?.partitions, 5);
}

async function deletesRecords({ client, companion }: Stage): Promise<void> {
  const topic = 'shortened';
  const records = makeCorpus({ label: topic, partitions: 1, count: 50 });
  await runAll(companion, [
    { op: 'createTopics', topics: [{ name: topic, partitions: 1 }] },
    { op: 'produce', topic, records, codec: 'gzip', acks: -1 },
  ]);
  const [deleted, earliest, refused] = await client.run([
    { op: 'deleteRecords', topic, partition: 0, before: 20 },
    { op: 'listOffsets', topic, partition: 0, at: 'earliest' },
    { op: 'deleteRecords', topic, partition: 0, before: 1000 },
  ]);
  assert.deepEqual((deleted?.ok as { lowWatermark: number } | undefined)?.lowWatermark, 20, deleted?.error);
  assert.equal((earliest?.ok as { offset: number } | undefined)?.offset, 20);
  assert.equal(refused?.error, 'OFFSET_OUT_OF_RANGE');
  const rest = await consumeAll(companion, topic, records.slice(20));
  assertSameRecords(rest, records.slice(20), { what: topic, firstOffsets: new Map([[0, 20]]) });
}

async function deletesTopics({ client, companion }: Stage): Promise<void> {
  const topic = 'short-lived';
  const first = makeCorpus({ label: 'first', partitions: 1, count: 30 });
  const second = makeCorpus({ label: 'second life', partitions: 1, count: 3 });
  const create = { op: 'createTopics', topics: [{ name: topic, partitions: 1 }] } as const;
  await runAll(companion, [create, { op: 'produce', topic, records: first, codec: 'none', acks: -1 }]);
  const results = await client.run([
    { op: 'deleteTopics', names: [topic] },
    { op: 'deleteTopics', names: ['never-there'] },
    { op: 'listTopics' },
  ]);
  assert.equal(outcome(results[0], topic), 'NONE');
  assert.equal(outcome(results[1], 'never-there'), 'UNKNOWN_TOPIC_OR_PARTITION');
  assert.ok(!(results[2]!.ok as string[]).includes(topic));
  const [, , reborn] = await runAll(companion, [
    create,
    { op: 'produce', topic, records: second, codec: 'none', acks: -1 },
    { op: 'consume', topic, partitions: positionsFor(second) },
  ] as const);
  assertSameRecords(reborn, second, { what: 'a topic deleted and created again' });
}

async function describesInternals({ client, broker }: Stage): Promise<void> {
  const topic = 'internals';
  const records = makeCorpus({ label: topic, partitions: 1, count: 12 });
  const [, , producers, directories, resources] = await runAll(client, [
    { op: 'createTopics', topics: [{ name: topic, partitions: 1, configs: { 'retention.ms': '86400000' } }] },
    { op: 'produce', topic, records, codec: 'none', acks: -1, idempotent: true },
    { op: 'describeProducers', topic, partition: 0 },
    { op: 'describeLogDirs' },
    { op: 'listConfigResources' },
  ] as const);
  assert.equal(producers.length, 1);
  assert.equal(producers[0]?.lastSequence, records.length - 1);
  assert.equal(producers[0]?.producerEpoch, 0);
  assert.deepEqual(
    directories.map(({ path, error }) => ({ path, error })),
    [{ path: broker.dataDirectory, error: 'NONE' }],
  );
  assert.ok(directories[0]!.partitions[`${topic}-0`]! > 500);
  assert.ok(resources.includes(`2:${topic}`), resources.join(' '));
}
