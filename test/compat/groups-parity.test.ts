/**
 * Consumer groups cross over with their data directory: what a group has read under Apache Kafka it does not read again
 * under Sluice, and back, for both protocols of groups.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApacheKafka } from './harness/apache-kafka.ts';
import { type RunningBroker, unusedPorts } from './harness/broker-process.ts';
import { type Client, type Operation, runAll, type ToolOutcome } from './harness/client.ts';
import { findClient } from './harness/clients.ts';
import { kafkaClassPath } from './harness/kafka-jars.ts';
import { startSluice } from './harness/sluice.ts';
import { requireToolchain } from './harness/toolchain.ts';

const TOPIC = 'crossing';
const RECORDS = 60;
const A_ROUND = 15;
const PROTOCOLS = ['classic', 'consumer'] as const;
const CONSOLE_CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const GROUPS = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';

const FILL: readonly Operation[] = [
  { op: 'createTopics', topics: [{ name: TOPIC, partitions: 1 }] },
  {
    op: 'produce',
    topic: TOPIC,
    records: Array.from({ length: RECORDS }, (_, index) => ({
      partition: 0,
      key: null,
      value: Buffer.from(`record ${index}`),
      headers: [],
    })),
    codec: 'lz4',
    acks: -1,
  },
];

/** Each group reads a round more and commits; `round` counts those before. */
async function readOn(client: Client, { bootstrap }: RunningBroker, round: number): Promise<void> {
  const server = ['--bootstrap-server', bootstrap];
  const reads = PROTOCOLS.map((protocol) => {
    const which = ['--topic', TOPIC, '--group', `group-${protocol}`, '--from-beginning'];
    const until = ['--max-messages', String(A_ROUND), '--timeout-ms', '30000'];
    const how = ['--command-property', `group.protocol=${protocol}`];
    return { op: 'tool' as const, main: CONSOLE_CONSUMER, parameters: [...server, ...which, ...until, ...how] };
  });
  const describe = PROTOCOLS.map((protocol) => {
    const parameters = [...server, '--describe', '--group', `group-${protocol}`];
    return { op: 'tool' as const, main: GROUPS, parameters };
  });
  const outcomes: ToolOutcome[] = await runAll(client, [...reads, ...describe]);
  const expected = Array.from({ length: A_ROUND }, (_, index) => `record ${round * A_ROUND + index}`);
  for (const [at, protocol] of PROTOCOLS.entries()) {
    const { stdout, stderr } = outcomes[at]!;
    assert.deepEqual(stdout.trim().split('\n'), expected, `group-${protocol}, round ${round}\n${stderr}`);
    const committed = (round + 1) * A_ROUND;
    const described = outcomes[PROTOCOLS.length + at]!.stdout;
    assert.match(described, new RegExp(`group-${protocol}\\s+${TOPIC}\\s+0\\s+${committed}\\s+${RECORDS}\\s`));
  }
}

async function on(starting: Promise<RunningBroker>, run: (broker: RunningBroker) => Promise<void>): Promise<void> {
  const broker = await starting;
  try {
    await run(broker);
    await broker.stop();
  } finally {
    await broker.remove();
  }
}

test('groups of both protocols read on where they were after a move from Apache Kafka, and after one back', async (context) => {
  const classPath = requireToolchain(context, await kafkaClassPath());
  const java = requireToolchain(context, await findClient('java'));
  if (classPath === undefined || java === undefined) return;
  const home = mkdtempSync(join(tmpdir(), 'groups-parity-'));
  try {
    const [port, controllerPort] = (await unusedPorts(2)) as [number, number];
    const [kafkaData, sluiceData] = [join(home, 'kafka'), join(home, 'sluice')];
    const kafka = { classPath, port, controllerPort };
    await on(startApacheKafka({ ...kafka, dataDirectory: kafkaData }), async (broker) => {
      const client = java(broker.bootstrap);
      await runAll(client, FILL);
      await readOn(client, broker, 0);
    });
    cpSync(kafkaData, sluiceData, { recursive: true, preserveTimestamps: true });
    await on(startSluice({ dataDirectory: sluiceData, port, settings: { 'node.id': '1' } }), (broker) =>
      readOn(java(broker.bootstrap), broker, 1),
    );
    await on(startApacheKafka({ ...kafka, dataDirectory: sluiceData }), (broker) =>
      readOn(java(broker.bootstrap), broker, 2),
    );
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
