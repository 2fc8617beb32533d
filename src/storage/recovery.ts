/**
 * Opens what lies in a partition's directory. After a clean stop the files are taken at their word. After any other,
 * every batch from the recovery point on is checked, the log is cut at the first bad one, and indexes, epochs and
 * producers are built again from what remains. A missing or broken index alone is no reason to cut anything.
 */
import { messageOf } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import type { Offset } from '../base/units.ts';
import * as batch from '../records/batch.ts';
import { crc32c } from '../records/crc32c.ts';
import { BatchCursor, nextBatch, nextBatchAsync } from './batch-cursor.ts';
import { settleInterruptedSwap } from './interrupted-swap.ts';
import type { LogCore } from './log-core.ts';
import {
  CLEANED_SUFFIX,
  DELETED_SUFFIX,
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  offsetFileName,
  offsetOfFileName,
  SWAP_SUFFIX,
  TIME_INDEX_SUFFIX,
  TRANSACTION_INDEX_SUFFIX,
} from './log-files.ts';
import { discard } from './log-retention.ts';
import { createSegment } from './log-roll.ts';
import { OFFSET_ENTRY_BYTES } from './offset-index.ts';
import { rebuildProducersAsync } from './producer-replay.ts';
import type { Segment } from './segment.ts';
import { TIME_ENTRY_BYTES } from './time-index.ts';
import { checkTransactionIndexes } from './transaction-recovery.ts';

export interface RecoveryOptions {
  /** From recovery-point-offset-checkpoint. */
  readonly recoveryPoint: Offset;
  /** From log-start-offset-checkpoint. */
  readonly startOffset: Offset;
  readonly cleanShutdown: boolean;
  /** Bytes of the active segment that had to be checked, from which on the next recovery begins behind them. */
  readonly fewestBytesToRemember?: number;
  /** Called after each segment that had to be checked. */
  readonly onProgress?: (segmentsLeft: number) => void;
  /** From `settledNames`. */
  readonly names: readonly string[];
}

/** Bytes read at once while checking. */
const CHECK_WINDOW_BYTES = 2 ** 20;
/** Checking fewer again costs less than the file that spares it. */
const WORTH_REMEMBERING_BYTES = 64 * 1024;
const LEFTOVERS = [DELETED_SUFFIX, SWAP_SUFFIX, CLEANED_SUFFIX];

/** Fills an empty core from its directory. Rejects with the system's error. */
export async function recover(core: LogCore, options: RecoveryOptions): Promise<void> {
  core.startOffset = options.startOffset;
  core.recoveryPoint = options.recoveryPoint;
  const epochsKnown = loadEpochs(core);
  core.segments = loadSegments(core, new Set(options.names));
  if (core.segments.length > 0) core.startOffset = Math.max(core.startOffset, core.segments[0]!.baseOffset);
  if (!epochsKnown || (!options.cleanShutdown && lacksFirstEpochs(core))) await readEpochs(core);
  const unchecked = await firstUnchecked(core, options);
  if (unchecked < core.segments.length) await checkFrom(core, unchecked, options);
  else await loadClean(core);
  await syncTransactionIndexes(core);
  if (core.segments.length > 0 && core.endOffset < core.startOffset) dropAll(core);
  if (core.segments.length === 0) startEmpty(core);
  finish(core, options);
}

/** Those that were written again. The recovery point may lie above them: no flush would come back to them. */
async function syncTransactionIndexes(core: LogCore): Promise<void> {
  for (const { transactionIndex } of core.segments) if (transactionIndex.dirty) await transactionIndex.sync();
}

/** The names of a log's files, after what a stop left half done was done or undone. Throws the system's error. */
export function settledNames(directory: string, fileSystem: FileSystem): string[] {
  const names = fileSystem.list(directory).flatMap((entry) => (entry.directory ? [] : [entry.name]));
  // Ten thousand directories are listed once each as a rule.
  if (!names.some((name) => LEFTOVERS.some((suffix) => name.endsWith(suffix)))) return names;
  for (const name of names) {
    const isDeleted = name.endsWith(DELETED_SUFFIX) && !name.endsWith(`.checkpoint${DELETED_SUFFIX}`);
    if (isDeleted) fileSystem.remove(`${directory}/${name}`);
  }
  settleInterruptedSwap(directory, fileSystem);
  return fileSystem.list(directory).map((entry) => entry.name);
}

