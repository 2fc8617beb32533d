import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ErrorCode } from '../protocol/error-codes.ts';
import * as batch from './batch.ts';
import { type BatchSpec, buildBatch, type NewRecord } from './builder.ts';
import { CODECS } from './compression/codecs.ts';
import { crc32c } from './crc32c.ts';
import { type RefusedBatches, type ValidationRules, validateBatches } from './validate.ts';

const NOW = 1_700_000_000_000;
const RULES: ValidationRules = {
  origin: 'client',
  maxMessageBytes: 1_048_588,
  segmentBytes: 1 << 30,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: 2 ** 63,
  timestampAfterMaxMs: 3_600_000,
  nowMs: NOW,
  compacted: false,
};
const RECORD: NewRecord = { key: Buffer.from('key'), value: Buffer.from('value'), timestamp: NOW };

const valid = (spec: Partial<BatchSpec> = {}): Buffer => buildBatch({ records: [RECORD, RECORD], ...spec });

/** A valid batch with some header bytes changed and the checksum made right again. */
function changed(change: (bytes: Buffer) => void, spec: Partial<BatchSpec> = {}): Buffer {
  const bytes = valid(spec);
  change(bytes);
  bytes.writeUInt32BE(crc32c(bytes, batch.CRC_FROM, bytes.length), 17);
  return bytes;
}

function refusal(bytes: Buffer, rules: Partial<ValidationRules> = {}): RefusedBatches {
  const result = validateBatches(bytes, { ...RULES, ...rules });
  assert.ok(!result.ok, 'accepted');
  return result;
}

test('accepts what a producer sends and reports what its header says', () => {
  const bytes = valid({ codec: CODECS.lz4, producerId: 4, producerEpoch: 0, baseSequence: 0, transactional: true });
  assert.deepEqual(validateBatches(bytes, RULES), {
    ok: true,
    batches: 1,
    records: 2,
    bytes: bytes.length,
    firstOffset: 0,
    lastOffset: 1,
    maxTimestamp: NOW,
    codec: CODECS.lz4,
  });
});

