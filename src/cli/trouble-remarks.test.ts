import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../base/clock.ts';
import { troubleRemarks } from './trouble-remarks.ts';

test('trouble that lasts is told, and again only after a while', () => {
  let nowMs = 1000;
  const said: string[] = [];
  const hear = troubleRemarks({ monotonicMs: () => nowMs } as Clock, (line) => said.push(`${nowMs} ${line}`));
  for (; nowMs < 20_000; nowMs += 500) hear(new Error('no answer'));
  assert.deepEqual(said, ['4000 no answer; trying again', '14000 no answer; trying again']);
});

test('trouble that is over soon is not told, however long ago the last one was', () => {
  let nowMs = 1000;
  const said: string[] = [];
  const hear = troubleRemarks({ monotonicMs: () => nowMs } as Clock, (line) => said.push(line));
  hear(new Error('lost'));
  nowMs = 60_000;
  hear(new Error('lost'));
  assert.deepEqual(said, []);
  nowMs = 64_000;
  hear(new Error('lost'));
  assert.deepEqual(said, ['lost; trying again']);
});
