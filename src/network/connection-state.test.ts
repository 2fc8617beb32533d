import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectionEvent, type ConnectionState, TRANSITIONS } from './connection-state.ts';

const ORDER: readonly ConnectionState[] = ['serving', 'draining', 'lingering', 'closed'];

test('every step of the table goes forward or stays, and everything ends at closed', () => {
  for (const [from, events] of Object.entries(TRANSITIONS)) {
    for (const [event, { to, actions }] of Object.entries(events)) {
      const label = `${from} + ${event}`;
      assert.ok(ORDER.indexOf(to) >= ORDER.indexOf(from as ConnectionState), label);
      if (event === 'gone' || event === 'fail') assert.equal(to, 'closed', label);
      assert.equal(actions.includes('clean'), to === 'closed' && from !== 'closed', `${label} cleans once`);
      assert.equal(actions.includes('end'), from === 'draining' && to === 'lingering', `${label} says goodbye once`);
      assert.equal(actions.includes('destroy'), event === 'fail' && from !== 'closed', label);
    }
  }
});

test('no sequence of events cleans up twice or says goodbye twice', () => {
  const events = Object.keys(TRANSITIONS.serving) as ConnectionEvent[];
  const walk = (state: ConnectionState, depth: number, cleaned: number, ended: number): void => {
    assert.ok(cleaned <= 1 && ended <= 1);
    if (depth === 0) return;
    for (const event of events) {
      const { to, actions } = TRANSITIONS[state][event];
      walk(to, depth - 1, cleaned + Number(actions.includes('clean')), ended + Number(actions.includes('end')));
    }
  };
  walk('serving', 6, 0, 0);
});
