import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveProducerOptions } from './options.ts';
import { PartitionQueue } from './partition-queue.ts';

const options = resolveProducerOptions({ lingerMs: 0, batchBytes: 100 });
const CLOSING = { codec: 0, level: undefined };

/** A queue with so many full batches. */
function queueOf(batches: number): PartitionQueue {
  const queue = new PartitionQueue('t', 0, options);
  for (let index = 0; index < batches; index++) {
    queue.newBatch(1000, 0).append(0, null, Buffer.alloc(1000), undefined);
  }
  return queue;
}

function take(queue: PartitionQueue) {
  const batch = queue.take();
  batch.finish(CLOSING);
  batch.stamp({ id: 1, epoch: 0 }, queue.takeSequence(batch.count));
  return batch;
}

test('nothing is sent behind the first batch of an identity before that is acknowledged: a new leader would take it first', () => {
  const queue = queueOf(4);
  const first = take(queue);
  assert.equal(queue.readyAtMs(false), Number.POSITIVE_INFINITY);
  queue.inFlight.delete(first);
  queue.acknowledged();
  const second = take(queue);
  assert.equal(queue.readyAtMs(false), 0, 'from then on several are under way');
  queue.inFlight.delete(second);
  queue.restart();
  assert.equal(take(queue).baseSequence, 0);
  assert.equal(queue.readyAtMs(false), Number.POSITIVE_INFINITY);
});

test('what may have been written is told by the first batch that waits', () => {
  const queue = queueOf(2);
  const first = take(queue);
  first.uncertain = true;
  assert.equal(queue.isUncertain, false, 'it is still under way');
  queue.giveBack(first);
  assert.equal(queue.isUncertain, true);
});
