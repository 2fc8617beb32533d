/**
 * Checks the batches of one segment, and with them its indexes and the producers that they make. Reads each byte once;
 * keeps one batch in memory.
 */
import type { FileSystem } from '../../base/file-system.ts';
import type { LeaderEpoch, Offset } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { matchesChecksum } from '../../records/bounds.ts';
import { BatchCursor, nextBatchAsync } from '../batch-cursor.ts';
import { LOG_SUFFIX, offsetFileName } from '../log-files.ts';
import { MAX_RELATIVE_OFFSET } from '../offset-index.ts';
import type { ProducerStates } from '../producer-state.ts';
import type { Findings } from './finding.ts';
import { IndexChecks } from './index-checks.ts';

/** What the check of a log carries from segment to segment. */
export interface LogProgress {
  /** Offset that the next batch must not be below. */
  next: Offset;
  epoch: LeaderEpoch;
  /** Offsets were missing between batches, or before the first. */
  gaps: boolean;
  readonly producers: ProducerStates;
  readonly epochStarts: { readonly epoch: LeaderEpoch; readonly offset: Offset }[];
  batches: number;
}

export interface SegmentContext {
  readonly directory: string;
  readonly baseOffset: Offset;
  /** The first offset of the next segment; undefined for the last one. */
  readonly nextBase: Offset | undefined;
  /** The next start checks every batch of this segment, and cuts the log at the first bad one. */
  readonly checkedAtStart: boolean;
  /** After a clean stop only the end of the last segment is looked at. */
  readonly onBytes: (bytes: number) => void;
}

const WINDOW_BYTES = 2 ** 20;

export async function verifySegment(
  context: SegmentContext,
  log: LogProgress,
  findings: Findings,
  fileSystem: FileSystem,
): Promise<void> {
  const { directory, baseOffset, checkedAtStart } = context;
  const path = `${directory}/${offsetFileName(baseOffset, LOG_SUFFIX)}`;
  const file = fileSystem.openReadOnly(path);
  const isIncomplete = (): boolean => log.gaps;
  const indexes = new IndexChecks(
    { directory, baseOffset, rebuiltAtStart: checkedAtStart, isIncomplete },
    findings,
    fileSystem,
  );
  try {
    const size = file.size();
    const cursor = new BatchCursor({ from: 0, to: size, windowBytes: WINDOW_BYTES, need: batch.batchBytes });
    await indexes.begin();
    while (await nextBatchAsync(cursor, file)) {
      checkBatch(cursor, { ...context, path, size }, log, findings);
      await passOn(cursor, log, indexes);
      context.onBytes(cursor.size);
    }
    if (cursor.position < size) {
      const problem = `${size - cursor.position} bytes are no batch`;
      const recovery = recoveryOf(context, { next: log.next, bytes: size - cursor.position });
      findings.add({ severity: 'error', path, position: cursor.position, offset: log.next, problem, recovery });
      context.onBytes(size - cursor.position);
    }
    await indexes.end();
  } finally {
    indexes.close();
    file.close();
  }
}

/** What becomes of a batch that is bad, and of all behind it. */
function recoveryOf(
  { checkedAtStart, nextBase }: SegmentContext,
  { next, bytes }: { readonly next: Offset; readonly bytes: number },
): string {
  if (checkedAtStart) {
    const later = nextBase === undefined ? '' : ' and all later segments';
    return `the next start cuts the log here: it ends at offset ${next}, ${bytes} bytes${later} are lost`;
  }
  const restore = 'restore it from another replica';
  if (nextBase === undefined) return `the next start may cut the log here, at offset ${next}; ${restore}`;
  return `the next start does not look here: readers meet an error at offset ${next}; ${restore}`;
}

function checkBatch(
  { bytes, at, position }: BatchCursor,
  context: SegmentContext & { readonly path: string; readonly size: number },
  log: LogProgress,
  findings: Findings,
): void {
  const problem = problemOf(bytes, at, context, log);
  if (problem !== undefined) {
    const recovery = recoveryOf(context, { next: log.next, bytes: context.size - position });
    const { path } = context;
    findings.add({ severity: 'error', path, position, offset: batch.baseOffset(bytes, at), problem, recovery });
  }
  const epoch = batch.leaderEpoch(bytes, at);
  if (epoch < log.epoch) {
    const what = `leader epoch ${epoch} follows ${log.epoch}`;
    const recovery = 'nothing: followers may be cut back too far; compare the log with another replica';
    findings.add({ severity: 'warning', path: context.path, position, problem: what, recovery });
  }
}

function problemOf(bytes: Buffer, at: number, context: SegmentContext, log: LogProgress): string | undefined {
  const base = batch.baseOffset(bytes, at);
  const last = batch.lastOffset(bytes, at);
  const count = batch.recordCount(bytes, at);
  if (!matchesChecksum(bytes, at)) return 'the batch does not match its checksum';
  if (!Number.isSafeInteger(base) || base < 0) return `offset ${base} is impossible`;
  if (base < log.next) return `offset ${base} does not follow ${log.next - 1}`;
  if (last < base) return `the last offset ${last} lies before the first, ${base}`;
  if (last - context.baseOffset > MAX_RELATIVE_OFFSET) return `offset ${last} is too far from the segment's base`;
  if (context.nextBase !== undefined && last >= context.nextBase) return `offset ${last} belongs to the next segment`;
  if (count < 0 || count > last - base + 1) return `${count} records do not fit into offsets ${base}..${last}`;
  return undefined;
}

/** Takes a batch into what the log makes: producers, epochs, the end; and past the indexes. */
async function passOn({ bytes, at, position }: BatchCursor, log: LogProgress, indexes: IndexChecks): Promise<void> {
  const baseOffset = batch.baseOffset(bytes, at);
  const lastOffset = batch.lastOffset(bytes, at);
  const epoch = batch.leaderEpoch(bytes, at);
  if (baseOffset > log.next) log.gaps = true;
  if (epoch > log.epoch) log.epochStarts.push({ epoch, offset: baseOffset });
  log.epoch = Math.max(log.epoch, epoch);
  log.next = Math.max(log.next, lastOffset + 1);
  log.batches++;
  await indexes.pass({
    position,
    baseOffset,
    lastOffset,
    maxTimestamp: batch.maxTimestamp(bytes, at),
    isControl: batch.isControl(batch.attributes(bytes, at)),
    completed: log.producers.apply(bytes, at),
  });
}
