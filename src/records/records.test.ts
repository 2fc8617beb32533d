import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stampAppendTime } from './append-time.ts';
import * as batch from './batch.ts';
import { BROKEN, matchesChecksum, PARTIAL, wholeBatchBytes } from './bounds.ts';
import { type BatchSpec, BatchWriter, buildBatch, mostRecordBytes, type NewRecord } from './builder.ts';
import { CODECS } from './compression/codecs.ts';
import { CorruptRecords } from './corrupt-records.ts';
import { openRecords, readRecords } from './reader.ts';
import { recompress } from './recompress.ts';

const codec = fc.constantFrom(...Object.values(CODECS));
const blob = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const record: fc.Arbitrary<NewRecord> = fc.record({
  key: fc.option(blob),
  value: fc.option(
    fc.oneof(
      blob,
      fc.nat(9000).map((length) => Buffer.alloc(length, 'sluice')),
    ),
  ),
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2 ** 45 }), fc.constant(2 ** 52)),
  headers: fc.array(
    fc.record(
      { key: fc.string({ unit: 'grapheme', maxLength: 8 }), value: fc.option(blob) },
      { noNullPrototype: true },
    ),
    { maxLength: 3 },
  ),
});
const spec: fc.Arbitrary<BatchSpec> = fc.record({
  baseOffset: fc.maxSafeNat().map((offset) => Math.min(offset, Number.MAX_SAFE_INTEGER - 1000)),
  leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  codec,
  producerId: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
  producerEpoch: fc.integer({ min: -1, max: 32767 }),
  baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  transactional: fc.boolean(),
  records: fc.array(record, { minLength: 1, maxLength: 12 }),
});

test('what is built is what is read, under every codec', () => {
  fc.assert(
    fc.property(spec, (given) => {
      const bytes = buildBatch(given);
      assert.equal(wholeBatchBytes(bytes, 0), bytes.length);
      assert.ok(matchesChecksum(bytes, 0));
      assert.equal(batch.producerId(bytes, 0), given.producerId);
      assert.equal(batch.producerEpoch(bytes, 0), given.producerEpoch);
      assert.equal(batch.baseSequence(bytes, 0), given.baseSequence);
      assert.equal(batch.lastOffset(bytes, 0), given.baseOffset! + given.records.length - 1);
      assert.equal(batch.maxTimestamp(bytes, 0), Math.max(...given.records.map(({ timestamp }) => timestamp)));
      assert.equal(batch.isTransactional(batch.attributes(bytes, 0)), given.transactional);
      const expected = given.records.map((each, index) => ({ ...each, offset: given.baseOffset! + index }));
      assert.deepEqual([...readRecords(bytes, 0)], expected);
    }),
  );
});

test('a batch is read wherever it lies in its buffer', () => {
  const given = { codec: CODECS.gzip, records: [{ key: null, value: Buffer.from('v'), timestamp: 5 }] };
  const bytes = Buffer.concat([Buffer.alloc(13, 0xff), buildBatch(given), Buffer.alloc(9, 0xff)]);
  const [only, ...rest] = [...readRecords(bytes, 13)];
  assert.deepEqual(rest, []);
  assert.deepEqual(only, { offset: 0, timestamp: 5, key: null, value: Buffer.from('v'), headers: [] });
});

test('offset gaps inside a batch and behind its last record are kept', () => {
  const records = [3, 7].map((offsetDelta) => ({ key: null, value: null, timestamp: 1, offsetDelta }));
  const bytes = buildBatch({ baseOffset: 100, lastOffsetDelta: 9, records });
  assert.deepEqual(
    [...readRecords(bytes, 0)].map(({ offset }) => offset),
    [103, 107],
  );
  assert.equal(batch.lastOffset(bytes, 0), 109);
});

test('a delete horizon takes the place of the base timestamp and leaves the records their own', () => {
  const records = [{ key: Buffer.from('k'), value: null, timestamp: 1000 }];
  const bytes = buildBatch({ deleteHorizon: 90_000, records });
  assert.ok(batch.hasDeleteHorizon(batch.attributes(bytes, 0)));
  assert.equal(batch.baseTimestamp(bytes, 0), 90_000);
  assert.equal([...readRecords(bytes, 0)][0]!.timestamp, 1000);
});

test('a batch without records is read as none, with and without a codec', () => {
  for (const each of Object.values(CODECS)) {
    const bytes = buildBatch({ codec: each, baseOffset: 5, lastOffsetDelta: 4, records: [] });
    assert.equal(batch.lastOffset(bytes, 0), 9);
    assert.deepEqual([...readRecords(bytes, 0)], []);
  }
});

