import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BatchSpec, buildBatch } from '../../records/builder.ts';
import { ControlType, controlKey, endTransactionValue } from '../../records/control.ts';
import { type AbortedTransaction, splitFetch } from './fetched-batch.ts';

const EVERYTHING = { from: 0, before: Infinity };

function data(baseOffset: number, values: readonly string[], spec: Partial<BatchSpec> = {}): Buffer {
  const records = values.map((value) => ({ key: null, value: Buffer.from(value), timestamp: 1 }));
  return buildBatch({ baseOffset, records, ...spec });
}

const inTransaction = (producerId: number) => ({ producerId, producerEpoch: 0, baseSequence: 0, transactional: true });

function marker(baseOffset: number, producerId: number, type: 0 | 1): Buffer {
  const records = [{ key: controlKey(type), value: endTransactionValue(0), timestamp: 1 }];
  return buildBatch({ baseOffset, producerId, producerEpoch: 0, transactional: true, control: true, records });
}

function split(parts: readonly Buffer[], window = EVERYTHING, aborted: readonly AbortedTransaction[] = []) {
  const bytes = Buffer.concat(parts);
  const source = { topic: 't', partition: 2, bytes, highWatermark: 99, aborted, checkCrcs: true };
  const { batches, next, cut, fault } = splitFetch({ ...source, maxUncompressedBytes: undefined }, window);
  return {
    values: batches.flatMap((each) => [...each.records()].map(({ value }) => String(value))),
    next,
    cut,
    fault,
    batches,
  };
}

test('gives the records of whole batches and says where to go on', () => {
  const { values, next, cut, batches } = split([data(5, ['a', 'b']), data(7, ['c'])]);
  assert.deepEqual(values, ['a', 'b', 'c']);
  assert.deepEqual([next, cut], [8, false]);
  assert.deepEqual(
    batches.map(({ baseOffset, lastOffset, recordCount, partition }) => [
      baseOffset,
      lastOffset,
      recordCount,
      partition,
    ]),
    [
      [5, 6, 2, 2],
      [7, 7, 1, 2],
    ],
  );
});

test('leaves out records before the asked offset and from the end on', () => {
  const parts = [data(5, ['a', 'b', 'c']), data(8, ['d', 'e'])];
  assert.deepEqual(split(parts, { from: 7, before: Infinity }).values, ['c', 'd', 'e']);
  assert.deepEqual(split(parts, { from: 0, before: 9 }).values, ['a', 'b', 'c', 'd']);
  assert.deepEqual(split(parts, { from: 8, before: 8 }).values, []);
});

test('leaves a batch that is cut short for the next fetch', () => {
  const last = data(7, ['c']);
  const { values, next, cut } = split([data(5, ['a', 'b']), last.subarray(0, last.length - 1)]);
  assert.deepEqual(values, ['a', 'b']);
  assert.deepEqual([next, cut], [7, true]);
});

test('hides control batches and moves past them', () => {
  const { values, next } = split([data(0, ['a'], inTransaction(7)), marker(1, 7, ControlType.COMMIT)]);
  assert.deepEqual(values, ['a']);
  assert.equal(next, 2);
});

test('hides what an aborted transaction wrote, and nothing else', () => {
  const parts = [
    data(0, ['kept, other producer'], inTransaction(8)),
    data(1, ['aborted 1'], inTransaction(7)),
    data(2, ['kept, no transaction']),
    data(3, ['aborted 2'], inTransaction(7)),
    marker(4, 7, ControlType.ABORT),
    data(5, ['kept, next transaction'], inTransaction(7)),
    marker(6, 7, ControlType.COMMIT),
    data(7, ['aborted 3'], inTransaction(8)),
    marker(8, 8, ControlType.ABORT),
  ];
  const aborted = [
    { producerId: 8, firstOffset: 7 },
    { producerId: 7, firstOffset: 1 },
  ];
  const { values, next } = split(parts, EVERYTHING, aborted);
  assert.deepEqual(values, ['kept, other producer', 'kept, no transaction', 'kept, next transaction']);
  assert.equal(next, 9);
});

test('goes on behind the offsets that compaction has emptied', () => {
  const { next } = split([data(5, ['a'], { lastOffsetDelta: 9 })]);
  assert.equal(next, 15);
});

test('stops in front of a batch that does not match its checksum, and of bytes that are no batch', () => {
  const broken = data(7, ['abc', 'd']);
  broken[broken.length - 3]! ^= 1;
  const told = split([data(5, ['a', 'b']), broken, data(9, ['e'])], { from: 5, before: Infinity });
  assert.deepEqual(told.values, ['a', 'b']);
  assert.equal(told.next, 7);
  assert.equal(told.fault?.nextOffset, 9);
  assert.match(told.fault.message, /checksum/);
  const nonsense = split([Buffer.alloc(100, 0xff)]);
  assert.deepEqual([nonsense.next, nonsense.fault?.nextOffset, nonsense.batches.length], [0, 1, 0]);
});
