import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimulatedClock } from './simulated-clock.ts';

test('timers fire in the order of their due times, those of one time in the order they were set', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.boolean()), { maxLength: 60 }), (wanted) => {
      const clock = new SimulatedClock();
      const fired: number[] = [];
      const timers = wanted.map(([delayMs], index) => clock.after(delayMs, () => fired.push(index)));
      for (const [index, [, cancelled]] of wanted.entries()) if (cancelled) timers[index]!.cancel();
      while (clock.fireNext());
      const expected = wanted
        .map(([delayMs, cancelled], index) => ({ delayMs, cancelled, index }))
        .filter(({ cancelled }) => !cancelled)
        .sort((left, right) => left.delayMs - right.delayMs || left.index - right.index);
      assert.deepEqual(
        fired,
        expected.map(({ index }) => index),
      );
    }),
  );
});

test('time stops at each timer, and goes no further than it is told', () => {
  const clock = new SimulatedClock();
  const seen: number[] = [];
  clock.every(10, () => seen.push(clock.monotonicMs()));
  clock.after(15, () => seen.push(clock.monotonicMs()));
  assert.equal(clock.fireNext(9), false);
  clock.advance(32);
  assert.deepEqual(seen, [10, 15, 20, 30]);
  assert.equal(clock.monotonicMs(), 32);
  assert.equal(clock.nextMs, 40);
});

test('a periodic timer can be cancelled by its own callback', () => {
  const clock = new SimulatedClock();
  let times = 0;
  const timer = clock.every(1, () => {
    if (++times === 3) timer.cancel();
  });
  clock.advance(10);
  assert.equal(times, 3);
  assert.equal(clock.nextMs, undefined);
});