const REFUSED: readonly [title: string, code: ErrorCode, bytes: () => Buffer, rules?: Partial<ValidationRules>][] = [
  ['no batch at all', ErrorCode.INVALID_RECORD, () => Buffer.alloc(0)],
  ['a batch that is cut short', ErrorCode.INVALID_RECORD, () => valid().subarray(0, -1)],
  ['two batches', ErrorCode.INVALID_RECORD, () => Buffer.concat([valid(), valid()])],
  ['bytes behind the batch', ErrorCode.INVALID_RECORD, () => Buffer.concat([valid(), Buffer.alloc(5)])],
  ['a length below any record', ErrorCode.CORRUPT_MESSAGE, () => changed((bytes) => bytes.writeInt32BE(13, 8))],
  ['a negative length', ErrorCode.CORRUPT_MESSAGE, () => changed((bytes) => bytes.writeInt32BE(-5, 8))],
  ['a length below a header', ErrorCode.CORRUPT_MESSAGE, () => changed((bytes) => bytes.writeInt32BE(48, 8))],
  ['the message format 0', ErrorCode.INVALID_RECORD, () => changed((bytes) => bytes.writeInt8(0, 16))],
  ['the message format 1', ErrorCode.INVALID_RECORD, () => changed((bytes) => bytes.writeInt8(1, 16))],
  ['an unknown format', ErrorCode.CORRUPT_MESSAGE, () => changed((bytes) => bytes.writeInt8(3, 16))],
  ['a base offset other than 0', ErrorCode.INVALID_RECORD, () => valid({ baseOffset: 7 })],
  ['a batch beyond max.message.bytes', ErrorCode.MESSAGE_TOO_LARGE, () => valid(), { maxMessageBytes: 80 }],
  ['a batch beyond the segment', ErrorCode.RECORD_LIST_TOO_LARGE, () => valid(), { segmentBytes: 80 }],
  ['an unknown codec', ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, () => changed((bytes) => bytes.writeInt16BE(5, 21))],
  [
    'zstd before produce version 7',
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    () => valid({ codec: CODECS.zstd }),
    { produceVersion: 6 },
  ],
  ['no records', ErrorCode.INVALID_RECORD, () => valid({ records: [] })],
  ['a negative count', ErrorCode.INVALID_RECORD, () => changed((bytes) => bytes.writeInt32BE(-1, 57))],
  [
    'a count that does not fit the offsets',
    ErrorCode.INVALID_RECORD,
    () => changed((bytes) => bytes.writeInt32BE(3, 57)),
  ],
  ['a negative last offset delta', ErrorCode.INVALID_RECORD, () => changed((bytes) => bytes.writeInt32BE(-1, 23))],
  ['control records', ErrorCode.INVALID_RECORD, () => valid({ control: true })],
  ['a delete horizon', ErrorCode.INVALID_RECORD, () => valid({ deleteHorizon: NOW })],
  ['unused attribute bits', ErrorCode.INVALID_RECORD, () => changed((bytes) => bytes.writeInt16BE(0x80, 21))],
  ['a transaction without a producer', ErrorCode.INVALID_RECORD, () => valid({ transactional: true })],
  ['a producer without a sequence', ErrorCode.INVALID_RECORD, () => valid({ producerId: 4, producerEpoch: 0 })],
  ['a producer without an epoch', ErrorCode.INVALID_RECORD, () => valid({ producerId: 4, baseSequence: 0 })],
  ['an impossible producer', ErrorCode.INVALID_RECORD, () => valid({ producerId: -2 })],
  ['append time from a producer', ErrorCode.INVALID_TIMESTAMP, () => valid({ timestampType: 'LogAppendTime' })],
  [
    'append time from a producer where the topic stamps',
    ErrorCode.INVALID_TIMESTAMP,
    () => valid({ timestampType: 'LogAppendTime' }),
    { timestampType: 'LogAppendTime' },
  ],
  [
    'a timestamp too far ahead',
    ErrorCode.INVALID_TIMESTAMP,
    () => valid({ records: [RECORD, { ...RECORD, timestamp: NOW + 3_600_001 }] }),
  ],
  [
    'a timestamp too far behind',
    ErrorCode.INVALID_TIMESTAMP,
    () => valid({ records: [RECORD, { ...RECORD, timestamp: NOW - 1001 }] }),
    { timestampBeforeMaxMs: 1000 },
  ],
  [
    'a timestamp beyond what a number holds',
    ErrorCode.INVALID_TIMESTAMP,
    () => changed((bytes) => bytes.writeBigInt64BE(2n ** 62n, 35)),
    { timestampAfterMaxMs: -1 },
  ],
  [
    'a record without a key where the topic is compacted',
    ErrorCode.INVALID_RECORD,
    () => valid({ codec: CODECS.gzip, records: [RECORD, { ...RECORD, key: null }] }),
    { compacted: true },
  ],
  [
    'records that cannot be read where the topic is compacted',
    ErrorCode.INVALID_RECORD,
    () => changed((bytes) => bytes.fill(0xff, batch.BATCH_HEADER_BYTES)),
    { compacted: true },
  ],
  [
    'records that unfold beyond the limit where the topic is compacted',
    ErrorCode.INVALID_RECORD,
    () => valid({ codec: CODECS.zstd, records: [{ ...RECORD, value: Buffer.alloc(200_000) }] }),
    { compacted: true, maxUncompressedBytes: 100_000 },
  ],
];

for (const [title, code, bytes, rules] of REFUSED) {
  test(`refuses ${title}`, () => {
    assert.equal(refusal(bytes(), rules).errorCode, code);
  });
}

