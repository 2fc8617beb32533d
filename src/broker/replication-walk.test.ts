import { describe, it } from 'node:test';
import { ReplicaWalk } from './replica-walk.test.support.ts';

/** `WALK_SEEDS=1-500` tries these. */
const [first = 1, last = 12] = (process.env.WALK_SEEDS ?? '').split('-').filter(Boolean).map(Number);

describe('replicas that are killed, hang, lose power and lose sight of each other', () => {
  for (let seed = first; seed <= last; seed++) {
    it(`lose nothing that was acknowledged, and agree in the end (seed ${seed})`, async (test) => {
      const walk = await ReplicaWalk.create(seed);
      const report = await walk.walk(60);
      test.diagnostic(JSON.stringify(report));
    });
  }
});
