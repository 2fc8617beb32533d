/**
 * Which offset first reached a timestamp, sparsely (`<base>.timeindex`). One entry of 12 bytes, big endian, as Kafka's
 * TimeIndex; timestamps rise strictly. The last entry of a closed segment is the segment's largest timestamp.
 *
 *   0 largest timestamp so far                                          int64
 *   8 last offset of the batch that has it, minus the segment's base   int32
 */
import { readInt64, writeInt64 } from '../base/int64.ts';
import type { Offset, Timestamp } from '../base/units.ts';
import { NO_TIMESTAMP } from '../records/batch.ts';
import { EntryFile } from './entry-file.ts';
import type { IndexMemory } from './index-memory.ts';
import type { FileSlot } from './open-files.ts';

export const TIME_ENTRY_BYTES = 12;

export interface TimestampOffset {
  readonly timestamp: Timestamp;
  readonly offset: Offset;
}

export class TimeIndex {
  readonly file: EntryFile;
  readonly #base: Offset;
  #lastTimestamp: Timestamp | undefined;

  constructor(
    options: { readonly slot: FileSlot; readonly baseOffset: Offset; readonly fileBytes: number },
    memory: IndexMemory,
  ) {
    this.#base = options.baseOffset;
    this.file = new EntryFile({ ...options, entryBytes: TIME_ENTRY_BYTES }, memory);
    if (this.file.count === 0) this.#lastTimestamp = NO_TIMESTAMP;
  }

  get count(): number {
    return this.file.count;
  }

  /** One entry stays reserved for the roll. */
  isFull(maxBytes: number): boolean {
    return this.count >= Math.floor(maxBytes / TIME_ENTRY_BYTES) - 1;
  }

  /** Adds an entry where `timestamp` is above the last one. */
  append(timestamp: Timestamp, offset: Offset): void {
    if (timestamp <= this.lastTimestamp()) return;
    const at = this.file.beginEntry();
    const bytes = this.file.newEntryBytes;
    writeInt64(bytes, timestamp, at);
    bytes.writeInt32BE(offset - this.#base, at + 8);
    this.file.added();
    this.#lastTimestamp = timestamp;
  }

  /** Timestamp of the last entry, -1 without entries; reads one entry where it is not known. */
  lastTimestamp(): Timestamp {
    this.#lastTimestamp ??= this.lastEntry().timestamp;
    return this.#lastTimestamp;
  }

  /** The last entry without loading the others; (-1, base offset) where there is none. */
  lastEntry(): TimestampOffset {
    const bytes = this.file.last();
    if (bytes === undefined) return { timestamp: NO_TIMESTAMP, offset: this.#base };
    return { timestamp: readInt64(bytes, 0), offset: this.#base + bytes.readInt32BE(8) };
  }

  /** Whether first and last entry can be of one index (Kafka's sanity check): what a crash leaves fails it. */
  hasPlausibleEnds(): boolean {
    if (this.count < 2) return true;
    const first = this.file.entry(0);
    const last = this.lastEntry();
    return last.timestamp > readInt64(first, 0) && last.offset >= this.#base + first.readInt32BE(8);
  }

  /** An offset at or before which no record of this segment has a timestamp of `timestamp` or more, bar that batch's. */
  offsetFor(timestamp: Timestamp): Offset {
    this.file.searchedSince = true;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.file.int64(middle, 0) <= timestamp) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? this.#base : this.#base + this.file.int32(low - 1, 8);
  }

  clear(): void {
    this.file.truncate(0);
    this.#lastTimestamp = NO_TIMESTAMP;
  }

  /** Removes every entry of an offset at or above `offset`. */
  truncateTo(offset: Offset): void {
    const relative = offset - this.#base;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.file.int32(middle, 8) < relative) low = middle + 1;
      else high = middle;
    }
    this.file.truncate(low);
    this.#lastTimestamp = undefined;
  }

  /** Whether the entries can be of this segment: rising timestamps and offsets. */
  isPlausible(): boolean {
    let timestamp = NO_TIMESTAMP;
    let offset = -1;
    for (let entry = 0; entry < this.count; entry++) {
      const nextTimestamp = this.file.int64(entry, 0);
      const nextOffset = this.file.int32(entry, 8);
      if (nextTimestamp <= timestamp || nextOffset < offset) return false;
      timestamp = nextTimestamp;
      offset = nextOffset;
    }
    return true;
  }
}
