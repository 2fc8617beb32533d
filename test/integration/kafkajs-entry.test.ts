/** The entry `sluice/kafkajs`: kafkajs's own examples with the import changed, and what its users rely on. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type EmbeddedBroker, startBroker } from '../../src/broker/embedded.ts';
import {
  CompressionTypes,
  ConfigResourceTypes,
  type Consumer,
  type EachBatchPayload,
  Kafka,
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  type LogEntry,
  logLevel,
} from '../../src/client/kafkajs/index.ts';
import { projectRoot } from '../support/declared-schemas.ts';

let broker: EmbeddedBroker;
let kafka: Kafka;
const logged: LogEntry[] = [];

before(async () => {
  broker = await startBroker({
    config: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '1' },
  });
  kafka = new Kafka({
    brokers: [broker.bootstrapServers],
    clientId: 'test',
    retry: { initialRetryTime: 20, retries: 3 },
    logCreator: () => (entry) => void logged.push(entry),
  });
});
after(() => broker?.close());

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `not within 15 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function write(topic: string, values: readonly string[], partition = 0): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ value, partition })) });
  await producer.disconnect();
}

/** Makes the topic too. */
async function topicWith(topic: string, values: readonly string[], partitions = 1): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] }), true);
  await admin.disconnect();
  if (values.length > 0) await write(topic, values);
}

async function reader(topic: string, more: object = {}): Promise<Consumer> {
  const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100, ...more });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  return consumer;
}

async function committed(groupId: string): Promise<string> {
  const admin = kafka.admin();
  await admin.connect();
  const [topic] = await admin.fetchOffsets({ groupId, topics: [groupId] });
  await admin.disconnect();
  return topic!.partitions.map(({ offset }) => offset).join();
}

test("kafkajs's example programs run with the import changed", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'kafkajs-examples-'));
  const running: ChildProcess[] = [];
  context.after(() => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  mkdirSync(join(folder, 'node_modules', 'ip'), { recursive: true });
  writeFileSync(join(folder, 'node_modules', 'ip', 'index.js'), 'exports.address = () => "127.0.0.1";');
  symlinkSync(projectRoot, join(folder, 'node_modules', 'sluice'));
  const examples = join(projectRoot, 'test', 'integration', 'kafkajs-examples');
  const start = (name: string): { child: ChildProcess; output: () => string } => {
    const text = readFileSync(join(examples, `${name}.js.txt`), 'utf8');
    // The address is not the broker's of the documentation either.
    const changed = text.replace("require('kafkajs')", "require('sluice/kafkajs')").replace(':9092', `:${broker.port}`);
    writeFileSync(join(folder, `${name}.cjs`), changed);
    const child = spawn(process.execPath, ['--no-warnings', join(folder, `${name}.cjs`)], {
      env: { ...process.env, HOST_IP: broker.host },
    });
    running.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    return { child, output: () => output };
  };
  await topicWith('topic-test', []);
  const consumer = start('consumer');
  const producer = start('producer');
  await until(() => /topicName: 'topic-test'[^}]*baseOffset: '0'/.test(producer.output()), 'a receipt is printed');
  await until(() => /- topic-test\[0 \| 0\] \/ \d+ key-\d+#value-/.test(consumer.output()), 'a record is printed');
  for (const { child, output } of [consumer, producer]) {
    const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    child.kill('SIGTERM');
    // They disconnect and send themselves the signal again.
    assert.equal(await ended, 'SIGTERM', output());
    assert.doesNotMatch(output(), /Error|unhandledRejection/);
  }
});

test('messages travel with keys, headers, timestamps and every codec, and null stays null', async () => {
  await topicWith('content', []);
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  for (const compression of Object.values(CompressionTypes)) {
    const [receipt] = await producer.send({
      topic: 'content',
      compression,
      messages: [
        { key: 'k', value: 'v', headers: { one: 'a', two: ['b', Buffer.from('c')] }, timestamp: '1700000000000' },
        { key: null, value: null },
      ],
    });
    assert.deepEqual(
      { ...receipt, baseOffset: Number(receipt!.baseOffset) % 2 },
      {
        topicName: 'content',
        partition: 0,
        errorCode: 0,
        baseOffset: 0,
        logAppendTime: '-1',
      },
    );
  }
  await producer.disconnect();
  const consumer = await reader('content');
  const seen: unknown[] = [];
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers, timestamp, offset } }) => {
      const shown = Object.entries(headers).map(([name, each]) => [name, String(each)]);
      seen.push([
        offset,
        key === null ? null : String(key),
        value === null ? null : String(value),
        shown,
        timestamp.length,
      ]);
    },
  });
  await until(() => seen.length === 10, 'all are read');
  assert.deepEqual(seen.slice(8), [
    [
      '8',
      'k',
      'v',
      [
        ['one', 'a'],
        ['two', 'b,c'],
      ],
      13,
    ],
    ['9', null, null, [], 13],
  ]);
  await consumer.disconnect();
  assert.equal(await committed('content'), '10');
});

