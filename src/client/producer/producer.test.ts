import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../base/errors.ts';
import { seededRandom } from '../../base/random.ts';
import { produce } from '../../protocol/apis/produce.ts';
import { CODECS } from '../../records/compression/codecs.ts';
import { Cluster } from '../cluster.ts';
import { ScriptedBroker } from '../scripted-broker.test.support.ts';
import type { ProducerOptions } from './options.ts';
import { Producer } from './producer.ts';
import { mishapsFrom, ScriptedLog } from './scripted-log.test.support.ts';

interface Scene {
  readonly broker: ScriptedBroker;
  readonly log: ScriptedLog;
  readonly producer: Producer;
}

async function withProducer(
  options: ProducerOptions,
  play: (scene: Scene) => Promise<void>,
  { partitions = 1, retryBackoffMs = 1 } = {},
) {
  const broker = await ScriptedBroker.start();
  const log = new ScriptedLog(broker, partitions);
  const cluster = new Cluster({
    bootstrapServers: broker.address,
    retryBackoffMs,
    retryBackoffMaxMs: 4 * retryBackoffMs,
  });
  const producer = new Producer(cluster, options);
  try {
    await play({ broker, log, producer });
    await producer.close().catch(() => undefined);
  } finally {
    await cluster.close();
    await broker.stop();
  }
}

const failsWith = (code: string) => (error: unknown) => error instanceof SluiceError && error.code === code;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index));

test('a sent record resolves with its place', () =>
  withProducer({}, async ({ producer, log }) => {
    const receipts = await Promise.all(numbers(5).map((value) => producer.send({ topic: 'orders', value })));
    assert.deepEqual(
      receipts.map(({ topic, partition, offset }) => [topic, partition, offset]),
      [0, 1, 2, 3, 4].map((offset) => ['orders', 0, offset]),
    );
    assert.deepEqual(log.partitions[0], numbers(5));
  }));

test('records that are handed in together travel in one batch, compressed', () =>
  withProducer({ compression: 'zstd' }, async ({ producer, log }) => {
    for (const value of numbers(100)) producer.write({ topic: 'orders', value });
    await producer.flush();
    assert.deepEqual(log.batchCounts[0], [100]);
    assert.deepEqual([...log.codecs], [CODECS.zstd]);
    assert.deepEqual(producer.totals, { acknowledgedRecords: 100, failedRecords: 0, bufferedBytes: 0 });
  }));

