/**
 * The file system as a dependency. What decides and writes in one turn is synchronous (page cache, microseconds);
 * what waits for a disk returns a promise and runs on the thread pool. Every failure throws the system's error with
 * its `code` (ENOSPC, EIO, ...).
 */

/** An open file. Positions and lengths are bytes. */
export interface FileHandle {
  readonly path: string;
  /** The descriptor, for `sendfile`; -1 where the file has none (simulated disks), which forces the copying path. */
  readonly fd: number;
  size(): number;
  /** Writes all buffers one after the other at `position`; loops over short writes. */
  writeSync(buffers: readonly Uint8Array[], position: number): void;
  /** Reads up to `target.length` bytes at `position`; returns how many there were (fewer only at the end of the file). */
  readSync(target: Uint8Array, position: number): number;
  /** As `readSync`, on the thread pool: for bytes that may not be in the page cache. */
  read(target: Uint8Array, position: number): Promise<number>;
  truncateSync(length: number): void;
  /** fdatasync on the thread pool. After a failure the file must not be trusted, nor synced again. */
  sync(): Promise<void>;
  /** fdatasync in this turn: only for start, stop and roll. */
  syncNow(): void;
  close(): void;
}

export interface FileEntry {
  readonly name: string;
  readonly directory: boolean;
}

/** An exclusive claim on a directory against other processes; released by the system if the process dies. */
export interface DirectoryLock {
  release(): void;
}

export interface FileSystem {
  /** Opens for reading and writing, creating the file where it is absent. */
  open(path: string): FileHandle;
  /** The same of a file that must be there: throws ENOENT rather than create it. */
  openExisting(path: string): FileHandle;
  /** Opens an existing file for reading only. */
  openReadOnly(path: string): FileHandle;
  exists(path: string): boolean;
  /** Length in bytes, or undefined where there is no such file. */
  sizeOf(path: string): number | undefined;
  /** Milliseconds since the epoch of the last change to the file's data. */
  modifiedMs(path: string): number;
  /** Makes `modifiedMs` tell this time, until the data changes again. */
  setModifiedMs(path: string, timeMs: number): void;
  readFile(path: string): Buffer;
  /** Writes to a temporary file beside `path`, syncs, renames over it, syncs the directory: whole or not at all. */
  replaceFile(path: string, content: Uint8Array): void;
  /** The same on the thread pool. */
  replaceFileAsync(path: string, content: Uint8Array): Promise<void>;
  /** Entries of a directory, in no order. */
  list(path: string): FileEntry[];
  /** Creates a directory and its parents; no error where it exists. */
  makeDirectory(path: string): void;
  rename(from: string, to: string): void;
  /** Removes a file; no error where it is absent. */
  remove(path: string): void;
  /**
   * The same on the thread pool: the system takes a quarter of a millisecond for each MiB of a file in memory, and longer
   * where the disk is busy.
   */
  removeAsync(path: string): Promise<void>;
  /** Removes a directory and all in it, on the thread pool; no error where it is absent. */
  removeTree(path: string): Promise<void>;
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): void;
  /** The same on the thread pool. */
  syncDirectoryAsync(path: string): Promise<void>;
  /**
   * Makes everything durable that was written to the volume of `path`, by whomever: contents, lengths and names. Resolves
   * with false, and nothing done, where the system has no call for that. Rejects where it failed for any file.
   */
  syncVolume(path: string): Promise<boolean>;
  /** Size of the volume and bytes that this process may still write there. */
  volume(path: string): Promise<{ totalBytes: number; usableBytes: number }>;
  /** Claims a directory by its `.lock` file; throws a SluiceError DIRECTORY_LOCKED where another holds it. */
  lock(directory: string): DirectoryLock;
}
