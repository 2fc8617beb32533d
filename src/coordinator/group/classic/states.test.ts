import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CLASSIC_TRANSITIONS, type ClassicEvent, type ClassicState, canRebalance, nextState } from './states.ts';

const STATES = Object.keys(CLASSIC_TRANSITIONS) as ClassicState[];
const EVENTS = Object.keys(CLASSIC_TRANSITIONS.empty) as ClassicEvent[];

it('a classic group moves as the table says, and meets nothing that the table does not know', () => {
  for (const state of STATES) {
    for (const event of EVENTS) {
      const next = CLASSIC_TRANSITIONS[state][event];
      if (next === null) assert.throws(() => nextState(state, event));
      else assert.equal(nextState(state, event), next);
    }
  }
});

it('every state leads back to an empty group, but death to none', () => {
  for (const start of STATES) {
    const reached = new Set<ClassicState>([start]);
    for (const state of reached) {
      for (const next of Object.values(CLASSIC_TRANSITIONS[state])) if (next !== null) reached.add(next);
    }
    assert.equal(reached.has('empty'), start !== 'dead', start);
    assert.ok(reached.has('dead'));
  }
});

it('a rebalance begins where members have settled, or where the first one comes', () => {
  assert.deepEqual(STATES.filter(canRebalance), ['empty', 'completingRebalance', 'stable']);
});