test('a batch that is full is sent, and the next one begun', () =>
  withProducer({ batchBytes: 1000, lingerMs: 10_000 }, async ({ producer, log }) => {
    const value = 'x'.repeat(300);
    for (let record = 0; record < 7; record++) producer.write({ topic: 'orders', value });
    while (log.partitions[0]!.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    await producer.flush();
    assert.ok(log.batchCounts[0]!.every((count) => count <= 3));
    assert.equal(log.partitions[0]!.length, 7);
  }));

test('records and writes from before the topic is known keep their order', () =>
  withProducer({}, async ({ producer, log }) => {
    const sent = numbers(20).map((value, index) =>
      index % 2 === 0 ? producer.send({ topic: 'orders', value }) : producer.write({ topic: 'orders', value }),
    );
    await Promise.all(sent);
    await producer.flush();
    assert.deepEqual(log.partitions[0], numbers(20));
  }));

for (const idempotent of [true, false]) {
  for (const compression of ['none', 'gzip'] as const) {
    const name = `idempotent: ${idempotent}, compression: ${compression}`;
    test(`batches that are larger than the topic allows arrive in smaller ones, records in order (${name})`, () =>
      withProducer({ idempotent, compression, lingerMs: 0, batchBytes: 16_384 }, async ({ producer, log }) => {
        await producer.send({ topic: 'orders', value: 'first' });
        log.maxMessageBytes = 600;
        const filler = Buffer.from(seededRandom(1).bytes(90)).toString('hex');
        const values = numbers(400).map((value) => `${value} ${filler.slice(Number(value) % 90)}`);
        const headers = [{ key: 'h', value: 'v' }];
        const sent = values.map((value) => producer.send({ topic: 'orders', key: 'k', value, headers }));
        const receipts = await Promise.all(sent);
        assert.deepEqual(log.partitions[0], ['first', ...values]);
        assert.deepEqual(
          receipts.map(({ offset }) => offset),
          values.map((_, index) => index + 1),
        );
        const { splitBatches, acknowledgedRecords, bufferedBytes } = producer.metrics;
        assert.ok(splitBatches > 0);
        assert.deepEqual([acknowledgedRecords, bufferedBytes], [401, 0]);
        for (const value of values) producer.write({ topic: 'orders', key: 'k', value, headers });
        await producer.flush();
        assert.equal(producer.metrics.splitBatches, splitBatches, 'later batches are no larger than what was taken');
      }));
  }
}

test('a record that is larger than the topic allows fails alone, and flush tells of it', () =>
  withProducer({ lingerMs: 0 }, async ({ producer, log }) => {
    await producer.send({ topic: 'orders', value: 'first' });
    log.maxMessageBytes = 300;
    for (const value of [...numbers(10), 'x'.repeat(300), ...numbers(10)]) producer.write({ topic: 'orders', value });
    await assert.rejects(producer.flush(), failsWith('MESSAGE_TOO_LARGE'));
    assert.deepEqual(log.partitions[0], ['first', ...numbers(10), ...numbers(10)]);
    assert.deepEqual(producer.totals, { acknowledgedRecords: 21, failedRecords: 1, bufferedBytes: 0 });
  }));

test('an idempotent producer neither loses, repeats nor reorders whatever happens to its requests', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seededRandom(seed);
  for (let round = 0; round < 8; round++) {
    await withProducer(
      { lingerMs: 0, batchBytes: 200 },
      async ({ producer, log }) => {
        if (round % 2 === 1) log.maxMessageBytes = 120;
        log.mishap = mishapsFrom(random).next;
        const receipts = numbers(400).map((value, index) => {
          return producer.send({ topic: 'orders', partition: index % 3, value });
        });
        await Promise.all(receipts);
        for (let partition = 0; partition < 3; partition++) {
          const expected = numbers(400).filter((_, index) => index % 3 === partition);
          assert.deepEqual(log.partitions[partition], expected, `seed ${seed}, round ${round}`);
        }
        const offsets = await Promise.all(receipts);
        offsets.forEach(({ partition, offset }, index) => {
          assert.equal(log.partitions[partition]![offset], String(index), `seed ${seed}`);
        });
      },
      { partitions: 3 },
    );
  }
});

test('a producer without idempotence keeps the order and repeats only what may have been lost', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  await withProducer({ idempotent: false, lingerMs: 0, batchBytes: 200 }, async ({ producer, log }) => {
    log.mishap = mishapsFrom(seededRandom(seed)).next;
    await Promise.all(numbers(300).map((value) => producer.send({ topic: 'orders', value })));
    const seen = log.partitions[0]!.filter((value, index, all) => all.indexOf(value) === index);
    assert.deepEqual(seen, numbers(300), `seed ${seed}`);
  });
});

test('goes on in the next epoch of its id when the broker has forgotten the producer', () =>
  withProducer({ lingerMs: 0 }, async ({ producer, log, broker }) => {
    for (const value of numbers(5)) await producer.send({ topic: 'orders', value });
    log.forgetProducers();
    for (const value of numbers(5)) await producer.send({ topic: 'orders', value });
    assert.equal(log.partitions[0]!.length, 10);
    assert.equal(broker.count('InitProducerId'), 1);
  }));

test('a batch that may have been written keeps its sequence, also when another partition leaves a gap meanwhile', () =>
  withProducer(
    { lingerMs: 0 },
    async ({ producer, log }) => {
      await producer.send({ topic: 'orders', partition: 0, value: 'first' });
      log.mishap = () => 'lost after';
      const uncertain = producer.send({ topic: 'orders', partition: 0, value: 'once' });
      while (log.partitions[0]!.length < 2) await new Promise((resolve) => setImmediate(resolve));
      log.mishap = () => 'none';
      const late = producer.send({ topic: 'orders', partition: 1, value: 'refused', timestamp: 2 ** 60 });
      await assert.rejects(late, failsWith('INVALID_TIMESTAMP'));
      await producer.send({ topic: 'orders', partition: 1, value: 'second' });
      await uncertain;
      assert.deepEqual([log.partitions[0], log.partitions[1]], [['first', 'once'], ['second']]);
    },
    { partitions: 2, retryBackoffMs: 100 },
  ));