test('a producer refuses what is no message, and everything once it is disconnected', async () => {
  const producer = kafka.producer();
  await producer.connect();
  const nothing = {} as { value: string };
  await assert.rejects(producer.send({ topic: 'content', messages: [nothing] }), KafkaJSNonRetriableError);
  await producer.disconnect();
  await assert.rejects(producer.send({ topic: 'content', messages: [] }), { message: 'The producer is disconnected' });
});

test('a message whose handler fails is tried again, and what was done before is committed', async () => {
  await topicWith('failing', ['a', 'b', 'c']);
  const consumer = await reader('failing');
  const seen: string[] = [];
  let failures = 0;
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.push(String(message.value));
      if (String(message.value) === 'b' && failures++ < 2) throw new Error('not yet');
    },
  });
  await until(() => seen.length === 5, 'all are handled');
  assert.deepEqual(seen, ['a', 'b', 'b', 'b', 'c']);
  await consumer.disconnect();
  assert.equal(await committed('failing'), '3');
  assert.ok(logged.some(({ log }) => log.message === 'Error when calling eachMessage' && log['error'] === 'not yet'));
});

test('a handler that always fails crashes the consumer, which restarts unless it is told not to', async () => {
  await topicWith('crashing', ['a', 'b']);
  const seen: string[] = [];
  const crashes: { error: Error; restart: boolean }[] = [];
  const consumer = await reader('crashing', {
    retry: { retries: 1, initialRetryTime: 10, restartOnFailure: async () => crashes.length < 1 },
  });
  consumer.on('consumer.crash', ({ payload }) => void crashes.push(payload));
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.push(String(message.value));
      if (String(message.value) === 'b') throw new Error('never');
    },
  });
  await until(() => crashes.length === 2, 'it has crashed twice');
  assert.ok(crashes[0]!.error instanceof KafkaJSNumberOfRetriesExceeded);
  assert.deepEqual(
    crashes.map(({ restart }) => restart),
    [true, false],
  );
  assert.deepEqual(seen, ['a', 'b', 'b', 'b', 'b']);
  await consumer.disconnect();
  assert.equal(await committed('crashing'), '1');
});

test('eachBatch resolves what it says, and the rest comes again', async () => {
  await topicWith('batches', ['a', 'b', 'c']);
  const consumer = await reader('batches');
  const seen: string[][] = [];
  await consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({
      batch,
      resolveOffset,
      heartbeat,
      uncommittedOffsets,
      isRunning,
      isStale,
    }: EachBatchPayload) => {
      seen.push(batch.messages.map(({ value }) => String(value)));
      await heartbeat();
      assert.deepEqual([isRunning(), isStale(), batch.isEmpty()], [true, false, false]);
      if (seen.length === 1) {
        assert.deepEqual([batch.firstOffset(), batch.lastOffset(), batch.offsetLag()], ['0', '2', '0']);
        resolveOffset('0');
        const partitions = [{ partition: 0, offset: '1' }];
        assert.deepEqual(uncommittedOffsets(), { topics: [{ topic: 'batches', partitions }] });
      } else for (const { offset } of batch.messages) resolveOffset(offset);
    },
  });
  await until(() => seen.length === 2, 'the rest comes');
  assert.deepEqual(seen, [
    ['a', 'b', 'c'],
    ['b', 'c'],
  ]);
  await consumer.disconnect();
  assert.equal(await committed('batches'), '3');
});

test('seeks, pauses and own commits', async () => {
  await topicWith('moving', ['a', 'b', 'c', 'd']);
  const consumer = await reader('moving');
  const seen: string[] = [];
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, partition, message, pause }) => {
      seen.push(String(message.value));
      if (seen.length === 2) {
        const resume = pause();
        assert.deepEqual(consumer.paused(), [{ topic, partitions: [partition] }]);
        setTimeout(resume, 200);
      }
      if (seen.length === 4) consumer.seek({ topic, partition, offset: '1' });
    },
  });
  await until(() => seen.length === 2, 'two are handled');
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(seen.length, 2);
  await until(() => seen.length === 7, 'the rest, and what comes after the seek');
  assert.deepEqual(seen, ['a', 'b', 'c', 'd', 'b', 'c', 'd']);
  assert.equal(await committed('moving'), '-1');
  await consumer.commitOffsets([{ topic: 'moving', partition: 0, offset: '2' }]);
  assert.equal(await committed('moving'), '2');
  const group = await consumer.describeGroup();
  assert.deepEqual([group.state, group.members.length, group.protocol], ['Stable', 1, 'RoundRobinAssigner']);
  await consumer.disconnect();
});

