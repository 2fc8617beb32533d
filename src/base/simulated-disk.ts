/**
 * A disk in memory that fails as told, from a seed. It outlives the processes that use it: `boot` gives a process its
 * FileSystem, `kill` ends the process and keeps all it wrote, `losePower` keeps what was synced and, of the rest, what
 * the seed picks. Everything is deterministic; time, and when asynchronous operations complete, belong to the caller.
 */
import { SluiceError } from './errors.ts';
import type { DirectoryLock, FileEntry, FileHandle, FileSystem } from './file-system.ts';
import type { Random } from './random.ts';
import { type NameChange, NameJournal, SimulatedDirectory, type SimulatedNode } from './simulated-directory.ts';
import { type CrashMode, SimulatedFile } from './simulated-file.ts';

export type { CrashMode } from './simulated-file.ts';

export type DiskOperation = 'read' | 'write' | 'truncate' | 'sync' | 'create' | 'rename' | 'remove' | 'list';

/** How an operation fails: with the system's error of this code. */
export interface DiskFault {
  readonly code: string;
  /** Of a write: how many bytes get through before the error. */
  readonly shortBytes?: number;
}

export interface SimulatedDiskOptions {
  readonly random: Random;
  /** How unsynced changes survive; `journal` where left out. */
  readonly mode?: CrashMode;
  /** Milliseconds since the epoch, for modification times; always 0 where left out. */
  readonly nowMs?: () => number;
  /** Room for file content; without limit where left out. */
  readonly capacityBytes?: number;
  /** Asynchronous operations wait for `letGo` instead of completing in the next microtask. */
  readonly holdsAsync?: boolean;
}

const TOTAL_BYTES = 2 ** 40;

export class SimulatedDisk {
  /** Asked before each operation whether it fails. */
  fault: ((operation: DiskOperation, path: string) => DiskFault | undefined) | undefined;
  /** Mutable: a full disk may be given room. */
  capacityBytes: number;
  /** Changes and syncs since the disk was made. */
  operations = 0;
  /** The power fails during the operation of this number: it may happen in part, and nothing after it does. */
  crashAt = Number.POSITIVE_INFINITY;
  usedBytes = 0;
  readonly mode: CrashMode;
  /** Mutable: a history may bring its own seed for each step. */
  random: Random;
  readonly nowMs: () => number;
  readonly #holdsAsync: boolean;
  #root = new SimulatedDirectory();
  #journal: NameJournal;
  #waiting: (() => void)[] = [];
  #process: SimulatedProcess | undefined;
  #failing = new Map<string, string>();

  constructor(options: SimulatedDiskOptions) {
    this.random = options.random;
    this.mode = options.mode ?? 'journal';
    this.nowMs = options.nowMs ?? (() => 0);
    this.capacityBytes = options.capacityBytes ?? TOTAL_BYTES;
    this.#holdsAsync = options.holdsAsync ?? false;
    this.#journal = new NameJournal(this.mode);
  }

  /** The file system as a new process sees it. One process at a time: an earlier one is killed. */
  boot(): FileSystem {
    this.kill();
    this.#process = new SimulatedProcess(this);
    return this.#process;
  }

  /** Whether the process of the last `boot` may still use the disk. */
  get isUp(): boolean {
    return this.#process?.alive ?? false;
  }

  /** The process is gone (kill -9): every later operation of it fails. What it wrote stays in the page cache. */
  kill(): void {
    if (this.#process !== undefined) this.#process.alive = false;
    this.crashAt = Number.POSITIVE_INFINITY;
    this.letGo();
  }

  /** The process is gone, and of all that was not synced as much stays as the seed says. */
  losePower(): void {
    this.kill();
    this.#journal.settle(this.random);
    this.usedBytes = 0;
    this.#root = this.#survivor(this.#root);
    this.#journal = new NameJournal(this.mode);
  }

  #survivor(lost: SimulatedDirectory): SimulatedDirectory {
    const directory = new SimulatedDirectory();
    for (const [name, node] of lost.durable) {
      const survivor = node instanceof SimulatedDirectory ? this.#survivor(node) : this.#survivingFile(node);
      directory.entries.set(name, survivor);
      directory.durable.set(name, survivor);
    }
    return directory;
  }

