/**
 * A file of fixed-size entries that only grows at its end: what offset and time indexes have in common. New entries
 * collect in a small tail and reach the file some dozens at a time; the rest is read when a search first needs it and
 * may be dropped again (IndexMemory). A crash loses the tail only: recovery rebuilds the index of every segment that
 * was not flushed. Files hold exactly their entries; Kafka preallocates and trims on roll and close.
 */
import { assert } from '../base/assert.ts';
import { readInt64 } from '../base/int64.ts';
import type { IndexMemory } from './index-memory.ts';
import type { FileSlot } from './open-files.ts';

const TAIL_ENTRIES = 64;
const NOTHING: Buffer = Buffer.alloc(0);

export class EntryFile {
  readonly entryBytes: number;
  readonly slot: FileSlot;
  searchedSince = false;
  /** The file was changed since the last sync. */
  isDirty = false;
  readonly #memory: IndexMemory;
  /** Bytes that the file holds. */
  #written: number;
  /** The file's content, in its first `#written` bytes; undefined while not in memory. */
  #content: Buffer | undefined;
  /** Entries that the file does not hold yet. */
  #tail: Buffer = NOTHING;
  #tailBytes = 0;

  constructor(
    options: { readonly slot: FileSlot; readonly entryBytes: number; readonly fileBytes: number },
    memory: IndexMemory,
  ) {
    this.slot = options.slot;
    this.entryBytes = options.entryBytes;
    this.#written = options.fileBytes - (options.fileBytes % options.entryBytes);
    this.#memory = memory;
    if (this.#written === 0) this.#content = NOTHING;
  }

  get count(): number {
    return (this.#written + this.#tailBytes) / this.entryBytes;
  }

  get heldBytes(): number {
    return this.#content?.length ?? 0;
  }

  /** Whether a search needs no disk. */
  get inMemory(): boolean {
    return this.#content !== undefined;
  }

  evict(): void {
    const held = this.heldBytes;
    if (held === 0) return;
    this.#content = undefined;
    this.#memory.changed(this, -held);
  }

  /** Reads the file where it is not in memory. */
  load(): void {
    if (this.#content !== undefined) return;
    const content = Buffer.allocUnsafe(this.#written);
    this.#keep(content, this.slot.use().readSync(content, 0));
  }

  /** As `load`, off the event loop. */
  async loadAsync(): Promise<void> {
    if (this.#content !== undefined) return;
    const content = Buffer.allocUnsafe(this.#written);
    const file = this.slot.borrow();
    try {
      const length = await file.read(content, 0);
      // Entries may have been added or cut meanwhile: then the next search reads for itself.
      if (this.#content === undefined && content.length === this.#written) this.#keep(content, length);
    } finally {
      this.slot.giveBack();
    }
  }

  #keep(content: Buffer, length: number): void {
    if (length < content.length) {
      // The file shrank under us: missing entries only make searches start earlier.
      this.#written = length - (length % this.entryBytes);
    }
    this.#content = content;
    this.#memory.changed(this, content.length);
  }

  int32(entry: number, at: number): number {
    const position = entry * this.entryBytes + at;
    if (position >= this.#written) return this.#tail.readInt32BE(position - this.#written);
    if (this.#content === undefined) this.load();
    return this.#content!.readInt32BE(position);
  }

  int64(entry: number, at: number): number {
    const position = entry * this.entryBytes + at;
    if (position >= this.#written) return readInt64(this.#tail, position - this.#written);
    if (this.#content === undefined) this.load();
    return readInt64(this.#content!, position);
  }

  /** The bytes of the last entry without loading the others, or undefined where there are none. */
  last(): Buffer | undefined {
    return this.count === 0 ? undefined : this.entry(this.count - 1);
  }

  /** The bytes of one entry without loading the others. */
  entry(number: number): Buffer {
    const position = number * this.entryBytes;
    if (position >= this.#written) {
      return this.#tail.subarray(position - this.#written, position - this.#written + this.entryBytes);
    }
    if (this.#content !== undefined) return this.#content.subarray(position, position + this.entryBytes);
    const entry = Buffer.alloc(this.entryBytes);
    this.slot.use().readSync(entry, position);
    return entry;
  }

  /** Brings the pages of the first and the last entry into memory, off the event loop. */
  async touchEnds(): Promise<void> {
    if (this.#written === 0 || this.#content !== undefined) return;
    const entry = Buffer.allocUnsafe(this.entryBytes);
    const file = this.slot.borrow();
    try {
      await file.read(entry, 0);
      await file.read(entry, Math.max(0, this.#written - this.entryBytes));
    } finally {
      this.slot.giveBack();
    }
  }

  /** Room for one more entry: write `entryBytes` at the returned place of `newEntryBytes`, then call `added`. */
  beginEntry(): number {
    if (this.#tailBytes === this.#tail.length) this.#makeRoom();
    return this.#tailBytes;
  }

  get newEntryBytes(): Buffer {
    return this.#tail;
  }

  added(): void {
    this.#tailBytes += this.entryBytes;
  }

  #makeRoom(): void {
    const blockBytes = TAIL_ENTRIES * this.entryBytes;
    if (this.#tail.length === 0) {
      this.#tail = Buffer.allocUnsafe(blockBytes);
      return;
    }
    try {
      this.flush();
    } catch {
      // A full disk must not fail an append whose records are written: the entries stay in memory, and the flush at
      // roll or close, which reports its failure, tries again.
      const larger = Buffer.allocUnsafe(this.#tail.length + blockBytes);
      this.#tail.copy(larger, 0, 0, this.#tailBytes);
      this.#tail = larger;
    }
  }

  /** Writes what the file lacks, where that works: otherwise the entries stay in memory until a flush that reports. */
  tryFlush(): void {
    try {
      this.flush();
    } catch {
      // As for a full tail: a full disk must not fail an append whose records are written.
    }
  }

  /** Writes what the file lacks. Throws the system's error and leaves everything as it was. */
  flush(): void {
    if (this.#tailBytes === 0) return;
    const entries = this.#tail.subarray(0, this.#tailBytes);
    this.slot.use().writeSync([entries], this.#written);
    this.isDirty = true;
    if (this.#content !== undefined) this.#extend(entries);
    this.#written += entries.length;
    this.#tailBytes = 0;
    if (this.#tail.length > TAIL_ENTRIES * this.entryBytes) this.#tail = NOTHING;
  }

  #extend(entries: Buffer): void {
    const needed = this.#written + entries.length;
    if (needed <= this.#content!.length) {
      entries.copy(this.#content!, this.#written);
      return;
    }
    const before = this.#content!;
    const larger = Buffer.allocUnsafe(Math.max(needed, before.length * 2));
    before.copy(larger, 0, 0, this.#written);
    entries.copy(larger, this.#written);
    this.#content = larger;
    this.#memory.changed(this, larger.length - before.length);
  }

  /** No entry will follow: gives the tail's memory back. Call after `flush`. */
  seal(): void {
    assert(this.#tailBytes === 0, 'an index is flushed before it is sealed');
    this.#tail = NOTHING;
  }

  /** Keeps the first `count` entries. */
  truncate(count: number): void {
    const bytes = count * this.entryBytes;
    if (bytes >= this.#written) {
      this.#tailBytes = Math.min(this.#tailBytes, bytes - this.#written);
      return;
    }
    this.slot.use().truncateSync(bytes);
    this.isDirty = true;
    this.#written = bytes;
    this.#tailBytes = 0;
    if (bytes === 0) {
      this.evict();
      this.#content = NOTHING;
    }
  }

  /** The path names another file now, which holds `content`. */
  replacedBy(content: Buffer): void {
    this.slot.close();
    this.evict();
    this.#written = content.length;
    this.#tailBytes = 0;
    this.isDirty = false;
    this.#content = content;
    this.#memory.changed(this, content.length);
  }

  /** Cuts a file that does not end with a whole entry, or was preallocated, to what `count` says. */
  trim(): void {
    const file = this.slot.use();
    if (file.size() === this.#written) return;
    file.truncateSync(this.#written);
    this.isDirty = true;
  }

  /** Makes the file durable where it was changed. Rejects with the system's error. */
  async sync(): Promise<void> {
    if (!this.isDirty || this.slot.isRetired) return;
    this.isDirty = false;
    const file = this.slot.borrow();
    try {
      await file.sync();
    } finally {
      this.slot.giveBack();
    }
  }

  /** The same in this turn. */
  syncNow(): void {
    if (!this.isDirty) return;
    this.isDirty = false;
    this.slot.use().syncNow();
  }
}
