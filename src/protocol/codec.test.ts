import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetch } from './apis/fetch.ts';
import { metadata } from './apis/metadata.ts';
import { generatedSource } from './codec/compile.ts';
import {
  decodeMessage,
  decodeWhole,
  encodeMessage,
  encodeToBuffer,
  MalformedMessage,
  UnencodableMessage,
} from './codec.ts';
import { array, bool, int32, message, records, string, struct } from './schema.ts';

const schema = message('Example', '0-3', '2+', {
  name: string('0+'),
  note: string('1+', { nullable: '1+', default: null }),
  limit: int32('1+', { default: 7, ignorable: true }),
  strict: bool('1+'),
  place: struct('2+', { row: int32('2+', { default: -1 }), column: int32('3+') }, { tag: 1 }),
  labels: array('3+', string('3+'), { nullable: '3+', tag: 0, default: null }),
});

test('fields that a version lacks take their default when decoded', () => {
  const decoded = decodeMessage(schema, 0, encodeToBuffer(schema, 0, { name: 'a' }));
  assert.deepEqual(decoded, {
    name: 'a',
    note: null,
    limit: 7,
    strict: false,
    place: { row: -1, column: 0 },
    labels: null,
  });
});

test('fields left out by the caller are encoded as their default', () => {
  const bytes = encodeToBuffer(schema, 1, { name: 'a', note: undefined });
  assert.deepEqual(bytes, Buffer.from('000161ffff0000000700', 'hex'));
});

test('a value that a version cannot carry is refused, unless the field may be ignored', () => {
  assert.throws(() => encodeToBuffer(schema, 0, { name: 'a', strict: true }), UnencodableMessage);
  assert.throws(() => encodeToBuffer(schema, 0, { name: 'a', labels: [] }), UnencodableMessage);
  assert.throws(() => encodeToBuffer(schema, 1, { name: 'a', place: { row: 3 } }), UnencodableMessage);
  assert.deepEqual(
    encodeToBuffer(schema, 0, { name: 'a', limit: 99, place: { row: -1 } }),
    Buffer.from('000161', 'hex'),
  );
});

test('null is refused where the version has no null', () => {
  assert.throws(() => encodeToBuffer(schema, 1, { name: null as unknown as string }), UnencodableMessage);
  assert.throws(() => encodeToBuffer(schema, 2, { name: 'a', place: null as never }), UnencodableMessage);
});

test('tagged fields are left out at their default and otherwise travel in the order of their tags', () => {
  const plain = encodeToBuffer(schema, 3, { name: 'a', place: { row: -1, column: 0 }, labels: null });
  assert.deepEqual(plain, Buffer.from('0261 00 00000007 00 00'.replaceAll(' ', ''), 'hex'));
  const full = encodeToBuffer(schema, 3, { name: 'a', place: { row: 2 }, labels: ['b'] });
  assert.deepEqual(
    full,
    Buffer.from('0261 00 00000007 00 02 00 03 020262 01 09 0000000200000000 00'.replaceAll(' ', ''), 'hex'),
  );
  assert.deepEqual(decodeMessage(schema, 3, full).place, { row: 2, column: 0 });
});

test('tagged fields that a version does not know are passed over', () => {
  const bytes = Buffer.from('0261 00 00000007 01 02 00 03 020262 63 01 ff'.replaceAll(' ', ''), 'hex');
  const decoded = decodeMessage(schema, 2, bytes);
  assert.deepEqual([decoded.strict, decoded.labels], [true, null]);
});

test('a known tagged field of another size than announced is malformed', () => {
  const bytes = Buffer.from('0261 00 00000007 00 01 00 04 020262 00'.replaceAll(' ', ''), 'hex');
  assert.throws(() => decodeMessage(schema, 3, bytes), MalformedMessage);
});

test('bytes after a message are ignored, except where the message must be whole', () => {
  const bytes = Buffer.concat([encodeToBuffer(schema, 0, { name: 'a' }), Buffer.from([1])]);
  assert.equal(decodeMessage(schema, 0, bytes).name, 'a');
  assert.throws(() => decodeWhole(schema, 0, bytes), MalformedMessage);
  assert.equal(decodeWhole(schema, 0, bytes.subarray(0, 3)).name, 'a');
});

test('a version outside the declared ones is refused both ways', () => {
  assert.throws(() => decodeMessage(schema, 4, Buffer.alloc(100)), MalformedMessage);
  assert.throws(() => encodeToBuffer(schema, 4, { name: 'a' }), UnencodableMessage);
});

test('after a refused value the next message is whole', () => {
  const before = encodeToBuffer(schema, 0, { name: 'good' });
  assert.throws(() => encodeToBuffer(schema, 0, { name: 'bad', strict: true }));
  assert.deepEqual(encodeToBuffer(schema, 0, { name: 'good' }), before);
});

test('null, empty and missing arrays of a request keep their meanings', () => {
  const all = encodeToBuffer(metadata.request, 12, { topics: null } as never);
  const none = encodeToBuffer(metadata.request, 12, { topics: [] } as never);
  assert.equal(decodeMessage(metadata.request, 12, all).topics, null);
  assert.deepEqual(decodeMessage(metadata.request, 12, none).topics, []);
});

test('all versions of a message decode to objects with the same keys in the same order', () => {
  const keys = [4, 12, 17].map((version) => {
    const bytes = encodeToBuffer(fetch.response, version, {
      responses: [{ partitions: [{ partitionIndex: 1, records: null, abortedTransactions: null }] }],
    } as never);
    const decoded = decodeMessage(fetch.response, version, bytes);
    return [Object.keys(decoded), Object.keys(decoded.responses[0]!.partitions[0]!)];
  });
  assert.deepEqual(keys[0], keys[1]);
  assert.deepEqual(keys[0], keys[2]);
});

test('records in a buffer come out as a part that is the very same buffer', () => {
  const carrier = message('Carrier', '0', 'none', { data: records('0+', { nullable: '0+' }) });
  const data = Buffer.alloc(5000, 3);
  assert.equal(encodeMessage(carrier, 0, { data })[1], data);
});

test('generated code reads like code: one named function a struct', () => {
  const source = generatedSource(fetch.request, 12);
  assert.match(source, /^function readFetchRequestTopicsPartitions\(r\) \{$/m);
  assert.match(source, /^ {2}const maxWaitMs = r\.int32\(\);$/m);
});

test('fields named like words of the language are no trouble', () => {
  const odd = message('Odd', '0', '0+', {
    default: int32('0+'),
    value: string('0+'),
    r: int32('0+', { tag: 0 }),
    w: array('0+', { class: int32('0+') }),
  });
  const value = { default: 1, value: 'v', r: 5, w: [{ class: 2 }] };
  assert.deepEqual(decodeMessage(odd, 0, encodeToBuffer(odd, 0, value)), value);
});
