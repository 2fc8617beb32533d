/** What the tests of simulated clusters share: many seeds, and how much must have happened in them to prove anything. */
import assert from 'node:assert/strict';
import type { QuorumKind } from './cluster-world.ts';
import { simulateCluster } from './simulate-cluster.ts';

const STEPS = 150;
/** `SLUICE_SIMULATION_SEED=123 npm run test:simulation` looks at others. */
const FIRST_SEED = Number(process.env['SLUICE_SIMULATION_SEED'] ?? 1);

/** Runs so many seeds; rejects with the first that fails. Returns what happened in all of them. */
export async function runSeeds(quorum: QuorumKind, count: number): Promise<string> {
  let faults = 0;
  let elections = 0;
  let acknowledged = 0;
  let simulatedMs = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + count; seed++) {
    const outcome = await simulateCluster(seed, STEPS, quorum);
    faults += outcome.faults;
    elections += outcome.elections;
    acknowledged += outcome.acknowledged;
    simulatedMs += outcome.simulatedMs;
  }
  const summary = `${faults} faults, ${elections} elections, ${acknowledged} records, ${simulatedMs / 1000} s`;
  assert.ok(faults > 20 * count && elections > 5 * count && acknowledged > 50 * count, summary);
  return summary;
}
