/**
 * Walks the batches of a segment file through a window of bytes. Does no I/O of its own: it says what to read, a driver
 * reads it in this turn or on the thread pool. Stops at the first thing that cannot be a whole batch.
 */
import type { FileHandle } from '../base/file-system.ts';
import { BATCH_HEADER_BYTES, batchBytes, LOG_OVERHEAD, lengthField, MAGIC_V2, magic } from '../records/batch.ts';

/** A longer batch is taken for a broken length field: no request can carry one. */
const MAX_BATCH_BYTES = 2 ** 30;

export interface BatchSpan {
  /** Where the first batch begins. */
  readonly from: number;
  /** Where the valid bytes of the file end. */
  readonly to: number;
  readonly windowBytes?: number;
  /** How many bytes of the batch at `at` must be in the window; the header where left out. */
  readonly need?: (bytes: Buffer, at: number) => number;
}

const DEFAULT_WINDOW_BYTES = 64 * 1024;
const headerOnly = (): number => BATCH_HEADER_BYTES;

export class BatchCursor {
  /** The window; the current batch begins at `at` in it. */
  bytes: Buffer;
  at = 0;
  /** Position in the file of the current batch, and at the end of the first byte that is in no batch. */
  position: number;
  /** Whole size of the current batch. */
  size = 0;
  readonly #to: number;
  readonly #need: (bytes: Buffer, at: number) => number;
  #windowFrom = 0;
  #windowLength = 0;
  #wanted = BATCH_HEADER_BYTES;

  constructor(span: BatchSpan) {
    this.position = span.from;
    this.#to = span.to;
    this.#need = span.need ?? headerOnly;
    this.bytes = Buffer.allocUnsafe(
      Math.min(span.windowBytes ?? DEFAULT_WINDOW_BYTES, Math.max(span.to - span.from, 1)),
    );
  }

  /** Moves on: `batch` is at hand, or `read` must be done and `next` called again, or there are no more. */
  next(): 'batch' | 'read' | 'end' {
    this.position += this.size;
    this.size = 0;
    if (this.#to - this.position < BATCH_HEADER_BYTES) return 'end';
    this.at = this.position - this.#windowFrom;
    let present = this.#windowLength - this.at;
    if (present < BATCH_HEADER_BYTES) return this.#readMore(BATCH_HEADER_BYTES);
    const size = batchBytes(this.bytes, this.at);
    if (!this.#isWhole(size)) return 'end';
    const wanted = this.#need(this.bytes, this.at);
    present = this.#windowLength - this.at;
    if (present < wanted) return this.#readMore(wanted);
    this.size = size;
    return 'batch';
  }

  #isWhole(size: number): boolean {
    if (lengthField(this.bytes, this.at) < BATCH_HEADER_BYTES - LOG_OVERHEAD || size > MAX_BATCH_BYTES) return false;
    return magic(this.bytes, this.at) === MAGIC_V2 && size <= this.#to - this.position;
  }

  #readMore(wanted: number): 'read' {
    this.#wanted = wanted;
    if (this.bytes.length < wanted) this.bytes = Buffer.allocUnsafe(wanted);
    this.#windowFrom = this.position;
    this.#windowLength = 0;
    return 'read';
  }

  /** The bytes to fill, and from where in the file. */
  get target(): Buffer {
    return this.bytes.subarray(0, Math.min(this.bytes.length, this.#to - this.#windowFrom));
  }

  get readFrom(): number {
    return this.#windowFrom;
  }

  /** The target holds `length` bytes now; false where that is too little to go on: the file is shorter than `to`. */
  filled(length: number): boolean {
    this.#windowLength = length;
    return length >= this.#wanted;
  }
}

/** Moves to the next batch, reading in this turn; false at the end. */
export function nextBatch(cursor: BatchCursor, file: FileHandle): boolean {
  for (;;) {
    const step = cursor.next();
    if (step !== 'read') return step === 'batch';
    if (!cursor.filled(file.readSync(cursor.target, cursor.readFrom))) return false;
  }
}

/** Moves to the next batch, reading on the thread pool; false at the end. */
export async function nextBatchAsync(cursor: BatchCursor, file: FileHandle): Promise<boolean> {
  for (;;) {
    const step = cursor.next();
    if (step !== 'read') return step === 'batch';
    if (!cursor.filled(await file.read(cursor.target, cursor.readFrom))) return false;
  }
}
