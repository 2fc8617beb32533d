import assert from 'node:assert/strict';
import { it } from 'node:test';
import { silentLogger } from '../base/logger.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { ControllerContact } from './controller-contact.ts';

it('a broker is out of touch once its controller is silent for too long, and only while there is one to be heard', () => {
  const clock = new SimulatedClock();
  const told: string[] = [];
  let silentMs: (() => number | undefined) | undefined = () => 0;
  const contact = new ControllerContact(
    { limitMs: 9000 },
    {
      clock,
      logger: silentLogger,
      silentMs: () => silentMs?.(),
      onLost: () => told.push('lost'),
      onRegained: () => told.push('regained'),
    },
  );
  clock.advance(20_000);
  assert.deepEqual(told, [], 'it is heard');
  silentMs = undefined;
  clock.advance(20_000);
  const from = clock.monotonicMs();
  silentMs = () => clock.monotonicMs() - from + 20_000;
  clock.advance(8500);
  assert.deepEqual(told, [], 'it was not expected to be heard before');
  clock.advance(1500);
  assert.deepEqual(told, ['lost']);
  clock.advance(5000);
  silentMs = () => 10;
  clock.advance(500);
  assert.deepEqual(told, ['lost', 'regained']);
  contact.close();
  assert.equal(clock.advance(60_000), undefined);
});
