/** `sluice cluster` as a user runs it, against three brokers in this process, the first of which is the quorum. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { alterPartitionReassignments } from '../../src/protocol/apis/alter-partition-reassignments.ts';
import { createTopics } from '../../src/protocol/apis/create-topics.ts';
import { metadata } from '../../src/protocol/apis/metadata.ts';
import { produce } from '../../src/protocol/apis/produce.ts';
import { buildBatch } from '../../src/records/builder.ts';
import { SluiceCommand } from '../support/sluice-command.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const TOPIC = 'orders';
/** All on brokers 1 and 2, all led by 1. */
const PARTITIONS = 6;

const brokers: TestBroker[] = [];
let wire: Wire;

let command: SluiceCommand;

const sluice = (...args: readonly string[]) => command.run(['cluster', ...args]);

interface DescribedBroker {
  readonly broker: number;
  readonly state: string;
  readonly rack: string | null;
  readonly replicas: number;
  readonly leaders: number;
  readonly preferred: number;
}

async function described(): Promise<{
  readonly controllerId: number;
  readonly quorum: { readonly kind: string };
  readonly partitions: { readonly total: number; readonly underReplicated: number; readonly leaderless: number };
  readonly brokers: readonly DescribedBroker[];
}> {
  return command.json('cluster describe', ['cluster', 'describe']);
}

/** Replicas, leaders and preferred leaders of each broker. */
async function held(): Promise<[replicas: number, leaders: number, preferred: number][]> {
  return (await described()).brokers.map(({ replicas, leaders, preferred }) => [replicas, leaders, preferred]);
}

before(async () => {
  brokers.push(await startTestBroker({ config: { 'broker.rack': 'a' } }));
  const voters = `1@127.0.0.1:${brokers[0]!.port}`;
  for (const id of [2, 3]) {
    const config = { 'node.id': String(id), 'process.roles': 'broker', 'controller.quorum.voters': voters };
    brokers.push(await startTestBroker({ config: { ...config, 'broker.rack': 'a' } }));
  }
  wire = brokers[0]!.wire();
  // The second one: what only the controller can do is passed on.
  command = new SluiceCommand({ brokers: `127.0.0.1:${brokers[1]!.port}` });
  const assignments = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
    partitionIndex,
    brokerIds: [1, 2],
  }));
  const topic = { name: TOPIC, numPartitions: -1, replicationFactor: -1, assignments, configs: [] };
  const { topics } = await wire.reply(createTopics, 7, { topics: [topic], timeoutMs: 5000 });
  assert.equal((topics as { errorCode: number }[])[0]!.errorCode, 0);
  const records = buildBatch({ records: [{ key: null, value: Buffer.alloc(5000), timestamp: 1 }] });
  const topicData = [{ name: TOPIC, partitionData: [{ index: 0, records }] }];
  await wire.reply(produce, 9, { acks: -1, timeoutMs: 5000, topicData });
});

after(async () => {
  wire.close();
  for (const broker of brokers.toReversed()) await broker.close();
});

it('describes brokers, the controller, the quorum and what is short of replicas', async () => {
  const { controllerId, quorum, partitions, brokers: rows } = await described();
  assert.deepEqual([controllerId, quorum.kind], [1, 'local']);
  assert.deepEqual(partitions, { total: PARTITIONS, underReplicated: 0, underMinInSync: 0, leaderless: 0 });
  assert.deepEqual(
    rows.map(({ broker, state, rack }) => [broker, state, rack]),
    [1, 2, 3].map((id) => [id, 'up', 'a']),
  );
  assert.deepEqual(await held(), [
    [6, 6, 6],
    [6, 0, 0],
    [0, 0, 0],
  ]);
  const { stdout } = await sluice('describe');
  assert.match(stdout, /controller: broker 1/);
  assert.match(stdout, /6 partitions, 0 under-replicated, 0 under min.insync.replicas, 0 without a leader/);
});

