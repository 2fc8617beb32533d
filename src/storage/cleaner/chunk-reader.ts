/**
 * Reads a segment's batches in large pieces off the event loop, one piece ahead of whoever works on them. A piece holds
 * whole batches; one that is larger than a piece comes alone.
 */
import type { FileHandle } from '../../base/file-system.ts';
import * as batch from '../../records/batch.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { Segment } from '../segment.ts';
import type { Chunk } from './cleaning-engine.ts';

/** Buffers that are not in use, so that a pass does not allocate one a piece. */
export class ChunkBuffers {
  readonly chunkBytes: number;
  readonly #free: Buffer[] = [];

  constructor(chunkBytes: number) {
    this.chunkBytes = Math.max(batch.BATCH_HEADER_BYTES, chunkBytes);
  }

  take(leastBytes: number): Buffer {
    if (leastBytes <= this.chunkBytes) return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.chunkBytes);
    return Buffer.allocUnsafeSlow(leastBytes);
  }

  giveBack(bytes: Buffer): void {
    if (bytes.length === this.chunkBytes && this.#free.length < 2) this.#free.push(bytes);
  }
}

export class ChunkReader {
  readonly #segment: Segment;
  readonly #file: FileHandle;
  readonly #to: number;
  readonly #buffers: ChunkBuffers;
  #position: number;
  #ahead: Promise<Chunk | undefined> | undefined;

  /** Reads from the batch boundary `from` to the segment's end. Keeps its file open until `close`. */
  constructor(segment: Segment, from: number, buffers: ChunkBuffers) {
    this.#segment = segment;
    this.#file = segment.borrow();
    this.#position = from;
    this.#to = segment.size;
    this.#buffers = buffers;
  }

  /** The next piece, undefined at the end. Rejects with the system's error, or CorruptRecords. */
  async next(): Promise<Chunk | undefined> {
    const chunk = await (this.#ahead ?? this.#read());
    this.#ahead = chunk === undefined ? undefined : this.#read();
    // Nobody looks at it before the next call.
    this.#ahead?.catch(() => undefined);
    return chunk;
  }

  async #read(): Promise<Chunk | undefined> {
    const left = this.#to - this.#position;
    if (left <= 0) return undefined;
    let bytes = this.#buffers.take(0);
    let filled = await this.#file.read(bytes.subarray(0, Math.min(bytes.length, left)), this.#position);
    let length = this.#wholeBatches(bytes, filled, left);
    if (length === 0) {
      const size = batch.batchBytes(bytes, 0);
      bytes = this.#buffers.take(size);
      filled = await this.#file.read(bytes.subarray(0, size), this.#position);
      length = filled === size ? size : 0;
    }
    if (length === 0) throw this.#broken();
    this.#position += length;
    return { bytes, length };
  }

  /** How many of the `filled` bytes are whole batches; throws where what follows them is no batch. */
  #wholeBatches(bytes: Buffer, filled: number, left: number): number {
    let at = 0;
    while (filled - at >= batch.BATCH_HEADER_BYTES) {
      const size = batch.batchBytes(bytes, at);
      const isBatch = batch.magic(bytes, at) === batch.MAGIC_V2 && size >= batch.BATCH_HEADER_BYTES;
      if (!isBatch || size > left - at) throw this.#broken();
      if (size > filled - at) break;
      at += size;
    }
    if (at === 0 && filled < batch.BATCH_HEADER_BYTES) throw this.#broken();
    return at;
  }

  #broken(): CorruptRecords {
    const { baseOffset } = this.#segment;
    return new CorruptRecords(`segment ${baseOffset} holds no batch of format 2 at position ${this.#position}`);
  }

  async close(): Promise<void> {
    // The read under way must not meet a closed file.
    await this.#ahead?.catch(() => undefined);
    this.#segment.file.giveBack();
  }
}
