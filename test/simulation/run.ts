/**
 * Replays simulated histories of the storage engine.
 *
 * usage: run [--seed N] [--seeds COUNT] [--steps M]     COUNT seeds from N on, M steps each
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '1000' },
  },
});

const first = Number(values.seed);
const startedMs = performance.now();
let steps = 0;
let crashes = 0;
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  try {
    const outcome = await simulate(seed, Number(values.steps));
    steps += outcome.stepsTaken;
    crashes += outcome.crashes;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
const seconds = (performance.now() - startedMs) / 1000;
console.log(`${steps} steps, ${crashes} crashes, ${seconds.toFixed(1)} s`);