test('several partitions are worked on at a time, each in its order', async () => {
  await topicWith('concurrent', [], 3);
  for (let partition = 0; partition < 3; partition++) await write('concurrent', ['a', 'b', 'c'], partition);
  const consumer = await reader('concurrent');
  const seen: string[] = [];
  let busy = 0;
  let mostBusy = 0;
  await consumer.run({
    partitionsConsumedConcurrently: 3,
    eachMessage: async ({ partition, message }) => {
      mostBusy = Math.max(mostBusy, ++busy);
      await new Promise((resolve) => setTimeout(resolve, 30));
      busy--;
      seen.push(`${partition}${message.value}`);
    },
  });
  await until(() => seen.length === 9, 'all are handled');
  assert.equal(mostBusy, 3);
  for (const partition of ['0', '1', '2']) {
    assert.deepEqual(
      seen.filter((each) => each[0] === partition).map((each) => each[1]),
      ['a', 'b', 'c'],
    );
  }
  await consumer.disconnect();
  assert.equal(await committed('concurrent'), '3,3,3');
});

test('two consumers of a group share, and hand over what they have done', async () => {
  await topicWith('sharing', [], 4);
  const seen = new Map<string, number>();
  const start = async (): Promise<Consumer> => {
    const consumer = await reader('sharing', { heartbeatInterval: 200 });
    await consumer.run({
      eachMessage: async ({ message }) =>
        void seen.set(String(message.value), (seen.get(String(message.value)) ?? 0) + 1),
    });
    return consumer;
  };
  const first = await start();
  const second = await start();
  const values = Array.from({ length: 40 }, (_, index) => `${index}`);
  for (let partition = 0; partition < 4; partition++)
    await write('sharing', values.slice(partition * 10, partition * 10 + 10), partition);
  await until(() => seen.size === 40, 'all are read');
  await first.disconnect();
  await write('sharing', ['last'], 3);
  await until(() => seen.has('last'), 'the other one reads on');
  await second.disconnect();
  assert.equal(Math.max(...seen.values()), 1);
});

test('the admin makes, looks, changes and removes', async () => {
  const admin = kafka.admin();
  await admin.connect();
  const topics = [{ topic: 'managed', numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '1000000' }] }];
  assert.equal(await admin.createTopics({ topics }), true);
  assert.equal(await admin.createTopics({ topics }), false);
  assert.ok((await admin.listTopics()).includes('managed'));
  assert.equal(await admin.createPartitions({ topicPartitions: [{ topic: 'managed', count: 3 }] }), true);
  const metadata = await admin.fetchTopicMetadata({ topics: ['managed'] });
  assert.deepEqual(
    metadata.topics[0]!.partitions.map(({ partitionId, leader }) => [partitionId, leader >= 0]),
    [
      [0, true],
      [1, true],
      [2, true],
    ],
  );
  await write('managed', ['a', 'b', 'c']);
  assert.deepEqual((await admin.fetchTopicOffsets('managed'))[0], { partition: 0, offset: '3', high: '3', low: '0' });
  assert.equal((await admin.fetchTopicOffsetsByTimestamp('managed', 1))[0]!.offset, '0');
  await admin.deleteTopicRecords({ topic: 'managed', partitions: [{ partition: 0, offset: '2' }] });
  assert.equal((await admin.fetchTopicOffsets('managed'))[0]!.low, '2');
  await admin.setOffsets({ groupId: 'managed', topic: 'managed', partitions: [{ partition: 0, offset: '3' }] });
  await admin.resetOffsets({ groupId: 'managed', topic: 'managed', earliest: true });
  assert.equal(await committed('managed'), '2,0,0');
  const resource = { type: ConfigResourceTypes.TOPIC, name: 'managed' };
  await admin.alterConfigs({
    resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '2000000' }] }],
  });
  const { resources } = await admin.describeConfigs({ resources: [{ ...resource, configNames: ['retention.ms'] }] });
  assert.equal(resources[0]!.configEntries[0]!.configValue, '2000000');
  assert.equal((await admin.describeCluster()).brokers.length, 1);
  assert.ok((await admin.listGroups()).groups.some(({ groupId }) => groupId === 'managed'));
  assert.equal((await admin.describeGroups(['managed', 'nobody'])).groups[1]!.state, 'Dead');
  assert.deepEqual(await admin.deleteGroups(['managed']), [{ groupId: 'managed', errorCode: 0 }]);
  await admin.deleteTopics({ topics: ['managed'] });
  await assert.rejects(admin.deleteTopics({ topics: ['managed'] }), (error) => {
    assert.ok(error instanceof KafkaJSProtocolError);
    assert.deepEqual([error.type, error.code], ['UNKNOWN_TOPIC_OR_PARTITION', 3]);
    return true;
  });
  await admin.disconnect();
});

test('what cannot be reached, or is not covered, is an error of its own kind', async () => {
  const nowhere = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: logLevel.NOTHING, retry: { retries: 0 } });
  await assert.rejects(nowhere.producer().connect(), KafkaJSConnectionError);
  assert.throws(() => new Kafka({ brokers: [] }), KafkaJSNonRetriableError);
  assert.throws(() => kafka.producer({ transactionalId: 'x' }), { name: 'KafkaJSNotImplemented' });
  assert.throws(() => kafka.consumer({ groupId: '' }), KafkaJSNonRetriableError);
  const consumer = kafka.consumer({ groupId: 'never' });
  assert.throws(() => consumer.seek({ topic: 'x', partition: 0, offset: '0' }), KafkaJSNonRetriableError);
});
