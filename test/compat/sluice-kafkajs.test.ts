/** The entry for programs of kafkajs: the suite with kafkajs's own program, and one group with kafkajs's members. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import * as entry from '../../src/client/kafkajs/index.ts';
import { clientsDirectory } from './harness/paths.ts';
import { clientSuite } from './harness/suite.ts';
import { startTarget } from './harness/target.ts';
import { findNodeClient, requireToolchain } from './harness/toolchain.ts';

clientSuite('sluice-kafkajs');

const SETTLE_MS = 30_000;

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `not within ${SETTLE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('members of kafkajs and of the entry share one group, whoever leads', async (context) => {
  if (requireToolchain(context, await findNodeClient('kafkajs')) === undefined) return;
  const theirs = createRequire(join(clientsDirectory, 'node', 'package.json'))('kafkajs') as typeof entry;
  const broker = await startTarget({
    settings: {
      'group.initial.rebalance.delay.ms': '0',
      'offsets.topic.num.partitions': '1',
      'offsets.topic.replication.factor': '1',
    },
  });
  context.after(() => broker.remove());
  const quiet = { brokers: [broker.bootstrap], logLevel: entry.logLevel.NOTHING };
  const admin = new entry.Kafka(quiet).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'mixed', numPartitions: 4 }] });
  await admin.disconnect();
  const seen = new Map<string, number>();
  const joinWith = async ({ Kafka }: Pick<typeof entry, 'Kafka'>) => {
    const consumer = new Kafka(quiet).consumer({ groupId: 'mixed', heartbeatInterval: 300, maxWaitTimeInMs: 200 });
    const member = { consumer, held: -1 };
    consumer.on('consumer.group_join', ({ payload }) => {
      member.held = payload.memberAssignment['mixed']?.length ?? 0;
    });
    await consumer.connect();
    await consumer.subscribe({ topics: ['mixed'], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) =>
        void seen.set(String(message.value), (seen.get(String(message.value)) ?? 0) + 1),
    });
    return member;
  };
  const members = [await joinWith(theirs)];
  members.push(await joinWith(entry));
  await until(() => members.every(({ held }) => held === 2), 'two share, led by kafkajs');
  const producer = new entry.Kafka(quiet).producer();
  await producer.connect();
  const write = (from: number, before: number) =>
    producer.send({
      topic: 'mixed',
      messages: Array.from({ length: before - from }, (_, index) => ({
        value: `${from + index}`,
        partition: index % 4,
      })),
    });
  await write(0, 40);
  await until(() => seen.size === 40, 'all are read');
  await members[0]!.consumer.disconnect();
  await until(() => members[1]!.held === 4, 'the entry has all');
  members.push(await joinWith(theirs));
  await until(() => members[1]!.held === 2 && members[2]!.held === 2, 'two share, led by the entry');
  await write(40, 80);
  await until(() => seen.size === 80, 'all are read again');
  for (const { consumer } of members.slice(1)) await consumer.disconnect();
  await producer.disconnect();
  assert.equal(Math.max(...seen.values()), 1);
});
