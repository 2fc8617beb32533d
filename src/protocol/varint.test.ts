import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MalformedMessage } from './malformed.ts';
import {
  readUnsignedVarint,
  readVarint,
  readVarlong,
  sizeOfUnsignedVarint,
  sizeOfVarint,
  sizeOfVarlong,
  writeUnsignedVarint,
  writeVarint,
  writeVarlong,
} from './varint.ts';

const uint32 = fc.oneof(fc.nat({ max: 0xffff_ffff }), fc.nat({ max: 300 }));
const int32 = fc.oneof(fc.integer(), fc.integer({ min: -130, max: 130 }));
const safe = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 31, -(2 ** 31) - 1),
);

type Read = (cursor: { bytes: Uint8Array; at: number; end: number }) => number;
type Write = (bytes: Uint8Array, value: number, at: number) => number;

function roundTrips(value: number, write: Write, read: Read, size: (value: number) => number): Buffer {
  const bytes = Buffer.alloc(16, 0xaa);
  const end = write(bytes, value, 3);
  assert.equal(end - 3, size(value));
  const cursor = { bytes, at: 3, end };
  assert.equal(read(cursor), value);
  assert.equal(cursor.at, end);
  return bytes.subarray(3, end);
}

/** Kafka's own definition over bigints: the yardstick for the number arithmetic. */
function zigzagBytes(value: number): number[] {
  const wide = BigInt(value);
  let raw = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
  const bytes: number[] = [];
  for (; raw > 0x7fn; raw >>= 7n) bytes.push(Number(raw & 0x7fn) | 0x80);
  return [...bytes, Number(raw)];
}

test('an unsigned varint is read as it was written and takes the size foretold', () => {
  fc.assert(
    fc.property(
      uint32,
      (value) => void roundTrips(value, writeUnsignedVarint, readUnsignedVarint, sizeOfUnsignedVarint),
    ),
  );
});

test('signed varints and varlongs are the zigzag bytes of Kafka', () => {
  fc.assert(
    fc.property(int32, (value) => {
      assert.deepEqual([...roundTrips(value, writeVarint, readVarint, sizeOfVarint)], zigzagBytes(value));
    }),
  );
  fc.assert(
    fc.property(safe, (value) => {
      assert.deepEqual([...roundTrips(value, writeVarlong, readVarlong, sizeOfVarlong)], zigzagBytes(value));
    }),
  );
});

test('a varint that does not end within its bytes is malformed', () => {
  const refused = (read: Read, bytes: number[]) =>
    assert.throws(() => read({ bytes: Uint8Array.from(bytes), at: 0, end: bytes.length }), MalformedMessage);
  refused(readUnsignedVarint, []);
  refused(readUnsignedVarint, [0x80]);
  refused(readUnsignedVarint, [0xff, 0xff, 0xff, 0xff, 0x1f]);
  refused(readUnsignedVarint, [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
  refused(readVarlong, [0x80, 0x80, 0x80]);
  refused(readVarlong, new Array(10).fill(0x80).concat([0]));
});

test('a varlong beyond 53 bits is malformed, never rounded', () => {
  const bytes = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  assert.throws(() => readVarlong({ bytes, at: 0, end: bytes.length }), MalformedMessage);
});
