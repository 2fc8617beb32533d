import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { refusedBy } from '../client/errors.ts';
import { tell } from '../client/producer/producer-events.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { remarkRetries } from './retry-remarks.ts';

it('says what is tried again after some seconds, not at every attempt, and when it ended', () => {
  const clock = new SimulatedClock();
  const lines: string[] = [];
  const stop = remarkRetries(clock, (line) => lines.push(line));
  const place = { topic: 'orders', partition: 3, records: 1 };
  const retry = (): void => tell('retried', { ...place, error: refusedBy(ErrorCode.NOT_ENOUGH_REPLICAS, 'orders-3') });
  for (let each = 0; each < 25; each++) {
    retry();
    clock.advance(100);
  }
  assert.deepEqual(lines, [], 'a change of leader takes no longer');
  for (let each = 0; each < 120; each++) {
    retry();
    clock.advance(100);
  }
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /^orders-3: .*\(NOT_ENOUGH_REPLICAS\); trying again$/);
  tell('acknowledged', { ...place, baseOffset: 1 });
  tell('acknowledged', { ...place, baseOffset: 2 });
  assert.deepEqual(lines.slice(2), ['orders-3: records are taken again']);
  stop();
  retry();
  assert.equal(lines.length, 3);
});
