import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameMemory } from './frame-memory.ts';

const MIB = 2 ** 20;

test('memory that came back is handed out for anything that fits it, the last one first', () => {
  const memory = new FrameMemory();
  const first = memory.take(5000);
  const second = memory.take(8192);
  assert.notEqual(first.buffer, second.buffer);
  memory.give(first);
  memory.give(second);
  assert.equal(memory.idleBytes, 16_384);
  const again = memory.take(4097);
  assert.equal(again.buffer, second.buffer);
  assert.equal(again.length, 4097);
  assert.equal(memory.take(8192).buffer, first.buffer);
  assert.notEqual(memory.take(8193).buffer, first.buffer);
});

test('what Node cuts from memory shared with others, and what is very large, is not kept', () => {
  const memory = new FrameMemory();
  for (const bytes of [1, 100, 4095, 4 * MIB + 1]) memory.give(memory.take(bytes));
  assert.equal(memory.idleBytes, 0);
});

test('little is kept in all', () => {
  const memory = new FrameMemory();
  const frames = Array.from({ length: 20 }, () => memory.take(MIB));
  for (const frame of frames) memory.give(frame);
  assert.equal(memory.idleBytes, 16 * MIB);
});
