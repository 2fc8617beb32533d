import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionCaps } from './connection-caps.ts';

test('an address gets its cap, its override or what the whole process still has', () => {
  const caps = new ConnectionCaps({ maxConnections: 5, maxPerAddress: 2, overrides: new Map([['10.0.0.9', 3]]) });
  assert.equal(caps.admit('10.0.0.1'), undefined);
  assert.equal(caps.admit('10.0.0.1'), undefined);
  assert.match(caps.admit('10.0.0.1')!, /limit of 2 connections from one address/);
  for (let count = 0; count < 3; count++) assert.equal(caps.admit('10.0.0.9'), undefined);
  assert.match(caps.admit('10.0.0.2')!, /limit of 5 connections is reached/);
  caps.release('10.0.0.1');
  assert.match(caps.admit('10.0.0.9')!, /limit of 3/);
  assert.equal(caps.admit('10.0.0.2'), undefined);
  assert.equal(caps.total, 5);
});

test('an override of 0 shuts an address out, and new limits hold from then on', () => {
  const caps = new ConnectionCaps({ maxConnections: 5, maxPerAddress: 5, overrides: new Map([['10.0.0.1', 0]]) });
  assert.notEqual(caps.admit('10.0.0.1'), undefined);
  caps.setLimits({ maxConnections: 5, maxPerAddress: 5, overrides: new Map() });
  assert.equal(caps.admit('10.0.0.1'), undefined);
  assert.throws(() => caps.release('10.0.0.2'), { name: 'AssertionError' });
});
