/**
 * The compacted successor of some neighbouring segments: written aside as `.cleaned`, made durable, renamed to `.swap`,
 * and put in their place in one synchronous run. Whatever moment the process or the power ends at, the next start finds
 * either all of the old ones or this one (interrupted-swap.ts).
 */
import type { Offset, Timestamp } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { LogCore } from '../log-core.ts';
import {
  CLEANED_SUFFIX,
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  offsetFileName,
  SEGMENT_SUFFIXES,
  SWAP_SUFFIX,
  TIME_INDEX_SUFFIX,
} from '../log-files.ts';
import { removeLater } from '../log-retention.ts';
import { OFFSET_ENTRY_BYTES } from '../offset-index.ts';
import type { Segment } from '../segment.ts';
import { TIME_ENTRY_BYTES } from '../time-index.ts';
import { type AbortedTransaction, TRANSACTION_ENTRY_BYTES } from '../transaction-index.ts';

/** So much is left to the page cache before it must be on disk: a flood at the end would hold up the log's own syncs. */
const SYNC_EVERY_BYTES = 16 * 2 ** 20;

export class CleanedSegment {
  readonly #core: LogCore;
  readonly #replaced: readonly Segment[];
  readonly #segment: Segment;
  #unsyncedBytes = 0;

  /** Creates the files. Throws the system's error. */
  constructor(core: LogCore, replaced: readonly Segment[]) {
    this.#core = core;
    this.#replaced = replaced;
    const { baseOffset } = replaced[0]!;
    // What an attempt before this one left.
    for (const path of this.#unfinishedPaths(baseOffset)) core.fileSystem.remove(path);
    for (const kind of [LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX]) {
      core.fileSystem.open(this.#path(kind, CLEANED_SUFFIX, baseOffset)).close();
    }
    this.#segment = core.segmentOf(baseOffset, undefined, CLEANED_SUFFIX);
  }

  get size(): number {
    return this.#segment.size;
  }

  /** Writes whole batches; resolves when as much is durable as must be. Rejects with the system's error. */
  async append(batches: Buffer, transactions: readonly AbortedTransaction[]): Promise<void> {
    const segment = this.#segment;
    for (const transaction of transactions) segment.transactionIndex.append(transaction);
    if (batches.length === 0) return;
    // A file with a torn write is thrown away as one with a failed write is.
    segment.write(batches, () => undefined);
    for (let at = 0; at < batches.length; at += batch.batchBytes(batches, at)) {
      if (!segment.canHold(batch.lastOffset(batches, at))) {
        throw new CorruptRecords(`offset ${batch.lastOffset(batches, at)} is too far from the segment's base`);
      }
      segment.added(batches, at);
    }
    this.#unsyncedBytes += batches.length;
    if (this.#unsyncedBytes < SYNC_EVERY_BYTES) return;
    this.#unsyncedBytes = 0;
    await this.#sync(segment.file);
  }

  async #sync(slot: Segment['file']): Promise<void> {
    const file = slot.borrow();
    try {
      await file.sync();
    } finally {
      slot.giveBack();
    }
  }

  /** Completes the files and makes them durable, with the age that the replaced ones have. */
  async finish(modifiedMs: Timestamp): Promise<void> {
    const segment = this.#segment;
    segment.seal();
    await this.#sync(segment.file);
    await this.#sync(segment.offsetIndex.file.slot);
    await this.#sync(segment.timeIndex.file.slot);
    if (segment.transactionIndex.count > 0) await segment.transactionIndex.sync();
    segment.retire();
    this.#core.fileSystem.setModifiedMs(segment.file.path, modifiedMs);
  }

  /** Removes what a pass shortly before this one left: to rename over a large file takes as long as to remove it. */
  async makeWay(): Promise<void> {
    const { fileSystem, place } = this.#core;
    for (const name of this.#replaced.flatMap((segment) => segment.deletedNames())) {
      const path = `${place.path}/${name}`;
      // Asked first: removals are made one after the other, and mostly there is nothing to wait for.
      if (fileSystem.exists(path)) await fileSystem.removeAsync(path);
    }
  }

  /** From the end of this on the new segment is what a start would find, whatever becomes of the old ones. */
  async announce(): Promise<void> {
    for (const kind of SEGMENT_SUFFIXES) this.#rename(kind, CLEANED_SUFFIX, SWAP_SUFFIX);
    await this.#core.fileSystem.syncDirectoryAsync(this.#core.place.path);
  }

  /**
   * Puts the segment, once announced, in the place of those it replaces, which must all be in the log. After an error
   * files and memory may disagree, and the log must fail: no reader may come in between.
   */
  swapIn(): void {
    const core = this.#core;
    const { baseOffset } = this.#segment;
    const names = this.#replaced.flatMap((segment) => {
      if (segment.baseOffset !== baseOffset) core.snapshots.remove(segment.baseOffset);
      segment.markDeleted();
      return segment.deletedNames();
    });
    // Old segments under their own names beside the new one under its own would be read twice.
    core.fileSystem.syncDirectory(core.place.path);
    for (const kind of SEGMENT_SUFFIXES) this.#rename(kind, SWAP_SUFFIX, '');
    core.directoryDirty = true;
    const first = core.segments.indexOf(this.#replaced[0]!);
    core.segments = core.segments.toSpliced(first, this.#replaced.length, this.#successor());
    removeLater(core, names);
  }

  #successor(): Segment {
    const { baseOffset, size, offsetIndex, timeIndex, transactionIndex } = this.#segment;
    return this.#core.segmentOf(baseOffset, {
      log: size,
      offsetIndex: offsetIndex.count * OFFSET_ENTRY_BYTES,
      timeIndex: timeIndex.count * TIME_ENTRY_BYTES,
      transactionIndex: transactionIndex.count * TRANSACTION_ENTRY_BYTES,
    });
  }

  /** Takes everything back, as far as the disk lets it. Only where `swapIn` has not begun. */
  async discard(): Promise<void> {
    const { baseOffset } = this.#segment;
    if (!this.#segment.file.isRetired) this.#segment.retire();
    // In this turn: a start after the log was truncated and appended to again must find nothing that was announced.
    // The log file last: a start takes an index without it for the rest of a swap that was completed.
    for (const kind of SEGMENT_SUFFIXES.toReversed()) this.#rename(kind, SWAP_SUFFIX, CLEANED_SUFFIX);
    for (const path of this.#unfinishedPaths(baseOffset)) await this.#core.fileSystem.removeAsync(path);
  }

  #unfinishedPaths(baseOffset: Offset): string[] {
    return SEGMENT_SUFFIXES.map((kind) => this.#path(kind, CLEANED_SUFFIX, baseOffset));
  }

  #rename(kind: string, from: string, to: string): void {
    const { baseOffset } = this.#segment;
    const path = this.#path(kind, from, baseOffset);
    if (this.#core.fileSystem.exists(path)) this.#core.fileSystem.rename(path, this.#path(kind, to, baseOffset));
  }

  #path(kind: string, suffix: string, baseOffset: number): string {
    return `${this.#core.place.path}/${offsetFileName(baseOffset, kind)}${suffix}`;
  }
}
