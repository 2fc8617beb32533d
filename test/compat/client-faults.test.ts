/**
 * This package's client where things go wrong, against Sluice and with SLUICE_COMPAT_TARGET=kafka against Apache Kafka:
 * wrong addresses, a broker that is killed or stands still, records that are too large, full buffers, a member that is given
 * up for gone, broken batches. Each time an error with a code; nothing is dropped in silence, nothing rejects unheard.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client, type ClientOptions, PartitionError, SluiceError, string } from '../../src/index.ts';
import { type RunningBroker, unusedPorts } from './harness/broker-process.ts';
import { startTarget, type TargetOptions } from './harness/target.ts';

const SETTINGS = {
  'group.initial.rebalance.delay.ms': '0',
  'offsets.topic.num.partitions': '1',
  'offsets.topic.replication.factor': '1',
};
const TEXT = { key: string, value: string, offsetReset: 'earliest' } as const;

let options: TargetOptions & { readonly dataDirectory: string };
let broker: RunningBroker;

before(async () => {
  const [port, controllerPort] = (await unusedPorts(2)) as [number, number];
  options = { port, controllerPort, dataDirectory: mkdtempSync(join(tmpdir(), 'client-faults-')), settings: SETTINGS };
  broker = await startTarget(options);
});
after(async () => {
  await broker?.remove();
  rmSync(options.dataDirectory, { recursive: true, force: true });
});

function connect(more: Partial<ClientOptions> = {}): Client {
  return new Client({ brokers: broker.bootstrap, retryBackoffMs: 20, retryBackoffMaxMs: 200, ...more });
}

async function topicWith(client: Client, name: string, values: readonly string[] = [], configs = {}): Promise<void> {
  await client.admin().createTopic({ name, partitions: 1, replicationFactor: 1, configs });
  if (values.length === 0) return;
  const producer = client.producer({ lingerMs: 0 });
  // A batch each.
  for (const value of values) await producer.send({ topic: name, value });
  await producer.close();
}

function fails(code: string, retriable: boolean) {
  return (error: unknown): true => {
    assert.ok(error instanceof SluiceError, String(error));
    assert.deepEqual([error.code, error.retriable], [code, retriable], error.message);
    return true;
  };
}

/** Accepts connections and never says a word. */
async function silentServer(): Promise<Server> {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}

test('an address where nobody listens, nobody answers, or nobody is, is told with what to do', async () => {
  const silent = await silentServer();
  const address = silent.address() as { port: number };
  const short = { operationTimeoutMs: 300, connectTimeoutMs: 200 };
  for (const brokers of ['127.0.0.1:1', `127.0.0.1:${address.port}`, 'no-such-host.invalid:9092']) {
    const client = connect({ brokers, ...short });
    await assert.rejects(client.admin().listTopics(), (error: SluiceError) => {
      assert.ok(['CLUSTER_UNREACHABLE', 'REQUEST_TIMED_OUT'].includes(error.code), error.code);
      return error.retriable;
    });
    await client.close();
  }
  silent.close();
  assert.throws(() => connect({ brokers: 'nonsense:port' }), fails('INVALID_BOOTSTRAP_SERVERS', false));
  assert.throws(() => connect({ brokers: [] }), fails('INVALID_BOOTSTRAP_SERVERS', false));
  // One that works is enough.
  await using client = connect({ brokers: ['127.0.0.1:1', broker.bootstrap] });
  await client.admin().listTopics();
});

