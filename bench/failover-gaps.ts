/**
 * Leaders are killed with -9, one after the other, while acks=all producers write to every partition: how long nothing
 * was acknowledged each time. The history of the run is judged; an anomaly is a failure of the measurement.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeAnomalies } from '../test/cluster/checker/anomalies.ts';
import { killLeader } from '../test/cluster/faults/failover.ts';
import { startCluster } from '../test/cluster/harness/cluster.ts';
import type { SystemName } from '../test/cluster/harness/system.ts';
import { startWorkload } from '../test/cluster/workload/workload.ts';

const TOPIC = 'failover';
const PARTITIONS = 6;
const FIRST_WRITES_MS = 60_000;
/** Where its metadata live in one broker, that one is spared. */
const SPARED: Partial<Record<SystemName, number>> = { 'sluice-local': 1 };

/** Milliseconds without an acknowledgement, of each of so many kills. */
export async function failoverGaps(system: SystemName, kills: number): Promise<number[]> {
  const directory = mkdtempSync(join(tmpdir(), 'failover-'));
  const cluster = await startCluster({ system });
  try {
    await cluster.createTopic({ name: TOPIC, partitions: PARTITIONS, replicationFactor: 3 });
    const file = join(directory, 'history.jsonl');
    const workload = await startWorkload({ cluster, topic: TOPIC, partitions: PARTITIONS, file });
    try {
      await workload.writesAgain(FIRST_WRITES_MS);
      const gaps: number[] = [];
      for (let turn = 0; gaps.length < kills; turn++) {
        const partition = turn % PARTITIONS;
        const view = await cluster.view(TOPIC);
        if (view?.partitions[partition]?.leader === SPARED[system]) continue;
        const { gapMs } = await killLeader({ cluster, workload }, partition);
        gaps.push(gapMs);
        console.error(`  ${gaps.length}: ${gapMs.toFixed(0)} ms`);
      }
      const { check, complaints } = await workload.finish();
      const faults = [describeAnomalies(check), ...complaints].filter((text) => text !== '');
      if (faults.length > 0) throw new Error(`${system} under kill -9: ${faults.join('\n')}`);
      return gaps;
    } finally {
      await workload.abandon();
    }
  } finally {
    await cluster.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
