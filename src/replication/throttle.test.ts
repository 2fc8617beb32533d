import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { isThrottled, ReplicationThrottle, throttledReplicas } from './throttle.ts';

function throttle(limit: number | undefined) {
  const clock = new SimulatedClock();
  const window = { count: 11, sizeMs: 1000 };
  return { clock, it: new ReplicationThrottle({ limit: () => limit, window: () => window }, { clock }) };
}

describe('a replication throttle', () => {
  it('is exceeded by more bytes a second than its limit, and no longer once time has passed', () => {
    const { clock, it: limited } = throttle(1000);
    limited.record(900);
    assert.equal(limited.isExceeded(), false);
    limited.record(2100);
    assert.equal(limited.isExceeded(), true);
    clock.advance(2900);
    assert.equal(limited.isExceeded(), true);
    clock.advance(200);
    assert.equal(limited.isExceeded(), false);
  });

  it('forgets what is older than its windows', () => {
    const { clock, it: limited } = throttle(1000);
    limited.record(1_000_000);
    clock.advance(10_999);
    assert.equal(limited.isExceeded(), true);
    clock.advance(1);
    assert.equal(limited.isExceeded(), false);
  });

  it('without a limit is never exceeded', () => {
    const { it: unlimited } = throttle(undefined);
    unlimited.record(1e12);
    assert.equal(unlimited.isExceeded(), false);
  });

  it('concerns the replicas that the topic names', () => {
    const here = throttledReplicas(['0:1', '1:2', ' 3:1'], 1);
    assert.deepEqual(
      [0, 1, 2, 3].map((partition) => isThrottled(here, partition)),
      [true, false, false, true],
    );
    assert.equal(isThrottled(throttledReplicas(['*'], 7), 5), true);
    assert.equal(isThrottled(throttledReplicas([], 7), 5), false);
  });
});
