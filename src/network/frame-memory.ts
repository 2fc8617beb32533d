/**
 * Memory of request frames, used again once a handler says that it keeps nothing of one: a megabyte that is allocated
 * for every request costs more in garbage collection than all the rest of taking it in. What comes back is handed out
 * last in, first out, so that it is still in the processor's cache.
 */

/** Where the memory of frames comes from. */
export interface FrameAllocator {
  /** `bytes` of memory with anything in it. */
  take(bytes: number): Buffer;
}

/** For frames that are never given back. */
export const freshMemory: FrameAllocator = { take: (bytes) => Buffer.allocUnsafe(bytes) };

/** Below this Node itself cuts buffers from shared memory. */
const SMALLEST_BYTES = 4096;
const CLASSES = 11;
const LARGEST_BYTES = SMALLEST_BYTES << (CLASSES - 1);
/** What lies idle in all. */
const MOST_IDLE_BYTES = 16 * 1024 * 1024;

export class FrameMemory implements FrameAllocator {
  /** Idle memory by size: powers of two from SMALLEST_BYTES on. */
  readonly #idle: Buffer[][] = Array.from({ length: CLASSES }, () => []);
  #idleBytes = 0;

  get idleBytes(): number {
    return this.#idleBytes;
  }

  take(bytes: number): Buffer {
    if (bytes < SMALLEST_BYTES || bytes > LARGEST_BYTES) return Buffer.allocUnsafe(bytes);
    const index = classOf(bytes);
    const memory = this.#idle[index]!.pop();
    if (memory === undefined) return Buffer.allocUnsafeSlow(SMALLEST_BYTES << index).subarray(0, bytes);
    this.#idleBytes -= memory.length;
    return memory.subarray(0, bytes);
  }

  /** Takes back what `take` gave and nobody looks at any more. */
  give(frame: Buffer): void {
    if (frame.length < SMALLEST_BYTES || frame.length > LARGEST_BYTES) return;
    const memory = Buffer.from(frame.buffer, 0, frame.buffer.byteLength);
    if (this.#idleBytes + memory.length > MOST_IDLE_BYTES) return;
    this.#idle[classOf(memory.length)]!.push(memory);
    this.#idleBytes += memory.length;
  }
}

/** The smallest power of two that holds so many bytes. */
function classOf(bytes: number): number {
  return 32 - Math.clz32((bytes - 1) >>> 12);
}
