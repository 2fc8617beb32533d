/**
 * One segment of a log: a file of batches with its offset and time index. Owns what lies where in these three files and
 * which timestamps the segment holds; never decides when to roll, what to keep or who may read. Not every segment's
 * files are open, nor its indexes in memory: see OpenFiles and IndexMemory.
 */
import { systemErrorCode } from '../base/errors.ts';
import type { FileHandle, FileSystem } from '../base/file-system.ts';
import type { Offset, Timestamp } from '../base/units.ts';
import { BATCH_HEADER_BYTES, batchBytes, lastOffset, maxTimestamp, NO_TIMESTAMP } from '../records/batch.ts';
import { BatchCursor, nextBatch } from './batch-cursor.ts';
import type { IndexMemory } from './index-memory.ts';
import { segmentMissing } from './log-directory-errors.ts';
import {
  DELETED_SUFFIX,
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  offsetFileName,
  SEGMENT_SUFFIXES,
  TIME_INDEX_SUFFIX,
  TRANSACTION_INDEX_SUFFIX,
} from './log-files.ts';
import { MAX_RELATIVE_OFFSET, OffsetIndex } from './offset-index.ts';
import { found, type SearchResult, searchOffset } from './offset-search.ts';
import type { FileSlot, OpenFiles, Place } from './open-files.ts';
import { TimeIndex, type TimestampOffset } from './time-index.ts';
import { TransactionIndex } from './transaction-index.ts';

export interface SegmentDependencies {
  readonly fileSystem: FileSystem;
  readonly files: OpenFiles;
  readonly indexes: IndexMemory;
}

export interface SegmentOptions {
  readonly place: Place;
  readonly baseOffset: Offset;
  /** At the end of the files' names, where they are no segment of the log yet. */
  readonly suffix?: string;
  /** Lengths of the files at this moment; 0 for new ones. */
  readonly logBytes: number;
  readonly offsetIndexBytes: number;
  readonly timeIndexBytes: number;
  /** 0 where there is no such file. */
  readonly transactionIndexBytes?: number;
  /** Taken off segment.ms for this segment. */
  readonly jitterMs: number;
  readonly indexIntervalBytes: number;
  /** On the monotonic clock. */
  readonly createdMs: number;
}

export class Segment {
  readonly baseOffset: Offset;
  readonly file: FileSlot;
  readonly offsetIndex: OffsetIndex;
  readonly timeIndex: TimeIndex;
  readonly transactionIndex: TransactionIndex;
  readonly jitterMs: number;
  createdMs: number;
  /** Bytes of whole batches; the file holds no more, but for a write in progress or failed. */
  size: number;
  /** Bytes from here on were appended by this process, so they are in the page cache. */
  appendedFrom: number;
  /** The run of bytes that was read ahead last. */
  warmFrom = 0;
  warmTo = 0;
  /** Bytes were appended since the last sync. */
  dirty = false;
  #bytesSinceEntry = 0;
  #largest: TimestampOffset | undefined;
  #firstTimestamp: Timestamp | undefined;
  readonly #indexIntervalBytes: number;
  readonly #place: Place;
  readonly #fileSystem: FileSystem;
  #checked = false;
  #timesChecked = false;
  #hasIndexes = true;

