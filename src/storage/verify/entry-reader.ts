/** Reads a file of fixed-size entries from its start to its end through one small window. */
import type { FileHandle, FileSystem } from '../../base/file-system.ts';

const WINDOW_ENTRIES = 4096;

export class EntryReader {
  readonly path: string;
  readonly entryBytes: number;
  readonly exists: boolean;
  /** Bytes behind the last whole entry. */
  readonly excessBytes: number;
  /** The current entry begins at `at` in `bytes`; undefined before the first `next` and after the last entry. */
  bytes: Buffer | undefined;
  at = 0;
  /** Position in the file of the current entry. */
  position = 0;
  readonly #file: FileHandle | undefined;
  readonly #end: number;
  readonly #window: Buffer;
  #windowFrom = 0;
  #windowBytes = 0;
  #next = 0;

  constructor(path: string, entryBytes: number, fileSystem: FileSystem) {
    this.path = path;
    this.entryBytes = entryBytes;
    this.exists = fileSystem.exists(path);
    this.#file = this.exists ? fileSystem.openReadOnly(path) : undefined;
    const size = this.#file?.size() ?? 0;
    this.excessBytes = size % entryBytes;
    this.#end = size - this.excessBytes;
    this.#window = Buffer.allocUnsafe(Math.min(WINDOW_ENTRIES * entryBytes, Math.max(this.#end, 1)));
  }

  /** Bytes from the current entry to the end of the file. */
  get bytesLeft(): number {
    return this.#end + this.excessBytes - this.position;
  }

  /** Moves to the next entry; `bytes` is undefined where there is none. */
  async next(): Promise<void> {
    this.bytes = undefined;
    if (this.#file === undefined || this.#next >= this.#end) return;
    if (this.#next >= this.#windowFrom + this.#windowBytes) {
      const wanted = Math.min(this.#window.length, this.#end - this.#next);
      this.#windowFrom = this.#next;
      this.#windowBytes = await this.#file.read(this.#window.subarray(0, wanted), this.#next);
      if (this.#windowBytes < this.entryBytes) return;
    }
    this.position = this.#next;
    this.at = this.#next - this.#windowFrom;
    this.bytes = this.#window;
    this.#next += this.entryBytes;
  }

  /** Whether the current entry holds nothing: files that a process preallocated end with such. */
  get isZero(): boolean {
    const { bytes, at, entryBytes } = this;
    if (bytes === undefined) return false;
    for (let index = at; index < at + entryBytes; index++) if (bytes[index] !== 0) return false;
    return true;
  }

  close(): void {
    this.#file?.close();
  }
}
