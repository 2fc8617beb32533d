/**
 * Builds record batches. `BatchWriter` takes records one by one into a growing buffer, with room for the header in
 * front, so that an uncompressed batch is never copied; `buildBatch` is the same in one call.
 */
import { assert } from '../base/assert.ts';
import { writeInt64 } from '../base/int64.ts';
import type { LeaderEpoch, Offset, ProducerId, Timestamp } from '../base/units.ts';
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from '../protocol/varint.ts';
import * as batch from './batch.ts';
import { compress } from './compression/codecs.ts';
import { crc32c } from './crc32c.ts';

/** A header as given by a producer. */
export interface NewHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** A record to be written. */
export interface NewRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: Timestamp;
  readonly headers?: readonly NewHeader[];
  /** Distance from the base offset; one more than the record before where left out. */
  readonly offsetDelta?: number;
}

/** Everything in a batch's header that does not follow from its records. */
export interface BatchHeader {
  readonly baseOffset?: Offset;
  readonly leaderEpoch?: LeaderEpoch;
  /** Codec number, see CODECS. */
  readonly codec?: number;
  readonly level?: number;
  readonly timestampType?: 'CreateTime' | 'LogAppendTime';
  /** With LogAppendTime: the time of the append, which all records then have. */
  readonly appendTimestamp?: Timestamp;
  readonly producerId?: ProducerId;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  /** Time from which compaction may drop the tombstones and markers; takes the base timestamp's place. */
  readonly deleteHorizon?: Timestamp;
  /** Greater than the last record's where compaction has dropped the last records. */
  readonly lastOffsetDelta?: number;
}

export interface BatchSpec extends BatchHeader {
  readonly records: readonly NewRecord[];
}

const NO_LEADER_EPOCH: LeaderEpoch = -1;
const LEAST_CAPACITY = 512;
const NO_HEADERS: readonly NewHeader[] = [];

/** Builds one batch. */
export function buildBatch(spec: BatchSpec): Buffer {
  let capacity = batch.BATCH_HEADER_BYTES;
  for (const record of spec.records) capacity += mostRecordBytes(record);
  const writer = new BatchWriter({ capacityBytes: capacity, baseTimestamp: spec.deleteHorizon });
  for (const record of spec.records) {
    writer.append(record.timestamp, record.key, record.value, record.headers ?? NO_HEADERS, record.offsetDelta);
  }
  return writer.finish(spec);
}

/** Upper bound of what a record adds to a batch before compression. */
export function mostRecordBytes(record: Omit<NewRecord, 'timestamp'>): number {
  // Five varints of at most 5 bytes, a varlong of at most 10, and the attributes.
  let bytes = 36 + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const header of record.headers ?? NO_HEADERS) {
    bytes += 10 + Buffer.byteLength(header.key) + (header.value?.length ?? 0);
  }
  return bytes;
}

export class BatchWriter {
  /** Records so far. */
  count = 0;
  #bytes: Buffer;
  #end = batch.BATCH_HEADER_BYTES;
  #baseTimestamp: Timestamp | undefined;
  #maxTimestamp: Timestamp = batch.NO_TIMESTAMP;
  #lastOffsetDelta = -1;

  /** `baseTimestamp` is the first record's where left out. */
  constructor(options: { readonly capacityBytes?: number; readonly baseTimestamp?: Timestamp } = {}) {
    this.#bytes = Buffer.allocUnsafe(Math.max(LEAST_CAPACITY, options.capacityBytes ?? 0));
    this.#baseTimestamp = options.baseTimestamp;
  }

  /** Size of the batch so far, before compression. */
  get bytes(): number {
    return this.#end;
  }

