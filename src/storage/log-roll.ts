/** Closes the active segment of a log and opens the next: when it is time, and how, without losing an append. */
import type { Offset, Timestamp } from '../base/units.ts';
import type { LogCore } from './log-core.ts';
import { offsetFileName, SEGMENT_SUFFIXES, TRANSACTION_INDEX_SUFFIX } from './log-files.ts';
import type { Segment } from './segment.ts';

/** What is about to be appended. */
export interface Incoming {
  readonly bytes: number;
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
  readonly maxTimestamp: Timestamp;
}

/** Kafka's LogSegment.shouldRoll. */
export function mustRoll(core: LogCore, incoming: Incoming): boolean {
  const { active, config } = core;
  if (active.size > config.segmentBytes - incoming.bytes) return true;
  if (!active.canHold(incoming.lastOffset)) return true;
  if (active.offsetIndex.isFull(config.indexMaxBytes) || active.timeIndex.isFull(config.indexMaxBytes)) return true;
  if (active.size === 0) return false;
  const ageMs = active.ageMs({ monotonicMs: core.clock.monotonicMs(), timestamp: incoming.maxTimestamp });
  return ageMs > core.longestSegmentMs - active.jitterMs;
}

/**
 * Opens a new active segment at `offset`, or at the log's end where that is above. Does nothing where the active one is
 * empty and begins there. Throws the system's error and leaves the log as it was.
 */
export function roll(core: LogCore, offset: Offset): void {
  const base = Math.max(offset, core.endOffset);
  const closing = core.active;
  if (closing.baseOffset === base && closing.size === 0) return;
  settleCut(core);
  core.settleCheckpoint();
  closing.finishIndexes();
  // A snapshot at each segment's base lets a recovery of that segment begin with it.
  if (base > (core.snapshots.latest ?? -1)) core.snapshots.write(base, core.producers.entries);
  const next = createSegment(core, base);
  closing.seal();
  // A crash checks no segment that lies wholly below the recovery point, so no later flush would be in time.
  if (core.recoveryPoint >= core.endOffset) closing.syncIndexesNow();
  core.segments.push(next);
  core.producers.endOffset = base;
  core.tail.reset();
}

/** Makes what truncation or recovery cut off durable, in this turn, where no flush has done so since. */
export function settleCut(core: LogCore): void {
  if (!core.cutUnsynced) return;
  try {
    core.active.file.use().syncNow();
    core.fileSystem.syncDirectory(core.place.path);
  } catch (error) {
    core.fail(error, 'make a truncation durable');
    throw error;
  }
  try {
    if (core.startLowered) core.listeners.onStartLowered?.();
  } catch (error) {
    // Nothing of it is there yet: once there is room it is tried again.
    core.noteError(error, 'write where the log starts');
    throw error;
  }
  core.startLowered = false;
  core.cutUnsynced = false;
}

/** Creates the files of a segment that begins at `base`. */
export function createSegment(core: LogCore, base: Offset): Segment {
  const names = SEGMENT_SUFFIXES.map((suffix) => `${core.place.path}/${offsetFileName(base, suffix)}`);
  for (const name of names) {
    if (!core.fileSystem.exists(name)) continue;
    core.logger.warn('A file of a segment to be created exists already; it is replaced', { file: name });
    core.fileSystem.remove(name);
  }
  try {
    for (const name of names) {
      // Kafka creates it with the first aborted transaction only.
      if (!name.endsWith(TRANSACTION_INDEX_SUFFIX)) core.fileSystem.open(name).close();
    }
  } catch (error) {
    for (const name of names) core.fileSystem.remove(name);
    throw error;
  }
  core.directoryDirty = true;
  return core.segmentOf(base);
}
