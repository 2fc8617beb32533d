/**
 * Writes a batch again with fewer records, or with a delete horizon, or with none at all, as Kafka's cleaner does:
 * offsets, producer fields, epoch, codec and the last offset stay; base and largest timestamp follow from what is kept.
 */
import { writeInt64 } from '../../base/int64.ts';
import type { Timestamp } from '../../base/units.ts';
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from '../../protocol/varint.ts';
import * as batch from '../../records/batch.ts';
import { compress } from '../../records/compression/codecs.ts';
import { crc32c } from '../../records/crc32c.ts';
import type { RecordCursor } from '../../records/record-cursor.ts';
import { BatchOutput } from './batch-output.ts';

const FIRST_CAPACITY = 256;
const SCRATCH_BYTES = 64 * 1024;

/** Records of one batch that stay: where they lie in its uncompressed bytes, without an object each. */
export class KeptRecords {
  count = 0;
  starts = new Int32Array(FIRST_CAPACITY);
  ends = new Int32Array(FIRST_CAPACITY);
  offsetDeltas = new Int32Array(FIRST_CAPACITY);
  timestamps = new Float64Array(FIRST_CAPACITY);

  add(record: RecordCursor): void {
    if (this.count === this.starts.length) this.#grow();
    this.starts[this.count] = record.recordAt;
    this.ends[this.count] = record.recordEnd;
    this.offsetDeltas[this.count] = record.offsetDelta;
    this.timestamps[this.count] = record.timestamp;
    this.count++;
  }

  #grow(): void {
    const size = 2 * this.starts.length;
    const larger = <Kind extends Int32Array | Float64Array>(before: Kind, after: Kind): Kind => {
      after.set(before);
      return after;
    };
    this.starts = larger(this.starts, new Int32Array(size));
    this.ends = larger(this.ends, new Int32Array(size));
    this.offsetDeltas = larger(this.offsetDeltas, new Int32Array(size));
    this.timestamps = larger(this.timestamps, new Float64Array(size));
  }
}

export class BatchRewriter {
  readonly #plain = new BatchOutput(SCRATCH_BYTES);

  /**
   * Appends the batch at `at` with the records in `kept`, which lie in `records` (its uncompressed bytes). `horizon` is
   * undefined for none.
   */
  rewrite(
    source: { readonly bytes: Buffer; readonly at: number; readonly records: Buffer; readonly kept: KeptRecords },
    horizon: Timestamp | undefined,
    out: BatchOutput,
  ): void {
    const { bytes, at, records, kept } = source;
    const bits = batch.attributes(bytes, at);
    const codec = batch.codecOf(bits);
    const base = horizon ?? kept.timestamps[0]!;
    // Deltas that do not change need not be written again: then records are copied by the run.
    const verbatim = base === batch.baseTimestamp(bytes, at) && !batch.usesAppendTime(bits);
    const start = out.length;
    const plain = codec === 0 ? out : this.#plain;
    if (codec === 0) {
      out.ensure(batch.BATCH_HEADER_BYTES);
      out.length += batch.BATCH_HEADER_BYTES;
    } else {
      plain.length = 0;
    }
    if (verbatim) copyRuns(records, kept, plain);
    else writeRecords(records, kept, base, plain);
    if (codec !== 0) {
      const block = compress(codec, plain.bytes.subarray(0, plain.length));
      out.ensure(batch.BATCH_HEADER_BYTES + block.length);
      out.length += batch.BATCH_HEADER_BYTES;
      out.copy(block, 0, block.length);
    }
    let largest = batch.NO_TIMESTAMP;
    for (let index = 0; index < kept.count; index++) largest = Math.max(largest, kept.timestamps[index]!);
    writeHeader(bytes, at, out, start, {
      bits: horizonBits(bits, horizon),
      baseTimestamp: base,
      maxTimestamp: batch.usesAppendTime(bits) ? batch.maxTimestamp(bytes, at) : largest,
      count: kept.count,
    });
  }

  /** Appends the batch at `at` without records: only its producer's last sequence number, or the offset, matters. */
  writeEmpty(bytes: Buffer, at: number, out: BatchOutput): void {
    const start = out.length;
    const bits = batch.attributes(bytes, at);
    out.ensure(batch.BATCH_HEADER_BYTES);
    out.length += batch.BATCH_HEADER_BYTES;
    writeHeader(bytes, at, out, start, {
      bits: batch.attributeBits({
        codec: 0,
        appendTime: batch.usesAppendTime(bits),
        transactional: batch.isTransactional(bits),
        control: batch.isControl(bits),
      }),
      baseTimestamp: batch.NO_TIMESTAMP,
      maxTimestamp: batch.maxTimestamp(bytes, at),
      count: 0,
    });
  }
}

function horizonBits(bits: number, horizon: Timestamp | undefined): number {
  return batch.attributeBits({
    codec: batch.codecOf(bits),
    appendTime: batch.usesAppendTime(bits),
    transactional: batch.isTransactional(bits),
    control: batch.isControl(bits),
    deleteHorizon: horizon !== undefined,
  });
}

function copyRuns(records: Buffer, kept: KeptRecords, out: BatchOutput): void {
  for (let index = 0; index < kept.count; ) {
    const from = kept.starts[index]!;
    let to = kept.ends[index]!;
    for (index++; index < kept.count && kept.starts[index] === to; index++) to = kept.ends[index]!;
    out.copy(records, from, to);
  }
}

function writeRecords(records: Buffer, kept: KeptRecords, base: Timestamp, out: BatchOutput): void {
  for (let index = 0; index < kept.count; index++) {
    const timestampDelta = kept.timestamps[index]! - base;
    const offsetDelta = kept.offsetDeltas[index]!;
    const end = kept.ends[index]!;
    // Length, attributes and the two deltas change; key, value and headers stay as they are.
    const restAt = afterVarint(records, afterVarint(records, afterVarint(records, kept.starts[index]!) + 1));
    const body = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(offsetDelta) + (end - restAt);
    out.ensure(sizeOfVarint(body) + body);
    let at = writeVarint(out.bytes, body, out.length);
    out.bytes[at++] = 0;
    at = writeVarlong(out.bytes, timestampDelta, at);
    at = writeVarint(out.bytes, offsetDelta, at);
    out.length = at;
    out.copy(records, restAt, end);
  }
}

/** The position after the varint at `at`, which was read before and is whole. */
function afterVarint(bytes: Buffer, at: number): number {
  let next = at;
  while (bytes[next++]! >= 0x80);
  return next;
}

/** Fills the header of the batch that `out` holds from `start` to its end; what is not told comes from the original. */
function writeHeader(
  bytes: Buffer,
  at: number,
  { bytes: target, length }: BatchOutput,
  start: number,
  fields: {
    readonly bits: number;
    readonly baseTimestamp: Timestamp;
    readonly maxTimestamp: Timestamp;
    readonly count: number;
  },
): void {
  bytes.copy(target, start, at, at + batch.BATCH_HEADER_BYTES);
  target.writeInt32BE(length - start - batch.LOG_OVERHEAD, start + 8);
  target.writeInt16BE(fields.bits, start + 21);
  writeInt64(target, fields.baseTimestamp, start + 27);
  writeInt64(target, fields.maxTimestamp, start + 35);
  target.writeInt32BE(fields.count, start + 57);
  target.writeUInt32BE(crc32c(target, start + batch.CRC_FROM, length), start + 17);
}
