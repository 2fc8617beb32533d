/**
 * Walks the records of one batch, uncompressed, without an object per record: `next()` moves to a record and leaves its
 * fields as numbers and positions. One record:
 *
 *   length varint | attributes int8 | timestamp delta varlong | offset delta varint
 *   key length varint | key | value length varint | value | header count varint | headers
 *
 * All integers are zigzag varints; a length of -1 is null. A header is: key length, key, value length, value.
 */
import { CorruptRecords } from './corrupt-records.ts';

/** Least bytes of a record after its length: five one-byte numbers and the attributes. */
const LEAST_RECORD_BYTES = 6;
const LOW_28_BITS = 2 ** 28;
const LOW_56_BITS = 2 ** 56;

export class RecordCursor {
  readonly bytes: Buffer;
  /** Bytes of the current record, its length field included. */
  recordBytes = 0;
  attributes = 0;
  timestampDelta = 0;
  offsetDelta = 0;
  keyAt = 0;
  /** -1 for a null key. */
  keyLength = -1;
  valueAt = 0;
  /** -1 for a null value (a tombstone where the topic is compacted). */
  valueLength = -1;
  headerCount = 0;
  /** Where the first header begins. */
  headersAt = 0;
  /** Where the current record begins, then where it ends. */
  recordAt = 0;
  recordEnd: number;
  #at: number;
  readonly #to: number;
  #left: number;

  /** Walks `count` records that fill `[from, to)` exactly. */
  constructor(bytes: Buffer, span: { readonly from: number; readonly to: number; readonly count: number }) {
    this.bytes = bytes;
    this.#at = span.from;
    this.recordEnd = span.from;
    this.#to = span.to;
    this.#left = span.count;
  }

  /** Moves to the next record; false after the last. Throws CorruptRecords where the bytes are no records. */
  next(): boolean {
    if (this.#left <= 0) {
      if (this.recordEnd !== this.#to) throw new CorruptRecords('bytes are left after the declared number of records');
      return false;
    }
    this.#left--;
    this.recordAt = this.recordEnd;
    this.#at = this.recordEnd;
    const length = this.#varint(this.#to);
    const end = this.#at + length;
    if (length < LEAST_RECORD_BYTES || end > this.#to) throw new CorruptRecords('a record runs past its batch');
    this.recordEnd = end;
    this.recordBytes = end - this.recordAt;
    this.attributes = this.bytes[this.#at++]!;
    this.timestampDelta = this.#varlong(end);
    this.offsetDelta = this.#varint(end);
    this.keyLength = this.#varint(end);
    this.keyAt = this.#skip(this.keyLength, end);
    this.valueLength = this.#varint(end);
    this.valueAt = this.#skip(this.valueLength, end);
    this.headerCount = this.#varint(end);
    this.headersAt = this.#at;
    if (this.headerCount === 0 ? this.#at !== end : this.headerCount < 0 || this.headerCount > end - this.#at) {
      throw new CorruptRecords('a record does not fill its declared length');
    }
    return true;
  }

  /** Calls `visit` with the places of every header of the current record; a value length of -1 is null. */
  eachHeader(visit: (keyAt: number, keyLength: number, valueAt: number, valueLength: number) => void): void {
    const end = this.recordEnd;
    this.#at = this.headersAt;
    for (let index = 0; index < this.headerCount; index++) {
      const keyLength = this.#varint(end);
      if (keyLength < 0) throw new CorruptRecords('a header without a key');
      const keyAt = this.#skip(keyLength, end);
      const valueLength = this.#varint(end);
      visit(keyAt, keyLength, this.#skip(valueLength, end), valueLength);
    }
    if (this.#at !== end) throw new CorruptRecords('a record does not fill its declared length');
  }

  #skip(length: number, end: number): number {
    const at = this.#at;
    if (length > 0) this.#at += length;
    if (length < -1 || this.#at > end) throw new CorruptRecords('a field runs past its record');
    return at;
  }

  /** A zigzag int32. */
  #varint(end: number): number {
    let raw = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= end) throw new CorruptRecords('a number runs past its record');
      const byte = this.bytes[this.#at++]!;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
    throw new CorruptRecords('a number has more than five bytes');
  }

  /** A zigzag int64, exact where it is a safe integer. */
  #varlong(end: number): number {
    let low = 0;
    let middle = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= end) throw new CorruptRecords('a number runs past its record');
      const byte = this.bytes[this.#at++]!;
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift < 56) middle |= (byte & 0x7f) << (shift - 28);
      else high |= (byte & 0x7f) << (shift - 56);
      if (byte < 0x80) {
        // Halving before the sum keeps the zigzag's lowest bit out of a mantissa that has 53 bits.
        const half = Math.floor(low / 2) + middle * (LOW_28_BITS / 2) + high * (LOW_56_BITS / 2);
        return (low & 1) === 0 ? half : -half - 1;
      }
    }
    throw new CorruptRecords('a number has more than ten bytes');
  }
}