/** False where the file cannot be understood: the batches then tell the epochs. */
function loadEpochs(core: LogCore): boolean {
  try {
    core.epochs.load();
    return true;
  } catch (error) {
    core.logger.warn('The leader epochs are read from the batches', { error: messageOf(error) });
    return false;
  }
}

function loadSegments(core: LogCore, names: ReadonlySet<string>): Segment[] {
  const { fileSystem, place } = core;
  const bases: Offset[] = [];
  for (const name of names) {
    const base = offsetOfFileName(name, LOG_SUFFIX);
    if (base !== undefined) bases.push(base);
    else removeOrphan(core, name, names);
  }
  bases.sort((left, right) => left - right);
  return bases.map((base) => {
    const size = (suffix: string): number => fileSystem.sizeOf(`${place.path}/${offsetFileName(base, suffix)}`) ?? -1;
    const bytes = {
      log: size(LOG_SUFFIX),
      offsetIndex: size(OFFSET_INDEX_SUFFIX),
      timeIndex: size(TIME_INDEX_SUFFIX),
      // Absent where no transaction was aborted.
      transactionIndex: Math.max(0, size(TRANSACTION_INDEX_SUFFIX)),
    };
    const broken = bytes.offsetIndex % OFFSET_ENTRY_BYTES !== 0 || bytes.timeIndex % TIME_ENTRY_BYTES !== 0;
    if (!broken) return core.segmentOf(base, bytes);
    const segment = core.segmentOf(base, { ...bytes, offsetIndex: 0, timeIndex: 0 });
    segment.distrustIndexes();
    return segment;
  });
}

function removeOrphan(core: LogCore, name: string, names: ReadonlySet<string>): void {
  for (const suffix of [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX]) {
    const base = offsetOfFileName(name, suffix);
    if (base === undefined || names.has(offsetFileName(base, LOG_SUFFIX))) continue;
    core.logger.warn('An index without a segment is removed', { file: name });
    core.fileSystem.remove(`${core.place.path}/${name}`);
  }
}

/** A start that was moved up, and then not, has left records of which the file tells no epoch any more. */
function lacksFirstEpochs(core: LogCore): boolean {
  const [first] = core.epochs.entries;
  return core.segments.length > 0 && first !== undefined && first.startOffset > core.startOffset;
}

async function readEpochs(core: LogCore): Promise<void> {
  core.epochs.clear();
  for (const segment of core.segments) {
    const cursor = new BatchCursor({ from: 0, to: segment.size });
    const file = segment.borrow();
    try {
      while (await nextBatchAsync(cursor, file)) noteEpoch(core, cursor);
    } finally {
      segment.file.giveBack();
    }
  }
}

/** The first batch of an epoch gives it its start. Newer epochs that the file knows were taken back by a truncation. */
function noteEpoch(core: LogCore, { bytes, at }: BatchCursor): void {
  const epoch = batch.leaderEpoch(bytes, at);
  if (epoch < 0 || epoch === core.epochs.latest) return;
  core.epochs.forgetAbove(epoch);
  core.epochs.assign(epoch, batch.baseOffset(bytes, at));
}

/** The first segment whose batches must be checked; past the last one where none must. */
async function firstUnchecked(core: LogCore, options: RecoveryOptions): Promise<number> {
  const { segments } = core;
  if (segments.length === 0) return 0;
  const first = options.cleanShutdown ? segments.length : Math.max(0, core.segmentIndexOf(options.recoveryPoint));
  for (const segment of segments.slice(0, first)) {
    if (segment.hasIndexes) continue;
    core.logger.warn('The indexes of a segment are built again', { segment: segment.baseOffset });
    segment.rebuildIndexes();
  }
  await checkTransactionIndexes(core, segments.slice(0, first));
  // A stop that was clean leaves no bytes that are no batch: then it was not.
  return first === segments.length && !endsWithBatch(core) ? segments.length - 1 : first;
}

