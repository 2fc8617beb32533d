/**
 * A bounded number of open descriptors for any number of files. A file is opened when it is used and closed again
 * when others need its place (second chance, so that a use costs one assignment). A borrowed file is never closed:
 * a reply that still leaves the process keeps its segment readable even when that was deleted meanwhile.
 */
import { assert } from '../base/assert.ts';
import { systemErrorCode } from '../base/errors.ts';
import type { FileHandle, FileSystem } from '../base/file-system.ts';
import { segmentMissing } from './log-directory-errors.ts';

/** Where a log's files lie; one object a log, so that renaming a directory moves all of them at once. */
export interface Place {
  path: string;
}

/** Fewer than this could close a file under the synchronous run that uses it. */
const SMALLEST_LIMIT = 16;

export class OpenFiles {
  readonly #fileSystem: FileSystem;
  readonly #limit: number;
  readonly #open = new Set<FileSlot>();

  constructor(options: { readonly limit: number }, dependencies: { readonly fileSystem: FileSystem }) {
    this.#limit = Math.max(SMALLEST_LIMIT, options.limit);
    this.#fileSystem = dependencies.fileSystem;
  }

  /**
   * A file that is opened on first use. Where it is absent it is created, or, where it `mustExist`, whoever uses it gets
   * the SluiceError SEGMENT_MISSING.
   */
  slot(place: Place, name: string, { mustExist = false }: { readonly mustExist?: boolean } = {}): FileSlot {
    return new FileSlot(this, place, { name, mustExist });
  }

  /** Files open at this moment. */
  get count(): number {
    return this.#open.size;
  }

  /** For slots only. */
  openFor(slot: FileSlot): FileHandle {
    if (this.#open.size >= this.#limit) this.#makeRoom();
    const handle = slot.mustExist ? this.#openExisting(slot.path) : this.#fileSystem.open(slot.path);
    this.#open.add(slot);
    return handle;
  }

  /** A new and empty file in its place would hide that records are lost. */
  #openExisting(path: string): FileHandle {
    try {
      return this.#fileSystem.openExisting(path);
    } catch (error) {
      throw systemErrorCode(error) === 'ENOENT' ? segmentMissing(path, error) : error;
    }
  }

  /** For slots only. */
  closed(slot: FileSlot): void {
    this.#open.delete(slot);
  }

  #makeRoom(): void {
    // Two rounds: the first may only take second chances away. All borrowed: the limit gives way rather than a reader.
    let candidates = 2 * this.#open.size;
    for (const slot of this.#open) {
      if (candidates-- <= 0 || this.#open.size < this.#limit) return;
      if (slot.mayClose()) {
        slot.close();
      } else {
        this.#open.delete(slot);
        this.#open.add(slot);
      }
    }
  }
}

export class FileSlot {
  readonly #files: OpenFiles;
  readonly #place: Place;
  readonly #name: string;
  /** For `OpenFiles`: the file is never created. */
  readonly mustExist: boolean;
  #handle: FileHandle | undefined;
  #borrowed = 0;
  #usedSince = false;
  #retired = false;

  /** Use `OpenFiles.slot`. */
  constructor(files: OpenFiles, place: Place, file: { readonly name: string; readonly mustExist: boolean }) {
    this.#files = files;
    this.#place = place;
    this.#name = file.name;
    this.mustExist = file.mustExist;
  }

  get isRetired(): boolean {
    return this.#retired;
  }

  get path(): string {
    return `${this.#place.path}/${this.#name}`;
  }

  /** The open file, for this synchronous run only. */
  use(): FileHandle {
    if (this.#handle !== undefined) {
      // The first use does not count: files that are used once make room for those that are used again and again.
      this.#usedSince = true;
      return this.#handle;
    }
    // Opening would create the file again under the name that it had.
    assert(!this.#retired, `${this.#name} is not used after it was given up`);
    this.#handle = this.#files.openFor(this);
    return this.#handle;
  }

  /** The open file, kept open until `giveBack` was called as often as `borrow`. */
  borrow(): FileHandle {
    const handle = this.use();
    this.#borrowed++;
    return handle;
  }

  giveBack(): void {
    assert(this.#borrowed > 0, 'a file is given back once for each time it was borrowed');
    this.#borrowed--;
    if (this.#retired && this.#borrowed === 0) this.close();
  }

  /** Nobody will use the file again: closes it now, or when the last borrower is done. */
  retire(): void {
    this.#retired = true;
    if (this.#borrowed === 0) this.close();
  }

  /** For `OpenFiles`: whether the file was not used since it was asked last. */
  mayClose(): boolean {
    if (this.#borrowed > 0) return false;
    const idle = !this.#usedSince;
    this.#usedSince = false;
    return idle;
  }

  close(): void {
    if (this.#handle === undefined) return;
    const handle = this.#handle;
    this.#handle = undefined;
    this.#files.closed(this);
    handle.close();
  }
}