test('a batch that may have been written and is not known any more fails: another leader may have it', () =>
  withProducer(
    { lingerMs: 0 },
    async ({ producer, log }) => {
      await producer.send({ topic: 'orders', value: 'first' });
      log.mishap = () => 'lost after';
      const uncertain = producer.send({ topic: 'orders', value: 'once' });
      while (log.partitions[0]!.length < 2) await new Promise((resolve) => setImmediate(resolve));
      log.mishap = () => 'none';
      log.forgetProducers();
      await assert.rejects(uncertain, failsWith('OUT_OF_ORDER_SEQUENCE_NUMBER'));
      await producer.send({ topic: 'orders', value: 'next' });
      assert.deepEqual(log.partitions[0], ['first', 'once', 'next']);
    },
    { retryBackoffMs: 100 },
  ));

test('a batch that is refused fails alone, and the ones behind it arrive', () =>
  withProducer({ lingerMs: 0, batchBytes: 100 }, async ({ producer, log }) => {
    await producer.send({ topic: 'orders', value: 'first' });
    const large = producer.send({ topic: 'orders', value: 'x'.repeat(2000), timestamp: 2 ** 60 });
    const behind = numbers(20).map((value) => producer.send({ topic: 'orders', value }));
    await assert.rejects(large, failsWith('INVALID_TIMESTAMP'));
    await Promise.all(behind);
    assert.deepEqual(log.partitions[0], ['first', ...numbers(20)]);
  }));

test('flush tells of written records that failed, once', () =>
  withProducer({ lingerMs: 0 }, async ({ producer }) => {
    producer.write({ topic: 'orders', value: 'x', timestamp: 2 ** 60 });
    await assert.rejects(producer.flush(), failsWith('INVALID_TIMESTAMP'));
    await producer.flush();
    assert.equal(producer.totals.failedRecords, 1);
    assert.equal(producer.totals.bufferedBytes, 0);
  }));

test('with acks 0 records leave without an answer', () =>
  withProducer({ acks: 0 }, async ({ producer, log }) => {
    const receipt = await producer.send({ topic: 'orders', value: 'x' });
    assert.equal(receipt.offset, -1);
    for (const value of numbers(50)) producer.write({ topic: 'orders', value });
    await producer.flush();
    while (log.partitions[0]!.length < 51) await new Promise((resolve) => setTimeout(resolve, 5));
  }));

test('gives up when the delivery time is over', () =>
  withProducer({ deliveryTimeoutMs: 60, lingerMs: 0 }, async ({ producer, log }) => {
    log.mishap = () => 'not leader';
    await assert.rejects(producer.send({ topic: 'orders', value: 'x' }), failsWith('DELIVERY_TIMED_OUT'));
    log.mishap = () => 'none';
    await producer.send({ topic: 'orders', value: 'y' });
    assert.deepEqual(log.partitions[0], ['y']);
  }));

test('a full buffer holds callers back and lets them go on as it empties', () =>
  withProducer({ bufferBytes: 2000, batchBytes: 300 }, async ({ producer, log }) => {
    const value = 'x'.repeat(100);
    let full = 0;
    for (let record = 0; record < 100; record++) {
      if (producer.write({ topic: 'orders', value })) continue;
      full++;
      await producer.drained();
      assert.ok(producer.totals.bufferedBytes < 2000);
    }
    assert.ok(full > 0);
    await producer.flush();
    assert.equal(log.partitions[0]!.length, 100);
  }));

test('a caller who never waits is refused before memory runs out', () =>
  withProducer({ bufferBytes: 1000 }, async ({ producer }) => {
    assert.throws(() => {
      for (;;) producer.write({ topic: 'orders', value: 'x'.repeat(100) });
    }, failsWith('BUFFER_FULL'));
  }));

test('a record beyond the request limit, and one for a partition that is not there, are refused', () =>
  withProducer({ maxRequestBytes: 500 }, async ({ producer }) => {
    await assert.rejects(producer.send({ topic: 'orders', value: 'x'.repeat(500) }), failsWith('RECORD_TOO_LARGE'));
    const nowhere = producer.send({ topic: 'orders', partition: 9, value: 'x' });
    await assert.rejects(nowhere, failsWith('UNKNOWN_TOPIC_OR_PARTITION'));
    assert.equal(producer.totals.bufferedBytes, 0);
  }));