  constructor(options: SegmentOptions, dependencies: SegmentDependencies) {
    const { place, baseOffset, suffix = '' } = options;
    const { files, indexes } = dependencies;
    const slot = (kind: string): FileSlot =>
      files.slot(place, offsetFileName(baseOffset, kind) + suffix, { mustExist: kind === LOG_SUFFIX && suffix === '' });
    this.baseOffset = baseOffset;
    this.size = options.logBytes;
    this.jitterMs = options.jitterMs;
    this.createdMs = options.createdMs;
    this.appendedFrom = options.logBytes;
    this.file = slot(LOG_SUFFIX);
    this.offsetIndex = new OffsetIndex(
      {
        slot: slot(OFFSET_INDEX_SUFFIX),
        baseOffset,
        fileBytes: options.offsetIndexBytes,
      },
      indexes,
    );
    this.timeIndex = new TimeIndex(
      {
        slot: slot(TIME_INDEX_SUFFIX),
        baseOffset,
        fileBytes: options.timeIndexBytes,
      },
      indexes,
    );
    this.transactionIndex = new TransactionIndex(
      {
        slot: slot(TRANSACTION_INDEX_SUFFIX),
        baseOffset,
        fileBytes: options.transactionIndexBytes ?? 0,
      },
      indexes,
    );
    this.#indexIntervalBytes = options.indexIntervalBytes;
    this.#place = place;
    this.#fileSystem = dependencies.fileSystem;
    this.#checked = options.offsetIndexBytes === 0 && options.logBytes === 0;
    this.#timesChecked = this.#checked;
    if (options.logBytes === 0) this.#largest = { timestamp: NO_TIMESTAMP, offset: baseOffset };
  }

  /** Whether offsets up to `last` can be told relative to this segment's base. */
  canHold(last: Offset): boolean {
    return last - this.baseOffset <= MAX_RELATIVE_OFFSET;
  }

  /**
   * Writes batches at the end of the file in one call. Throws the system's error after cutting the file back to what it
   * was; `onTornWrite` is called first where that failed as well, and the file must not be used any more.
   */
  write(bytes: Uint8Array, onTornWrite: () => void): void {
    const file = this.file.use();
    // What is written in part and taken back has to be synced as well.
    this.dirty = true;
    try {
      file.writeSync([bytes], this.size);
    } catch (error) {
      try {
        file.truncateSync(this.size);
      } catch {
        onTornWrite();
      }
      throw error;
    }
  }

  /** Takes the batch at `at` in `bytes`, written at the end of the file, into size, timestamps and indexes. */
  added(bytes: Buffer, at: number): void {
    const timestamp = maxTimestamp(bytes, at);
    const last = lastOffset(bytes, at);
    const size = batchBytes(bytes, at);
    const largest = this.largest();
    if (timestamp > largest.timestamp) this.#largest = { timestamp, offset: last };
    if (this.size === 0) this.#firstTimestamp = timestamp;
    if (this.#bytesSinceEntry > this.#indexIntervalBytes) {
      this.offsetIndex.append(last, this.size);
      const newest = this.largest();
      this.timeIndex.append(newest.timestamp, newest.offset);
      this.#bytesSinceEntry = 0;
    }
    this.#bytesSinceEntry += size;
    this.size += size;
  }

