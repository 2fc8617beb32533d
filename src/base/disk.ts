/**
 * The file system on real disks, over node:fs. Owns atomic replacement of small files; the directory lock lives in
 * directory-lock.ts. Never caches content, never retries a failed sync.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  open,
  openSync,
  read,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  write,
  writeSync,
  writevSync,
} from 'node:fs';
import { rm, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { openDirectoryLocks } from './directory-lock.ts';
import { systemErrorCode } from './errors.ts';
import type { FileEntry, FileHandle, FileSystem } from './file-system.ts';
import { libc } from './libc.ts';

const openAsync = promisify(open);
const readAsync = promisify(read);
const writeAsync = promisify(write);
const fdatasyncAsync = promisify(fdatasync);
const fsyncAsync = promisify(fsync);

/** Directories cannot be opened for fsync on Windows; NTFS journals them itself. */
const directoriesSync = process.platform !== 'win32';

class DiskFile implements FileHandle {
  readonly path: string;
  readonly fd: number;

  constructor(path: string, flags: string | number) {
    this.path = path;
    this.fd = openSync(path, flags, 0o644);
  }

  size(): number {
    return fstatSync(this.fd).size;
  }

  writeSync(buffers: readonly Uint8Array[], position: number): void {
    writeWhole(this.fd, buffers, position);
  }

