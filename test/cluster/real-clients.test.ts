/**
 * Producers and groups of every client, in both protocols of groups, while leaders and with them coordinators die one after
 * the other: each writes on, each group goes on to read all that anybody wrote, before the next one dies.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Invocation } from '../compat/harness/toolchain.ts';
import { requireToolchain } from '../compat/harness/toolchain.ts';
import { describeAnomalies } from './checker/anomalies.ts';
import { distribution, killLeader } from './faults/failover.ts';
import { pause } from './faults/fault.ts';
import { startCluster } from './harness/cluster.ts';
import { systemUnderTest } from './harness/system.ts';
import { findWorkloadClient, WORKLOAD_CLIENTS, type WorkloadClient } from './workload/programs.ts';
import { Workload } from './workload/workload.ts';

const TOPIC = 'clients';
const PARTITIONS = 6;
/** Values a second of each producer. */
const RATE = 60;
const LIFE_MS = 2000;
/** Clients whose groups the broker can assign (KIP-848). */
const CONSUMER_PROTOCOL: readonly WorkloadClient[] = ['confluent-kafka', 'franz-go', 'java'];
const READS_TIMEOUT_MS = 60_000;

test('every client writes and reads on while leaders and coordinators die', async (context) => {
  const clients = new Map<string, Invocation>();
  for (const name of WORKLOAD_CLIENTS) {
    const found = requireToolchain(context, await findWorkloadClient(name));
    if (found === undefined) return;
    clients.set(name, found);
  }
  const directory = mkdtempSync(join(tmpdir(), 'cluster-clients-'));
  const cluster = await startCluster({ system: systemUnderTest() });
  context.after(() => cluster.close());
  await cluster.createTopic({ name: TOPIC, partitions: PARTITIONS, replicationFactor: 3 });
  const file = join(directory, 'history.jsonl');
  const workload = new Workload({ cluster, topic: TOPIC, partitions: PARTITIONS, file }, clients);
  context.after(() => workload.abandon());
  for (const name of WORKLOAD_CLIENTS) {
    workload.run(name, 'produce', { rate: RATE });
    workload.run(name, 'member', { group: `readers-${name}` });
  }
  // Two of one group.
  workload.run('confluent-kafka', 'member', { group: 'readers-confluent-kafka' });
  for (const name of CONSUMER_PROTOCOL) {
    workload.run(name, 'member', { group: `assigned-${name}`, protocol: 'consumer' });
  }
  workload.watchLeaders();
  await workload.producersEstablished(60_000);

  const gaps: number[] = [];
  const reads: number[] = [];
  for (const broker of [...cluster.brokers, ...cluster.brokers]) {
    await pause(LIFE_MS);
    const view = await cluster.view(TOPIC);
    const led = view?.partitions.find(({ leader }) => leader === broker.id);
    // A cluster on a local quorum cannot do without its first.
    if (led === undefined || (cluster.system.name === 'sluice-local' && broker.id === 1)) continue;
    gaps.push((await killLeader({ cluster, workload }, led.partition)).gapMs);
    reads.push(await workload.readsAgain(READS_TIMEOUT_MS));
  }
  context.diagnostic(`gap in acknowledged writes after kill -9 of a leader: ${distribution(gaps)}`);
  context.diagnostic(`until all groups had read what was acknowledged when it was back: ${distribution(reads)}`);
  assert.ok(gaps.length >= 3, `only ${gaps.length} leaders were killed`);

  const { check, complaints, progress } = await workload.finish();
  for (const [note, count] of progress.notes) if (note.includes('failed: ')) context.diagnostic(`${count} × ${note}`);
  context.diagnostic(`${check.sent} sent, ${check.acknowledged} acknowledged, ${check.read} read`);
  assert.equal(describeAnomalies(check), '', `history ${file}`);
  assert.deepEqual(complaints, []);
  assert.ok(check.sent > WORKLOAD_CLIENTS.length * RATE * 10, `${check.sent} sent`);
  rmSync(directory, { recursive: true });
});