test('accepts the same at the edge of each limit', () => {
  const bytes = valid();
  const edges: Partial<ValidationRules>[] = [
    { maxMessageBytes: bytes.length },
    { segmentBytes: bytes.length },
    { compacted: true },
    { nowMs: NOW - 3_600_000 },
    { nowMs: NOW + 1000, timestampBeforeMaxMs: 1000 },
    { nowMs: 0, timestampAfterMaxMs: -1 },
    { nowMs: 0, timestampType: 'LogAppendTime' },
    { produceVersion: 3 },
  ];
  for (const rules of edges) assert.ok(validateBatches(bytes, { ...RULES, ...rules }).ok, JSON.stringify(rules));
  assert.ok(validateBatches(valid({ codec: CODECS.zstd }), { ...RULES, produceVersion: 7 }).ok);
});

test('records without a timestamp pass any limit on timestamps', () => {
  const bytes = valid({ records: [{ ...RECORD, timestamp: -1 }] });
  assert.ok(validateBatches(bytes, { ...RULES, timestampBeforeMaxMs: 10 }).ok);
});

test('names every record that is at fault', () => {
  const keyless = { ...RECORD, key: null };
  const result = refusal(valid({ records: [keyless, RECORD, keyless] }), { compacted: true });
  assert.deepEqual(
    result.recordErrors?.map(({ index }) => index),
    [0, 2],
  );
});

test('a flipped bit anywhere behind the checksum is a corrupt message', () => {
  const bytes = valid();
  for (let at = 17; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1;
    assert.equal(refusal(flipped).errorCode, ErrorCode.CORRUPT_MESSAGE, `byte ${at}`);
  }
});

test('coordinators may write control batches, batches of many offsets and several at once', () => {
  const marker = valid({ control: true, transactional: true, producerId: 3, producerEpoch: 1 });
  const result = validateBatches(Buffer.concat([valid({ baseOffset: 9 }), marker]), {
    ...RULES,
    origin: 'coordinator',
  });
  assert.ok(result.ok);
  assert.equal(result.batches, 2);
});

test('a follower takes the whole batches of a fetch and leaves the rest', () => {
  const first = valid({ baseOffset: 10, leaderEpoch: 4 });
  const second = valid({ baseOffset: 15, leaderEpoch: 4 });
  const bytes = Buffer.concat([first, second, valid({ baseOffset: 17 }).subarray(0, 30)]);
  const result = validateBatches(bytes, { ...RULES, origin: 'replica', maxMessageBytes: 1 });
  assert.ok(result.ok);
  assert.deepEqual([result.batches, result.firstOffset, result.lastOffset], [2, 10, 16]);
  assert.equal(result.bytes, first.length + second.length);
});

test('a follower stops before a batch of a later epoch', () => {
  const first = valid({ baseOffset: 10, leaderEpoch: 4 });
  const later = valid({ baseOffset: 12, leaderEpoch: 5 });
  const result = validateBatches(Buffer.concat([first, later]), { ...RULES, origin: 'replica', leaderEpoch: 4 });
  assert.ok(result.ok);
  assert.equal(result.bytes, first.length);
});

test('a follower refuses offsets that do not rise, and says in which batch', () => {
  const bytes = Buffer.concat([valid({ baseOffset: 10 }), valid({ baseOffset: 11 })]);
  const result = refusal(bytes, { origin: 'replica' });
  assert.deepEqual([result.errorCode, result.batchIndex], [ErrorCode.CORRUPT_MESSAGE, 1]);
});

test('no bytes make validation throw', () => {
  const origins = fc.constantFrom<ValidationRules['origin']>('client', 'coordinator', 'replica');
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 120 }).map((content) => Buffer.from(content)),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }).map((changes) =>
      changed((content) => {
        for (const [at, value] of changes) content[at % content.length] = value;
      }),
    ),
  );
  fc.assert(
    fc.property(origins, bytes, fc.boolean(), (origin, content, compacted) => {
      const result = validateBatches(content, { ...RULES, origin, compacted, maxUncompressedBytes: 1 << 20 });
      if (result.ok) assert.ok(result.bytes <= content.length);
      else assert.notEqual(result.message, '');
    }),
    { numRuns: 1000 },
  );
});
