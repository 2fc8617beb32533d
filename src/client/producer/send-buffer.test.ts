import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SluiceError } from '../../base/errors.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { SendBuffer } from './send-buffer.ts';

function scene(limitBytes = 10) {
  const clock = new SimulatedClock();
  const buffer = new SendBuffer(clock, { limitBytes, waitMs: 1000 });
  const heard: string[] = [];
  const wait = (name: string, bytes: number): void =>
    buffer.whenRoom((error: SluiceError | undefined) => {
      heard.push(error === undefined ? name : `${name} ${error.code}`);
      if (error === undefined) buffer.bytes += bytes;
    });
  return { clock, buffer, heard, wait };
}

test('who waits is let in by order of arrival, and only while there is room', () => {
  const { buffer, heard, wait } = scene();
  buffer.bytes = 10;
  wait('a', 6);
  wait('b', 6);
  wait('c', 6);
  assert.deepEqual([heard, buffer.hasRoom, buffer.waiting], [[], false, 3]);
  buffer.release(4);
  assert.deepEqual(heard, ['a']);
  buffer.release(8);
  assert.deepEqual([heard, buffer.bytes], [['a', 'b'], 10]);
  buffer.release(10);
  assert.deepEqual([heard, buffer.hasRoom], [['a', 'b', 'c'], true]);
});

test('who has waited for too long is told, the others wait on', () => {
  const { clock, buffer, heard, wait } = scene();
  buffer.bytes = 10;
  wait('a', 1);
  clock.advance(600);
  wait('b', 1);
  clock.advance(500);
  assert.deepEqual(heard, ['a BUFFER_FULL']);
  buffer.release(10);
  assert.deepEqual(heard, ['a BUFFER_FULL', 'b']);
  clock.advance(5000);
  assert.equal(heard.length, 2);
});

test('everybody is told when the producer is closed', () => {
  const { buffer, heard, wait } = scene(0);
  wait('a', 1);
  wait('b', 1);
  buffer.failAll(Object.assign(new Error('closed'), { code: 'CLIENT_CLOSED' }) as unknown as SluiceError);
  assert.deepEqual(heard, ['a CLIENT_CLOSED', 'b CLIENT_CLOSED']);
});