test('a writer reports its size as it grows and never beyond what mostRecordBytes foretold', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (records) => {
      const writer = new BatchWriter();
      for (const each of records) {
        const before = writer.bytes;
        writer.append(each.timestamp, each.key, each.value, each.headers);
        assert.ok(writer.bytes - before <= mostRecordBytes(each));
      }
      const foretold = writer.bytes;
      assert.equal(writer.finish({}).length, foretold);
    }),
  );
});

test('any change to a batch is either found by its checksum or lies outside of it', () => {
  const bytes = buildBatch({ records: [{ key: Buffer.from('key'), value: Buffer.from('value'), timestamp: 9 }] });
  for (let at = 16; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 0x10;
    const size = wholeBatchBytes(changed, 0);
    assert.ok(size === BROKEN || !matchesChecksum(changed, 0), `byte ${at}`);
  }
});

test('broken records raise CorruptRecords and nothing else', () => {
  fc.assert(
    fc.property(
      spec,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
      fc.nat(),
      (given, changes, cut) => {
        const whole = buildBatch(given);
        for (const [at, value] of changes) whole[at % whole.length] = value;
        const bytes = cut % 3 === 0 ? whole.subarray(0, cut % (whole.length + 1)) : whole;
        try {
          for (const each of readRecords(bytes, 0, { maxUncompressedBytes: 1_000_000 })) {
            assert.ok((each.value?.length ?? 0) <= 1_000_000);
          }
        } catch (error) {
          assert.ok(error instanceof CorruptRecords, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a compressed batch that unfolds beyond the limit is refused', () => {
  const records = [{ key: null, value: Buffer.alloc(100_000), timestamp: 0 }];
  for (const each of [CODECS.gzip, CODECS.snappy, CODECS.lz4, CODECS.zstd]) {
    const bytes = buildBatch({ codec: each, records });
    assert.throws(() => openRecords(bytes, 0, { maxUncompressedBytes: 50_000 }), CorruptRecords);
  }
});

test('records that do not match the declared count are refused', () => {
  const records = [1, 2, 3].map((timestamp) => ({ key: null, value: null, timestamp }));
  for (const count of [0, 2, 4, -1, 2 ** 31 - 1]) {
    const bytes = buildBatch({ records });
    bytes.writeInt32BE(count, 57);
    assert.throws(() => [...readRecords(bytes, 0)], CorruptRecords, `count ${count}`);
  }
});

test('the end of a batch is found, or said to be missing, at every cut', () => {
  const bytes = buildBatch({ records: [{ key: null, value: Buffer.from('value'), timestamp: 9 }] });
  for (let length = 0; length < bytes.length; length++) assert.equal(wholeBatchBytes(bytes, 0, length), PARTIAL);
  assert.equal(wholeBatchBytes(bytes, 0), bytes.length);
  const short = Buffer.from(bytes);
  short.writeInt32BE(48, 8);
  assert.equal(wholeBatchBytes(short, 0), BROKEN);
  const unknown = Buffer.from(bytes);
  unknown[16] = 3;
  assert.equal(wholeBatchBytes(unknown, 0), BROKEN);
});

test('a stamped batch has the time of the append for every record and a valid checksum', () => {
  const records = [1, 2].map((timestamp) => ({ key: null, value: Buffer.from('x'), timestamp }));
  const bytes = Buffer.concat([Buffer.alloc(5), buildBatch({ codec: CODECS.zstd, records })]);
  stampAppendTime(bytes, 5, 777_000);
  assert.ok(matchesChecksum(bytes, 5));
  assert.deepEqual(
    [...readRecords(bytes, 5)].map(({ timestamp }) => timestamp),
    [777_000, 777_000],
  );
});

test('recompression keeps header and records under every pair of codecs', () => {
  fc.assert(
    fc.property(spec, codec, (given, target) => {
      const bytes = Buffer.concat([Buffer.alloc(3), buildBatch(given)]);
      const result = recompress(bytes, 3, target);
      assert.equal(wholeBatchBytes(result, 0), result.length);
      assert.ok(matchesChecksum(result, 0));
      assert.equal(batch.codecOf(batch.attributes(result, 0)), target);
      assert.deepEqual([...readRecords(result, 0)], [...readRecords(bytes, 3)]);
      const kept = (from: Buffer, at: number) => from.subarray(at + 23, at + batch.BATCH_HEADER_BYTES);
      assert.deepEqual(kept(result, 0), kept(bytes, 3));
    }),
  );
});
