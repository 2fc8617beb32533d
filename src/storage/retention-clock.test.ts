import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_TIMESTAMP, ManualClock } from './log.test.support.ts';
import { RetentionClock } from './retention-clock.ts';

const HOUR = 3_600_000;

test('time passes for retention as it does for the host', () => {
  const clock = new ManualClock();
  const retention = new RetentionClock(clock);
  clock.advance(5 * HOUR);
  assert.equal(retention.now(), FIRST_TIMESTAMP + 5 * HOUR);
});

test('a jump ahead is believed only after it has lasted', () => {
  const clock = new ManualClock();
  const retention = new RetentionClock(clock);
  clock.wall += HOUR;
  assert.equal(retention.now(), FIRST_TIMESTAMP);
  clock.advance(HOUR);
  assert.equal(retention.now(), FIRST_TIMESTAMP + HOUR);
  clock.advance(HOUR);
  assert.equal(retention.now(), FIRST_TIMESTAMP + 3 * HOUR);
});

test('a jump that is taken back never counted', () => {
  const clock = new ManualClock();
  const retention = new RetentionClock(clock);
  clock.wall += HOUR;
  retention.now();
  clock.advance(HOUR);
  clock.wall -= HOUR;
  assert.equal(retention.now(), FIRST_TIMESTAMP + HOUR);
  clock.wall += HOUR;
  clock.advance(HOUR);
  assert.equal(retention.now(), FIRST_TIMESTAMP + 2 * HOUR);
});

test('a jump back counts at once', () => {
  const clock = new ManualClock();
  const retention = new RetentionClock(clock);
  clock.wall -= HOUR;
  assert.equal(retention.now(), FIRST_TIMESTAMP - HOUR);
});
