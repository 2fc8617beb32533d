/**
 * Reads the records of one batch, decompressing it first where it is compressed. The checksum is not looked at: a
 * consumer that wants it asks `matchesChecksum`.
 */
import type { Offset, Timestamp } from '../base/units.ts';
import * as batch from './batch.ts';
import { BROKEN, PARTIAL, wholeBatchBytes } from './bounds.ts';
import { decompress, MOST_UNCOMPRESSED_BYTES } from './compression/codecs.ts';
import { CorruptRecords } from './corrupt-records.ts';
import { RecordCursor, type RecordSpan } from './record-cursor.ts';

export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/** A record as an object. Its buffers are views: of the batch where it is not compressed. */
export interface RecordView {
  readonly offset: Offset;
  readonly timestamp: Timestamp;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

export interface ReadOptions {
  /** How far the batch may unfold. */
  readonly maxUncompressedBytes?: number;
}

const NO_HEADERS: readonly RecordHeader[] = [];

/**
 * A cursor before the first record of the batch at `at`: the way to read without an object a record.
 *
 * @throws CorruptRecords also from the cursor's `next`
 */
export function openRecords(bytes: Buffer, at: number, options: ReadOptions = {}): RecordCursor {
  const size = wholeBatchBytes(bytes, at);
  if (size === BROKEN || size === PARTIAL) throw new CorruptRecords('there is no whole record batch');
  if (batch.magic(bytes, at) !== batch.MAGIC_V2) throw new CorruptRecords('a batch of a format before version 2');
  const codec = batch.codecOf(batch.attributes(bytes, at));
  const from = at + batch.BATCH_HEADER_BYTES;
  const to = at + size;
  const count = batch.recordCount(bytes, at);
  // A batch that compaction has emptied keeps its codec but has no compressed block.
  if (codec === 0 || (count === 0 && from === to)) return new RecordCursor(bytes, spanOf(bytes, at, { from, to }));
  const plain = decompress(codec, bytes.subarray(from, to), options.maxUncompressedBytes ?? MOST_UNCOMPRESSED_BYTES);
  return new RecordCursor(plain, spanOf(bytes, at, { from: 0, to: plain.length }));
}

/** Where the records of the batch at `at` lie, and what they count from. */
function spanOf(bytes: Buffer, at: number, { from, to }: { readonly from: number; readonly to: number }): RecordSpan {
  // Spelled out: what a spread makes is slow to look things up in.
  return {
    from,
    to,
    count: batch.recordCount(bytes, at),
    baseOffset: batch.baseOffset(bytes, at),
    baseTimestamp: batch.baseTimestamp(bytes, at),
    appendTimestamp: batch.usesAppendTime(batch.attributes(bytes, at)) ? batch.maxTimestamp(bytes, at) : undefined,
  };
}

/** The records of the batch at `at`, one after the other. Throws CorruptRecords, possibly after some records. */
export function* readRecords(bytes: Buffer, at: number, options: ReadOptions = {}): Generator<RecordView, void, void> {
  const cursor = openRecords(bytes, at, options);
  while (cursor.next()) yield viewRecord(cursor);
}

/** The record on which a cursor stands, as an object that outlives the cursor's next move. */
export function viewRecord(cursor: RecordCursor): RecordView {
  return {
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: view(cursor.bytes, cursor.keyAt, cursor.keyLength),
    value: view(cursor.bytes, cursor.valueAt, cursor.valueLength),
    headers: viewHeaders(cursor),
  };
}

/** The headers of the record on which a cursor stands. */
export function viewHeaders(cursor: RecordCursor): readonly RecordHeader[] {
  if (cursor.headerCount === 0) return NO_HEADERS;
  const headers: RecordHeader[] = [];
  const { bytes } = cursor;
  cursor.eachHeader((keyAt, keyLength, valueAt, valueLength) => {
    headers.push({
      key: bytes.toString('utf8', keyAt, keyAt + keyLength),
      value: view(bytes, valueAt, valueLength),
    });
  });
  return headers;
}

function view(bytes: Buffer, at: number, length: number): Buffer | null {
  return length < 0 ? null : bytes.subarray(at, at + length);
}
