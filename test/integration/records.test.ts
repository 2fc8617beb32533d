/** Producing and fetching through a whole broker: order, silence, waiting, durability, topics that come and go. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { disk } from '../../src/base/disk.ts';
import type { FileHandle, FileSystem } from '../../src/base/file-system.ts';
import { deleteTopics } from '../../src/protocol/apis/delete-topics.ts';
import { fetch } from '../../src/protocol/apis/fetch.ts';
import { produce } from '../../src/protocol/apis/produce.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import {
  BY_NAME_PRODUCE,
  batchOf,
  fetchBody,
  fetchFrom,
  produceBody,
  producedOf,
  produceTo,
  readAll,
  valuesIn,
} from '../support/partition-io.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import { type Body, decodeAnswer, type Wire } from '../support/wire.ts';

let broker: TestBroker;
let wire: Wire;

before(async () => {
  broker = await startTestBroker();
  wire = broker.wire();
});

after(async () => {
  wire.close();
  await broker.close();
});

test('pipelined requests are appended in the order in which they came, and answered in it', async () => {
  await makeTopic(wire, 'pipelined', { partitions: 2 });
  const count = 300;
  const frames = Array.from({ length: count }, (_, index) =>
    wire.frame(
      produce,
      BY_NAME_PRODUCE,
      produceBody({ topic: 'pipelined' }, batchOf([`${index}`]), index % 2 === 0 ? -1 : 1),
    ),
  );
  await wire.write(Buffer.concat(frames));
  for (let index = 0; index < count; index++) {
    const answer = decodeAnswer(produce, BY_NAME_PRODUCE, await wire.read());
    assert.ok(answer.kind === 'reply');
    assert.equal(producedOf(answer.body).baseOffset, index);
  }
  const expected = Array.from({ length: count }, (_, index) => `${index}`);
  assert.deepEqual(await readAll(wire, { topic: 'pipelined' }), expected);
});

test('acks=0 is answered by nothing, keeps its order, and ends the connection where it fails', async () => {
  await makeTopic(wire, 'silent');
  const silent = broker.wire();
  const frame = (values: readonly string[]) =>
    silent.frame(produce, BY_NAME_PRODUCE, produceBody({ topic: 'silent' }, batchOf(values), 0));
  await silent.write(Buffer.concat([frame(['a']), frame(['b']), frame(['c'])]));
  // The next answer on the connection is that of the next request that has one.
  assert.equal((await produceTo(silent, { topic: 'silent' }, batchOf(['d']))).baseOffset, 3);
  assert.deepEqual(await readAll(silent, { topic: 'silent' }), ['a', 'b', 'c', 'd']);
  await silent.write(silent.frame(produce, BY_NAME_PRODUCE, produceBody({ topic: 'nowhere' }, batchOf(['x']), 0)));
  assert.equal((await silent.read()).kind, 'closed');
});

test('a fetch that waits is woken by an append and not before enough is there', async () => {
  await makeTopic(wire, 'awaited');
  const target = { topic: 'awaited' };
  const reader = broker.wire();
  const startedAt = performance.now();
  const waiting = fetchFrom(reader, target, 0, { minBytes: 100, maxWaitMs: 8000 });
  await produceTo(wire, target, batchOf(['a']));
  const early = await Promise.race([
    waiting,
    new Promise<'waits'>((resolve) => setTimeout(() => resolve('waits'), 150)),
  ]);
  assert.equal(early, 'waits', 'one small batch is less than 100 bytes');
  await produceTo(wire, target, batchOf(['b']));
  assert.deepEqual(valuesIn((await waiting).records), ['a', 'b']);
  assert.ok(performance.now() - startedAt < 4000, 'woken, not timed out');
  reader.close();
});

test('a fetch that waits ends with its topic', async () => {
  await makeTopic(wire, 'vanishing');
  const reader = broker.wire();
  const waiting = fetchFrom(reader, { topic: 'vanishing' }, 0, { minBytes: 1, maxWaitMs: 20_000 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await wire.reply(deleteTopics, 5, { topicNames: ['vanishing'], timeoutMs: 1000 });
  const { errorCode } = await waiting;
  assert.ok(
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER].includes(errorCode as 3 | 6),
    `${errorCode}`,
  );
  reader.close();
});

test('a fetch session tells only what is new', async () => {
  await makeTopic(wire, 'session', { partitions: 2 });
  const ask = (body: Body): Promise<Body> => wire.reply(fetch, 11, { ...fetchBody({ topic: 'session' }, 0), ...body });
  const opened = await ask({ sessionEpoch: 0, topics: [0, 1].map((partition) => topicOf(partition)) });
  assert.ok(Number(opened['sessionId']) > 0);
  const { sessionId } = opened;
  assert.deepEqual((await ask({ sessionId, sessionEpoch: 1, topics: [] }))['responses'], []);
  await produceTo(wire, { topic: 'session', partition: 1 }, batchOf(['news']));
  const { responses } = await ask({ sessionId, sessionEpoch: 2, topics: [] });
  const [topic] = responses as [{ partitions: { partitionIndex: number; records: Buffer }[] }];
  assert.deepEqual(
    topic.partitions.map(({ partitionIndex, records }) => [partitionIndex, valuesIn(records)]),
    [[1, ['news']]],
  );
  assert.equal(
    (await ask({ sessionId, sessionEpoch: 2, topics: [] }))['errorCode'],
    ErrorCode.INVALID_FETCH_SESSION_EPOCH,
  );
});

const topicOf = (partition: number): Body => ({
  topic: 'session',
  partitions: [{ partition, fetchOffset: 0, partitionMaxBytes: 1000 }],
});

test('a topic that is deleted and created anew under load gets no record of the old one', async () => {
  const rounds = 8;
  const writers = Array.from({ length: 3 }, () => broker.wire());
  let id = await makeTopic(wire, 'reborn');
  let done = false;
  const write = async (writer: Wire): Promise<number> => {
    let acknowledged = 0;
    while (!done) {
      const target = id;
      const { errorCode } = await produceTo(writer, { topicId: target }, batchOf([target, target]));
      if (errorCode === 0) acknowledged++;
      else
        assert.ok(
          [ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.NOT_LEADER_OR_FOLLOWER].includes(errorCode as 100 | 6),
          `${errorCode}`,
        );
    }
    return acknowledged;
  };
  const writing = writers.map(write);
  for (let round = 0; round < rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const old = id;
    await wire.reply(deleteTopics, 6, { topics: [{ name: 'reborn' }], timeoutMs: 1000 });
    id = await makeTopic(wire, 'reborn');
    assert.notEqual(id, old);
    assert.equal((await fetchFrom(wire, { topicId: old }, 0)).errorCode, ErrorCode.UNKNOWN_TOPIC_ID);
    const values = new Set(await readAll(wire, { topic: 'reborn' }));
    values.delete(id);
    assert.equal(values.size, 0, `records of ${[...values]} in ${id}`);
  }
  done = true;
  const acknowledged = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0);
  assert.ok(acknowledged > rounds, `only ${acknowledged} batches were taken: there was no load`);
  for (const writer of writers) writer.close();
});

/** A disk whose syncs of segments are counted, slowed down, or fail. */
function syncing(behaviour: {
  readonly delayMs: number;
  fails: boolean;
}): FileSystem & { begun: number; ended: number } {
  const counts = { begun: 0, ended: 0 };
  const watched = (file: FileHandle): FileHandle => {
    const own = file.sync.bind(file);
    file.sync = async () => {
      counts.begun++;
      await new Promise((resolve) => setTimeout(resolve, behaviour.delayMs));
      if (behaviour.fails) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
      await own();
      counts.ended++;
    };
    return file;
  };
  const watchedWhere = (path: string, file: FileHandle): FileHandle =>
    path.includes('durable-0') && path.endsWith('.log') ? watched(file) : file;
  return Object.defineProperties(Object.create(disk) as FileSystem & typeof counts, {
    open: { value: (path: string) => watchedWhere(path, disk.open(path)) },
    openExisting: { value: (path: string) => watchedWhere(path, disk.openExisting(path)) },
    begun: { get: () => counts.begun },
    ended: { get: () => counts.ended },
  });
}

test('with flush.messages=1 an acknowledgement waits for the disk, and many share one sync', async () => {
  const behaviour = { delayMs: 120, fails: false };
  const fileSystem = syncing(behaviour);
  const durable = await startTestBroker({ fileSystem });
  const client = durable.wire();
  await makeTopic(client, 'durable', { configs: { 'flush.messages': '1' } });
  const target = { topic: 'durable' };
  const startedAt = performance.now();
  assert.equal((await produceTo(client, target, batchOf(['first']))).errorCode, 0);
  assert.ok(performance.now() - startedAt >= behaviour.delayMs, 'acknowledged before it was durable');
  assert.ok(fileSystem.ended >= 1);
  const before = fileSystem.begun;
  const clients = Array.from({ length: 20 }, () => durable.wire());
  const results = await Promise.all(clients.map((each) => produceTo(each, target, batchOf(['more']))));
  assert.ok(results.every(({ errorCode }) => errorCode === 0));
  assert.ok(fileSystem.begun - before <= 4, `${fileSystem.begun - before} syncs for 20 requests at once`);
  behaviour.fails = true;
  assert.equal((await produceTo(client, target, batchOf(['lost?']))).errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
  for (const each of [client, ...clients]) each.close();
  await durable.close();
});
