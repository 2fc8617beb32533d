import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { ServingGate } from './serving-gate.ts';

it('a gate lets in who came a little early, and sends away who would wait too long', async () => {
  const clock = new SimulatedClock();
  const gate = new ServingGate({ clock });
  const early = gate.pass();
  clock.advance(1999);
  const late = gate.pass();
  clock.advance(1);
  assert.equal(await early, false);
  gate.open();
  assert.equal(await late, true);
  assert.equal(await gate.pass(), true);
});

it('a gate that was shut sends everybody away at once, until it is opened again', async () => {
  const gate = new ServingGate({ clock: new SimulatedClock() });
  const early = gate.pass();
  gate.shut();
  assert.equal(await early, false);
  assert.equal(gate.isOpen, false);
  assert.equal(await gate.pass(), false);
  gate.open();
  assert.equal(await gate.pass(), true);
});
