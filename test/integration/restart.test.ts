/** What a broker knows after it was stopped, killed, or kept from starting. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startBroker } from '../../src/index.ts';
import { createPartitions } from '../../src/protocol/apis/create-partitions.ts';
import { describeConfigs } from '../../src/protocol/apis/describe-configs.ts';
import { initProducerId } from '../../src/protocol/apis/init-producer-id.ts';
import { metadata } from '../../src/protocol/apis/metadata.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { batchOf, produceTo, readAll } from '../support/partition-io.ts';
import { makeTopic, startTestBroker } from '../support/test-broker.ts';
import { type Body, Wire } from '../support/wire.ts';

function directoryFor(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-restart-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Ends a broker both ways and starts it again on its data. */
const ENDINGS: Readonly<Record<string, (broker: BrokerProcess) => Promise<void>>> = {
  stop: (broker) => broker.stop(),
  'kill -9': (broker) => broker.kill(),
};

interface Topic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly unknown[];
}

async function topicsOf(wire: Wire): Promise<readonly Topic[]> {
  return (await wire.reply(metadata, 12, { topics: null }))['topics'] as Topic[];
}

async function newProducerId(wire: Wire): Promise<number> {
  const reply = await wire.reply(initProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000 });
  return reply['producerId'] as number;
}

for (const [ending, end] of Object.entries(ENDINGS)) {
  test(`topics, ids, configs, records and producer ids outlive a ${ending}`, async (context) => {
    const directory = directoryFor(context);
    let broker = await startBrokerProcess(directory);
    context.after(() => broker.kill());
    let wire = broker.wire();
    const id = await makeTopic(wire, 'kept', { partitions: 2, configs: { 'retention.ms': '777777' } });
    const grow = { topics: [{ name: 'kept', count: 3, assignments: null }], timeoutMs: 1000 };
    await wire.reply(createPartitions, 3, grow);
    const ids = [await newProducerId(wire), await newProducerId(wire)];
    for (const partition of [0, 2]) await produceTo(wire, { topic: 'kept', partition }, batchOf([`in ${partition}`]));
    for (let round = 0; round < 3; round++) {
      wire.close();
      await end(broker);
      broker = await startBrokerProcess(directory);
      wire = broker.wire();
      const topics = await topicsOf(wire);
      assert.deepEqual(
        topics.map(({ name, topicId, partitions }) => [name, topicId, partitions.length]),
        [['kept', id, 3]],
      );
      const resources = [{ resourceType: 2, resourceName: 'kept', configurationKeys: ['retention.ms'] }];
      const { results } = await wire.reply(describeConfigs, 4, { resources });
      assert.equal((results as { configs: Body[] }[])[0]!.configs[0]!['value'], '777777');
      assert.deepEqual(await readAll(wire, { topic: 'kept', partition: 2 }), ['in 2']);
      ids.push(await newProducerId(wire), await newProducerId(wire));
    }
    assert.equal(new Set(ids).size, ids.length, `ids repeat: ${ids}`);
    wire.close();
  });

  // A snapshot has room for the last batch of each producer: older duplicates are refused after it was read, as in Kafka.
  test(`an idempotent producer is known again after a ${ending}`, async (context) => {
    const directory = directoryFor(context);
    let broker = await startBrokerProcess(directory);
    context.after(() => broker.kill());
    let wire = broker.wire();
    await makeTopic(wire, 'sequenced');
    const target = { topic: 'sequenced' };
    const send = (baseSequence: number, producerEpoch = 0) =>
      produceTo(
        wire,
        target,
        batchOf([`${producerEpoch}/${baseSequence}`], { producerId: 9, producerEpoch, baseSequence }),
      );
    for (let sequence = 0; sequence < 7; sequence++) assert.equal((await send(sequence)).baseOffset, sequence);
    wire.close();
    await end(broker);
    broker = await startBrokerProcess(directory);
    wire = broker.wire();
    assert.deepEqual(pick(await send(6)), { errorCode: 0, baseOffset: 6 }, 'a duplicate of the last');
    assert.equal((await send(9)).errorCode, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert.deepEqual(pick(await send(7)), { errorCode: 0, baseOffset: 7 });
    assert.deepEqual(pick(await send(0, 1)), { errorCode: 0, baseOffset: 8 });
    assert.equal((await send(8)).errorCode, ErrorCode.INVALID_PRODUCER_EPOCH);
    const expected = [...Array.from({ length: 8 }, (_, sequence) => `0/${sequence}`), '1/0'];
    assert.deepEqual(await readAll(wire, target), expected, 'once each, in order');
    wire.close();
  });
}

const pick = ({ errorCode, baseOffset }: { errorCode: number; baseOffset: number }) => ({ errorCode, baseOffset });

test('a second broker on the same data is refused and leaves the first alone', async (context) => {
  const directory = directoryFor(context);
  const broker = await startBrokerProcess(directory);
  context.after(() => broker.kill());
  await assert.rejects(startBrokerProcess(directory), new RegExp(`DIRECTORY_LOCKED: .*${directory}`));
  const wire = broker.wire();
  assert.deepEqual(await topicsOf(wire), []);
  wire.close();
});

test('a port that somebody else has is named', async (context) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  const { port } = server.address() as { port: number };
  const dataDirectory = directoryFor(context);
  const refused = startTestBroker({ dataDirectory, config: { listeners: `PLAINTEXT://127.0.0.1:${port}` } });
  await assert.rejects(refused, { code: 'LISTENER_PORT_IN_USE', message: new RegExp(String(port)) });
  // Nothing stays open or locked: the directory serves the next one.
  await (await startTestBroker({ dataDirectory })).close();
});

test('an embedded broker is up in well under half a second and leaves no directory behind', async () => {
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const startedAt = performance.now();
    const broker = await startBroker();
    fastest = Math.min(fastest, performance.now() - startedAt);
    assert.ok(existsSync(broker.dataDir));
    const wire = new Wire(broker.port);
    await makeTopic(wire, 'brief');
    await produceTo(wire, { topic: 'brief' }, batchOf(['x']));
    wire.close();
    await broker.close();
    assert.ok(!existsSync(broker.dataDir), `${broker.dataDir} is left`);
  }
  assert.ok(fastest < 500, `${Math.round(fastest)} ms`);
});

test('a given directory stays, with everything in it', async (context) => {
  const dataDir = directoryFor(context);
  const broker = await startBroker({ dataDir });
  const wire = new Wire(broker.port);
  await makeTopic(wire, 'kept');
  wire.close();
  await broker.close();
  assert.ok(readdirSync(dataDir).includes('kept-0'));
});
