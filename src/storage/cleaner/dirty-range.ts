/**
 * Which part of a log compaction may and should go through (Kafka's LogCleanerManager): from where it stopped last, up
 * to the active segment, the last stable offset or the first record that is too young, whichever is lowest.
 */
import type { Offset, Timestamp } from '../../base/units.ts';
import type { LogCore } from '../log-core.ts';
import type { Segment } from '../segment.ts';

export interface DirtyRange {
  readonly from: Offset;
  /** Base of a segment; nothing from there on is touched. */
  readonly upTo: Offset;
  /** Share of the bytes that has not been compacted. */
  readonly ratio: number;
  /** A record has waited longer than max.compaction.lag.ms, whatever the ratio. */
  readonly overdue: boolean;
}

/** What may be compacted at `nowMs`; undefined where there is nothing. Rejects with the system's error. */
export async function dirtyRange(core: LogCore, nowMs: Timestamp): Promise<DirtyRange | undefined> {
  const from = firstDirty(core);
  const limit = Math.max(from, await uncleanableFrom(core, from, nowMs));
  // A segment of which only a part may be compacted waits.
  const first = closedFrom(core, limit)[0] ?? core.active;
  const upTo = first.baseOffset;
  let cleanBytes = 0;
  for (const segment of core.segments) if (segment.baseOffset < from) cleanBytes += segment.size;
  const dirty = segmentsBetween(core, Math.min(from, upTo), upTo);
  const dirtyBytes = dirty.reduce((bytes, segment) => bytes + segment.size, 0);
  if (dirtyBytes === 0) return undefined;
  return { from, upTo, ratio: dirtyBytes / (cleanBytes + dirtyBytes), overdue: isOverdue(core, from, nowMs) };
}

/** Whether a range is worth a pass now. */
export function isWorthwhile(core: LogCore, range: DirtyRange): boolean {
  return range.overdue || range.ratio > core.config.minCleanableRatio;
}

function firstDirty(core: LogCore): Offset {
  const { cleanedTo, startOffset, endOffset } = core;
  // A checkpoint from before the log was truncated, or cut by recovery, says nothing of what is there now.
  return cleanedTo === undefined || cleanedTo < startOffset || cleanedTo > endOffset ? startOffset : cleanedTo;
}

async function uncleanableFrom(core: LogCore, from: Offset, nowMs: Timestamp): Promise<Offset> {
  const stable = Math.min(core.highWatermark, core.firstUnstableOffset ?? core.endOffset);
  const limit = Math.min(stable, core.active.baseOffset);
  const { minCompactionLagMs } = core.config;
  if (minCompactionLagMs <= 0) return limit;
  for (const segment of closedFrom(core, from)) {
    if (segment.baseOffset >= limit) break;
    await segment.learnLargest();
    if (segment.largest().timestamp > nowMs - minCompactionLagMs) return Math.min(limit, segment.baseOffset);
  }
  return limit;
}

function isOverdue(core: LogCore, from: Offset, nowMs: Timestamp): boolean {
  const { maxCompactionLagMs } = core.config;
  if (maxCompactionLagMs > nowMs) return false;
  return closedFrom(core, from).some((segment) => {
    const first = segment.firstTimestamp();
    return first > 0 && first < nowMs - maxCompactionLagMs;
  });
}

function closedFrom(core: LogCore, offset: Offset): Segment[] {
  return segmentsBetween(core, offset, core.active.baseOffset);
}

/** The segment that holds `from` and those after it that begin below `to`. */
export function segmentsBetween(core: LogCore, from: Offset, to: Offset): Segment[] {
  if (from >= to) return [];
  return core.segments.slice(Math.max(0, core.segmentIndexOf(from))).filter((segment) => segment.baseOffset < to);
}
