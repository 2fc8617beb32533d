/**
 * Walks the records of one batch, uncompressed, without an object per record: `next()` moves to a record and leaves its
 * fields as numbers and positions. One record:
 *
 *   length varint | attributes int8 | timestamp delta varlong | offset delta varint
 *   key length varint | key | value length varint | value | header count varint | headers
 *
 * All integers are zigzag varints; a length of -1 is null. A header is: key length, key, value length, value.
 */
import type { Offset, Timestamp } from '../base/units.ts';
import { MalformedMessage } from '../protocol/malformed.ts';
import { type Cursor, readVarint, readVarlong } from '../protocol/varint.ts';
import { CorruptRecords } from './corrupt-records.ts';

/** Least bytes of a record after its length: five one-byte numbers and the attributes. */
const LEAST_RECORD_BYTES = 6;

/** Where the records of a batch lie, and what their deltas count from. */
export interface RecordSpan {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly baseOffset?: Offset;
  readonly baseTimestamp?: Timestamp;
  /** Takes the place of every record's own timestamp. */
  readonly appendTimestamp?: Timestamp;
}

/** Takes the places of one header; a value length of -1 is null. */
export type HeaderVisitor = (keyAt: number, keyLength: number, valueAt: number, valueLength: number) => void;

export class RecordCursor {
  /** Uncompressed records; all positions of this cursor lie in here. */
  readonly bytes: Buffer;
  offset: Offset = 0;
  timestamp: Timestamp = 0;
  /** Place in the batch as the producer numbered it. */
  offsetDelta = 0;
  keyAt = 0;
  /** -1 for a null key. */
  keyLength = -1;
  valueAt = 0;
  /** -1 for a null value (a tombstone where the topic is compacted). */
  valueLength = -1;
  headerCount = 0;
  headersAt = 0;
  /** Where the current record begins, its length field included, and where it ends. */
  recordAt = 0;
  recordEnd: number;
  private readonly cursor: Mutable<Cursor>;
  private readonly to: number;
  private readonly baseOffset: Offset;
  private readonly baseTimestamp: Timestamp;
  private readonly appendTimestamp: Timestamp | undefined;
  private left: number;

  /** Walks records that must fill their span exactly. */
  constructor(bytes: Buffer, span: RecordSpan) {
    this.bytes = bytes;
    this.recordEnd = span.from;
    this.to = span.to;
    this.baseOffset = span.baseOffset ?? 0;
    this.baseTimestamp = span.baseTimestamp ?? 0;
    this.appendTimestamp = span.appendTimestamp;
    this.cursor = { bytes, at: span.from, end: span.to };
    this.left = span.count;
  }

  /** Moves to the next record; false after the last. Throws CorruptRecords where the bytes are no records. */
  next(): boolean {
    if (this.left <= 0) {
      if (this.recordEnd === this.to) return false;
      throw new CorruptRecords('bytes are left after the declared number of records');
    }
    this.left--;
    try {
      this.read();
    } catch (error) {
      throw asCorruptRecords(error);
    }
    return true;
  }

  private read(): void {
    const cursor = this.cursor;
    this.recordAt = this.recordEnd;
    cursor.at = this.recordEnd;
    cursor.end = this.to;
    const length = readVarint(cursor);
    const end = cursor.at + length;
    if (length < LEAST_RECORD_BYTES || end > this.to) throw new CorruptRecords('a record runs past its batch');
    this.recordEnd = end;
    cursor.end = end;
    cursor.at++; // attributes, of which none is defined
    const timestampDelta = readVarlong(cursor);
    this.timestamp = this.appendTimestamp ?? this.baseTimestamp + timestampDelta;
    this.offsetDelta = readVarint(cursor);
    this.offset = this.baseOffset + this.offsetDelta;
    this.keyLength = readVarint(cursor);
    this.keyAt = skip(cursor, this.keyLength);
    this.valueLength = readVarint(cursor);
    this.valueAt = skip(cursor, this.valueLength);
    this.headerCount = readVarint(cursor);
    this.headersAt = cursor.at;
    if (this.headerCount === 0 ? cursor.at !== end : this.headerCount < 0 || this.headerCount > end - cursor.at) {
      throw new CorruptRecords('a record does not fill its declared length');
    }
  }

  /** Calls `visit` for every header of the current record. Throws CorruptRecords where the bytes are no headers. */
  eachHeader(visit: HeaderVisitor): void {
    const cursor = this.cursor;
    cursor.at = this.headersAt;
    try {
      for (let index = 0; index < this.headerCount; index++) {
        const keyLength = readVarint(cursor);
        if (keyLength < 0) throw new CorruptRecords('a header without a key');
        const keyAt = skip(cursor, keyLength);
        const valueLength = readVarint(cursor);
        visit(keyAt, keyLength, skip(cursor, valueLength), valueLength);
      }
    } catch (error) {
      throw asCorruptRecords(error);
    }
    if (cursor.at !== this.recordEnd) throw new CorruptRecords('a record does not fill its declared length');
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Moves over a nullable field; returns where it begins. */
function skip(cursor: Cursor, length: number): number {
  const at = cursor.at;
  if (length < -1 || length > cursor.end - at) throw new CorruptRecords('a field runs past its record');
  if (length > 0) cursor.at = at + length;
  return at;
}

function asCorruptRecords(error: unknown): unknown {
  return error instanceof MalformedMessage ? new CorruptRecords(error.message, { cause: error }) : error;
}
