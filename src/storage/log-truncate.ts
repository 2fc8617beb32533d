/** Takes back the end of a log that turned out to differ from its leader's, or all of it. */
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/units.ts';
import type { LogCore } from './log-core.ts';
import { discard } from './log-retention.ts';
import { createSegment } from './log-roll.ts';
import { rebuildProducers } from './producer-replay.ts';

/**
 * Makes the log end at `offset`, or before the batch that holds it. False where it ended there or lower already.
 * Throws the system's error, after which the log has failed.
 */
export function truncateTo(core: LogCore, offset: Offset): boolean {
  assert(offset >= 0, 'a log is not truncated to a negative offset');
  // A leader that appended nothing may have left an epoch at the log's end that the next leader does not know.
  core.epochs.truncateFromEnd(Math.min(offset, core.endOffset));
  if (offset >= core.endOffset) return false;
  if (offset < core.highWatermark) {
    core.logger.warn('Truncating below the high watermark', { offset, highWatermark: core.highWatermark });
  }
  if (core.segments[0]!.baseOffset > offset) {
    truncateFullyAndStartAt(core, offset);
    return true;
  }
  const kept = core.segmentIndexOf(offset) + 1;
  const doomed = core.segments.slice(kept);
  core.segments = core.segments.slice(0, kept);
  // From the end: a crash in between leaves a log that is too long, never one with a hole.
  discard(core, doomed.reverse());
  // Later segments must not outlive the cut: a recovery that begins with them would not look at this one.
  if (doomed.length > 0) core.fileSystem.syncDirectory(core.place.path);
  const end = core.active.truncateTo(offset, core.clock.monotonicMs());
  endMovedBack(core, end);
  core.startOffset = Math.min(core.startOffset, end);
  core.boundHighWatermark();
  rebuildProducers(core, end);
  core.producers.replicatedUpTo(core.highWatermark);
  core.listeners.onTruncated?.();
  return true;
}

/** Drops everything; the next record gets `offset`, and the log starts at `startOffset`. */
export function truncateFullyAndStartAt(core: LogCore, offset: Offset, startOffset: Offset = offset): void {
  const old = core.segments;
  const same = old.find((segment) => segment.baseOffset === offset);
  // A full disk then refuses it before anything is lost. Inside the old log it would hide what lies there, after a crash.
  const isSettled = !core.cutUnsynced && !core.checkpointStale && offset >= core.endOffset;
  const early = isSettled && same === undefined ? createSegment(core, offset) : undefined;
  // From the start on: a crash in between leaves no hole before a segment that stays.
  discard(
    core,
    old.filter((segment) => same === undefined || segment.baseOffset < offset),
  );
  if (same !== undefined) {
    // As in `truncateTo`.
    discard(core, old.filter((segment) => segment.baseOffset > offset).reverse());
    core.fileSystem.syncDirectory(core.place.path);
    same.truncateTo(offset, core.clock.monotonicMs());
  }
  core.snapshots.removeWhere(() => true);
  core.segments = [same ?? early ?? createSegment(core, offset)];
  core.startOffset = startOffset;
  endMovedBack(core, offset);
  core.epochs.clear();
  core.producers.reset(offset);
  core.boundHighWatermark();
  core.listeners.onTruncated?.();
}

function endMovedBack(core: LogCore, end: Offset): void {
  core.truncations++;
  core.cutUnsynced = true;
  // Snapshots that went must not come back beside other records.
  core.directoryDirty = true;
  // A checkpoint of a start above the new end would have a recovery drop what is appended from here on.
  core.startUnsaved = true;
  core.startLowered = true;
  core.endOffset = end;
  // What will be appended there is dirty.
  if (core.cleanedTo !== undefined) core.cleanedTo = Math.min(core.cleanedTo, core.active.baseOffset);
  core.recoveryPoint = Math.min(core.recoveryPoint, end);
  core.flushRequestedTo = Math.min(core.flushRequestedTo, end);
  core.tail.reset();
}
