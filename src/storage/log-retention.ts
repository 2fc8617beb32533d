/**
 * Which segments of a log have outlived their purpose, and how they go: renamed at once, removed after a delay. Never
 * one at or above the high watermark. Time and size count only where the cleanup policy is `delete`; a log that is only
 * compacted loses what lies below its start offset, and nothing else.
 */
import type { Timestamp } from '../base/units.ts';
import type { LogCore } from './log-core.ts';
import { roll } from './log-roll.ts';
import type { Segment } from './segment.ts';

/** Deletes what retention allows at `nowMs`; returns how many segments went. */
export function applyRetention(core: LogCore, nowMs: Timestamp): number {
  // Compaction works on these segments: what they lose now it would bring back. It is asked again soon.
  if (!core.isUsable || core.compacting) return 0;
  try {
    let deleted = deleteOldest(core, 'below the log start offset', isBelowStart(core));
    if (core.config.deletePolicy) {
      deleted += deleteOldest(core, 'size retention', isBeyondSize(core));
      deleted += deleteOldest(core, 'time retention', isBeyondAge(core, nowMs));
    }
    return deleted;
  } catch (error) {
    core.noteError(error, 'delete old segments');
    return 0;
  }
}

type Condition = (segment: Segment, next: Segment | undefined) => boolean;

function isBelowStart(core: LogCore): Condition {
  return (_segment, next) => next !== undefined && next.baseOffset <= core.startOffset;
}

function isBeyondSize(core: LogCore): Condition {
  const { retentionBytes } = core.config;
  if (retentionBytes < 0) return () => false;
  let excess = core.sizeBytes - retentionBytes;
  return (segment) => {
    if (excess - segment.size < 0) return false;
    excess -= segment.size;
    return true;
  };
}

function isBeyondAge(core: LogCore, nowMs: Timestamp): Condition {
  const { retentionMs } = core.config;
  if (retentionMs < 0) return () => false;
  return (segment) => nowMs - segment.retentionTimestamp() > retentionMs;
}

function deleteOldest(core: LogCore, reason: string, isDeletable: Condition): number {
  const { segments } = core;
  let count = 0;
  for (const segment of segments) {
    const next = segments[count + 1];
    const end = next?.baseOffset ?? core.endOffset;
    if (core.highWatermark < end || !isDeletable(segment, next)) break;
    if (next === undefined && segment.size === 0) break;
    count++;
  }
  if (count === 0) return 0;
  if (count === segments.length) roll(core, core.endOffset);
  const doomed = segments.slice(0, count);
  core.segments = segments.slice(count);
  core.startOffset = Math.max(core.startOffset, core.segments[0]!.baseOffset);
  startMoved(core);
  core.logger.info('Deleting segments', { reason, count, upTo: core.startOffset });
  discard(core, doomed);
  return count;
}

/** Brings what refers to offsets below the log's start up to date. */
export function startMoved(core: LogCore): void {
  core.startUnsaved = true;
  core.epochs.truncateFromStart(core.startOffset);
  core.producers.replicatedUpTo(core.startOffset);
  core.boundHighWatermark();
}

/** Sets the files of segments that the log has let go aside, and removes them after file.delete.delay.ms. */
export function discard(core: LogCore, segments: readonly Segment[]): void {
  const names: string[] = [];
  for (const segment of segments) {
    core.snapshots.remove(segment.baseOffset);
    segment.markDeleted();
    names.push(...segment.deletedNames());
  }
  core.directoryDirty = true;
  removeLater(core, names);
}

/** Removes files of the log's directory after file.delete.delay.ms. */
export function removeLater(core: LogCore, names: readonly string[]): void {
  core.clock.after(core.config.fileDeleteDelayMs, () => void removeNow(core, names));
}

/** Off the event loop, which a segment of a GiB in memory would hold for a quarter of a second. Never rejects. */
async function removeNow(core: LogCore, names: readonly string[]): Promise<void> {
  try {
    for (const name of names) {
      // What a stop prevents, the next start does.
      if (core.closed) return;
      await core.fileSystem.removeAsync(`${core.place.path}/${name}`);
    }
  } catch (error) {
    if (!core.closed) core.noteError(error, 'remove deleted segments');
  }
}
