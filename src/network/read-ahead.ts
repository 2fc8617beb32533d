/**
 * Brings parts of files into the page cache on the thread pool, so that `sendfile` afterwards finds them in memory
 * and the event loop never waits for a disk. Few at a time: the pool is shared with the syncs of the log.
 */
import type { FileHandle } from '../base/file-system.ts';

const LARGEST_BYTES = 1024 * 1024;
/** Half of libuv's default pool. */
const AT_ONCE = 2;

/** What is read lands here and nobody looks at it: the point is the page cache. Shared by all reads. */
let discarded: Buffer | undefined;
let running = 0;
const waiting: (() => void)[] = [];

/** Resolves when up to 1 MiB at `position` has been read. Rejects with the system's error. */
export async function readAhead(file: FileHandle, position: number, length: number): Promise<void> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    discarded ??= Buffer.allocUnsafeSlow(LARGEST_BYTES);
    await file.read(discarded.subarray(0, Math.min(length, LARGEST_BYTES)), position);
  } finally {
    // The place goes to the next in line directly, so that `running` stays exact.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