/** Sets the log's end by the last segment's batches; false where the file holds anything else after them. */
function endsWithBatch(core: LogCore): boolean {
  const { active } = core;
  let from = active.offsetIndex.lastPosition();
  if (from >= active.size && active.size > 0) {
    active.rebuildIndexes();
    from = active.offsetIndex.lastPosition();
  }
  const cursor = new BatchCursor({ from, to: active.size });
  core.endOffset = active.baseOffset;
  while (nextBatch(cursor, active.file.use())) core.endOffset = batch.lastOffset(cursor.bytes, cursor.at) + 1;
  return cursor.position === active.size;
}

async function loadClean(core: LogCore): Promise<void> {
  if (core.segments.length === 0) return;
  core.recoveryPoint = core.endOffset;
  await rebuildProducersAsync(core, core.endOffset);
}

async function checkFrom(core: LogCore, first: number, options: RecoveryOptions): Promise<void> {
  const resumed = resumePoint(core, core.segments[first]!, options);
  const from = resumed?.offset ?? core.segments[first]!.baseOffset;
  await rebuildProducersAsync(core, from);
  core.endOffset = from;
  // The file may tell of epochs that a truncation took back; the batches from here on tell the true ones.
  core.epochs.truncateFromEnd(from);
  for (let index = first; index < core.segments.length; index++) {
    const segment = core.segments[index]!;
    if (index > first && isBehindLoss(core, segment)) {
      core.logger.warn('The log is cut where batches are missing', {
        endOffset: core.endOffset,
        nextSegment: segment.baseOffset,
        segmentsDropped: core.segments.length - index,
      });
      dropFrom(core, index);
      break;
    }
    core.endOffset = index === first ? from : segment.baseOffset;
    if (index > first) core.snapshots.write(segment.baseOffset, core.producers.entries);
    const cutBytes = await checkSegment(core, segment, index === first ? resumed : undefined);
    if (cutBytes > 0) {
      core.logger.warn('The log is cut at the first bytes that are no batch', {
        endOffset: core.endOffset,
        cutBytes,
        segmentsDropped: core.segments.length - index - 1,
      });
      dropFrom(core, index + 1);
    }
    options.onProgress?.(core.segments.length - index - 1);
  }
  const { active } = core;
  const rechecked = active.size - (active.baseOffset <= from ? (resumed?.position ?? 0) : 0);
  core.recoveryToRemember = rechecked >= (options.fewestBytesToRemember ?? WORTH_REMEMBERING_BYTES);
}

/**
 * Once all that was found is durable, never before: the next recovery begins here, whatever crash comes until then. Throws
 * the system's error.
 */
export function rememberRecovery(core: LogCore): void {
  if (!core.recoveryToRemember || core.endOffset <= (core.snapshots.latest ?? -1)) return;
  core.snapshots.write(core.endOffset, core.producers.entries);
}

interface ResumePoint {
  readonly offset: Offset;
  readonly position: number;
}

/**
 * Where in the first segment the check may begin: at the end that the log had at its last clean stop or recovery.
 * Everything below is durable, for the recovery point lies at or above it; indexes that are not true are no loss, and
 * are found out. Undefined where there is no such place.
 */
function resumePoint(core: LogCore, segment: Segment, { recoveryPoint }: RecoveryOptions): ResumePoint | undefined {
  const offset = core.snapshots.offsets.findLast((candidate) => candidate <= recoveryPoint);
  if (offset === undefined || offset <= segment.baseOffset || offset <= core.startOffset) return undefined;
  const position = segment.positionToResume(offset);
  return position === undefined ? undefined : { offset, position };
}

/**
 * Segments reach the disk in any order: one may be whole although the end of the one before it was lost. Where
 * compaction has been at work, a gap is no loss.
 */
