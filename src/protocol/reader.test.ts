import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedMessage } from './malformed.ts';
import { MAX_TAGGED_FIELDS, Reader } from './reader.ts';
import { INT64_MAX } from './schema.ts';

function reader(hex: string): Reader {
  return new Reader(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test('fixed-size integers are read with their signs', () => {
  const input = reader('ff 8000 ffff 80000000 fffffffffffffffe 01');
  assert.deepEqual(
    [input.int8(), input.int16(), input.uint16(), input.int32(), input.int64(), input.bool()],
    [-1, -32768, 65535, -(2 ** 31), -2, true],
  );
  assert.equal(input.remaining(), 0);
});

test('a 64-bit integer is exact, or the one that stands for unknown, or malformed', () => {
  assert.equal(reader('001fffffffffffff').int64(), Number.MAX_SAFE_INTEGER);
  assert.equal(reader('ffe0000000000001').int64(), Number.MIN_SAFE_INTEGER);
  assert.equal(reader('7fffffffffffffff').int64(), INT64_MAX);
  for (const hex of ['0020000000000000', '7ffffffffffffffe', '8000000000000000']) {
    assert.throws(() => reader(hex).int64(), MalformedMessage);
  }
});

test('a wide 64-bit integer keeps all of its bits and its sign', () => {
  assert.equal(reader('7ffffffffffffffe').wideInt64(), 2n ** 63n - 2n);
  assert.equal(reader('8000000000000001').wideInt64(), -(2n ** 63n) + 1n);
});

test('byte fields are views of the frame', () => {
  const frame = Buffer.from('00000003616263', 'hex');
  const view = new Reader(frame).byteView();
  frame[4] = 0x7a;
  assert.equal(view.toString(), 'zbc');
});

test('lengths that are negative, too long or null without leave are malformed', () => {
  assert.throws(() => reader('ffff').string(), MalformedMessage);
  assert.throws(() => reader('fffe').nullableString(), MalformedMessage);
  assert.throws(() => reader('0005 6162').string(), MalformedMessage);
  assert.throws(() => reader('00').compactString(), MalformedMessage);
  assert.throws(() => reader('ffffffff').byteView(), MalformedMessage);
  assert.throws(() => reader('00').compactByteView(), MalformedMessage);
  assert.throws(() => reader('ffffffff').count(1), MalformedMessage);
  assert.equal(reader('ffff').nullableString(), null);
  assert.equal(reader('00').compactNullableString(), null);
  assert.equal(reader('ffffffff').nullableCount(1), -1);
});

test('a string longer than 32767 bytes is malformed even where it fits', () => {
  const frame = Buffer.concat([Buffer.from([0x81, 0x80, 0x02]), Buffer.alloc(0x8000, 0x61)]);
  assert.throws(() => new Reader(frame).compactString(), MalformedMessage);
});

test('unknown tagged fields are passed over, and their number and sizes are bounded', () => {
  const input = reader('02 05 03 616263 7f 00 2a');
  input.skipTagged();
  assert.equal(input.int8(), 42);
  assert.throws(() => reader('01 05 04 616263').skipTagged(), MalformedMessage);
  assert.throws(() => reader('ff7f 0000').skipTagged(), MalformedMessage);
  const many = Buffer.alloc(2 + 2 * (MAX_TAGGED_FIELDS + 1));
  many.set([0x81, 0x08]);
  assert.throws(() => new Reader(many).skipTagged(), MalformedMessage);
});

test('reading never goes past the given end', () => {
  const input = new Reader(Buffer.from('0000000100000002', 'hex'), 0, 6);
  assert.equal(input.int32(), 1);
  assert.throws(() => input.int32(), MalformedMessage);
});

test('a count beyond what the remaining bytes can hold is refused at once', () => {
  assert.equal(reader('00000003 000000').count(1), 3);
  assert.throws(() => reader('00000004 000000').count(1), MalformedMessage);
  assert.throws(() => reader('00000002 000000').count(2), MalformedMessage);
  assert.throws(() => reader('05 000000').compactCount(1), MalformedMessage);
  assert.equal(reader('01 0000').taggedCount(), 1);
  assert.throws(() => reader('02 000000').taggedCount(), MalformedMessage);
});