test('records that are too large are refused one by one, the others arrive', async () => {
  await using client = connect();
  await topicWith(client, 'small', [], { 'max.message.bytes': '3000' });
  const producer = client.producer({ batchBytes: 100, maxRequestBytes: 20_000 });
  const values = ['a', 'x'.repeat(5000), 'b', 'x'.repeat(30_000), 'c'];
  const outcomes = await Promise.allSettled(values.map((value) => producer.send({ topic: 'small', value })));
  assert.deepEqual(
    outcomes.map((each) => (each.status === 'fulfilled' ? 'sent' : (each.reason as SluiceError).code)),
    ['sent', 'MESSAGE_TOO_LARGE', 'sent', 'RECORD_TOO_LARGE', 'sent'],
  );
  const consumer = client.consumer(TEXT);
  consumer.assign([{ topic: 'small', partition: 0 }]);
  const seen: (string | null)[] = [];
  for await (const { value } of consumer) if (seen.push(value) === 3) break;
  assert.deepEqual(seen, ['a', 'b', 'c']);
});

test('batches that are larger than the topic allows arrive in smaller ones, in order, each record once', async () => {
  const client = connect();
  const topic = 'smaller';
  await topicWith(client, topic, [], { 'max.message.bytes': '2000' });
  for (const compression of ['none', 'lz4'] as const) {
    const producer = client.producer({ compression, batchBytes: 100_000 });
    // Text that does not get much smaller.
    const values = Array.from({ length: 1000 }, (_, index) => `${index} ${randomBytes(120).toString('base64')}`);
    const receipts = await producer.sendAll(values.map((value) => ({ topic, value })));
    assert.ok(producer.metrics.splitBatches > 0);
    await producer.close();
    const consumer = client.consumer(TEXT);
    consumer.assign([{ topic, partition: 0 }]);
    consumer.seek({ topic, partition: 0 }, receipts[0]!.offset);
    const read: [bigint, string | null][] = [];
    for await (const { offset, value } of consumer) if (read.push([offset, value]) === values.length) break;
    assert.deepEqual(
      read,
      receipts.map(({ offset }, index) => [offset, values[index]!]),
    );
    await consumer.close();
  }
  await client.close();
});

test('a topic that is not there, a partition that is not there, and a closed client have a code each', async () => {
  const client = connect();
  await topicWith(client, 'one-partition');
  const producer = client.producer({ createTopics: false });
  await assert.rejects(producer.send({ topic: 'nowhere', value: 'x' }), fails('UNKNOWN_TOPIC_OR_PARTITION', false));
  const away = { topic: 'one-partition', partition: 7, value: 'x' };
  await assert.rejects(producer.send(away), fails('UNKNOWN_TOPIC_OR_PARTITION', false));
  await assert.rejects(producer.send({ topic: 'not/allowed', value: 'x' }), fails('INVALID_TOPIC_EXCEPTION', false));
  await client.close();
  await assert.rejects(producer.send({ topic: 'one-partition', value: 'x' }), fails('CLIENT_CLOSED', false));
});

test('a broker that stands still fills the buffer, and all that was taken arrives when it goes on', async () => {
  await using client = connect();
  await topicWith(client, 'stalled');
  const producer = client.producer({ bufferBytes: 10_000, maxBlockMs: 400 });
  await producer.send({ topic: 'stalled', value: 'first' });
  broker.child.kill('SIGSTOP');
  const sent = Array.from({ length: 100 }, (_, index) =>
    producer.send({ topic: 'stalled', value: `${index} ${'x'.repeat(200)}` }),
  );
  const outcomes = Promise.allSettled(sent);
  await assert.rejects(sent.at(-1)!, fails('BUFFER_FULL', true));
  broker.child.kill('SIGCONT');
  const codes = (await outcomes).map((each) =>
    each.status === 'fulfilled' ? 'sent' : (each.reason as SluiceError).code,
  );
  const arrived = codes.filter((code) => code === 'sent').length;
  assert.deepEqual([...new Set(codes)], ['sent', 'BUFFER_FULL']);
  assert.ok(arrived > 20 && arrived < 60, String(arrived));
  const [end] = await client.admin().listOffsets([{ topic: 'stalled', partition: 0, at: 'latest' }]);
  assert.equal(end!.offset, BigInt(arrived + 1));
  assert.equal(producer.metrics.bufferedBytes, 0);
});

