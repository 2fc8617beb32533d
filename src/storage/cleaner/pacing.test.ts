import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { Pacing } from './pacing.ts';

/** How long the rest after `workedMs` is. */
async function restAfter(workedMs: number, busyShare: number): Promise<number> {
  const clock = new SimulatedClock();
  const pacing = new Pacing({ busyShare: () => busyShare }, { clock });
  clock.advance(workedMs);
  const rest = pacing.rest();
  if (rest === undefined) return 0;
  let over = false;
  void rest.then(() => {
    over = true;
  });
  for (let waited = 1; ; waited++) {
    clock.advance(1);
    await Promise.resolve();
    if (over) return waited;
  }
}

test('work goes on at once while the broker has time', async () => {
  assert.equal(await restAfter(10, 0), 0);
  assert.equal(await restAfter(10, 0.5), 0);
});

test('work rests the longer the busier the broker is, and never stops', async () => {
  assert.equal(await restAfter(10, 0.75), 15);
  assert.equal(await restAfter(10, 1), 30);
  assert.equal(await restAfter(60_000, 1), 75, 'a long wait for something else is no work');
});