  /** Largest timestamp and the last offset of the batch that has it; (-1, base offset) where no record has one. */
  largest(): TimestampOffset {
    if (this.#largest === undefined) {
      if (!this.#timesChecked && !this.timeIndex.hasPlausibleEnds()) this.rebuildIndexes();
      this.#largest ??= this.timeIndex.lastEntry();
    }
    return this.#largest;
  }

  /** Makes `largest` need no disk. */
  async learnLargest(): Promise<void> {
    if (this.#largest !== undefined) return;
    await this.timeIndex.file.touchEnds();
    this.largest();
  }

  /** Largest timestamp; where no record has one, when the file was last written. */
  retentionTimestamp(): Timestamp {
    const { timestamp } = this.largest();
    return timestamp >= 0 ? timestamp : this.#modifiedMs();
  }

  #modifiedMs(): Timestamp {
    try {
      return Math.floor(this.#fileSystem.modifiedMs(this.file.path));
    } catch (error) {
      throw systemErrorCode(error) === 'ENOENT' ? segmentMissing(this.file.path, error) : error;
    }
  }

  /** How long this segment has been filling: by its first batch's timestamp, or by the clock where it has none. */
  ageMs(now: { readonly monotonicMs: number; readonly timestamp: Timestamp }): number {
    const first = this.firstTimestamp();
    return first >= 0 ? now.timestamp - first : now.monotonicMs - this.createdMs;
  }

  /** Largest timestamp of the first batch, -1 where it has none or there is no batch. */
  firstTimestamp(): Timestamp {
    if (this.#firstTimestamp === undefined && this.size > 0) {
      const header = Buffer.allocUnsafe(BATCH_HEADER_BYTES);
      const length = this.file.use().readSync(header, 0);
      this.#firstTimestamp = length === BATCH_HEADER_BYTES ? maxTimestamp(header, 0) : NO_TIMESTAMP;
    }
    return this.#firstTimestamp ?? NO_TIMESTAMP;
  }

  /** Leaves the first batch whose last offset is not below `offset` in `found`. */
  search(offset: Offset): SearchResult {
    this.check();
    const from = this.offsetIndex.positionFor(offset);
    return searchOffset(this.file.use(), offset, { from, to: this.size });
  }

  /** The same for the position alone; the segment's size where no batch has such an offset. */
  positionOf(offset: Offset): number {
    return this.search(offset) === 'found' ? found.position : this.size;
  }

  /** Looks at an offset index that another run of the process wrote before it is trusted. */
  check(): void {
    if (this.#checked) return;
    this.#checked = true;
    if (!this.offsetIndex.isPlausible(this.size)) this.rebuildIndexes();
  }

  /** The same for the time index. */
  checkTimes(): void {
    if (this.#timesChecked) return;
    this.#timesChecked = true;
    if (!this.timeIndex.isPlausible()) this.rebuildIndexes();
  }

  /** The index files are missing or no indexes: nothing may be searched before they are built again. */
  distrustIndexes(): void {
    this.#hasIndexes = false;
  }

  get hasIndexes(): boolean {
    return this.#hasIndexes;
  }

  /** Whether a search needs no disk and no rebuilding. */
  get isReady(): boolean {
    return this.#checked && this.offsetIndex.file.inMemory;
  }

  /** Builds both indexes again from the batches' headers. They are no source of truth, so nothing is lost with them. */
  rebuildIndexes(): void {
    const { size } = this;
    const cursor = new BatchCursor({ from: 0, to: size });
    this.clearIndexes();
    while (nextBatch(cursor, this.file.use())) this.added(cursor.bytes, cursor.at);
    this.finishIndexes();
    this.size = size;
  }

  /** Forgets what batches' headers tell: `added` for each batch from the first brings it back. */
  clearIndexes(): void {
    this.#checked = true;
    this.#timesChecked = true;
    this.#hasIndexes = true;
    this.offsetIndex.file.truncate(0);
    this.timeIndex.clear();
    this.offsetIndex.file.trim();
    this.timeIndex.file.trim();
    this.#largest = { timestamp: NO_TIMESTAMP, offset: this.baseOffset };
    this.#firstTimestamp = undefined;
    this.#bytesSinceEntry = 0;
    this.size = 0;
  }

  /**
   * Where the batch begins, or would, whose base offset is `offset`, by indexes that another run of the process wrote.
   * Undefined where they cannot be true, or no batch ends there: then nothing is known.
   */
  positionToResume(offset: Offset): number | undefined {
    if (!this.#hasIndexes || !this.offsetIndex.isPlausible(this.size) || !this.timeIndex.isPlausible())
      return undefined;
    const cursor = new BatchCursor({ from: this.offsetIndex.positionFor(offset - 1), to: this.size });
    while (nextBatch(cursor, this.file.use())) {
      const next = lastOffset(cursor.bytes, cursor.at) + 1;
      if (next >= offset) return next === offset ? cursor.position + cursor.size : undefined;
    }
    return undefined;
  }

  /** As `clearIndexes`, but what lies before `position`, and so below `offset`, stays known. */
  resumeAt(offset: Offset, position: number): void {
    this.#checked = true;
    this.#timesChecked = true;
    this.offsetIndex.truncateTo(offset);
    this.timeIndex.truncateTo(offset);
    this.transactionIndex.truncateTo(offset);
    this.offsetIndex.file.trim();
    this.timeIndex.file.trim();
    this.#bytesSinceEntry = 0;
    this.size = position;
    this.#largest = this.#scanLargest();
  }

  /** Nothing will be appended for now: the last time entry holds the largest timestamp, and both files are complete. */
  finishIndexes(): void {
    const { timestamp, offset } = this.largest();
    this.timeIndex.append(timestamp, offset);
    this.offsetIndex.file.flush();
    this.timeIndex.file.flush();
    this.transactionIndex.file.flush();
  }

  get hasDirtyIndexes(): boolean {
    return this.offsetIndex.file.isDirty || this.timeIndex.file.isDirty;
  }

  /** Makes the indexes durable. A crash after that takes the files of a closed segment at their word. */
  async syncIndexes(): Promise<void> {
    await this.offsetIndex.file.sync();
    await this.timeIndex.file.sync();
  }

  /** The same in this turn. */
  syncIndexesNow(): void {
    this.offsetIndex.file.syncNow();
    this.timeIndex.file.syncNow();
  }

  /** Nothing will be appended ever again. */
  seal(): void {
    this.finishIndexes();
    this.offsetIndex.file.seal();
    this.timeIndex.file.seal();
    this.transactionIndex.file.seal();
  }

  /** Cuts every batch that holds `offset` or a later one; returns the end of what stays. */
  truncateTo(offset: Offset, nowMs: number): Offset {
    const result = this.search(offset);
    const end = result === 'found' ? Math.min(offset, found.baseOffset) : offset;
    if (result === 'found') {
      const { position } = found;
      this.file.use().truncateSync(position);
      this.size = position;
      this.appendedFrom = Math.min(this.appendedFrom, position);
      this.warmTo = Math.min(this.warmTo, position);
      this.dirty = true;
    }
    this.offsetIndex.truncateTo(end);
    this.timeIndex.truncateTo(end);
    this.transactionIndex.truncateTo(end);
    this.#bytesSinceEntry = 0;
    if (this.size === 0) {
      this.createdMs = nowMs;
      this.#firstTimestamp = undefined;
    }
    this.#largest = this.#scanLargest();
    return end;
  }

  /** The time index says it for all but the batches after its last entry. */
  #scanLargest(): TimestampOffset {
    let largest = this.timeIndex.lastEntry();
    const cursor = new BatchCursor({ from: this.offsetIndex.positionFor(largest.offset), to: this.size });
    while (nextBatch(cursor, this.file.use())) {
      const timestamp = maxTimestamp(cursor.bytes, cursor.at);
      if (timestamp > largest.timestamp) largest = { timestamp, offset: lastOffset(cursor.bytes, cursor.at) };
    }
    return largest;
  }

  /** Gives the files their names for removal. Readers that hold the log file keep it. */
  markDeleted(): void {
    for (const suffix of SEGMENT_SUFFIXES) {
      const path = `${this.#place.path}/${offsetFileName(this.baseOffset, suffix)}`;
      if (this.#fileSystem.exists(path)) this.#fileSystem.rename(path, path + DELETED_SUFFIX);
    }
    this.retire();
  }

  /** Names of the files that `markDeleted` left. */
  deletedNames(): string[] {
    return SEGMENT_SUFFIXES.map((suffix) => offsetFileName(this.baseOffset, suffix) + DELETED_SUFFIX);
  }

  /** Closes the files, now or when the last reader is done, and gives memory back. */
  retire(): void {
    this.file.retire();
    this.offsetIndex.file.slot.retire();
    this.timeIndex.file.slot.retire();
    this.transactionIndex.file.slot.retire();
    this.offsetIndex.file.evict();
    this.timeIndex.file.evict();
    this.transactionIndex.file.evict();
  }

  /** The log file, kept open for work off the event loop; call `file.giveBack` after. */
  borrow(): FileHandle {
    return this.file.borrow();
  }
}

/** The same words for the same damage, whoever meets it. */
export function noBatchAt({ file }: Segment, position: number): string {
  return `${file.path} holds bytes that are no batch at position ${position}`;
}
