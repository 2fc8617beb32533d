/** Links between brokers fail, and nothing else does: see cluster-cuts.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCut } from './cluster-cuts.ts';

const FIRST_SEED = Number(process.env['SLUICE_SIMULATION_SEED'] ?? 1);
const SEEDS = 40;

test('a cluster whose brokers do not all hear each other takes writes, and comes to rest', async (context) => {
  let longestMs = 0;
  let deposed = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const outcome = await runCut(seed).catch((error: unknown) => {
      throw new Error(`SLUICE_SIMULATION_SEED=${seed} fails`, { cause: error });
    });
    longestMs = Math.max(longestMs, outcome.writesAfterMs);
    if (outcome.newControllers > 0) deposed++;
  }
  context.diagnostic(`writes after ${Math.round(longestMs)} ms at most; ${deposed} controllers were not heard`);
  assert.ok(deposed > 0, 'in some, the controller was the one that nobody heard');
});
