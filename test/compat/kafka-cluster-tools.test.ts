/** Apache Kafka's own tools on a cluster of three brokers: moving replicas, electing leaders, finding what is amiss. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RunningBroker } from './harness/broker-process.ts';
import { type Client, runAll, type ToolOutcome } from './harness/client.ts';
import { findClient } from './harness/clients.ts';
import { startSluice } from './harness/sluice.ts';
import { type Available, requireToolchain } from './harness/toolchain.ts';

const TOPIC_COMMAND = 'org.apache.kafka.tools.TopicCommand';
const REASSIGN = 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand';
const ELECT = 'org.apache.kafka.tools.LeaderElectionCommand';
const CLUSTER = 'org.apache.kafka.tools.ClusterTool';

const home = mkdtempSync(join(tmpdir(), 'kafka-cluster-tools-'));
const moves = join(home, 'moves.json');
const brokers: RunningBroker[] = [];
let java: Available<Client> = { reason: 'not looked for' };

before(async () => {
  const found = await findClient('java');
  if (found.value === undefined) {
    java = { reason: found.reason ?? 'no java' };
    return;
  }
  brokers.push(await startSluice({ settings: { 'node.id': '1' } }));
  const voters = `1@127.0.0.1:${brokers[0]!.port}`;
  for (const id of [2, 3]) {
    const settings = { 'node.id': String(id), 'process.roles': 'broker', 'controller.quorum.voters': voters };
    brokers.push(await startSluice({ settings }));
  }
  // A broker that is not the controller: it passes on what only that can do.
  java = { value: found.value(brokers[1]!.bootstrap) };
});

after(async () => {
  for (const broker of brokers.toReversed()) await broker.remove();
  rmSync(home, { recursive: true, force: true });
});

interface ToolRun {
  readonly main: string;
  readonly parameters: readonly string[];
}

const tool = (main: string, ...parameters: string[]): ToolRun => ({ main, parameters });
const topics = (...parameters: string[]): ToolRun => tool(TOPIC_COMMAND, ...parameters);

/** Runs all in one JVM, each against the cluster. */
async function run(client: Client, runs: readonly ToolRun[]): Promise<ToolOutcome[]> {
  const server = ['--bootstrap-server', brokers[1]!.bootstrap];
  return runAll(
    client,
    runs.map(({ main, parameters: [first, ...rest] }) => {
      // Some tools take a command of their own first.
      const parameters = main === CLUSTER ? [first!, ...server, ...rest] : [...server, first!, ...rest];
      return { op: 'tool' as const, main, parameters };
    }),
  );
}

function succeeded(outcomes: readonly ToolOutcome[]): string[] {
  return outcomes.map(({ exit, stdout, stderr }) => {
    assert.equal(exit, 0, `${stdout}\n${stderr}`);
    return stdout;
  });
}

/** Leader, replicas and in-sync replicas of each partition as kafka-topics tells them. */
function placesOf(described: string): string[] {
  return [...described.matchAll(/Leader: (\S+)\s+Replicas: (\S+)\s+Isr: (\S*)/g)].map(([, leader, replicas, isr]) => {
    return `${leader} of ${replicas}, ${isr!.split(',').length} in sync`;
  });
}

test('kafka-reassign-partitions moves replicas, kafka-leader-election lets the preferred ones lead', async (context) => {
  const client = requireToolchain(context, java);
  if (client === undefined) return;
  const partitions = [
    { topic: 'moved', partition: 0, replicas: [3, 2] },
    { topic: 'moved', partition: 1, replicas: [2, 1, 3] },
  ];
  writeFileSync(moves, JSON.stringify({ version: 1, partitions }));
  const outcomes = succeeded(
    await run(client, [
      topics('--create', '--topic', 'moved', '--replica-assignment', '1:2,1:2'),
      tool(REASSIGN, '--reassignment-json-file', moves, '--execute', '--throttle', '10000000'),
    ]),
  );
  assert.match(outcomes[1]!, /Successfully started partition reassignments for moved-0,moved-1/);
  let verified = '';
  for (let look = 0; look < 50 && !/moved-1 is completed/.test(verified); look++) {
    verified = succeeded(await run(client, [tool(REASSIGN, '--reassignment-json-file', moves, '--verify')]))[0]!;
  }
  assert.match(verified, /moved-0 is completed[\s\S]*moved-1 is completed/);
  assert.match(verified, /Clearing broker-level throttles on brokers 1,2,3/);
  const [elected, again, described, listed] = succeeded(
    await run(client, [
      tool(ELECT, '--election-type', 'preferred', '--topic', 'moved', '--partition', '1'),
      tool(ELECT, '--election-type', 'preferred', '--topic', 'moved', '--partition', '1'),
      topics('--describe', '--topic', 'moved'),
      tool(REASSIGN, '--list'),
    ]),
  );
  assert.match(elected!, /Successfully completed leader election \(PREFERRED\) for partitions moved-1/);
  assert.match(again!, /Valid replica already elected for partitions moved-1/);
  const [first, second] = placesOf(described!);
  assert.match(first!, /^[23] of 3,2, 2 in sync$/);
  assert.equal(second, '2 of 2,1,3, 3 in sync');
  assert.match(listed!, /No partition reassignments found/);
});

test('kafka-topics finds what is short of replicas, kafka-cluster strikes a broker off the list', async (context) => {
  const client = requireToolchain(context, java);
  if (client === undefined) return;
  const [healthy] = succeeded(await run(client, [topics('--describe', '--under-replicated-partitions')]));
  assert.equal(healthy!.trim(), '');
  await brokers.pop()!.remove();
  const [short, unavailable, unregistered] = succeeded(
    await run(client, [
      topics('--describe', '--under-replicated-partitions'),
      topics('--describe', '--unavailable-partitions'),
      tool(CLUSTER, 'unregister', '--id', '3'),
    ]),
  );
  assert.equal(placesOf(short!).length, 2);
  assert.equal(unavailable!.trim(), '', 'a broker that is stopped hands over first');
  assert.match(unregistered!, /Broker 3 is no longer registered/);
});