  /** Adds a record; the bytes are copied. */
  append(
    timestamp: Timestamp,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly NewHeader[] = NO_HEADERS,
    offsetDelta: number = this.#lastOffsetDelta + 1,
  ): void {
    assert(offsetDelta > this.#lastOffsetDelta, 'offsets rise inside a batch');
    this.#baseTimestamp ??= timestamp;
    const timestampDelta = timestamp - this.#baseTimestamp;
    assert(Number.isSafeInteger(timestampDelta), 'the timestamps of a batch lie within 2^53 ms of each other');
    const body =
      1 +
      sizeOfVarlong(timestampDelta) +
      sizeOfVarint(offsetDelta) +
      nullableBytes(key) +
      nullableBytes(value) +
      headerBytes(headers);
    this.#ensure(sizeOfVarint(body) + body);
    const bytes = this.#bytes;
    let at = writeVarint(bytes, body, this.#end);
    bytes[at++] = 0;
    at = writeVarlong(bytes, timestampDelta, at);
    at = writeVarint(bytes, offsetDelta, at);
    at = writeNullable(bytes, key, at);
    at = writeNullable(bytes, value, at);
    at = writeVarint(bytes, headers.length, at);
    for (const header of headers) {
      at = writeVarint(bytes, Buffer.byteLength(header.key), at);
      at += bytes.write(header.key, at);
      at = writeNullable(bytes, header.value, at);
    }
    this.#end = at;
    this.count++;
    this.#lastOffsetDelta = offsetDelta;
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
  }

  /** The batch. The writer must not be used afterwards: an uncompressed batch lies in its buffer. */
  finish(header: BatchHeader): Buffer {
    const codec = header.codec ?? 0;
    let bytes = this.#bytes.subarray(0, this.#end);
    if (codec !== 0 && this.count > 0) {
      const block = compress(codec, bytes.subarray(batch.BATCH_HEADER_BYTES), header.level);
      bytes = Buffer.allocUnsafe(batch.BATCH_HEADER_BYTES + block.length);
      block.copy(bytes, batch.BATCH_HEADER_BYTES);
    }
    this.#writeHeader(bytes, header);
    return bytes;
  }

  #writeHeader(bytes: Buffer, header: BatchHeader): void {
    const appendTime = header.timestampType === 'LogAppendTime';
    const maxTimestamp = appendTime ? (header.appendTimestamp ?? this.#maxTimestamp) : this.#maxTimestamp;
    const bits = batch.attributeBits({
      codec: header.codec ?? 0,
      appendTime,
      transactional: header.transactional,
      control: header.control,
      deleteHorizon: header.deleteHorizon !== undefined,
    });
    writeInt64(bytes, header.baseOffset ?? 0, 0);
    bytes.writeInt32BE(bytes.length - batch.LOG_OVERHEAD, 8);
    bytes.writeInt32BE(header.leaderEpoch ?? NO_LEADER_EPOCH, 12);
    bytes.writeInt8(batch.MAGIC_V2, 16);
    bytes.writeInt16BE(bits, 21);
    bytes.writeInt32BE(header.lastOffsetDelta ?? Math.max(0, this.#lastOffsetDelta), 23);
    writeInt64(bytes, this.#baseTimestamp ?? batch.NO_TIMESTAMP, 27);
    writeInt64(bytes, maxTimestamp, 35);
    writeInt64(bytes, header.producerId ?? batch.NO_PRODUCER_ID, 43);
    bytes.writeInt16BE(header.producerEpoch ?? -1, 51);
    bytes.writeInt32BE(header.baseSequence ?? batch.NO_SEQUENCE, 53);
    bytes.writeInt32BE(this.count, 57);
    bytes.writeUInt32BE(crc32c(bytes, batch.CRC_FROM, bytes.length), 17);
  }

  #ensure(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#bytes = grown;
  }
}

function nullableBytes(value: Uint8Array | null): number {
  return value === null ? 1 : sizeOfVarint(value.length) + value.length;
}

function headerBytes(headers: readonly NewHeader[]): number {
  let bytes = sizeOfVarint(headers.length);
  for (const header of headers) {
    const keyBytes = Buffer.byteLength(header.key);
    bytes += sizeOfVarint(keyBytes) + keyBytes + nullableBytes(header.value);
  }
  return bytes;
}

function writeNullable(bytes: Buffer, value: Uint8Array | null, at: number): number {
  if (value === null) return writeVarint(bytes, -1, at);
  const valueAt = writeVarint(bytes, value.length, at);
  bytes.set(value, valueAt);
  return valueAt + value.length;
}
