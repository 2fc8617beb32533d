/**
 * Writes log-directory/kafka-4.3-transactions.json: a partition that a real Apache Kafka wrote with transactional
 * producers of its Java client, committed, aborted and undecided, over several segments; and what Kafka says of it.
 * Run by hand: node dist/test/golden/capture-transactions.js
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApacheKafka } from '../compat/harness/apache-kafka.ts';
import { type Operation, runAll, runOne } from '../compat/harness/client.ts';
import { findClient } from '../compat/harness/clients.ts';
import { KAFKA_VERSION, kafkaClassPath } from '../compat/harness/kafka-jars.ts';
import { projectRoot } from '../compat/harness/paths.ts';
import type { TestRecord } from '../compat/harness/records.ts';

const TOPIC = 'ledger';
const CODECS = { a: 'none', b: 'gzip', c: 'zstd', d: 'lz4' } as const;
const CONFIGS = { 'internal.segment.bytes': '1500', 'index.interval.bytes': '300' };
const ROUNDS = 8;

function records(label: string, count: number): TestRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    partition: 0,
    key: Buffer.from(`k${index}`),
    value: Buffer.from(`${label}${index}`),
    headers: [],
  }));
}

/** `c` stays open over many rounds; `a` and `b` overlap each other; `d` ends undecided. */
function* script(): Generator<Operation> {
  for (const [name, codec] of Object.entries(CODECS)) {
    yield { op: 'openProducer', name, codec, transactionalId: `ledger-${name}` };
  }
  yield { op: 'openProducer', name: 'plain', codec: 'snappy' };
  const send = (name: string, label: string, count: number): Operation => {
    return { op: 'send', name, topic: TOPIC, records: records(label, count) };
  };
  for (let round = 0; round < ROUNDS; round++) {
    yield send('a', `a${round}-`, 3);
    yield send('b', `b${round}-`, 2);
    yield send('plain', `p${round}-`, 1);
    if (round % 3 === 0) yield send('c', `c${round}-`, 4);
    yield { op: 'endTransaction', name: 'a', commit: round % 3 === 1 };
    yield send('a', `A${round}-`, 1);
    yield { op: 'endTransaction', name: 'b', commit: round % 2 === 0 };
    if (round === 4) yield { op: 'endTransaction', name: 'c', commit: false };
    yield { op: 'endTransaction', name: 'a', commit: round % 4 !== 0 };
  }
  yield { op: 'endTransaction', name: 'c', commit: true };
  yield send('d', 'undecided', 2);
  yield send('plain', 'behind', 1);
}

/** How many records Kafka's consumer must find: those of ended and committed transactions, and those of none. */
function countCommitted(operations: readonly Operation[]): number {
  const open = new Map<string, number>();
  let count = 0;
  let undecided = false;
  for (const operation of operations) {
    if (operation.op === 'send' && operation.name === 'd') undecided = true;
    else if (operation.op === 'send' && operation.name === 'plain') count += undecided ? 0 : operation.records.length;
    else if (operation.op === 'send') {
      open.set(operation.name, (open.get(operation.name) ?? 0) + operation.records.length);
    } else if (operation.op === 'endTransaction') {
      if (operation.commit) count += open.get(operation.name) ?? 0;
      open.delete(operation.name);
    }
  }
  return count;
}

async function main(): Promise<void> {
  const [classPath, java] = [await kafkaClassPath(), await findClient('java')];
  if (classPath.value === undefined || java.value === undefined) throw new Error(classPath.reason ?? java.reason);
  const kafka = await startApacheKafka({ classPath: classPath.value });
  try {
    const at = { topic: TOPIC, partition: 0 };
    const client = java.value(kafka.bootstrap);
    const operations = [...script()];
    const create = { op: 'createTopics', topics: [{ name: TOPIC, partitions: 1, configs: CONFIGS }] } as const;
    const [created] = await runAll(client, [create, ...operations]);
    if (created[TOPIC] !== 'NONE') throw new Error(`the topic was not made: ${created[TOPIC]}`);
    const [stable, end, producers] = await runAll(client, [
      { op: 'listOffsets', ...at, at: 'latest', isolation: 'read_committed' },
      { op: 'listOffsets', ...at, at: 'latest' },
      { op: 'describeProducers', ...at },
    ]);
    const partitions = [{ partition: 0, offset: 'beginning', count: countCommitted(operations) }] as const;
    const committed = await runOne(client, { op: 'consume', topic: TOPIC, partitions, isolation: 'read_committed' });
    await kafka.stop();
    const directory = join(kafka.dataDirectory, `${TOPIC}-0`);
    const files = Object.fromEntries(
      readdirSync(directory)
        .sort()
        .map((name) => [name, readFileSync(join(directory, name)).toString('hex')]),
    );
    const content = {
      writer: `Apache Kafka ${KAFKA_VERSION} with its Java client, stopped cleanly; see capture-transactions.ts`,
      config: CONFIGS,
      lastStableOffset: stable.offset,
      endOffset: end.offset,
      committed: committed.map(({ offset, value }) => [offset, String(value)]),
      producers,
      files,
    };
    const path = join(projectRoot, 'test/golden/log-directory/kafka-4.3-transactions.json');
    writeFileSync(path, `${JSON.stringify(content, null, 1)}\n`);
  } finally {
    await kafka.remove();
  }
}

await main();