it('shows what would move and moves nothing', async () => {
  const { code, stdout, stderr } = await sluice('rebalance', '--json');
  assert.equal(code, 0, stderr);
  const { moves } = JSON.parse(stdout) as { moves: { replicas: number[]; target: number[] }[] };
  assert.equal(moves.filter(({ target }) => target.includes(3)).length, 4);
  assert.match(stderr, /Nothing was changed/);
  assert.deepEqual((await held())[2], [0, 0, 0]);
});

it('spreads replicas and leaders over all brokers, and then has nothing to do', async () => {
  const { code, stderr } = await sluice('rebalance', '--execute', '--watch', '--throttle', '50MiB');
  assert.equal(code, 0, stderr);
  assert.match(stderr, /everything is where it shall be/);
  assert.deepEqual(await held(), [
    [4, 2, 2],
    [4, 2, 2],
    [4, 2, 2],
  ]);
  assert.match((await sluice('rebalance')).stderr, /nothing needs to move/);
});

it('drains a broker and proves that nothing is left on it', async () => {
  const { code, stderr } = await sluice('drain', '2', '--execute', '--watch');
  assert.equal(code, 0, stderr);
  assert.match(stderr, /broker 2 holds nothing any more/);
  assert.deepEqual((await held())[1], [0, 0, 0]);
  assert.equal((await sluice('drain', '2', '--execute')).code, 0);
});

it('creates topics where it is told to', async () => {
  const create = (list: string, ...args: readonly string[]) =>
    command.run(['topics', 'create', 'placed', '--replica-assignment', list, ...args]);
  assert.equal((await create('3:1,1:2')).code, 0);
  assert.deepEqual(await replicasOf('placed'), [3, 1]);
  for (const [list, why] of [
    ['1:1', /1:1 names a broker twice/],
    ['1:2,3', /give every partition as many replicas/],
    ['1:x', /whole number/],
  ] as const) {
    const wrong = await create(list);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, why);
  }
  assert.equal((await create('1', '--partitions', '2')).code, 2);
  await command.output(['topics', 'delete', 'placed', '--yes']);
});

it('refuses to drain what is needed, and who is not there', async () => {
  const topic = { name: 'everywhere', numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] };
  await wire.reply(createTopics, 7, { topics: [topic], timeoutMs: 5000 });
  const needed = await sluice('drain', '3');
  assert.equal(needed.code, 1);
  assert.match(needed.stderr, /as many replicas as there are brokers left, such as everywhere-0/);
  assert.match((await sluice('drain', '9')).stderr, /there is no broker 9/);
});

it('moves replicas as a file says, and shows what is on its way', async () => {
  const before = await replicasOf(TOPIC);
  const swapped = [...before].reverse();
  const file = JSON.stringify({ version: 1, partitions: [{ topic: TOPIC, partition: 0, replicas: swapped }] });
  const reassign = ['cluster', 'reassign', '--from-file', '-'];
  const { moves } = await command.json<{ moves: { target: number[] }[] }>('cluster reassign', reassign, {
    input: file,
  });
  assert.deepEqual(
    moves.map(({ target }) => target),
    [swapped],
  );
  assert.deepEqual(await replicasOf(TOPIC), before, 'a plan moves nothing');
  await command.output([...reassign, '--execute', '--watch'], { input: file });
  assert.deepEqual(await replicasOf(TOPIC), swapped);
  assert.deepEqual(await command.json('cluster reassignments', ['cluster', 'reassignments']), []);
  for (const [input, code, why] of [
    ['{"partitions":[{"topic":"orders","partition":0,"replicas":[1,1]}]}', 2, /entry 1 is not whole/],
    ['{}', 2, /there are no partitions/],
    ['{"partitions":[{"topic":"none","partition":0,"replicas":[1]}]}', 1, /there is no partition none-0/],
    ['{"partitions":[{"topic":"orders","partition":0,"replicas":[9]}]}', 1, /broker 9, which shall hold orders-0/],
  ] as const) {
    const result = await command.run(reassign, { input });
    assert.equal(result.code, code, input);
    assert.match(result.stderr, why);
  }
});