  #survivingFile(lost: SimulatedFile): SimulatedFile {
    const file = new SimulatedFile(lost.modifiedMs, lost.survivor(this.random, this.mode));
    this.usedBytes += file.length;
    return file;
  }

  /** Every operation below `path` fails with `code`; of a disk that became read-only (EROFS) only changes do. */
  failBelow(path: string, code: string): void {
    this.#failing.set(path, code);
  }

  heal(path: string): void {
    this.#failing.delete(path);
  }

  /** Completes asynchronous operations that wait: all, or so many in an order of the seed's. */
  letGo(count = Number.POSITIVE_INFINITY): void {
    if (count >= this.#waiting.length) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const complete of waiting) complete();
      return;
    }
    for (let done = 0; done < count; done++) this.#waiting.splice(this.random.below(this.#waiting.length), 1)[0]!();
  }

  /** The asynchronous operations that wait never complete: whoever waits for them is dead. */
  abandon(): void {
    this.#waiting = [];
  }

  /** How many asynchronous operations wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** For processes: the asynchronous operation that calls may complete when this resolves. */
  turn(): Promise<void> {
    return this.#holdsAsync ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  /** For processes: what stops an operation. */
  faultOf(operation: DiskOperation, path: string): DiskFault | undefined {
    for (const [prefix, code] of this.#failing) {
      if (!path.startsWith(prefix)) continue;
      if (code !== 'EROFS' || (operation !== 'read' && operation !== 'list')) return { code };
    }
    return this.fault?.(operation, path);
  }

  get journal(): NameJournal {
    return this.#journal;
  }

  /** For processes: everything is on the disk for certain. */
  settleAll(): void {
    this.#journal.commitAll();
    settleFiles(this.#root);
  }

  /** The node that an absolute path names. */
  find(path: string): SimulatedNode | undefined {
    let node: SimulatedNode | undefined = this.#root;
    for (let from = 1; from <= path.length; ) {
      if (!(node instanceof SimulatedDirectory)) return undefined;
      const slash = path.indexOf('/', from);
      const end = slash < 0 ? path.length : slash;
      if (end > from) node = node.entries.get(path.slice(from, end));
      from = end + 1;
    }
    return node;
  }
}

function settleFiles(directory: SimulatedDirectory): void {
  for (const node of directory.entries.values()) {
    if (node instanceof SimulatedDirectory) settleFiles(node);
    else node.settle(node.changes);
  }
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, '${path}'`), { code });
}

/** One process's view. Dead, it fails everything. */
class SimulatedProcess implements FileSystem {
  alive = true;
  readonly #disk: SimulatedDisk;
  readonly #locks = new Set<string>();
  /** By path: the asynchronous replacements that are under way, of which only the latest counts. */
  readonly #replacements = new Map<string, { latest: number; tail: Promise<void> }>();

  constructor(disk: SimulatedDisk) {
    this.#disk = disk;
  }

  /** Before an operation: may it happen at all? */
  begin(operation: DiskOperation, path: string): DiskFault | undefined {
    if (!this.alive) throw systemError('EIO', path);
    const fault = this.#disk.faultOf(operation, path);
    if (fault !== undefined && fault.shortBytes === undefined) throw systemError(fault.code, path);
    return fault;
  }

  /** After a change, and before a sync has its effect: the power may fail here. */
  did(path: string): void {
    if (++this.#disk.operations < this.#disk.crashAt) return;
    this.alive = false;
    throw systemError('EIO', path);
  }

  turn(): Promise<void> {
    return this.#disk.turn();
  }

  get nowMs(): number {
    return this.#disk.nowMs();
  }

  /** How many of so many more bytes fit. */
  room(bytes: number): number {
    return Math.max(0, Math.min(bytes, this.#disk.capacityBytes - this.#disk.usedBytes));
  }

  grew(bytes: number): void {
    this.#disk.usedBytes += bytes;
  }

  random(bound: number): number {
    return this.#disk.random.below(bound);
  }

  open(path: string): FileHandle {
    const node = this.#disk.find(path);
    if (node === undefined) return new SimulatedHandle(this, path, this.#create(path));
    this.begin('read', path);
    if (node instanceof SimulatedDirectory) throw systemError('EISDIR', path);
    return new SimulatedHandle(this, path, node);
  }

  #create(path: string): SimulatedFile {
    this.begin('create', path);
    const { directory, name } = this.#place(path);
    if (this.room(1) === 0) throw systemError('ENOSPC', path);
    const file = new SimulatedFile(this.nowMs);
    this.#disk.journal.change({ to: { directory, name, node: file } });
    this.did(path);
    return file;
  }

  #place(path: string): { directory: SimulatedDirectory; name: string } {
    const slash = path.lastIndexOf('/');
    const directory = this.#disk.find(path.slice(0, slash) || '/');
    if (directory === undefined) throw systemError('ENOENT', path);
    if (!(directory instanceof SimulatedDirectory)) throw systemError('ENOTDIR', path);
    return { directory, name: path.slice(slash + 1) };
  }

  openExisting(path: string): FileHandle {
    return new SimulatedHandle(this, path, this.#file('read', path));
  }

  openReadOnly(path: string): FileHandle {
    return new SimulatedHandle(this, path, this.#file('read', path));
  }

  #file(operation: DiskOperation, path: string): SimulatedFile {
    this.begin(operation, path);
    const node = this.#disk.find(path);
    if (node === undefined) throw systemError('ENOENT', path);
    if (node instanceof SimulatedDirectory) throw systemError('EISDIR', path);
    return node;
  }

  exists(path: string): boolean {
    return this.alive && this.#disk.find(path) !== undefined;
  }

  sizeOf(path: string): number | undefined {
    this.begin('read', path);
    const node = this.#disk.find(path);
    return node instanceof SimulatedFile ? node.length : undefined;
  }

  modifiedMs(path: string): number {
    return this.#file('read', path).modifiedMs;
  }

  setModifiedMs(path: string, timeMs: number): void {
    this.#file('write', path).modifiedMs = timeMs;
    this.did(path);
  }

  readFile(path: string): Buffer {
    return this.#file('read', path).content();
  }

  replaceFile(path: string, content: Uint8Array): void {
    const underWay = this.#replacements.get(path);
    if (underWay !== undefined) underWay.latest++;
    const temporary = `${path}.tmp`;
    this.#writeTemporary(temporary, content).syncNow();
    this.rename(temporary, path);
    this.syncDirectory(parentOf(path));
  }

  #writeTemporary(path: string, content: Uint8Array): FileHandle {
    const file = this.open(path);
    if (file.size() > 0) file.truncateSync(0);
    file.writeSync([content], 0);
    return file;
  }

  replaceFileAsync(path: string, content: Uint8Array): Promise<void> {
    const state = this.#replacements.get(path) ?? { latest: 0, tail: Promise.resolve() };
    this.#replacements.set(path, state);
    const turn = ++state.latest;
    const run = (): Promise<void> => this.#replaceInTurns(path, content, () => turn === state.latest);
    const done = state.tail.then(run, run);
    state.tail = done;
    // As on real disks, a call that a later one made stale is done when that one is.
    return done.then(() => (turn === state.latest ? undefined : state.tail));
  }

  async #replaceInTurns(path: string, content: Uint8Array, isLatest: () => boolean): Promise<void> {
    if (!isLatest()) return;
    const temporary = `${path}.async.tmp`;
    await this.turn();
    const file = this.#writeTemporary(temporary, content);
    await file.sync();
    if (!isLatest()) {
      this.remove(temporary);
      return;
    }
    this.rename(temporary, path);
    await this.turn();
    this.syncDirectory(parentOf(path));
  }

  list(path: string): FileEntry[] {
    this.begin('list', path);
    const directory = this.#disk.find(path);
    if (directory === undefined) throw systemError('ENOENT', path);
    if (!(directory instanceof SimulatedDirectory)) throw systemError('ENOTDIR', path);
    return Array.from(directory.entries, ([name, node]) => ({ name, directory: node instanceof SimulatedDirectory }));
  }

  makeDirectory(path: string): void {
    const known = this.#disk.find(path);
    if (known instanceof SimulatedDirectory) return;
    if (known !== undefined) throw systemError('EEXIST', path);
    const parent = parentOf(path);
    this.makeDirectory(parent);
    this.begin('create', path);
    const node = new SimulatedDirectory();
    this.#disk.journal.change({ to: { ...this.#place(path), node } });
    this.did(path);
  }

  rename(from: string, to: string): void {
    this.begin('rename', from);
    const source = this.#place(from);
    const node = source.directory.entries.get(source.name);
    if (node === undefined) throw systemError('ENOENT', from);
    const target = this.#place(to);
    const replaced = target.directory.entries.get(target.name);
    if (replaced instanceof SimulatedDirectory && replaced.entries.size > 0) throw systemError('ENOTEMPTY', to);
    if (replaced instanceof SimulatedFile) this.grew(-replaced.length);
    this.#disk.journal.change({ from: source, to: { ...target, node } });
    this.did(from);
  }

  remove(path: string): void {
    this.begin('remove', path);
    const node = this.#disk.find(path);
    if (node === undefined) return;
    if (node instanceof SimulatedDirectory) throw systemError('EISDIR', path);
    this.#unlink(path, node);
  }

  async removeAsync(path: string): Promise<void> {
    await this.turn();
    this.remove(path);
  }

  #unlink(path: string, node: SimulatedNode): void {
    if (node instanceof SimulatedFile) this.grew(-node.length);
    this.#disk.journal.change({ from: this.#place(path) });
    this.did(path);
  }

  async removeTree(path: string): Promise<void> {
    await this.turn();
    this.#removeAll(path);
  }

  #removeAll(path: string): void {
    this.begin('remove', path);
    const node = this.#disk.find(path);
    if (node === undefined) return;
    if (node instanceof SimulatedDirectory)
      for (const name of [...node.entries.keys()]) this.#removeAll(`${path}/${name}`);
    this.#unlink(path, node);
  }

  syncDirectory(path: string): void {
    this.#syncDirectory(path);
  }

  #syncDirectory(path: string, among?: ReadonlySet<NameChange>): void {
    this.begin('sync', path);
    const directory = this.#disk.find(path);
    if (!(directory instanceof SimulatedDirectory)) throw systemError('ENOENT', path);
    this.did(path);
    this.#disk.journal.commit(directory, among);
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    // What had happened when the call began is what it promises.
    const { begun } = this.#disk.journal;
    await this.turn();
    this.#syncDirectory(path, begun);
  }

  async syncVolume(path: string): Promise<boolean> {
    await this.turn();
    this.begin('sync', path);
    this.did(path);
    this.#disk.settleAll();
    return true;
  }

  async volume(path: string): Promise<{ totalBytes: number; usableBytes: number }> {
    this.begin('read', path);
    const { capacityBytes } = this.#disk;
    return { totalBytes: capacityBytes, usableBytes: this.room(capacityBytes) };
  }

  lock(directory: string): DirectoryLock {
    this.begin('create', directory);
    if (this.#locks.has(directory)) throw new SluiceError('DIRECTORY_LOCKED', `${directory} is in use`);
    this.#locks.add(directory);
    return { release: () => void this.#locks.delete(directory) };
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

class SimulatedHandle implements FileHandle {
  readonly path: string;
  readonly fd = -1;
  readonly #process: SimulatedProcess;
  readonly #file: SimulatedFile;
  #open = true;

  constructor(process: SimulatedProcess, path: string, file: SimulatedFile) {
    this.#process = process;
    this.path = path;
    this.#file = file;
  }

  #begin(operation: DiskOperation): DiskFault | undefined {
    if (!this.#open) throw systemError('EBADF', this.path);
    return this.#process.begin(operation, this.path);
  }

  size(): number {
    this.#begin('read');
    return this.#file.length;
  }

  writeSync(buffers: readonly Uint8Array[], position: number): void {
    const fault = this.#begin('write');
    const bytes = buffers.length === 1 ? buffers[0]! : Buffer.concat(buffers);
    const growth = Math.max(0, position + bytes.length - this.#file.length);
    const missing = growth - this.#process.room(growth);
    const fits = Math.min(bytes.length - missing, fault?.shortBytes ?? bytes.length);
    if (fits > 0) this.#write(bytes.subarray(0, fits), position);
    if (fault !== undefined) throw systemError(fault.code, this.path);
    if (missing > 0) throw systemError('ENOSPC', this.path);
  }

  #write(bytes: Uint8Array, position: number): void {
    const before = this.#file.length;
    this.#file.write(bytes, position);
    this.#file.modifiedMs = this.#process.nowMs;
    this.#process.grew(this.#file.length - before);
    this.#process.did(this.path);
  }

  readSync(target: Uint8Array, position: number): number {
    this.#begin('read');
    return this.#file.read(target, position);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#begin('read');
    await this.#process.turn();
    return this.readSync(target, position);
  }

  truncateSync(length: number): void {
    this.#begin('truncate');
    const before = this.#file.length;
    if (length === before) return;
    this.#file.truncate(length);
    this.#file.modifiedMs = this.#process.nowMs;
    this.#process.grew(length - before);
    this.#process.did(this.path);
  }

  async sync(): Promise<void> {
    // What was written when the call began is what it promises.
    const covered = this.#file.changes;
    if (!this.#open) throw systemError('EBADF', this.path);
    await this.#process.turn();
    this.#sync(covered);
  }

  syncNow(): void {
    if (!this.#open) throw systemError('EBADF', this.path);
    this.#sync(this.#file.changes);
  }

  #sync(covered: number): void {
    try {
      this.#process.begin('sync', this.path);
    } catch (error) {
      // Linux marks the pages clean all the same: a second sync would say that all is well.
      if (this.#process.alive && this.#process.random(2) === 0) this.#file.drop(covered);
      throw error;
    }
    this.#process.did(this.path);
    this.#file.settle(covered);
  }

  close(): void {
    this.#open = false;
  }
}
