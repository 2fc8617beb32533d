/** Chunks for sending file bytes through this process. Bounded: slow readers over TLS must not pile memory up. */

const LARGE_BYTES = 256 * 1024;
const SMALL_BYTES = 16 * 1024;
/** Large chunks in use or kept, over all connections: 16 MiB. Who comes later sends in small ones. */
const LARGE_COUNT = 64;

const kept: Buffer[] = [];
let made = 0;

export function takeCopyBuffer(): Buffer {
  const buffer = kept.pop();
  if (buffer !== undefined) return buffer;
  if (made >= LARGE_COUNT) return Buffer.allocUnsafeSlow(SMALL_BYTES);
  made++;
  return Buffer.allocUnsafeSlow(LARGE_BYTES);
}

/** Takes a chunk back once nothing reads or writes it any more. */
export function giveCopyBuffer(buffer: Buffer): void {
  if (buffer.length === LARGE_BYTES) kept.push(buffer);
}

/** Counts a chunk as gone that a broken connection may still refer to. */
export function forgetCopyBuffer(buffer: Buffer): void {
  if (buffer.length === LARGE_BYTES) made--;
}

/** Begins anew. For simulations: brokers that die within a living process give nothing back, and one run must not see the last. */
export function forgetAllCopyBuffers(): void {
  kept.length = 0;
  made = 0;
}
