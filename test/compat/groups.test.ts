/**
 * What clients read that only read through groups; Kafka's own tools on groups, over a kill -9 of the broker, and on the
 * topic that keeps them.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Client, consumeAll, type Operation, runAll, type ToolOutcome } from './harness/client.ts';
import { findClient, findFirst } from './harness/clients.ts';
import { GroupBroker } from './harness/group-broker.ts';
import { assertSameRecords, makeCorpus } from './harness/records.ts';
import { requireToolchain } from './harness/toolchain.ts';

let broker: GroupBroker;
before(async () => {
  broker = await GroupBroker.start();
});
after(() => broker?.remove());

const GROUPS = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
const CONSOLE_CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const FORMATTERS = 'org.apache.kafka.tools.consumer';

/** The line of the group's one partition. */
function lag(current: number, end: number): RegExp {
  return new RegExp(`^tools\\s+for-tools\\s+0\\s+${current}\\s+${end}\\s+${end - current}\\s+-\\s+-\\s+-`, 'm');
}

async function runTools(java: Client, runs: readonly (readonly [string, ...string[]])[]): Promise<string[]> {
  const tools = runs.map(([main, ...parameters]) => {
    const server = ['--bootstrap-server', broker.bootstrap];
    return { op: 'tool' as const, main, parameters: [...server, ...parameters] };
  });
  const outcomes: ToolOutcome[] = await runAll(java, tools);
  return outcomes.map(({ exit, stdout, stderr }, at) => {
    assert.equal(exit, 0, `${runs[at]!.join(' ')}\n${stdout}\n${stderr}`);
    return stdout;
  });
}

for (const name of ['kafkajs', 'platformatic'] as const) {
  test(`${name} reads through a group, byte for byte, what was written with every codec`, async (context) => {
    const writer = requireToolchain(context, await findFirst(['confluent-kafka', 'franz-go']))?.(broker.bootstrap);
    const { value: make, reason } = await findClient(name);
    if (writer === undefined) return;
    if (make === undefined) return context.skip(`SKIPPED: ${reason}`);
    const reader = make(broker.bootstrap);
    const written = reader.codecs.map((codec) => {
      const topic = `${name}-reads-${codec}`;
      return { codec, topic, records: makeCorpus({ label: topic, partitions: 3, count: 200, headers: 'unique' }) };
    });
    await runAll(writer, [
      { op: 'createTopics', topics: written.map(({ topic }) => ({ name: topic, partitions: 3 })) },
      ...written.map(({ topic, codec, records }) => ({ op: 'produce', topic, records, codec, acks: -1 }) as const),
    ] as Operation[]);
    for (const { topic, records } of written) {
      assertSameRecords(await consumeAll(reader, topic, records), records, { what: topic });
    }
  });
}

test("Apache Kafka's tools read, move and delete groups, and read the topic that keeps them", async (context) => {
  const java = requireToolchain(context, await findClient('java'))?.(broker.bootstrap);
  if (java === undefined) return;
  const topic = 'for-tools';
  const records = makeCorpus({ label: topic, partitions: 1, count: 20 });
  await runAll(java, [
    { op: 'createTopics', topics: [{ name: topic, partitions: 1 }] },
    { op: 'produce', topic, records, codec: 'none', acks: -1 },
  ]);
  const end = records.length;
  const consume = [CONSOLE_CONSUMER, '--topic', topic, '--group', 'tools', '--from-beginning'] as const;
  const classic = ['--command-property', 'group.protocol=classic'];
  const describeGroup = [GROUPS, '--describe', '--group', 'tools'] as const;
  const [, listed, described] = await runTools(java, [
    [...consume, '--max-messages', String(end), '--timeout-ms', '20000', ...classic],
    [GROUPS, '--list', '--state'],
    describeGroup,
  ]);
  assert.match(listed!, /^tools\s+Empty/m);
  assert.match(described!, lag(end, end));
  await broker.kill();
  await broker.restart();
  const [kept, moved, later] = await runTools(java, [
    describeGroup,
    [GROUPS, '--reset-offsets', '--group', 'tools', '--topic', topic, '--shift-by', '-5', '--execute'],
    describeGroup,
  ]);
  assert.match(kept!, lag(end, end));
  assert.match(moved!, new RegExp(`^tools\\s+for-tools\\s+0\\s+${end - 5}`, 'm'));
  assert.match(later!, lag(end - 5, end));
  const read = (formatter: string) =>
    [
      ...[CONSOLE_CONSUMER, '--topic', '__consumer_offsets', '--from-beginning', '--timeout-ms', '8000'],
      ...['--formatter', `${FORMATTERS}.${formatter}`, ...classic],
    ] as unknown as readonly [string, ...string[]];
  const [offsets, metadata, , gone] = await runTools(java, [
    read('OffsetsMessageFormatter'),
    read('GroupMetadataMessageFormatter'),
    [GROUPS, '--delete', '--group', 'tools'],
    [GROUPS, '--list'],
  ]);
  const key = '"type":1,"data":{"group":"tools","topic":"for-tools","partition":0}';
  assert.ok(offsets!.includes(`{"key":{${key}},"value":{"version":4,"data":{"offset":${end - 5},`), offsets);
  assert.match(
    metadata!,
    /"type":2,"data":\{"group":"tools"\}\},"value":\{"version":3,"data":\{"protocolType":"consumer"/,
  );
  assert.doesNotMatch(gone!, /^tools$/m);
});
