/**
 * Reads from a log: which run of bytes in which file answers a fetch. Synchronous, a few microseconds: no record byte is
 * touched, and consumers at the end of the log need no file at all. `warm` brings what a read would wait for into memory
 * beforehand, off the event loop.
 */
import type { FileRegion } from '../base/file-region.ts';
import type { FileHandle } from '../base/file-system.ts';
import type { Offset } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { abortedBefore } from './aborted-transactions.ts';
import type { LogCore } from './log-core.ts';
import { isSegmentMissing } from './log-directory-errors.ts';
import { found } from './offset-search.ts';
import type { FileSlot } from './open-files.ts';
import { noBatchAt, type Segment } from './segment.ts';
import type { AbortedTransaction } from './transaction-index.ts';

export interface ReadOptions {
  readonly maxBytes: number;
  /** Return the first batch whole even where it is larger than `maxBytes`, so that no consumer gets stuck. */
  readonly minOneBatch: boolean;
  /** Batches from here on are not visible to the reader: a high watermark, a last stable offset, or the log's end. */
  readonly upTo: Offset;
  /** Tell which transactions of the returned batches were aborted. */
  readonly collectAborted?: boolean;
}

export interface Read {
  readonly ok: true;
  /** Whole batches, but the last one may be cut; undefined where nothing is visible. Release it once. */
  readonly region: FileRegion | undefined;
  readonly bytes: number;
  /** Base offset of the first batch: not above the offset that was asked for. */
  readonly startOffset: Offset;
  /** There is a batch, but `maxBytes` is too small for it. */
  readonly tooLarge: boolean;
  /** Undefined where it was not asked for. Some may have no record here; none is missing. */
  readonly aborted: readonly AbortedTransaction[] | undefined;
}

export interface ReadRefused {
  readonly ok: false;
  readonly errorCode: ErrorCode;
  readonly message: string;
}

export type ReadOutcome = Read | ReadRefused;

/** How much is read ahead for a reader of old data, and how much of that must be left before more is. */
const WARM_BYTES = 4 * 2 ** 20;
const WARM_LEFT_BYTES = 2 ** 20;
const WARM_CHUNK_BYTES = 2 ** 20;

class SegmentRegion implements FileRegion {
  readonly file: FileHandle;
  readonly position: number;
  readonly length: number;
  readonly #slot: FileSlot;
  #released = false;

  constructor(slot: FileSlot, position: number, length: number) {
    this.file = slot.borrow();
    this.position = position;
    this.length = length;
    this.#slot = slot;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#slot.giveBack();
  }
}

export function read(core: LogCore, offset: Offset, options: ReadOptions): ReadOutcome {
  if (!core.isUsable) return refuse(ErrorCode.KAFKA_STORAGE_ERROR, core.unusableReason);
  if (offset < core.startOffset || offset > core.endOffset) {
    return refuse(ErrorCode.OFFSET_OUT_OF_RANGE, `offset ${offset} is not in ${core.startOffset}..${core.endOffset}`);
  }
  const limit = Math.min(options.upTo, core.endOffset);
  if (offset >= limit) return nothing(offset, options);
  try {
    return readSegments(core, offset, limit, options);
  } catch (error) {
    const errorCode = isSegmentMissing(error) ? ErrorCode.CORRUPT_MESSAGE : ErrorCode.KAFKA_STORAGE_ERROR;
    return refuse(errorCode, core.noteError(error, 'read from the log'));
  }
}

function refuse(errorCode: ErrorCode, message: string): ReadRefused {
  return { ok: false, errorCode, message };
}

function nothing(offset: Offset, { collectAborted }: ReadOptions, tooLarge = false): Read {
  const aborted = collectAborted === true ? [] : undefined;
  return { ok: true, region: undefined, bytes: 0, startOffset: offset, tooLarge, aborted };
}

/** A segment may hold nothing at or above the offset any more: then the next one answers. */
function readSegments(core: LogCore, offset: Offset, limit: Offset, options: ReadOptions): ReadOutcome {
  const { segments } = core;
  for (let index = core.segmentIndexOf(offset); index < segments.length; index++) {
    const segment = segments[index]!;
    if (segment.baseOffset >= limit) break;
    if (segment !== core.active || !core.tail.locate(offset)) {
      const result = segment.search(offset);
      if (result === 'broken') return refuse(ErrorCode.CORRUPT_MESSAGE, brokenBatch(core, segment, offset));
      if (result === 'absent') {
        noteGap(core, index);
        continue;
      }
    }
    const { position, baseOffset, bytes } = found;
    const available = endPosition(core, index, limit) - position;
    if (available <= 0) break;
    const length = lengthOf(segment, { position, firstBytes: bytes, available }, options);
    if (length === 0) return nothing(baseOffset, options, true);
    const aborted =
      options.collectAborted === true
        ? abortedBefore(core, { index, position: position + length }, { from: offset, limit })
        : undefined;
    const region = new SegmentRegion(segment.file, position, length);
    return { ok: true, region, bytes: length, startOffset: baseOffset, tooLarge: false, aborted };
  }
  return nothing(offset, options);
}