function isBehindLoss(core: LogCore, segment: Segment): boolean {
  if (segment.baseOffset < core.endOffset) return true;
  const mayHaveGaps = core.config.compactPolicy || core.cleanedTo !== undefined;
  return segment.baseOffset > core.endOffset && !mayHaveGaps;
}

function dropFrom(core: LogCore, index: number): void {
  const doomed = core.segments.slice(index);
  core.segments = core.segments.slice(0, index);
  discard(core, doomed.reverse());
  core.cutUnsynced = true;
}

/** Keeps the run of good batches from a point on; returns how many bytes had to be cut off behind it. */
async function checkSegment(core: LogCore, segment: Segment, resumed: ResumePoint | undefined): Promise<number> {
  const fileBytes = segment.size;
  const from = resumed?.position ?? 0;
  const cursor = new BatchCursor({ from, to: fileBytes, windowBytes: CHECK_WINDOW_BYTES, need: batch.batchBytes });
  if (resumed === undefined) {
    segment.clearIndexes();
    segment.transactionIndex.clear();
  } else segment.resumeAt(resumed.offset, resumed.position);
  const file = segment.borrow();
  try {
    while ((await nextBatchAsync(cursor, file)) && isGood(core, segment, cursor)) {
      segment.added(cursor.bytes, cursor.at);
      noteEpoch(core, cursor);
      const completed = core.producers.apply(cursor.bytes, cursor.at);
      core.endOffset = batch.lastOffset(cursor.bytes, cursor.at) + 1;
      if (completed !== undefined) core.transactionCompleted(segment, completed);
    }
    if (segment.size < fileBytes) {
      file.truncateSync(segment.size);
      core.cutUnsynced = true;
    }
  } finally {
    segment.file.giveBack();
  }
  segment.finishIndexes();
  segment.dirty = true;
  return fileBytes - segment.size;
}

function isGood(core: LogCore, segment: Segment, { bytes, at, size }: BatchCursor): boolean {
  const base = batch.baseOffset(bytes, at);
  if (base < core.endOffset || !Number.isSafeInteger(base) || batch.lastOffsetDelta(bytes, at) < 0) return false;
  if (!segment.canHold(batch.lastOffset(bytes, at))) return false;
  return crc32c(bytes, at + batch.CRC_FROM, at + size) === batch.storedCrc(bytes, at);
}

/**
 * The last process did not say that all is durable: what can be read may be in the page cache only, names and cuts
 * included. The flush that ends the opening changes that; on files that are on the disk it costs next to nothing.
 */
function distrustPageCache(core: LogCore): void {
  core.cutUnsynced = true;
  core.directoryDirty = true;
  core.directoryNew = true;
  core.metadataUnsynced = core.topicId !== undefined;
  core.snapshots.distrustLatest();
}

/** The checkpoint says that everything in the files was deleted: somebody put an older directory in place. */
function dropAll(core: LogCore): void {
  core.logger.warn('All segments lie below the log start offset and are dropped', { startOffset: core.startOffset });
  const doomed = core.segments;
  core.segments = [];
  discard(core, doomed);
  core.cutUnsynced = true;
  core.epochs.clear();
  core.snapshots.removeWhere(() => true);
}

function startEmpty(core: LogCore): void {
  core.segments = [createSegment(core, core.startOffset)];
  core.endOffset = core.startOffset;
  core.producers.reset(core.startOffset);
}

function finish(core: LogCore, options: RecoveryOptions): void {
  core.recoveryPoint = Math.min(options.cleanShutdown ? core.recoveryPoint : options.recoveryPoint, core.endOffset);
  core.checkpointStale = options.recoveryPoint > core.endOffset;
  if (!options.cleanShutdown) distrustPageCache(core);
  core.flushRequestedTo = core.recoveryPoint;
  core.producers.endOffset = core.endOffset;
  core.epochs.truncateFromEnd(core.endOffset);
  core.epochs.truncateFromStart(core.startOffset);
  core.snapshots.removeStrays(new Set(core.segments.map((segment) => segment.baseOffset)), core.active.baseOffset);
  // What an append asks the active segment for must need no disk.
  core.active.largest();
  core.active.timeIndex.lastTimestamp();
}
