/** A file system of limited size for a data directory, that can be filled and freed. Needs a sandbox. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { insideSandbox } from './sandbox.ts';

const FILLER = 'filler';
const BLOCK_BYTES = 1 << 20;

export interface SmallDisk {
  /** Takes all space that is left. */
  fill(): void;
  free(): void;
  readonly freeBytes: number;
  unmount(): void;
}

/** Mounts a disk of `bytes` at `directory`; undefined where that is not permitted. */
export function mountSmallDisk(directory: string, bytes: number): SmallDisk | undefined {
  if (!insideSandbox()) return undefined;
  mkdirSync(directory, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'small-disk', directory]);
  const filler = join(directory, FILLER);
  return {
    fill: () => fillUp(filler),
    free: () => rmSync(filler, { force: true }),
    get freeBytes() {
      const { bavail, bsize } = statfsSync(directory);
      return bavail * bsize;
    },
    unmount: () => {
      execFileSync('umount', ['-l', directory]);
    },
  };
}

function fillUp(file: string): void {
  const descriptor = openSync(file, 'a');
  try {
    for (let size = BLOCK_BYTES; size >= 1; size = Math.floor(size / 2)) writeUntilFull(descriptor, Buffer.alloc(size));
  } finally {
    closeSync(descriptor);
  }
}

function writeUntilFull(descriptor: number, block: Buffer): void {
  try {
    for (;;) if (writeSync(descriptor, block) < block.length) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