test('a delivery that takes too long is told, and the producer goes on after it', async () => {
  await using client = connect({ requestTimeoutMs: 500 });
  await topicWith(client, 'late');
  const producer = client.producer({ deliveryTimeoutMs: 1200 });
  await producer.send({ topic: 'late', value: 'before' });
  broker.child.kill('SIGSTOP');
  await assert.rejects(producer.send({ topic: 'late', value: 'lost' }), fails('DELIVERY_TIMED_OUT', true));
  broker.child.kill('SIGCONT');
  const { offset } = await producer.send({ topic: 'late', value: 'after' });
  // The late one may have been written after all, once.
  assert.ok(offset === 1n || offset === 2n, String(offset));
});

test('a broker that is killed and comes back loses nothing that was acknowledged, and nothing comes twice', async () => {
  await using client = connect();
  await topicWith(client, 'killed');
  const producer = client.producer();
  const consumer = client.consumer({ ...TEXT, groupId: 'killed', topics: ['killed'], autoCommitIntervalMs: 200 });
  const seen: (string | null)[] = [];
  const reading = (async () => {
    for await (const { value } of consumer) if (seen.push(value) === 600) break;
  })();
  const sent: Promise<unknown>[] = [];
  const write = async (from: number, before: number): Promise<void> => {
    for (let index = from; index < before; index++) {
      sent.push(producer.send({ topic: 'killed', value: `${index}` }));
      if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await write(0, 200);
  const gone = new Promise((resolve) => broker.child.once('exit', resolve));
  const writing = write(200, 400);
  broker.child.kill('SIGKILL');
  await gone;
  await writing;
  broker = await startTarget(options);
  await write(400, 600);
  await Promise.all(sent);
  await reading;
  assert.deepEqual(
    seen,
    Array.from({ length: 600 }, (_, index) => `${index}`),
  );
});

test('a member that is given up for gone is told when it commits, and reads on as a new one', async () => {
  await using client = connect();
  await topicWith(client, 'given-up', ['a', 'b']);
  const member = { ...TEXT, groupId: 'given-up', topics: ['given-up'], autoCommit: false } as const;
  const slow = client.consumer({
    ...member,
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 200,
    maxPollIntervalMs: 1500,
  });
  const records = slow[Symbol.asyncIterator]();
  assert.equal((await records.next()).value?.value, 'a');
  const other = client.consumer(member);
  for await (const { value } of other) {
    assert.equal(value, 'a');
    await other.commit();
    break;
  }
  await assert.rejects(slow.commit(), fails('UNKNOWN_MEMBER_ID', false));
  await other.close();
  assert.equal((await records.next()).value?.value, 'b');
});

test('a broken batch is told with its place, once, and can be passed', async () => {
  const client = connect();
  await topicWith(client, 'broken', ['first', 'to be damaged', 'last']);
  await client.close();
  await broker.stop();
  const file = join(options.dataDirectory, 'broken-0', '00000000000000000000.log');
  const bytes = readFileSync(file);
  bytes.write('TO BE DAMAGED', bytes.indexOf('to be damaged'));
  writeFileSync(file, bytes);
  broker = await startTarget(options);
  await using again = connect();
  const place = { topic: 'broken', partition: 0 };
  const consumer = again.consumer(TEXT);
  consumer.assign([place]);
  const seen: (string | null)[] = [];
  const read = async (enough: number): Promise<void> => {
    for await (const { value } of consumer) if (seen.push(value) === enough) break;
  };
  const failure = await read(3).catch((error: unknown) => error);
  assert.ok(failure instanceof PartitionError, String(failure));
  assert.deepEqual(
    [failure.code, failure.topic, failure.offset, failure.nextOffset],
    ['CORRUPT_RECORDS', 'broken', 1, 2],
  );
  consumer.seek(place, failure.nextOffset);
  await read(2);
  assert.deepEqual(seen, ['first', 'last']);
});
