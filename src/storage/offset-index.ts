/**
 * Where in a segment an offset lies, sparsely (`<base>.index`). One entry of 8 bytes, big endian, as Kafka's OffsetIndex:
 *
 *   0 last offset of a batch minus the segment's base offset  int32
 *   4 position of that batch in the file                      int32
 */
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/units.ts';
import { EntryFile } from './entry-file.ts';
import type { IndexMemory } from './index-memory.ts';
import type { FileSlot } from './open-files.ts';

export const OFFSET_ENTRY_BYTES = 8;
/** Relative offsets and positions are signed 32-bit numbers. */
export const MAX_RELATIVE_OFFSET = 2 ** 31 - 1;

export class OffsetIndex {
  readonly file: EntryFile;
  readonly #base: Offset;

  constructor(
    options: { readonly slot: FileSlot; readonly baseOffset: Offset; readonly fileBytes: number },
    memory: IndexMemory,
  ) {
    this.#base = options.baseOffset;
    this.file = new EntryFile({ ...options, entryBytes: OFFSET_ENTRY_BYTES }, memory);
  }

  get count(): number {
    return this.file.count;
  }

  /** Whether one more entry would exceed `maxBytes` (segment.index.bytes). */
  isFull(maxBytes: number): boolean {
    return this.count >= Math.floor(maxBytes / OFFSET_ENTRY_BYTES);
  }

  append(lastOffset: Offset, position: number): void {
    const at = this.file.beginEntry();
    const bytes = this.file.newEntryBytes;
    bytes.writeInt32BE(lastOffset - this.#base, at);
    bytes.writeInt32BE(position, at + 4);
    this.file.added();
  }

  offsetAt(entry: number): Offset {
    return this.#base + this.file.int32(entry, 0);
  }

  positionAt(entry: number): number {
    return this.file.int32(entry, 4);
  }

  /** The place to search forward from for the batch that holds `offset`. */
  positionFor(offset: Offset): number {
    const entry = this.#lastEntryAtMost(offset);
    return entry < 0 ? 0 : this.positionAt(entry);
  }

  /** The highest known batch boundary that is not above `position`; 0 where none is known. */
  boundaryAtMost(position: number): number {
    this.file.searchedSince = true;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.positionAt(middle) <= position) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.positionAt(low - 1);
  }

  /** The offset of the first entry whose batch does not begin before `position`: above all before it. */
  offsetFrom(position: number): Offset | undefined {
    this.file.searchedSince = true;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.positionAt(middle) < position) low = middle + 1;
      else high = middle;
    }
    return low === this.count ? undefined : this.offsetAt(low);
  }

  /** Removes every entry of an offset at or above `offset`. */
  truncateTo(offset: Offset): void {
    this.file.truncate(this.#lastEntryAtMost(offset - 1) + 1);
  }

  /** Position in the last entry without loading the index; 0 where it is empty. */
  lastPosition(): number {
    return this.file.last()?.readInt32BE(4) ?? 0;
  }

  /** Whether the entries can be of this segment: rising offsets and positions, inside the file of `logBytes`. */
  isPlausible(logBytes: number): boolean {
    let offset = -1;
    let position = -1;
    for (let entry = 0; entry < this.count; entry++) {
      const nextOffset = this.file.int32(entry, 0);
      const nextPosition = this.file.int32(entry, 4);
      if (nextOffset <= offset || nextPosition <= position) return false;
      offset = nextOffset;
      position = nextPosition;
    }
    return this.count === 0 || position < logBytes;
  }

  #lastEntryAtMost(offset: Offset): number {
    this.file.searchedSince = true;
    const relative = offset - this.#base;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.file.int32(middle, 0) <= relative) low = middle + 1;
      else high = middle;
    }
    assert(low >= 0, 'a binary search stays inside the index');
    return low - 1;
  }
}
