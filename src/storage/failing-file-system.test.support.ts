/** A disk that fails when told to: wraps the real one and throws the system's errors from chosen operations. */
import { disk } from '../base/disk.ts';
import type { FileHandle, FileSystem } from '../base/file-system.ts';

export type Operation =
  | 'open'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'read'
  | 'rename'
  | 'remove'
  | 'removeAsync'
  | 'replace';

export interface Fault {
  readonly operation: Operation;
  /** Files that it concerns, by how their path ends. */
  readonly suffix: string;
  readonly code: string;
  /** Of a write: how many bytes reach the disk before the error. */
  readonly shortBytes?: number;
}

export interface FailingDisk {
  readonly fileSystem: FileSystem;
  /** Faults in force; push and empty it as the test goes. */
  readonly faults: Fault[];
  /** What was done, as `operation path`. */
  readonly operations: string[];
  /** The disk is gone after so many operations: every later one fails. */
  lastsFor: number;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Answers the fault that is in force for an operation, and notes the operation. */
type Check = (operation: Operation, path: string) => Fault | undefined;
/** Throws where there is one. */
type Guard = (operation: Operation, path: string) => void;

export function failingDisk(): FailingDisk {
  const faults: Fault[] = [];
  const operations: string[] = [];
  const state = { lastsFor: Number.POSITIVE_INFINITY };
  const check: Check = (operation, path) => {
    operations.push(`${operation} ${path}`);
    if (operations.length > state.lastsFor) return { operation, suffix: '', code: 'EIO' };
    return faults.find((fault) => fault.operation === operation && path.endsWith(fault.suffix));
  };
  return Object.assign(state, { fileSystem: failingFileSystem(check), faults, operations });
}

function failingFileSystem(check: Check): FileSystem {
  const guard: Guard = (operation, path) => {
    const fault = check(operation, path);
    if (fault !== undefined) throw systemError(fault.code);
  };
  return {
    ...disk,
    open: (path) => {
      guard('open', path);
      return failingHandle(disk.open(path), check, guard);
    },
    openExisting: (path) => {
      guard('open', path);
      return failingHandle(disk.openExisting(path), check, guard);
    },
    openReadOnly: (path) => {
      guard('open', path);
      return failingHandle(disk.openReadOnly(path), check, guard);
    },
    remove: (path) => {
      guard('remove', path);
      disk.remove(path);
    },
    removeAsync: async (path) => {
      guard('removeAsync', path);
      await disk.removeAsync(path);
    },
    rename: (from, to) => {
      guard('rename', from);
      disk.rename(from, to);
    },
    replaceFile: (path, content) => {
      guard('replace', path);
      disk.replaceFile(path, content);
    },
    replaceFileAsync: async (path, content) => {
      guard('replace', path);
      await disk.replaceFileAsync(path, content);
    },
  };
}

function failingHandle(inner: FileHandle, check: Check, guard: Guard): FileHandle {
  return {
    path: inner.path,
    fd: inner.fd,
    size: () => inner.size(),
    writeSync: (buffers, position) => {
      const fault = check('write', inner.path);
      if (fault === undefined) return inner.writeSync(buffers, position);
      const all = Buffer.concat(buffers);
      if (fault.shortBytes !== undefined) inner.writeSync([all.subarray(0, fault.shortBytes)], position);
      throw systemError(fault.code);
    },
    readSync: (target, position) => {
      guard('read', inner.path);
      return inner.readSync(target, position);
    },
    read: async (target, position) => {
      guard('read', inner.path);
      return inner.read(target, position);
    },
    truncateSync: (length) => {
      guard('truncate', inner.path);
      inner.truncateSync(length);
    },
    sync: async () => {
      guard('sync', inner.path);
      await inner.sync();
    },
    syncNow: () => {
      guard('sync', inner.path);
      inner.syncNow();
    },
    close: () => inner.close(),
  };
}