it('elects preferred leaders, and says so where nothing is to be done', async () => {
  const { code, stderr } = await sluice('elect-leaders', '--topic', `${TOPIC}:0,1`);
  assert.equal(code, 0, stderr);
  const { stdout } = await sluice('elect-leaders', '--topic', TOPIC, '--json');
  assert.equal((JSON.parse(stdout) as { elected: boolean }[]).filter(({ elected }) => elected).length, 0);
  assert.match((await sluice('elect-leaders', '--topic', 'none')).stderr, /none/);
});

it('takes back what is moving', async () => {
  assert.equal((await sluice('rebalance', '--throttle', 'fast')).code, 2);
  // A broker that is not there keeps it moving.
  await brokers.pop()!.close();
  const assignments = [{ partitionIndex: 0, brokerIds: [1, 2] }];
  const topic = { name: 'moving', numPartitions: -1, replicationFactor: -1, assignments, configs: [] };
  await wire.reply(createTopics, 7, { topics: [topic], timeoutMs: 5000 });
  const partitions = [{ partitionIndex: 0, replicas: [3, 1] }];
  await wire.reply(alterPartitionReassignments, 1, { timeoutMs: 5000, topics: [{ name: 'moving', partitions }] });
  const moving = await sluice('rebalance');
  assert.equal(moving.code, 1);
  assert.match(moving.stderr, /1 partition is being moved already/);
  const ongoing = await command.json<{ topic: string; adding: number[] }[]>('cluster reassignments', [
    ...['cluster', 'reassignments'],
  ]);
  assert.deepEqual(
    ongoing.map(({ topic, adding }) => [topic, adding]),
    [['moving', [3]]],
  );
  assert.deepEqual(await command.json('cluster rebalance --cancel', ['cluster', 'rebalance', '--cancel']), [
    { topic: 'moving', partition: 0, cancelled: true },
  ]);
  assert.deepEqual((await replicasOf('moving')).sort(), [1, 2]);
  assert.match((await sluice('rebalance', '--cancel')).stderr, /nothing is moving/);
});

it('gives records up after --timeout that too few replicas can take', async () => {
  await command.output(['topics', 'alter', 'everywhere', '--config', 'min.insync.replicas=3']);
  const startedMs = performance.now();
  const { code, stderr } = await command.run(['produce', 'everywhere', '--timeout', '2s'], { input: 'x\n' });
  assert.ok(performance.now() - startedMs < 30_000);
  assert.equal(code, 1);
  assert.match(stderr, /error: /);
});

it('does not call it done when somebody else takes back what it watches', async () => {
  const partitions = [{ partitionIndex: 0, replicas: [3, 1] }];
  await wire.reply(alterPartitionReassignments, 1, { timeoutMs: 5000, topics: [{ name: 'moving', partitions }] });
  const watching = sluice('rebalance', '--execute', '--watch');
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await command.output(['cluster', 'rebalance', '--cancel']);
  const { code, stderr } = await watching;
  assert.equal(code, 1, stderr);
  assert.match(stderr, /1 partition did not move, such as moving-0: that was taken back/);
  assert.doesNotMatch(stderr, /everything is where it shall be/);
});

async function replicasOf(name: string): Promise<number[]> {
  const { topics } = await wire.reply(metadata, 12, { topics: [{ name }] });
  return (topics as { partitions: { replicaNodes: number[] }[] }[])[0]!.partitions[0]!.replicaNodes;
}

it('strikes only brokers that are gone off the list', async () => {
  const up = await sluice('unregister', '2');
  assert.equal(up.code, 1);
  assert.match(up.stderr, /broker 2 is up/);
  assert.equal((await described()).brokers[2]!.state, 'fenced');
  const missed = await sluice('unregister', '3');
  assert.deepEqual([missed.code, /still holds \d+ replicas/.test(missed.stderr)], [1, true], missed.stderr);
  const gone = await sluice('unregister', '3', '--force');
  assert.equal(gone.code, 0, gone.stderr);
  const row = (await described()).brokers.find(({ broker }) => broker === 3);
  assert.ok(row === undefined || row.state === 'unknown', 'its replicas are still told');
  assert.match((await sluice('unregister', '3', '--force')).stderr, /not currently registered/);
});
