/**
 * Exclusive claims on data directories. With libc it is an fcntl lock on `.lock`, which Apache Kafka takes too, so
 * neither starts on the other's directory. Everywhere a `.lock.owner` file names the process: it excludes processes
 * without libc, and a stale one (its process gone, or its id reused) is taken over. Those two kinds of lock do not
 * exclude within one process; a set of claimed directories does.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  linkSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SluiceError, systemErrorCode } from './errors.ts';
import type { DirectoryLock } from './file-system.ts';
import type { Libc } from './libc.ts';

/** Directories that this process holds, by real path. */
const held = new Set<string>();
const TAKEOVER_ATTEMPTS = 3;

/** The `lock` of a FileSystem; without `libc` only owner files exclude. */
export function openDirectoryLocks(libc: Libc | undefined): (directory: string) => DirectoryLock {
  return (directory) => {
    const path = realpathSync(directory);
    if (held.has(path)) throw lockedError(path, 'this process');
    const descriptor = libc === undefined ? undefined : takeFileLock(libc, path);
    try {
      takeOwnerFile(path);
    } catch (error) {
      if (descriptor !== undefined) closeSync(descriptor);
      throw error;
    }
    held.add(path);
    return { release: () => release(path, descriptor) };
  };
}

function release(path: string, descriptor: number | undefined): void {
  if (!held.delete(path)) return;
  rmSync(ownerPath(path), { force: true });
  // Closing gives the fcntl lock back; the empty `.lock` stays, as Kafka's does.
  if (descriptor !== undefined) closeSync(descriptor);
}

function takeFileLock(libc: Libc, path: string): number {
  const descriptor = openSync(join(path, '.lock'), 'a+', 0o644);
  if (libc.lockFile(descriptor) === 0) return descriptor;
  const holder = libc.lockHolder(descriptor);
  closeSync(descriptor);
  throw lockedError(path, holder === undefined ? 'another process' : `process ${holder}`);
}

/**
 * `link` fails where the name exists, so of several processes one wins. A stale file is first renamed away and read
 * again: what was moved may be the fresh claim of a process that was faster, and then goes back.
 */
function takeOwnerFile(path: string): void {
  const owner = ownerPath(path);
  const candidate = `${owner}.${process.pid}`;
  writeFileSync(candidate, `${process.pid} ${startedAt(process.pid)}\n`);
  try {
    for (let attempt = 0; attempt < TAKEOVER_ATTEMPTS; attempt++) {
      if (tryLink(candidate, owner)) return;
      const holder = liveOwner(owner);
      if (holder !== undefined) throw lockedError(path, `process ${holder}`);
      discardStale(owner, path);
    }
  } finally {
    rmSync(candidate, { force: true });
  }
  throw lockedError(path, 'another process');
}

function discardStale(owner: string, path: string): void {
  const aside = `${owner}.stale.${process.pid}`;
  try {
    renameSync(owner, aside);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return;
    throw error;
  }
  const holder = liveOwner(aside);
  if (holder !== undefined) tryLink(aside, owner);
  rmSync(aside, { force: true });
  if (holder !== undefined) throw lockedError(path, `process ${holder}`);
}

/** File systems without hard links (FAT, some FUSE mounts) answer one of these. */
const NO_HARD_LINKS: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (!NO_HARD_LINKS.includes(systemErrorCode(error))) return refusedAsPresent(error);
  }
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    return refusedAsPresent(error);
  }
}

function refusedAsPresent(error: unknown): false {
  if (systemErrorCode(error) === 'EEXIST') return false;
  throw error;
}

/** The id of the process that an owner file names, if that very process is still alive. */
function liveOwner(file: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const [pidText, started] = text.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined;
  return (started ?? '') === startedAt(pid) ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
  // A zombie answers signals until its parent asks for its exit code, but it holds nothing any more.
  return !DEAD_STATES.includes(statFields(pid)[STATE_FIELD] ?? '');
}

const STATE_FIELD = 0;
const START_TIME_FIELD = 19;
const DEAD_STATES: readonly string[] = ['Z', 'X', 'x'];

/** When a process started, in clock ticks since boot: process ids are reused. Empty where there is no /proc. */
function startedAt(pid: number): string {
  return statFields(pid)[START_TIME_FIELD] ?? '';
}

/** /proc/<pid>/stat from its third field on (the second, the name, may hold spaces); empty where there is none. */
function statFields(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function ownerPath(path: string): string {
  return join(path, '.lock.owner');
}

function lockedError(path: string, holder: string): SluiceError {
  return new SluiceError('DIRECTORY_LOCKED', `data directory ${path} is in use by ${holder}`, {
    remedy: 'Stop the other broker, or give this one its own data directory (log.dirs).',
  });
}
