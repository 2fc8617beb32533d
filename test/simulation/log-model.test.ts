/**
 * The storage engine against a plain model, over simulated disks: random histories from fixed seeds, and short ones with
 * the power failing at every single operation. A failure prints the seed that replays it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Step } from './log-steps.ts';
import { crashEverywhere, simulate } from './simulate.ts';

const SEEDS = 120;
const STEPS_A_SEED = 1000;
/** First seed of the nightly kind: `SLUICE_SIMULATION_SEED=123 npm run test:simulation` looks at others. */
const FIRST_SEED = Number(process.env['SLUICE_SIMULATION_SEED'] ?? 1);

test('logs hold what their model says through any history of appends, deletions, crashes and faults', async () => {
  let steps = 0;
  let crashes = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const outcome = await simulate(seed, STEPS_A_SEED);
    steps += outcome.stepsTaken;
    crashes += outcome.crashes;
  }
  assert.ok(steps >= 100_000 && crashes > 1000, `${steps} steps, ${crashes} crashes`);
});

const history = (...kinds: Step['kind'][]): Step[] => kinds.map((kind, index) => ({ kind, seed: 1000 + index }));

const SHORT: readonly (readonly [string, readonly Step[]])[] = [
  ['appends and a flush', history('append', 'produce', 'append', 'flush', 'produce', 'append')],
  ['rolled segments', history('append', 'roll', 'produce', 'append', 'roll', 'flush', 'append', 'roll', 'produce')],
  ['a truncation', history('append', 'produce', 'append', 'flush', 'append', 'truncate', 'append', 'roll', 'produce')],
  [
    'truncated segments',
    history('append', 'roll', 'append', 'roll', 'append', 'flush', 'truncate', 'follow', 'append'),
  ],
  ['deleted records', history('append', 'produce', 'append', 'deleteRecords', 'roll', 'retain', 'append', 'flush')],
  ['a log that starts anew', history('append', 'produce', 'flush', 'startAnew', 'append', 'flush', 'append')],
  ['a clean stop', history('append', 'produce', 'roll', 'append', 'restart', 'append', 'flush', 'restart')],
  ['checkpoints', history('append', 'flush', 'time', 'background', 'truncate', 'append', 'roll', 'append', 'time')],
];

for (const [what, steps] of SHORT) {
  test(`the power may fail at every operation of ${what}`, async () => {
    const points = await crashEverywhere(steps);
    assert.ok(points > 30, `${points} points`);
  });
}
