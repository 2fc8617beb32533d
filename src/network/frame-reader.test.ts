import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameMemory } from './frame-memory.ts';
import { FRAME_PREFIX_BYTES, FrameReader, FrameRejected } from './frame-reader.ts';
import { framed } from './loopback.test.support.ts';
import { MemoryBudget } from './memory-budget.ts';

function reader(maxBytes = 1000, budget = new MemoryBudget(-1)): { reader: FrameReader; budget: MemoryBudget } {
  return { reader: new FrameReader({ minBytes: 1, maxBytes: () => maxBytes }, budget), budget };
}

function prefix(size: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(size);
  return bytes;
}

test('any frames cut into any chunks come out whole, in order, and the budget ends where it began', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 700 }), { maxLength: 20 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 400 })),
      (bodies, cuts) => {
        const { reader: frames, budget } = reader();
        const stream = Buffer.concat(bodies.map((body) => framed(body)));
        const got: Buffer[] = [];
        for (let at = 0; at < stream.length; ) {
          const end = Math.min(stream.length, at + cuts.next().value);
          frames.push(Buffer.from(stream.subarray(at, end)));
          at = end;
          for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
            got.push(frame);
            budget.release(frame.length + FRAME_PREFIX_BYTES);
          }
          assert.equal(budget.usedBytes, frames.heldBytes);
        }
        assert.deepEqual(
          got.map((frame) => frame.toString('hex')),
          bodies.map((body) => Buffer.from(body).toString('hex')),
        );
        assert.equal(budget.usedBytes, 0);
        assert.equal(frames.framesRead, bodies.length);
        assert.equal(frames.partialBytes, 0);
      },
    ),
    { verbose: true },
  );
});

test('bytes that lie where the reader said, and others, make the same frames, and shared memory may be overwritten', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 20_000 }), { maxLength: 12 }),
      fc.infiniteStream(fc.record({ bytes: fc.integer({ min: 1, max: 9000 }), inPlace: fc.boolean() })),
      (bodies, reads) => {
        const memory = new FrameMemory();
        const budget = new MemoryBudget(-1);
        const frames = new FrameReader({ minBytes: 1, maxBytes: () => 20_000 }, budget, memory);
        const stream = Buffer.concat(bodies.map((body) => framed(body)));
        const shared = Buffer.alloc(9000);
        const got: string[] = [];
        for (let at = 0; at < stream.length; ) {
          const { bytes, inPlace } = reads.next().value;
          const target = (inPlace ? frames.readInto() : undefined) ?? shared;
          const count = stream.copy(target, 0, at, Math.min(stream.length, at + bytes));
          frames.push(target.subarray(0, count));
          at += count;
          for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
            got.push(frame.toString('hex'));
            budget.release(frame.length + FRAME_PREFIX_BYTES);
            memory.give(frame);
          }
          frames.settle();
          shared.fill(0xee);
          assert.equal(budget.usedBytes, frames.heldBytes);
        }
        assert.deepEqual(
          got,
          bodies.map((body) => Buffer.from(body).toString('hex')),
        );
        assert.equal(budget.usedBytes, 0);
      },
    ),
    { verbose: true },
  );
});

test('a frame of which a quarter is here is read straight into its memory, which is used again once it is given back', () => {
  const memory = new FrameMemory();
  const frames = new FrameReader({ minBytes: 1, maxBytes: () => 10_000 }, new MemoryBudget(-1), memory);
  const stream = framed(Buffer.alloc(8000, 'x'));
  frames.push(stream.subarray(0, 2004));
  assert.equal(frames.next(), undefined);
  frames.settle();
  const rest = frames.readInto()!;
  assert.equal(rest.length, 6000);
  stream.copy(rest, 0, 2004);
  frames.push(rest);
  const frame = frames.next()!;
  assert.deepEqual(frame, stream.subarray(FRAME_PREFIX_BYTES));
  assert.equal(rest.buffer, frame.buffer, 'not copied');
  memory.give(frame);
  assert.equal(memory.take(5000).buffer, frame.buffer);
});

test('a length over the limit, a negative one and one too short are refused as soon as it is known', () => {
  for (const size of [1001, 2 ** 31 - 1, -1, -(2 ** 31), 0]) {
    const { reader: frames } = reader();
    const bytes = prefix(size);
    for (const byte of bytes.subarray(0, 3)) {
      frames.push(Buffer.from([byte]));
      assert.equal(frames.next(), undefined);
    }
    frames.push(bytes.subarray(3));
    assert.throws(() => frames.next(), FrameRejected);
  }
});

test('the limit is asked for each frame, so that it may rise between two', () => {
  let maxBytes = 10;
  const frames = new FrameReader({ minBytes: 1, maxBytes: () => maxBytes }, new MemoryBudget(-1));
  frames.push(Buffer.concat([framed('small'), framed('x'.repeat(50))]));
  assert.equal(frames.next()!.toString(), 'small');
  maxBytes = 50;
  assert.equal(frames.next()!.length, 50);
});

test('a claim of 100 MB costs the budget only what arrived, until a quarter is here', () => {
  const size = 100 * 1024 * 1024;
  const { reader: frames, budget } = reader(size);
  frames.push(prefix(size));
  assert.equal(frames.next(), undefined);
  assert.equal(budget.usedBytes, 4);
  const chunk = Buffer.alloc(1024 * 1024);
  for (let count = 0; count < 24; count++) {
    frames.push(chunk);
    assert.equal(frames.next(), undefined);
  }
  assert.equal(budget.usedBytes, 4 + 24 * chunk.length);
  frames.push(chunk);
  frames.push(chunk);
  assert.equal(frames.next(), undefined);
  assert.equal(budget.usedBytes, size + 4, 'the whole frame is paid for before its buffer exists');
  assert.equal(frames.reserved, true);
  frames.discard();
  assert.equal(budget.usedBytes, 0);
});

test('with an exhausted budget no buffer is made before it is asked for', () => {
  const budget = new MemoryBudget(300);
  const { reader: frames } = reader(1000, budget);
  frames.push(framed('x'.repeat(900)).subarray(0, 400));
  assert.equal(frames.next(), undefined);
  assert.equal(frames.reserved, false);
  frames.reserve();
  assert.equal(frames.reserved, true);
  assert.equal(budget.usedBytes, 904);
  frames.push(Buffer.from('x'.repeat(504)));
  assert.equal(frames.next()!.toString(), 'x'.repeat(900));
});