  readSync(target: Uint8Array, position: number): number {
    let filled = 0;
    while (filled < target.length) {
      const count = readSync(this.fd, target, filled, target.length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await readAsync(this.fd, target, filled, target.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  truncateSync(length: number): void {
    ftruncateSync(this.fd, length);
  }

  sync(): Promise<void> {
    return fdatasyncAsync(this.fd);
  }

  syncNow(): void {
    fdatasyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Writes all buffers at `position`. The first call almost always takes everything; the rest is for short writes. */
function writeWhole(fd: number, buffers: readonly Uint8Array[], position: number): void {
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  let written =
    buffers.length === 1 ? writeSync(fd, buffers[0]!, 0, total, position) : writeVector(fd, buffers, position);
  while (written < total) written += writeVector(fd, withoutFirst(buffers, written), position + written);
}

function writeVector(fd: number, buffers: readonly Uint8Array[], position: number): number {
  return buffers.length === 0 ? 0 : writevSync(fd, buffers, position);
}

/** The buffers that remain after `count` bytes of them were written. */
export function withoutFirst(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = count;
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length;
    else {
      rest.push(skip === 0 ? buffer : buffer.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}

function syncDirectory(path: string): void {
  if (!directoriesSync) return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Replacements of one path by order of call: a slow asynchronous one must not rename its older content over that of
 * a later call. Only paths with asynchronous replacements under way are in the map.
 */
const replacements = new Map<string, { latest: number; tail: Promise<void>; pending: number }>();

function replaceFile(path: string, content: Uint8Array): void {
  const underWay = replacements.get(path);
  if (underWay !== undefined) underWay.latest++;
  const temporary = `${path}.tmp`;
  const fd = openSync(temporary, 'w', 0o644);
  try {
    writeWhole(fd, [content], 0);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

function replaceFileAsync(path: string, content: Uint8Array): Promise<void> {
  const state = replacements.get(path) ?? { latest: 0, tail: Promise.resolve(), pending: 0 };
  replacements.set(path, state);
  const turn = ++state.latest;
  state.pending++;
  const run = async (): Promise<void> => {
    try {
      await takePlace();
      try {
        if (turn === state.latest) await replaceOnThreadPool(path, content, () => turn === state.latest);
      } finally {
        givePlace();
      }
    } finally {
      if (--state.pending === 0) replacements.delete(path);
    }
  };
  // A skipped call is satisfied by the later one that made it stale, so it waits for that one's turn as well.
  const done = state.tail.then(run, run);
  state.tail = done;
  return done.then(() => (turn === state.latest ? undefined : state.tail));
}

/** A descriptor each, and a thread of the pool's four: thousands of partitions made at once must leave some to others. */
const MOST_REPLACEMENTS_AT_ONCE = 3;
const waitingReplacements: (() => void)[] = [];
let replacementsUnderWay = 0;

function takePlace(): Promise<void> | undefined {
  if (replacementsUnderWay < MOST_REPLACEMENTS_AT_ONCE) {
    replacementsUnderWay++;
    return undefined;
  }
  return new Promise((resolve) => waitingReplacements.push(resolve));
}

function givePlace(): void {
  const next = waitingReplacements.shift();
  if (next === undefined) replacementsUnderWay--;
  else next();
}

/** Leaves the old file in place when `stillLatest` says that a newer replacement was made meanwhile. */
async function replaceOnThreadPool(path: string, content: Uint8Array, stillLatest: () => boolean): Promise<void> {
  const temporary = `${path}.async.tmp`;
  const fd = await openAsync(temporary, 'w', 0o644);
  try {
    for (let at = 0; at < content.length; ) {
      at += (await writeAsync(fd, content, at, content.length - at, at)).bytesWritten;
    }
    await fdatasyncAsync(fd);
  } finally {
    closeSync(fd);
  }
  if (!stillLatest()) {
    rmSync(temporary, { force: true });
    return;
  }
  renameSync(temporary, path);
  await syncDirectoryAsync(dirname(path));
}

async function syncDirectoryAsync(path: string): Promise<void> {
  if (!directoriesSync) return;
  const directory = await openAsync(path, 'r');
  try {
    await fsyncAsync(directory);
  } finally {
    closeSync(directory);
  }
}

let lastRemoval: Promise<void> = Promise.resolve();

/** One after the other: a retention that lets go of hundreds of files must leave threads of the pool to reads and syncs. */
function removeAsync(path: string): Promise<void> {
  const done = lastRemoval.then(() => unlinkWhereThere(path));
  lastRemoval = done.catch(() => undefined);
  return done;
}

async function unlinkWhereThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

async function syncVolume(path: string): Promise<boolean> {
  if (libc?.syncVolume === undefined) return false;
  const directory = await openAsync(path, 'r');
  try {
    if ((await libc.syncVolume(directory)) === 0) return true;
    throw Object.assign(new Error(`EIO: the volume of '${path}' cannot be synced`), { code: 'EIO' });
  } finally {
    closeSync(directory);
  }
}

function list(path: string): FileEntry[] {
  return readdirSync(path, { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    directory: entry.isSymbolicLink() ? isDirectory(join(path, entry.name)) : entry.isDirectory(),
  }));
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

async function volume(path: string): Promise<{ totalBytes: number; usableBytes: number }> {
  const facts = await statfs(path);
  return { totalBytes: facts.blocks * facts.bsize, usableBytes: facts.bavail * facts.bsize };
}

export const disk: FileSystem = {
  // No flag in letters says this, and to try one and then another takes an exception for every new file.
  open: (path) => new DiskFile(path, constants.O_RDWR | constants.O_CREAT),
  openExisting: (path) => new DiskFile(path, 'r+'),
  openReadOnly: (path) => new DiskFile(path, 'r'),
  exists: (path) => existsSync(path),
  sizeOf: (path) => statSync(path, { throwIfNoEntry: false })?.size,
  modifiedMs: (path) => statSync(path).mtimeMs,
  setModifiedMs: (path, timeMs) => utimesSync(path, timeMs / 1000, timeMs / 1000),
  readFile: (path) => readFileSync(path),
  replaceFile,
  replaceFileAsync,
  list,
  makeDirectory: (path) => void mkdirSync(path, { recursive: true }),
  rename: (from, to) => renameSync(from, to),
  // Mostly there is nothing to remove, and then this is the quicker way to say so.
  remove: (path) => {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) rmSync(path, { force: true });
  },
  removeAsync,
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  syncDirectory,
  syncDirectoryAsync,
  syncVolume,
  volume,
  lock: openDirectoryLocks(libc),
};
