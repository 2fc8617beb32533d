/**
 * Faults of brokers and ZooKeeper under a recorded workload, in short form: each measured one by one, then at random,
 * then the history judged.
 *
 * SLUICE_CLUSTER_SYSTEM names another system (sluice-local, kafka); SLUICE_CLUSTER_KILLS how many leaders are killed (10);
 * SLUICE_CLUSTER_SEED replays the random faults; SLUICE_CLUSTER_MINUTES is for how long they last (1.5).
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { requireToolchain } from '../compat/harness/toolchain.ts';
import { describeAnomalies } from './checker/anomalies.ts';
import {
  distribution,
  holdController,
  holdFollower,
  killController,
  killLeader,
  terminateLeader,
} from './faults/failover.ts';
import { runRounds } from './faults/rounds.ts';
import { type Cluster, startCluster } from './harness/cluster.ts';
import { systemUnderTest } from './harness/system.ts';
import { findWorkloadClient } from './workload/programs.ts';
import { startWorkload, type Workload } from './workload/workload.ts';

const KILLS = Number(process.env['SLUICE_CLUSTER_KILLS'] ?? 10);
const MINUTES = Number(process.env['SLUICE_CLUSTER_MINUTES'] ?? 1.5);
const SEED = Number(process.env['SLUICE_CLUSTER_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const CONTROLLER_KILLS = 3;
const STOPS = 3;
const HOLDS = 2;
const TOPIC = 'faults';
const PARTITIONS = 6;
const DISK_BYTES = 2 ** 28;
/** How long writes may stand still, by fault. Twice and more what is aimed at: the machine is shared. */
const MOST_MS = { kill: 6000, controller: 6000, terminate: 2000, follower: 6000 };

interface Stage {
  readonly context: TestContext;
  readonly scene: { readonly cluster: Cluster; readonly workload: Workload };
  tell(what: string, durations: readonly number[]): void;
  /** Of Kafka the durations are told only. */
  within(durations: readonly number[], mostMs: number): void;
}

test('a cluster under faults loses nothing, repeats nothing, and goes on', async (context) => {
  for (const name of ['confluent-kafka', 'java'] as const) {
    if (requireToolchain(context, await findWorkloadClient(name)) === undefined) return;
  }
  const system = systemUnderTest();
  context.diagnostic(`${system}, SLUICE_CLUSTER_SEED=${SEED}`);
  const directory = mkdtempSync(join(tmpdir(), 'cluster-history-'));
  const cluster = await startCluster({ system, diskBytes: DISK_BYTES, faultyMachines: true });
  context.after(() => cluster.close());
  await cluster.createTopic({ name: TOPIC, partitions: PARTITIONS, replicationFactor: 3 });
  const file = join(directory, 'history.jsonl');
  const workload = await startWorkload({ cluster, topic: TOPIC, partitions: PARTITIONS, file });
  context.after(() => workload.abandon());
  await workload.producersEstablished(60_000);
  const stage: Stage = {
    context,
    scene: { cluster, workload },
    tell: (what, durations) => context.diagnostic(`${what}: ${distribution(durations)}`),
    within: (durations, mostMs) => {
      if (system !== 'kafka') assert.ok(Math.max(...durations) <= mostMs, `${durations.map(Math.round)} ms`);
    },
  };
  await context.test('kill -9 of leaders', () => killLeaders(stage));
  await context.test('loss of the controller', () => killControllers(stage));
  await context.test('SIGTERM of leaders', () => terminateLeaders(stage));
  await context.test('hung brokers', () => hang(stage));
  await context.test(`random faults for ${MINUTES} minutes`, async () => {
    const log = (text: string): void => context.diagnostic(text);
    const report = await runRounds({ ...stage.scene, seed: SEED, minutes: MINUTES, log });
    context.diagnostic(`${report.rounds} rounds, longest recovery ${report.longestRecoveryMs} ms`);
  });
  await context.test('the history has no anomaly and the replicas are equal', async () => {
    await judge(stage);
    rmSync(directory, { recursive: true });
  });
});

async function killLeaders({ scene, tell, within }: Stage): Promise<void> {
  const gaps: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const partition = kill % PARTITIONS;
    if (await isSpared(scene, partition)) continue;
    gaps.push((await killLeader(scene, partition)).gapMs);
  }
  tell('gap in acknowledged writes after kill -9 of a leader', gaps);
  within(gaps, MOST_MS.kill);
}

/** On a local quorum nothing may happen to the first broker. */
async function isSpared({ cluster }: Stage['scene'], partition: number): Promise<boolean> {
  if (cluster.system.name !== 'sluice-local') return false;
  const view = await cluster.view(TOPIC);
  return view?.partitions[partition]?.leader === 1;
}

async function killControllers({ scene, tell, within }: Stage): Promise<void> {
  if (scene.cluster.system.name === 'sluice-local') return;
  const all: number[] = [];
  const others: number[] = [];
  for (let kill = 0; kill < CONTROLLER_KILLS; kill++) {
    const { gapMs, othersGapMs } = await killController(scene);
    all.push(Math.max(gapMs, othersGapMs));
    others.push(othersGapMs);
  }
  tell('gap in acknowledged writes after loss of the controller', all);
  tell('the same, of partitions that it did not lead', others);
  within(all, MOST_MS.controller);
}

async function terminateLeaders({ scene, tell, within }: Stage): Promise<void> {
  const gaps: number[] = [];
  const stops: number[] = [];
  for (let stop = 0; stop < STOPS; stop++) {
    if (await isSpared(scene, stop)) continue;
    const { gapMs, stopMs } = await terminateLeader(scene, stop % PARTITIONS);
    gaps.push(gapMs);
    stops.push(stopMs);
  }
  tell('gap in acknowledged writes after SIGTERM of a leader', gaps);
  tell('from SIGTERM to the end of the process', stops);
  within(gaps, MOST_MS.terminate);
}

async function hang({ scene, tell, within }: Stage): Promise<void> {
  const stalls: number[] = [];
  const failovers: number[] = [];
  for (let hold = 0; hold < HOLDS; hold++) {
    const { gapMs, othersGapMs } = await holdFollower(scene, hold);
    stalls.push(othersGapMs);
    failovers.push(gapMs);
  }
  tell('stall of acknowledged writes by a hung follower', stalls);
  tell('gap in acknowledged writes of partitions that a hung follower led besides', failovers);
  within(stalls, MOST_MS.follower);
  if (scene.cluster.system.name === 'sluice-local') return;
  const { gapMs, othersGapMs } = await holdController(scene);
  tell('stall of acknowledged writes by a hung controller', [Math.max(gapMs, othersGapMs)]);
}

async function judge({ context, scene: { workload } }: Stage): Promise<void> {
  const { check, complaints, progress, file } = await workload.finish();
  context.diagnostic(`${check.sent} sent, ${check.acknowledged} acknowledged, ${check.read} read`);
  for (const [note, count] of progress.notes) if (note.includes('failed: ')) context.diagnostic(`${count} × ${note}`);
  assert.equal(describeAnomalies(check), '', `seed ${SEED}, history ${file}`);
  assert.deepEqual(complaints, []);
  assert.equal(check.acknowledged, check.sent, 'with everything healed, everything is acknowledged');
}
