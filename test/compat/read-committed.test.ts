/**
 * Unmodified consumers with isolation.level=read_committed on a partition with committed, aborted and undecided
 * transactions that a real Apache Kafka wrote: they must find exactly the records that Kafka gave its own consumer.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { RunningBroker } from './harness/broker-process.ts';
import { type Client, runOne } from './harness/client.ts';
import { type ClientName, findClient, findFirst } from './harness/clients.ts';
import { projectRoot } from './harness/paths.ts';
import { startSluice } from './harness/sluice.ts';
import { requireToolchain } from './harness/toolchain.ts';

const TOPIC = 'ledger';
const READERS: readonly ClientName[] = ['kcat', 'confluent-kafka', 'franz-go', 'java'];
const path = join(projectRoot, 'test/golden/log-directory/kafka-4.3-transactions.json');
const golden = JSON.parse(readFileSync(path, 'utf8')) as {
  readonly committed: readonly (readonly [number, string])[];
  readonly files: Readonly<Record<string, string>>;
};

/** A broker whose topic has Kafka's files in the place of its own, but for the topic's id. */
async function startWithTransactions(dataDirectory: string, creator: (broker: RunningBroker) => Promise<unknown>) {
  const first = await startSluice({ dataDirectory });
  try {
    await creator(first);
  } finally {
    await first.remove();
  }
  for (const [name, hex] of Object.entries(golden.files)) {
    if (name !== 'partition.metadata') writeFileSync(join(dataDirectory, `${TOPIC}-0`, name), Buffer.from(hex, 'hex'));
  }
  return startSluice({ dataDirectory });
}

async function readCommitted(client: Client, fetchBytes: number | undefined): Promise<(readonly [number, string])[]> {
  const count = golden.committed.length;
  const partitions = [{ partition: 0, offset: 'beginning', count }] as const;
  const isolation = 'read_committed';
  const read = await runOne(client, {
    op: 'consume',
    topic: TOPIC,
    partitions,
    isolation,
    ...(fetchBytes === undefined ? {} : { fetchBytes }),
  });
  return read.map(({ offset, value }) => [offset, String(value)]);
}

describe('readers of committed records', () => {
  for (const name of READERS) {
    test(`${name} finds what Apache Kafka gave its consumer, in large fetches and in small ones`, async (context) => {
      const make = requireToolchain(context, await findClient(name));
      const maker = requireToolchain(context, await findFirst(['confluent-kafka', 'franz-go', 'java']));
      if (make === undefined || maker === undefined) return;
      const home = mkdtempSync(join(tmpdir(), 'read-committed-'));
      const create = (broker: RunningBroker) =>
        runOne(maker(broker.bootstrap), { op: 'createTopics', topics: [{ name: TOPIC, partitions: 1 }] });
      try {
        const broker = await startWithTransactions(home, create);
        try {
          const client = make(broker.bootstrap);
          for (const fetchBytes of [undefined, 300]) {
            assert.deepEqual(await readCommitted(client, fetchBytes), golden.committed);
          }
        } finally {
          await broker.remove();
        }
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    });
  }
});
