/**
 * Groups of the classic protocol with every client: they grow while records flow, their broker is killed with -9 and comes
 * back, a member is killed, another leaves; every record is read, and no partition is held by two at once. Then Kafka's
 * own tools on groups and on the topic that keeps them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type RunningBroker, unusedPorts } from './harness/broker-process.ts';
import { type Client, runAll, runOne, type ToolOutcome } from './harness/client.ts';
import { findClient, findFirst } from './harness/clients.ts';
import { findMember, GroupMembers, type MemberClient } from './harness/group-members.ts';
import { RecordFlow } from './harness/record-flow.ts';
import { makeCorpus } from './harness/records.ts';
import { startTarget, type TargetOptions } from './harness/target.ts';
import { findPythonClient, type Invocation, requireToolchain } from './harness/toolchain.ts';

const CLIENTS: readonly MemberClient[] = ['kafkajs', 'platformatic', 'confluent-kafka', 'franz-go', 'java'];
const PARTITIONS = 6;
const RECORDS_A_SECOND = 300;
const SETTLE_MS = 40_000;
const SETTINGS = {
  'group.initial.rebalance.delay.ms': '200',
  'offsets.topic.num.partitions': '4',
  'offsets.topic.replication.factor': '1',
};

let broker: RunningBroker;
let options: TargetOptions;

before(async () => {
  const [port, controllerPort] = (await unusedPorts(2)) as [number, number];
  const dataDirectory = mkdtempSync(join(tmpdir(), 'groups-'));
  options = { port, controllerPort, dataDirectory, settings: SETTINGS };
  broker = await startTarget(options);
});
after(async () => {
  await broker?.remove();
  rmSync(options.dataDirectory!, { recursive: true, force: true });
});

/** kill -9, and back on the same directory and port. */
async function killBroker(): Promise<void> {
  const gone = new Promise((resolve) => broker.child.once('exit', resolve));
  broker.child.kill('SIGKILL');
  await gone;
  broker = await startTarget(options);
}

/** The members of one client's group and what is written for them. */
class ClientGroup {
  readonly members = new GroupMembers();
  readonly times: number[] = [];
  readonly client: MemberClient;
  readonly #member: Invocation;
  readonly #flow: RecordFlow;
  readonly #names: string[] = [];

  constructor(client: MemberClient, member: Invocation, load: Invocation) {
    this.client = client;
    this.#member = member;
    const parameters = [broker.bootstrap, this.topic, String(PARTITIONS), String(RECORDS_A_SECOND)];
    this.#flow = new RecordFlow(load, parameters);
  }

  get topic(): string {
    return `classic-${this.client}`;
  }

  start(): void {
    const { bootstrap } = broker;
    const place = { bootstrap, group: `group-${this.client}`, topic: this.topic, protocol: 'classic' } as const;
    this.#names.push(this.members.start(this.#member, place));
  }

  async share(): Promise<void> {
    const ms = await this.members.share(PARTITIONS, SETTLE_MS).catch((error: unknown) => {
      throw new Error(`${this.client}: ${(error as Error).message}`);
    });
    this.times.push(ms);
  }

  async kill(at: number): Promise<void> {
    await this.members.kill(this.#names[at]!);
  }

  async stop(at: number): Promise<void> {
    await this.members.stop(this.#names[at]!);
  }

  async finish(): Promise<void> {
    const written = await this.#flow.end();
    assert.ok(written.size > 100, `${this.client}: ${written.size} records flowed`);
    const missing = (): string[] => [...written].filter((record) => !this.members.read.has(record));
    await this.members.waitFor(`${this.client} reads every record`, SETTLE_MS, () => missing().length === 0);
    assert.doesNotThrow(() => this.members.assertHeldByOneAtATime(), this.client);
  }

  async end(): Promise<void> {
    await this.#flow.end();
    await this.members.stopAll();
  }
}

test('groups of all clients outlive their broker and their members, and read every record', async (context) => {
  const load = requireToolchain(context, await findPythonClient());
  const admin = requireToolchain(context, await findFirst(['confluent-kafka', 'java', 'franz-go']));
  if (load === undefined || admin === undefined) return;
  const topics = CLIENTS.map((client) => ({ name: `classic-${client}`, partitions: PARTITIONS }));
  await runOne(admin(broker.bootstrap), { op: 'createTopics', topics });
  const groups: ClientGroup[] = [];
  context.after(() => Promise.all(groups.map((group) => group.end())));
  for (const client of CLIENTS) {
    const member = await findMember(client);
    if (member.value === undefined) context.diagnostic(`without ${client}: ${member.reason}`);
    else groups.push(new ClientGroup(client, member.value, load));
  }
  const each = (work: (group: ClientGroup) => unknown): Promise<unknown> => Promise.all(groups.map(work));
  await each((group) => group.start());
  await each((group) => group.start());
  await each((group) => group.share());
  await killBroker();
  await each((group) => group.start());
  await each((group) => group.share());
  await each((group) => group.kill(1));
  await each((group) => group.share());
  await each((group) => group.stop(0));
  await each((group) => group.share());
  await each((group) => group.finish());
  for (const { client, times } of groups) context.diagnostic(`${client}: ms until shared evenly ${times.join(' ')}`);
});

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
  await killBroker();
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
      ...[CONSOLE_CONSUMER, '--topic', '__consumer_offsets', '--from-beginning', '--timeout-ms', '4000'],
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
