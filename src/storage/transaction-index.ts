/**
 * The aborted transactions whose marker lies in one segment (`<base>.txnindex`): what a reader of committed records must
 * skip. Exists only where there are some. One entry of 34 bytes, big endian, as Kafka's AbortedTxn, by rising marker:
 *
 *   0 version int16 = 0 | 2 producer id int64 | 10 first offset int64 | 18 offset of the marker int64
 *   26 last stable offset once the transaction had ended int64
 */
import { assert } from '../base/assert.ts';
import type { FileSystem } from '../base/file-system.ts';
import { readInt64, writeInt64 } from '../base/int64.ts';
import type { Offset, ProducerId } from '../base/units.ts';
import { EntryFile } from './entry-file.ts';
import type { IndexMemory } from './index-memory.ts';
import type { FileSlot } from './open-files.ts';

export const TRANSACTION_ENTRY_BYTES = 34;
export const TRANSACTION_INDEX_VERSION = 0;
const PRODUCER_ID_AT = 2;
const FIRST_OFFSET_AT = 10;
const LAST_OFFSET_AT = 18;
const LAST_STABLE_OFFSET_AT = 26;

export interface AbortedTransaction {
  readonly producerId: ProducerId;
  readonly firstOffset: Offset;
  /** Of the marker. */
  readonly lastOffset: Offset;
  /** Below it no transaction was open when this one had ended. */
  readonly lastStableOffset: Offset;
}

/** The entry at `at`, whatever its version. */
export function decodeAbortedTransaction(bytes: Buffer, at: number): AbortedTransaction & { readonly version: number } {
  return {
    version: bytes.readInt16BE(at),
    producerId: readInt64(bytes, at + PRODUCER_ID_AT),
    firstOffset: readInt64(bytes, at + FIRST_OFFSET_AT),
    lastOffset: readInt64(bytes, at + LAST_OFFSET_AT),
    lastStableOffset: readInt64(bytes, at + LAST_STABLE_OFFSET_AT),
  };
}

function encodeAbortedTransaction(transaction: AbortedTransaction, bytes: Buffer, at: number): void {
  bytes.writeInt16BE(TRANSACTION_INDEX_VERSION, at);
  writeInt64(bytes, transaction.producerId, at + PRODUCER_ID_AT);
  writeInt64(bytes, transaction.firstOffset, at + FIRST_OFFSET_AT);
  writeInt64(bytes, transaction.lastOffset, at + LAST_OFFSET_AT);
  writeInt64(bytes, transaction.lastStableOffset, at + LAST_STABLE_OFFSET_AT);
}

export class TransactionIndex {
  readonly file: EntryFile;
  readonly #base: Offset;
  /** Entries changed since the last sync. */
  dirty = false;
  #whole: boolean;

  constructor(
    options: { readonly slot: FileSlot; readonly baseOffset: Offset; readonly fileBytes: number },
    memory: IndexMemory,
  ) {
    this.#base = options.baseOffset;
    this.#whole = options.fileBytes % TRANSACTION_ENTRY_BYTES === 0;
    this.file = new EntryFile({ ...options, entryBytes: TRANSACTION_ENTRY_BYTES }, memory);
  }

  get count(): number {
    return this.file.count;
  }

  /** Whether there is no file, or an empty one. */
  get isBlank(): boolean {
    return this.count === 0 && this.#whole;
  }

  /** Adds a transaction whose marker lies above all others here. A full disk does not fail it: a later flush does. */
  append(transaction: AbortedTransaction): void {
    const at = this.file.beginEntry();
    encodeAbortedTransaction(transaction, this.file.newEntryBytes, at);
    this.file.added();
    this.dirty = true;
    this.file.tryFlush();
  }

  at(entry: number): AbortedTransaction {
    return {
      producerId: this.file.int64(entry, PRODUCER_ID_AT),
      firstOffset: this.file.int64(entry, FIRST_OFFSET_AT),
      lastOffset: this.file.int64(entry, LAST_OFFSET_AT),
      lastStableOffset: this.file.int64(entry, LAST_STABLE_OFFSET_AT),
    };
  }

  /** All of them, by rising marker. */
  *entries(): Iterable<AbortedTransaction> {
    for (let entry = 0; entry < this.count; entry++) yield this.at(entry);
  }

  /**
   * Adds those with records in `fetchOffset` .. `upperBound` (exclusive) to `found`. True where no later segment can
   * tell of more: at the last entry looked at, everything below `upperBound` was decided.
   */
  collect(fetchOffset: Offset, upperBound: Offset, found: AbortedTransaction[]): boolean {
    if (this.count === 0) return false;
    this.file.searchedSince = true;
    for (let entry = this.#firstEndingAt(fetchOffset); entry < this.count; entry++) {
      if (this.file.int64(entry, FIRST_OFFSET_AT) < upperBound) found.push(this.at(entry));
      if (this.file.int64(entry, LAST_STABLE_OFFSET_AT) >= upperBound) return true;
    }
    return false;
  }

  /** The first entry whose marker is not below `offset`. */
  #firstEndingAt(offset: Offset): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.file.int64(middle, LAST_OFFSET_AT) < offset) low = middle + 1;
      else high = middle;
    }
    assert(low >= 0 && low <= this.count, 'a binary search stays inside the index');
    return low;
  }

  /** Removes every transaction whose marker lies at or above `offset`. */
  truncateTo(offset: Offset): void {
    const kept = this.#firstEndingAt(offset);
    if (kept === this.count) return;
    this.file.truncate(kept);
    this.dirty = true;
  }

  /** Removes everything. A file that exists stays, empty. */
  clear(): void {
    const existed = !this.isBlank;
    this.file.truncate(0);
    if (existed) {
      this.file.trim();
      this.dirty = true;
    }
    this.#whole = true;
  }

  /**
   * Puts these in the place of what the file held, durably, and at once: a power loss leaves the old file, which nobody
   * takes for a whole one, or the new one. Rejects with the system's error.
   */
  async replace(transactions: readonly AbortedTransaction[], fileSystem: FileSystem): Promise<void> {
    const content = Buffer.alloc(transactions.length * TRANSACTION_ENTRY_BYTES);
    for (const [entry, transaction] of transactions.entries()) {
      encodeAbortedTransaction(transaction, content, entry * TRANSACTION_ENTRY_BYTES);
    }
    await fileSystem.replaceFileAsync(this.file.slot.path, content);
    this.file.replacedBy(content);
    this.#whole = true;
    this.dirty = false;
  }

  /** Whether the entries can be of a segment with offsets from its base up to `end`. */
  isPlausible(end: Offset): boolean {
    if (!this.#whole) return false;
    let before = this.#base - 1;
    for (let entry = 0; entry < this.count; entry++) {
      const { firstOffset, lastOffset, lastStableOffset } = this.at(entry);
      if (this.file.entry(entry).readInt16BE(0) !== TRANSACTION_INDEX_VERSION) return false;
      if (lastOffset <= before || lastOffset >= end || firstOffset < 0 || firstOffset >= lastOffset) return false;
      if (!(lastStableOffset >= 0 && lastStableOffset <= end)) return false;
      before = lastOffset;
    }
    return true;
  }

  /** Makes what was added durable. Rejects with the system's error. */
  async sync(): Promise<void> {
    this.dirty = false;
    this.file.flush();
    const file = this.file.slot.borrow();
    try {
      await file.sync();
    } finally {
      this.file.slot.giveBack();
    }
  }
}