function brokenBatch(core: LogCore, segment: Segment, offset: Offset): string {
  core.damage.report(noBatchAt(segment, found.position), {
    remedy: 'Let consumers go on at a later offset, or bring the file back from a copy.',
  });
  return `segment ${segment.baseOffset} holds bytes that are no batch before offset ${offset}`;
}

/** Readers go on in the next segment, as with Kafka: compaction leaves such gaps. Where it has not been, a file is missing. */
function noteGap(core: LogCore, index: number): void {
  const next = core.segments[index + 1];
  if (next === undefined || core.config.compactPolicy || core.cleanedTo !== undefined) return;
  core.damage.report(`the records before ${next.file.path} are missing, down to ${core.segments[index]!.file.path}`);
}

/** Where in the segment at `index` the first batch begins that holds `limit` or a later offset. */
function endPosition(core: LogCore, index: number, limit: Offset): number {
  const segment = core.segments[index]!;
  const next = core.segments[index + 1];
  if (next !== undefined && limit >= next.baseOffset) return segment.size;
  if (next === undefined && limit >= core.endOffset) return segment.size;
  if (next === undefined && core.tail.locate(limit)) return found.position;
  return segment.positionOf(limit);
}

function lengthOf(
  segment: Segment,
  { position, firstBytes, available }: { position: number; firstBytes: number; available: number },
  { maxBytes, minOneBatch }: ReadOptions,
): number {
  if (available <= maxBytes) return available;
  if (firstBytes >= maxBytes) return minOneBatch || firstBytes === maxBytes ? firstBytes : 0;
  if (!segment.isReady) return maxBytes;
  // A cut batch would be sent twice: once in part, for nothing. The index knows a boundary near the limit for free.
  const boundary = segment.offsetIndex.boundaryAtMost(position + maxBytes);
  return boundary >= position + firstBytes ? boundary - position : maxBytes;
}

/** Undefined where a read at `offset` needs no disk; otherwise resolves when it does not any more. Never rejects. */
export function warm(core: LogCore, offset: Offset): Promise<void> | undefined {
  if (!core.isUsable || offset < core.startOffset || offset >= core.endOffset) return undefined;
  const segment = core.segments[core.segmentIndexOf(offset)];
  if (segment === undefined || (segment === core.active && core.tail.locate(offset))) return undefined;
  if (segment.isReady) {
    const position = segment.offsetIndex.positionFor(offset);
    if (position >= segment.appendedFrom || isWarm(segment, position)) return undefined;
  }
  return readAhead(core, segment, offset);
}

function isWarm(segment: Segment, position: number): boolean {
  if (position < segment.warmFrom || position >= segment.warmTo) return false;
  return segment.warmTo >= Math.min(segment.size, segment.appendedFrom) || segment.warmTo - position >= WARM_LEFT_BYTES;
}

/** Content is of no interest: one buffer takes what all readers bring into the page cache. */
let scratch: Buffer | undefined;

async function readAhead(core: LogCore, segment: Segment, offset: Offset): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = segment.borrow();
    await segment.offsetIndex.file.loadAsync();
    segment.check();
    const position = segment.offsetIndex.positionFor(offset);
    if (position >= segment.appendedFrom || isWarm(segment, position)) return;
    const end = Math.min(segment.size, position + WARM_BYTES);
    scratch ??= Buffer.allocUnsafe(WARM_CHUNK_BYTES);
    for (let at = position; at < end; at += scratch.length) {
      await file.read(scratch.subarray(0, Math.min(scratch.length, end - at)), at);
    }
    segment.warmFrom = position;
    segment.warmTo = end;
  } catch (error) {
    // Deleted while its reader waited: the read itself will say so.
    if (!segment.file.isRetired) core.noteError(error, 'read ahead');
  } finally {
    if (file !== undefined) segment.file.giveBack();
  }
}