test('records for a topic that cannot be made fail', () =>
  withProducer({ createTopics: false }, async ({ producer }) => {
    const nowhere = producer.send({ topic: 'nowhere', value: 'x' });
    await assert.rejects(nowhere, failsWith('UNKNOWN_TOPIC_OR_PARTITION'));
    assert.equal(producer.totals.bufferedBytes, 0);
  }));

test('closing sends what waits and then refuses', () =>
  withProducer({ lingerMs: 60_000 }, async ({ producer, log }) => {
    const sent = producer.send({ topic: 'orders', value: 'x' });
    await producer.close();
    assert.equal((await sent).offset, 0);
    assert.deepEqual(log.partitions[0], ['x']);
    await assert.rejects(producer.send({ topic: 'orders', value: 'y' }), failsWith('CLIENT_CLOSED'));
  }));

test('no more than the allowed number of requests is under way to a broker', () =>
  withProducer(
    { idempotent: false, acks: 1, maxInFlight: 2, maxRequestBytes: 1200, lingerMs: 0, batchBytes: 100 },
    async (scene) => {
      let underWay = 0;
      let most = 0;
      scene.broker.serve(produce, async ({ topicData }) => {
        most = Math.max(most, ++underWay);
        await new Promise((resolve) => setTimeout(resolve, 5));
        underWay--;
        const partitionResponses = topicData[0]!.partitionData.map(({ index }) => ({
          index,
          errorCode: 0,
          baseOffset: 0,
          recordErrors: [],
        }));
        return { responses: [{ name: 'orders', topicId: topicData[0]!.topicId, partitionResponses }] };
      });
      await Promise.all(
        numbers(60).map((value, index) => scene.producer.send({ topic: 'orders', partition: index % 4, value })),
      );
      assert.equal(most, 2);
    },
    { partitions: 4 },
  ));

test('contradictory options are refused', () => {
  const cluster = new Cluster({ bootstrapServers: 'nowhere' });
  for (const options of [{ idempotent: true, acks: 1 }, { maxInFlight: 6 }, { maxInFlight: 0 }] as ProducerOptions[]) {
    assert.throws(() => new Producer(cluster, options), failsWith('INVALID_OPTION'));
  }
});

test('a record that is none is refused by itself, and costs the others nothing', () =>
  withProducer({ bufferBytes: 10_000, maxBlockMs: 50 }, async ({ producer, log }) => {
    const wrong: object[] = [
      { value: 'x' },
      { topic: '', value: 'x' },
      { topic: 'orders', value: 5 },
      { topic: 'orders', key: { id: 1 }, value: 'x' },
      { topic: 'orders', value: 'x', timestamp: Number.NaN },
      { topic: 'orders', value: 'x', timestamp: 1.5 },
      { topic: 'orders', value: 'x', timestamp: '2026-05-01' },
      { topic: 'orders', value: 'x', headers: [{ key: 'h', value: 1 }] },
      { topic: 'orders', value: 'x', headers: [{ value: 'x' }] },
    ];
    for (const early of [true, false]) {
      for (const record of wrong) {
        const sent = producer.send(record as Parameters<Producer['send']>[0]);
        await assert.rejects(sent, failsWith('UNSENDABLE_RECORD'), `${early} ${JSON.stringify(record)}`);
      }
      await producer.send({ topic: 'orders', value: undefined as never, headers: [{ key: 'h', value: null }] });
    }
    assert.equal(producer.totals.bufferedBytes, 0);
    assert.equal(log.partitions[0]!.length, 2);
  }));

test('what lingers leaves when somebody waits for room', () =>
  withProducer({ bufferBytes: 5000, batchBytes: 100_000, lingerMs: 60_000 }, async ({ producer, log }) => {
    const sent = numbers(40).map((value) => producer.send({ topic: 'orders', value: value.padEnd(1000) }));
    await Promise.all(sent.slice(0, 30));
    for (const value of numbers(20))
      if (!producer.write({ topic: 'orders', value: value.padEnd(1000) })) await producer.drained();
    await producer.flush();
    assert.equal(log.partitions[0]!.length, 60);
  }));
