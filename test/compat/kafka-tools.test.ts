/**
 * Apache Kafka's own command-line tools, each run by its main method with the arguments that a user would give.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { RunningBroker } from './harness/broker-process.ts';
import { type Client, runAll, type ToolOutcome } from './harness/client.ts';
import { findClient } from './harness/clients.ts';
import { startTarget } from './harness/target.ts';
import { requireToolchain } from './harness/toolchain.ts';

const TOPIC_COMMAND = 'org.apache.kafka.tools.TopicCommand';
const CONFIG_COMMAND = 'kafka.admin.ConfigCommand';
const CONSOLE_PRODUCER = 'org.apache.kafka.tools.ConsoleProducer';
const CONSOLE_CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const FEATURE_COMMAND = 'org.apache.kafka.tools.FeatureCommand';
const GET_OFFSETS = 'org.apache.kafka.tools.GetOffsetShell';

interface ToolRun {
  readonly main: string;
  readonly parameters: readonly string[];
  readonly input?: string;
}

describe("Apache Kafka's command-line tools", () => {
  let broker: RunningBroker | undefined;
  let client: Client | undefined;
  let reason: string | undefined;

  before(async () => {
    const found = await findClient('java');
    reason = found.reason;
    if (found.value === undefined) return;
    broker = await startTarget();
    client = found.value(broker.bootstrap);
  });
  after(() => broker?.remove());

  /** Runs all in one JVM; `{}` in a parameter stands for the broker's address. Every tool must exit with 0. */
  const runTools = async (context: TestContext, runs: readonly ToolRun[]): Promise<ToolOutcome[]> => {
    const java = requireToolchain(context, client === undefined ? { reason: reason ?? 'no java' } : { value: client });
    if (java === undefined || broker === undefined) return [];
    const { bootstrap } = broker;
    const tools = runs.map(({ main, parameters, input }) => ({
      op: 'tool' as const,
      main,
      parameters: parameters.map((each) => each.replace('{}', bootstrap)),
      ...(input === undefined ? {} : { input }),
    }));
    const outcomes = await runAll(java, tools);
    for (const [i, { exit, stdout, stderr }] of outcomes.entries()) {
      assert.equal(exit, 0, `${runs[i]!.main} ${runs[i]!.parameters.join(' ')}\n${stdout}\n${stderr}`);
    }
    return outcomes;
  };
  const server = ['--bootstrap-server', '{}'];
  const topics = (...parameters: string[]): ToolRun => ({
    main: TOPIC_COMMAND,
    parameters: [...server, ...parameters],
  });

  test('kafka-topics creates, describes, alters, lists and deletes topics', async (context) => {
    const outcomes = await runTools(context, [
      topics(
        '--create',
        '--topic',
        'tools',
        '--partitions',
        '3',
        '--replication-factor',
        '1',
        '--config',
        'retention.ms=86400000',
      ),
      topics('--describe', '--topic', 'tools'),
      topics('--alter', '--topic', 'tools', '--partitions', '5'),
      topics('--describe', '--topic', 'tools'),
      topics('--create', '--topic', 'doomed', '--partitions', '1'),
      topics('--list'),
      topics('--delete', '--topic', 'doomed'),
      topics('--list'),
    ]);
    if (outcomes.length === 0) return;
    const [created, described, , grown, , listed, , listedLater] = outcomes.map(({ stdout }) => stdout);
    assert.match(created!, /Created topic tools/);
    assert.match(described!, /PartitionCount: 3\s+ReplicationFactor: 1\s+Configs:.*retention\.ms=86400000/);
    assert.equal(described!.match(/Leader: \d+\s+Replicas: \d+\s+Isr: \d+/g)?.length, 3);
    assert.match(grown!, /PartitionCount: 5/);
    assert.deepEqual(listed!.trim().split('\n'), ['doomed', 'tools']);
    assert.deepEqual(listedLater!.trim().split('\n'), ['tools']);
  });

  test('kafka-features turns the broker-driven protocol of groups off and on', async (context) => {
    const features = (...parameters: string[]): ToolRun => ({
      main: FEATURE_COMMAND,
      parameters: [...server, ...parameters],
    });
    const outcomes = await runTools(context, [
      features('describe'),
      features('downgrade', '--feature', 'group.version=0'),
      features('describe'),
      features('upgrade', '--feature', 'group.version=1'),
      features('describe'),
    ]);
    if (outcomes.length === 0) return;
    const levels = [0, 2, 4].map(
      (at) => outcomes[at]!.stdout.match(/group\.version\s.*FinalizedVersionLevel: (\d+)/)?.[1],
    );
    assert.deepEqual(levels, ['1', '0', '1']);
    assert.match(outcomes[0]!.stdout, /group\.version\s+SupportedMinVersion: 0\s+SupportedMaxVersion: 1/);
  });

  test('kafka-console-producer writes what kafka-console-consumer reads from a partition', async (context) => {
    const words = Array.from({ length: 50 }, (_, i) => `key${i}:Wörter ${i} 世界`);
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
    const written = codecs.map((codec) => ({
      main: CONSOLE_PRODUCER,
      parameters: [
        ...['--bootstrap-server', '{}', '--topic', `console.${codec}`, '--compression-codec', codec],
        ...['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:'],
      ],
      input: `${words.join('\n')}\n`,
    }));
    const read = codecs.map((codec) => ({
      main: CONSOLE_CONSUMER,
      parameters: [
        ...['--bootstrap-server', '{}', '--topic', `console.${codec}`, '--partition', '0', '--offset', '10'],
        ...['--max-messages', '40', '--timeout-ms', '15000'],
        ...['--formatter-property', 'print.key=true', '--formatter-property', 'key.separator=:'],
        ...['--formatter-property', 'print.offset=true'],
      ],
    }));
    const creation = codecs.map((codec) => topics('--create', '--topic', `console.${codec}`, '--partitions', '1'));
    const outcomes = await runTools(context, [...creation, ...written, ...read]);
    for (const { stdout } of outcomes.slice(creation.length + written.length)) {
      const expected = words.slice(10).map((word, i) => `Offset:${i + 10}:${word}`);
      assert.deepEqual(stdout.trim().split('\n'), expected);
    }
  });

  test('kafka-configs alters and describes a topic and a broker', async (context) => {
    const topic = ['--entity-type', 'topics', '--entity-name', 'configured'];
    const configs = (...parameters: string[]): ToolRun => ({
      main: CONFIG_COMMAND,
      parameters: [...server, ...parameters],
    });
    const outcomes = await runTools(context, [
      topics('--create', '--topic', 'configured', '--partitions', '1'),
      configs(...topic, '--alter', '--add-config', 'retention.ms=7200000,cleanup.policy=[compact,delete]'),
      configs(...topic, '--describe'),
      configs(...topic, '--alter', '--delete-config', 'retention.ms'),
      configs(...topic, '--describe', '--all'),
      configs('--entity-type', 'brokers', '--entity-name', '1', '--describe', '--all'),
    ]);
    if (outcomes.length === 0) return;
    assert.match(outcomes[2]!.stdout, /retention\.ms=7200000 .*synonyms=\{DYNAMIC_TOPIC_CONFIG:retention\.ms=7200000/);
    assert.match(outcomes[2]!.stdout, /cleanup\.policy=compact,delete/);
    assert.match(outcomes[4]!.stdout, /retention\.ms=604800000 sensitive=false synonyms=\{\}|retention\.ms=604800000/);
    assert.match(outcomes[5]!.stdout, /log\.segment\.bytes=1073741824/);
  });

  test('kafka-get-offsets, kafka-delete-records and kafka-log-dirs agree on what is stored', async (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'compat-tools-'));
    context.after(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'offsets.json');
    writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic: 'measured', partition: 0, offset: 30 }] }));
    const offsets = (time: string): ToolRun => ({
      main: GET_OFFSETS,
      parameters: [...server, '--topic', 'measured', '--time', time],
    });
    const outcomes = await runTools(context, [
      topics('--create', '--topic', 'measured', '--partitions', '1'),
      {
        main: CONSOLE_PRODUCER,
        parameters: [...server, '--topic', 'measured'],
        input: Array.from({ length: 100 }, (_, i) => `${i}\n`).join(''),
      },
      offsets('-1'),
      { main: 'org.apache.kafka.tools.DeleteRecordsCommand', parameters: [...server, '--offset-json-file', file] },
      offsets('-2'),
      offsets('1'),
      {
        main: 'org.apache.kafka.tools.LogDirsCommand',
        parameters: [...server, '--describe', '--topic-list', 'measured'],
      },
    ]);
    if (outcomes.length === 0) return;
    const [, , latest, deleted, earliest, first, directories] = outcomes.map(({ stdout }) => stdout);
    assert.equal(latest!.trim(), 'measured:0:100');
    assert.match(deleted!, /partition: measured-0\s+low_watermark: 30/);
    assert.equal(earliest!.trim(), 'measured:0:30');
    assert.equal(first!.trim(), 'measured:0:30');
    assert.match(directories!, /"partition":"measured-0","size":[1-9]\d*/);
  });

  test('kafka-producer-perf-test writes what kafka-consumer-perf-test reads in groups of both protocols', async (context) => {
    const perf = (acks: string, codec: string): ToolRun => ({
      main: 'org.apache.kafka.tools.ProducerPerformance',
      parameters: [
        ...['--topic', 'perf', '--num-records', '20000', '--record-size', '100', '--throughput', '-1'],
        ...['--command-property', 'bootstrap.servers={}', `acks=${acks}`, `compression.type=${codec}`],
      ],
    });
    const read = (protocol: string): ToolRun => ({
      main: 'org.apache.kafka.tools.ConsumerPerformance',
      parameters: [
        ...[
          ...server,
          '--topic',
          'perf',
          '--group',
          `perf-${protocol}`,
          '--num-records',
          '40000',
          '--timeout',
          '20000',
        ],
        ...['--command-property', `group.protocol=${protocol}`, 'auto.offset.reset=earliest'],
      ],
    });
    const outcomes = await runTools(context, [
      topics('--create', '--topic', 'perf', '--partitions', '2'),
      perf('1', 'none'),
      perf('all', 'lz4'),
      { main: GET_OFFSETS, parameters: [...server, '--topic', 'perf'] },
      read('classic'),
      read('consumer'),
    ]);
    if (outcomes.length === 0) return;
    assert.match(outcomes[1]!.stdout, /20000 records sent/);
    assert.match(outcomes[2]!.stdout, /20000 records sent/);
    const ends = [...outcomes[3]!.stdout.matchAll(/perf:\d:(\d+)/g)].map((match) => Number(match[1]));
    assert.equal(ends.length, 2);
    assert.equal(ends[0]! + ends[1]!, 40_000);
    // Begin, end, MB, MB a second, records.
    for (const { stdout } of outcomes.slice(4))
      assert.match(stdout, /^[\d-]+ [\d:]+, [\d-]+ [\d:]+, [\d.]+, [\d.]+, 40000,/m);
  });

  test('kafka-cluster, kafka-broker-api-versions and kafka-transactions describe the broker', async (context) => {
    const outcomes = await runTools(context, [
      { main: 'org.apache.kafka.tools.ClusterTool', parameters: ['cluster-id', ...server] },
      { main: 'org.apache.kafka.tools.BrokerApiVersionsCommand', parameters: server },
      topics('--create', '--topic', 'produced', '--partitions', '1'),
      { main: CONSOLE_PRODUCER, parameters: [...server, '--topic', 'produced'], input: 'one\ntwo\n' },
      {
        main: 'org.apache.kafka.tools.TransactionsCommand',
        parameters: [...server, 'describe-producers', '--topic', 'produced', '--partition', '0'],
      },
    ]);
    if (outcomes.length === 0) return;
    assert.match(outcomes[0]!.stdout, /Cluster ID: \S{22}/);
    assert.match(outcomes[1]!.stdout, /Produce\(0\): 0 to 13 \[usable: 13\]/);
    assert.match(outcomes[1]!.stdout, /Fetch\(1\): 4 to 18 \[usable: 18\]/);
    // ProducerId, ProducerEpoch, LatestCoordinatorEpoch, LastSequence, ...
    assert.match(outcomes[4]!.stdout, /^\d+\s+0\s+-1\s+\d+/m);
  });
});
