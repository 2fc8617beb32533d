import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/random.ts';
import { type Reply, ReplyQueue, releaseReply } from './reply-queue.ts';

test('replies leave in request order whatever order they become ready in', () => {
  const seed = Number(process.env['SEED'] ?? 7);
  const random = seededRandom(seed);
  const queue = new ReplyQueue();
  const open: { number: number; slot: ReturnType<ReplyQueue['open']> }[] = [];
  const left: string[] = [];
  let opened = 0;
  for (let step = 0; step < 5000; step++) {
    if (random.fraction() < 0.5) open.push({ number: opened++, slot: queue.open(1) });
    else if (open.length > 0) {
      const [one] = open.splice(random.below(open.length), 1);
      queue.answer(one!.slot, [Buffer.from(String(one!.number))]);
    }
    assert.equal(queue.unanswered, open.length);
    for (let reply = queue.takeReady(); reply !== undefined; reply = queue.takeReady()) {
      left.push(Buffer.from((reply as Buffer[])[0]!).toString());
    }
    assert.equal(queue.length, opened - left.length);
  }
  for (const { number, slot } of open) queue.answer(slot, [Buffer.from(String(number))]);
  for (let reply = queue.takeReady(); reply !== undefined; reply = queue.takeReady())
    left.push(String((reply as Buffer[])[0]));
  assert.deepEqual(
    left,
    Array.from({ length: opened }, (_, index) => String(index)),
    `seed ${seed}`,
  );
  assert.equal(queue.readyBytes, 0);
});

test('discarding releases the regions of every reply that was ready', () => {
  let released = 0;
  const region = { file: undefined as never, position: 0, length: 10, release: () => void released++ };
  const queue = new ReplyQueue();
  queue.open(1);
  const second = queue.open(1);
  queue.answer(second, [Buffer.alloc(4), region, region]);
  assert.equal(queue.readyBytes, 24);
  queue.discard();
  assert.equal(released, 2);
  assert.deepEqual([queue.length, queue.unanswered, queue.readyBytes], [0, 0, 0]);
  const words: Reply[] = ['none', 'close'];
  for (const reply of words) releaseReply(reply);
});
