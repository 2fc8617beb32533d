import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { ErrorCode, errorName } from '../../protocol/error-codes.ts';
import { CommitQueue } from './commit-queue.ts';

function queueAt(highWatermark: { now: number }) {
  const clock = new SimulatedClock();
  const queue = new CommitQueue({ timeoutMs: () => 1000, highWatermark: () => highWatermark.now }, { clock });
  const told: string[] = [];
  const add = (name: string, end: number, durable?: Promise<void>): void =>
    queue.add(end, durable, (errorCode) => told.push(`${name} ${errorName(errorCode)}`));
  return { queue, clock, told, add };
}

it('tells at once what is committed, and the rest in the order of the writes', () => {
  const highWatermark = { now: 5 };
  const { queue, told, add } = queueAt(highWatermark);
  add('a', 5);
  add('b', 6);
  add('c', 7);
  // Committed by its offset, but a write before it is not.
  add('d', 5);
  assert.deepEqual(told, ['a NONE']);
  highWatermark.now = 6;
  queue.advance();
  assert.deepEqual(told, ['a NONE', 'b NONE']);
  highWatermark.now = 7;
  queue.advance();
  assert.deepEqual(told, ['a NONE', 'b NONE', 'c NONE', 'd NONE']);
});

it('waits for the disk where the topic asks for it, and refuses what the disk lost', async () => {
  const { told, add } = queueAt({ now: 9 });
  let sync: () => void = () => undefined;
  add('a', 1, new Promise((resolve) => (sync = resolve)));
  add('b', 2, Promise.reject(new Error('EIO')));
  add('c', 2);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, ['b KAFKA_STORAGE_ERROR']);
  sync();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, ['b KAFKA_STORAGE_ERROR', 'a NONE', 'c NONE']);
});

it('gives up after a time, and lets those behind go on', () => {
  const highWatermark = { now: 0 };
  const { queue, clock, told, add } = queueAt(highWatermark);
  add('a', 2);
  clock.advance(999);
  add('b', 1);
  highWatermark.now = 1;
  queue.advance();
  assert.deepEqual(told, []);
  clock.advance(1);
  assert.deepEqual(told, ['a REQUEST_TIMED_OUT', 'b NONE']);
  add('c', 9);
  queue.failAll(ErrorCode.NOT_COORDINATOR);
  clock.advance(5000);
  assert.deepEqual(told.slice(2), ['c NOT_COORDINATOR']);
});
