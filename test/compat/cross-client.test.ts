/**
 * What any client wrote, with any codec, any other client reads: one process a writer and one a reader, and a topic
 * for each pair of writer and codec.
 */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { RunningBroker } from './harness/broker-process.ts';
import { type Client, positionsFor, runAll, runOne } from './harness/client.ts';
import { type ClientName, findClient } from './harness/clients.ts';
import { assertSameRecords, makeCorpus, type TestRecord } from './harness/records.ts';
import { startTarget } from './harness/target.ts';
import { type Available, requireToolchain } from './harness/toolchain.ts';

const WRITERS: readonly ClientName[] = [
  'sluice',
  'kcat',
  'confluent-kafka',
  'franz-go',
  'java',
  'kafkajs',
  'platformatic',
];
const READERS: readonly ClientName[] = ['sluice', 'kcat', 'confluent-kafka', 'franz-go', 'java'];
const PARTITIONS = 2;

describe('across clients', () => {
  let broker: RunningBroker | undefined;
  const written = new Map<string, readonly TestRecord[]>();

  before(async () => {
    broker = await startTarget();
  });
  after(() => broker?.remove());

  const connect = async (context: TestContext, name: ClientName): Promise<Client | undefined> => {
    const make = await findClient(name);
    const found: Available<Client> =
      make.value === undefined ? { reason: make.reason } : { value: make.value(broker!.bootstrap) };
    return requireToolchain(context, found);
  };

  for (const name of WRITERS) {
    test(`${name} writes with each of its codecs`, async (context) => {
      const writer = await connect(context, name);
      const creator = await connect(context, 'confluent-kafka');
      if (writer === undefined || creator === undefined) return;
      const writes = writer.codecs.map((codec) => {
        const topic = `${name}.${codec}`;
        // kcat prints a header's value up to its first zero byte.
        const headers = writer.headers === 'any' ? 'text' : writer.headers;
        const records = makeCorpus({ label: topic, partitions: PARTITIONS, count: 30, headers });
        return { op: 'produce', topic, records, codec, acks: -1 } as const;
      });
      await runOne(creator, {
        op: 'createTopics',
        topics: writes.map(({ topic }) => ({ name: topic, partitions: PARTITIONS })),
      });
      await runAll(writer, writes);
      for (const { topic, records } of writes) written.set(topic, records);
    });
  }

  for (const name of READERS) {
    test(`${name} reads what all of them wrote`, async (context) => {
      const reader = await connect(context, name);
      if (reader === undefined) return;
      assert.ok(written.size > 0, 'no client wrote anything');
      const topics = [...written];
      const reads = await runAll(
        reader,
        topics.map(([topic, records]) => ({ op: 'consume', topic, partitions: positionsFor(records) }) as const),
      );
      for (const [i, [topic, records]] of topics.entries()) {
        assertSameRecords(reads[i]!, records, { what: `${topic} read by ${name}` });
      }
    });
  }
});
