import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '../base/assert.ts';
import type { FileRegion } from '../base/file-region.ts';
import type { FileHandle } from '../base/file-system.ts';
import { joinParts } from './codec.ts';
import { UnencodableMessage } from './malformed.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const region: FileRegion = { file: {} as FileHandle, position: 7, length: 1_000_000, release: () => undefined };

test('a file region becomes a part of its own between the bytes around it', () => {
  const writer = new Writer();
  writer.begin();
  writer.int32(0);
  writer.compactRecords(region);
  writer.int8(9);
  const parts = writer.finishFrame();
  assert.equal(parts.length, 3);
  assert.equal(parts[1], region);
  const head = new Reader(parts[0] as Buffer);
  assert.equal(head.int32(), 3 + region.length + 1);
  assert.equal(head.unsignedVarint(), region.length + 1);
  assert.deepEqual([...(parts[2] as Buffer)], [9]);
});

test('long records in memory are attached, short ones are copied', () => {
  const writer = new Writer();
  const long = Buffer.alloc(10_000, 1);
  const short = Buffer.from('abc');
  writer.begin();
  writer.records(long);
  writer.records(short);
  const parts = writer.finish();
  assert.equal(parts[1], long);
  short.fill(0);
  assert.equal((parts[2] as Buffer).toString('latin1'), '\0\0\0\u0003abc');
});

test('messages written one after another never overwrite each other', () => {
  const writer = new Writer();
  const made: Buffer[] = [];
  for (let index = 0; index < 3000; index++) {
    writer.begin();
    writer.int32(index);
    writer.byteField(Buffer.alloc(index % 97, index));
    if (index % 500 === 0) writer.byteField(Buffer.alloc(200_000, 3));
    made.push(joinParts(writer.finish()));
  }
  for (const [index, bytes] of made.entries()) {
    const reader = new Reader(bytes);
    assert.equal(reader.int32(), index);
    assert.deepEqual(reader.byteView(), Buffer.alloc(index % 97, index));
  }
});

test('an abandoned message leaves nothing in the next one', () => {
  const writer = new Writer();
  writer.begin();
  writer.records(region);
  writer.string('dropped');
  writer.abandon();
  writer.begin();
  writer.int8(1);
  assert.deepEqual(writer.finish(), [Buffer.from([1])]);
});

test('the size of a tagged field is right whether it takes one byte or more', () => {
  for (const length of [0, 1, 126, 127, 128, 200, 20_000, 70_000]) {
    const writer = new Writer();
    writer.begin();
    writer.string('before');
    const mark = writer.openTagged(300);
    writer.compactByteField(Buffer.alloc(length, 0x55));
    writer.closeTagged(mark);
    writer.int8(5);
    const reader = new Reader(joinParts(writer.finish()));
    assert.equal(reader.string(), 'before');
    assert.equal(reader.unsignedVarint(), 300);
    const end = reader.taggedEnd();
    assert.equal(reader.compactByteView().length, length);
    reader.closeTagged(end);
    assert.equal(reader.int8(), 5);
  }
});

test('strings of any alphabet and length are read back', () => {
  for (const text of [
    '',
    'a',
    'x'.repeat(64),
    'x'.repeat(65),
    'grüße',
    '😀'.repeat(30),
    '主题'.repeat(50),
    'é'.repeat(64),
  ]) {
    const writer = new Writer();
    writer.begin();
    writer.string(text);
    writer.compactString(text);
    const reader = new Reader(joinParts(writer.finish()));
    assert.equal(reader.string(), text);
    assert.equal(reader.compactString(), text);
  }
});

test('values outside their kind are refused', () => {
  const writer = new Writer();
  const refused = (write: () => void) => {
    writer.begin();
    assert.throws(write, UnencodableMessage);
    writer.abandon();
  };
  refused(() => writer.int8(128));
  refused(() => writer.int16(-32769));
  refused(() => writer.uint16(-1));
  refused(() => writer.int32(2 ** 31));
  refused(() => writer.int32(1.5));
  refused(() => writer.int64(2 ** 53));
  refused(() => writer.int64(Number.NaN));
  refused(() => writer.uuid('short'));
  refused(() => writer.uuid('*'.repeat(22)));
  refused(() => writer.string('x'.repeat(32_768)));
  refused(() => writer.string(null as unknown as string));
  refused(() => writer.byteField('text' as unknown as Buffer));
  refused(() => writer.count({ length: 3 } as unknown as unknown[]));
});

test('a small message after a large one does not keep the large memory alive', () => {
  const writer = new Writer();
  writer.begin();
  writer.byteField(Buffer.alloc(5_000_000));
  writer.finish();
  writer.begin();
  writer.int8(1);
  const small = writer.finish()[0] as Buffer;
  assert.ok(small.buffer.byteLength <= 64 * 1024, `${small.buffer.byteLength} bytes`);
});

test('a message begun inside another one is a bug that is caught', () => {
  const writer = new Writer();
  writer.begin();
  assert.throws(() => writer.begin(), AssertionError);
});
