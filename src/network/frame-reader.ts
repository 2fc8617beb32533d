/**
 * Cuts a byte stream into frames: a signed 32-bit length, then that many bytes. Owns the bytes that arrived and were
 * not handed out yet. A length alone costs nothing: memory for a whole frame is taken only once a quarter of it is
 * here; from then on the socket reads straight into it (`readInto`). Knows no socket and no request.
 */
import { type FrameAllocator, freshMemory } from './frame-memory.ts';
import type { MemoryBudget } from './memory-budget.ts';

export const FRAME_PREFIX_BYTES = 4;
/** A frame's buffer is allocated once 1/4 of it arrived: the peer pays for what it makes us hold. */
const ALLOCATE_AT_SHARE = 4;

/** Input that is no frame. The connection must be closed: the stream cannot be found again. */
export class FrameRejected extends Error {
  override readonly name = 'FrameRejected';
}

export interface FrameLimits {
  readonly minBytes: number;
  /** Asked for every frame: the limit rises when a peer has authenticated. */
  maxBytes(): number;
}

export class FrameReader {
  readonly #limits: FrameLimits;
  readonly #budget: MemoryBudget;
  readonly #memory: FrameAllocator;
  /** The last one is the receiver's only until `settle`. */
  #chunks: Buffer[] = [];
  /** Position in the first chunk. */
  #at = 0;
  /** Bytes in the chunks from `#at` on. */
  #available = 0;
  /** The frame that is being filled, or undefined while its bytes stay in the chunks. */
  #assembly: Buffer | undefined;
  #filled = 0;
  #takenAhead = 0;
  #framesRead = 0;

  constructor(limits: FrameLimits, budget: MemoryBudget, memory = freshMemory) {
    this.#limits = limits;
    this.#budget = budget;
    this.#memory = memory;
  }

  /** How many frames were handed out. */
  get framesRead(): number {
    return this.#framesRead;
  }

  /** Bytes of the budget that this reader holds; they come back with `discard`, or frame by frame through the caller. */
  get heldBytes(): number {
    return this.#available + this.#filled + this.#takenAhead;
  }

  /** Bytes that arrived of what is not a whole frame, once `next` answered undefined. */
  get partialBytes(): number {
    return this.#available + this.#filled;
  }

  /** Whether the frame under way took its whole size from the budget and so can end without asking again. */
  get reserved(): boolean {
    return this.#assembly !== undefined;
  }

  /** Where the next bytes are best read into: the rest of the frame under way. Undefined while there is none. */
  readInto(): Buffer | undefined {
    return this.#assembly?.subarray(this.#filled - FRAME_PREFIX_BYTES);
  }

  /**
   * Takes bytes that arrived, which may lie where `readInto` said; otherwise they are looked at until `settle`, which
   * follows before anybody else may write to them. They count against the budget until the caller releases the frames
   * they made.
   */
  push(chunk: Buffer): void {
    if (this.#takenAhead > 0) {
      const paid = Math.min(this.#takenAhead, chunk.length);
      this.#takenAhead -= paid;
      this.#budget.take(chunk.length - paid);
    } else this.#budget.take(chunk.length);
    if (this.#isInPlace(chunk)) {
      this.#filled += chunk.length;
      return;
    }
    this.#available += chunk.length;
    this.#chunks.push(chunk);
  }

  /** Copies what is left of the last chunk, whose memory is used again from here on. */
  settle(): void {
    const last = this.#chunks.length - 1;
    if (last < 0) return;
    const from = last === 0 ? this.#at : 0;
    if (last === 0) this.#at = 0;
    this.#chunks[last] = Buffer.from(this.#chunks[last]!.subarray(from));
  }

  /**
   * The next whole frame without its length, in memory of its own, or undefined. Its bytes plus FRAME_PREFIX_BYTES are
   * the caller's to give back to the budget. Throws FrameRejected.
   */
  next(): Buffer | undefined {
    if (this.#assembly !== undefined) return this.#fill(this.#assembly);
    if (this.#available < FRAME_PREFIX_BYTES) return undefined;
    const size = this.#checkedSize();
    const whole = size + FRAME_PREFIX_BYTES;
    if (this.#available < whole && (this.#available * ALLOCATE_AT_SHARE < whole || this.#budget.exhausted)) {
      return undefined;
    }
    return this.#assemble(size);
  }

  /** Takes the rest of the frame under way from the budget whether or not it is exhausted. Throws FrameRejected. */
  reserve(): void {
    if (this.#assembly !== undefined || this.#available < FRAME_PREFIX_BYTES) return;
    const size = this.#checkedSize();
    if (this.#available < size + FRAME_PREFIX_BYTES) this.#assemble(size);
  }

  /** Drops everything and gives its bytes back. */
  discard(): void {
    const held = this.heldBytes;
    this.#chunks = [];
    this.#at = this.#available = this.#filled = this.#takenAhead = 0;
    this.#assembly = undefined;
    if (held > 0) this.#budget.release(held);
  }

  #assemble(size: number): Buffer | undefined {
    const missing = size + FRAME_PREFIX_BYTES - this.#available;
    if (missing > 0) {
      this.#budget.take(missing);
      this.#takenAhead = missing;
    }
    this.#consume(FRAME_PREFIX_BYTES);
    this.#filled = FRAME_PREFIX_BYTES;
    this.#assembly = this.#memory.take(size);
    return this.#fill(this.#assembly);
  }

  #isInPlace(chunk: Buffer): boolean {
    const frame = this.#assembly;
    if (frame === undefined || chunk.buffer !== frame.buffer) return false;
    return chunk.byteOffset === frame.byteOffset + this.#filled - FRAME_PREFIX_BYTES;
  }

  /** Moves what arrived into the frame; `#filled` counts the prefix too. */
  #fill(frame: Buffer): Buffer | undefined {
    const whole = frame.length + FRAME_PREFIX_BYTES;
    while (this.#available > 0 && this.#filled < whole) {
      const chunk = this.#chunks[0]!;
      const to = this.#filled - FRAME_PREFIX_BYTES;
      const count = chunk.copy(frame, to, this.#at, Math.min(chunk.length, this.#at + frame.length - to));
      this.#consume(count);
      this.#filled += count;
    }
    if (this.#filled < whole) return undefined;
    this.#assembly = undefined;
    this.#filled = 0;
    this.#framesRead++;
    return frame;
  }

  #consume(count: number): void {
    this.#available -= count;
    let left = count;
    while (left > 0) {
      const inFirst = this.#chunks[0]!.length - this.#at;
      if (left < inFirst) {
        this.#at += left;
        return;
      }
      left -= inFirst;
      this.#chunks.shift();
      this.#at = 0;
    }
  }

  #checkedSize(): number {
    const first = this.#chunks[0]!;
    const size = first.length - this.#at >= FRAME_PREFIX_BYTES ? first.readInt32BE(this.#at) : this.#splitSize();
    const maxBytes = this.#limits.maxBytes();
    if (size > maxBytes) throw new FrameRejected(`frame of ${size} bytes is over the limit of ${maxBytes}`);
    if (size < this.#limits.minBytes) throw new FrameRejected(`frame length ${size} is impossible`);
    return size;
  }

  #splitSize(): number {
    let size = 0;
    let index = 0;
    let at = this.#at;
    for (let count = 0; count < FRAME_PREFIX_BYTES; count++) {
      while (at >= this.#chunks[index]!.length) {
        index++;
        at = 0;
      }
      size = (size << 8) | this.#chunks[index]![at++]!;
    }
    return size;
  }
}
