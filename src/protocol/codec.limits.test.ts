/** What decoding may allocate: for every array of every message, the frame that yields the most heap for its bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { declaredSchemas } from '../../test/support/declared-schemas.ts';
import { decodeMessage, encodeToBuffer, MalformedMessage } from './codec.ts';
import { DECODED_BYTES_AT_LEAST, DECODED_BYTES_PER_FRAME_BYTE } from './reader.ts';
import { array, type Field, type Fields, int8, type MessageSchema, message, string } from './schema.ts';
import { includesVersion } from './versions.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const ELEMENTS = 8000;
/** What the engine may allocate for itself between two readings: code, feedback, the collector's own lists. */
const NOISE_BYTES = 256 * 1024;

const { messages } = await declaredSchemas();

/** Values in which one array is full of the smallest elements and the arrays around it hold one element or are full. */
function* greedyValues(fields: Fields, version: number): Generator<Record<string, unknown>> {
  for (const [name, field] of Object.entries(fields)) {
    if (!includesVersion(field.versions, version)) continue;
    if (field.kind === 'struct') {
      for (const inner of greedyValues(field.fields!, version)) yield { [name]: inner };
    } else if (field.kind === 'array') {
      const element = field.element!;
      if (element.kind !== 'struct') {
        yield { [name]: new Array(ELEMENTS).fill(smallScalar(element)) };
        continue;
      }
      yield { [name]: new Array(ELEMENTS).fill({}) };
      yield { [name]: new Array(ELEMENTS).fill(smallStruct(element.fields!, version)) };
      for (const inner of greedyValues(element.fields!, version)) yield { [name]: [inner] };
    }
  }
}

/** A struct with the least of everything that is worth an object: one element an array, two bytes a string. */
function smallStruct(fields: Fields, version: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, field]) => includesVersion(field.versions, version))
      .map(([name, field]) => [name, smallMember(field, version)]),
  );
}

function smallMember(field: Field, version: number): unknown {
  if (field.kind === 'struct') return smallStruct(field.fields!, version);
  if (field.kind !== 'array') return smallScalar(field);
  const element = field.element!;
  return [element.kind === 'struct' ? smallStruct(element.fields!, version) : smallScalar(element)];
}

function smallScalar(field: Field): unknown {
  switch (field.kind) {
    case 'string':
      return 'ab';
    case 'bytes':
    case 'records':
      return Buffer.from([7]);
    case 'uuid':
      return 'abcdefghijklmnopqrstuw';
    case 'int64':
      return 2 ** 40;
    default:
      return field.defaultValue;
  }
}

function heapOf(decode: () => unknown): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const value = decode();
  collectGarbage();
  const after = process.memoryUsage().heapUsed;
  // Reading the value here keeps it alive up to here.
  assert.equal(typeof value, 'object');
  return after - before;
}

test('a decoded message takes no more heap than the stated multiple of its frame', (t) => {
  let worst = { ratio: 0, what: '' };
  let frames = 0;
  for (const schema of messages) {
    const version = schema.versions.to;
    for (const value of greedyValues(schema.fields, version)) {
      const frame = encodeToBuffer(schema, version, value as never);
      for (let round = 0; round < 3; round++) decodeMessage(schema, version, frame);
      const heap = heapOf(() => decodeMessage(schema, version, frame));
      const ratio = (heap - NOISE_BYTES) / frame.length;
      if (ratio > worst.ratio) worst = { ratio, what: `${schema.name} ${version} ${Object.keys(value)}` };
      assert.ok(
        heap <= DECODED_BYTES_PER_FRAME_BYTE * frame.length + DECODED_BYTES_AT_LEAST + NOISE_BYTES,
        `${schema.name} version ${version}: ${heap} bytes of heap for a frame of ${frame.length}`,
      );
      frames++;
    }
  }
  t.diagnostic(`worst: ${worst.ratio.toFixed(1)} bytes of heap a byte, ${worst.what}; ${frames} frames`);
  assert.ok(frames > 50, `only ${frames} frames`);
});

const numbers: MessageSchema = message('Numbers', '0-1', '1+', { values: array('0+', int8('0+')) });
const names: MessageSchema = message('Names', '0-1', '1+', { values: array('0+', { name: string('0+') }) });

test('a count that the remaining bytes cannot hold is refused before anything is allocated', () => {
  const frame = Buffer.alloc(64);
  frame.writeInt32BE(0x7fff_ffff, 0);
  assert.throws(() => decodeMessage(numbers, 0, frame), MalformedMessage);
  frame.writeInt32BE(31, 0);
  assert.throws(() => decodeMessage(names, 0, frame), MalformedMessage);
  frame.writeInt32BE(30, 0);
  assert.equal((decodeMessage(names, 0, frame) as { values: unknown[] }).values.length, 30);
});

test('all arrays of a message together may hold no more elements than the cap', () => {
  const frame = encodeToBuffer(numbers, 1, { values: new Array(1000).fill(1) } as never);
  decodeMessage(numbers, 1, frame, 0, { maxElements: 1000 });
  assert.throws(() => decodeMessage(numbers, 1, frame, 0, { maxElements: 999 }), MalformedMessage);
});
