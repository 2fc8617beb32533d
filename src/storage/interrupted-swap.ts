/**
 * Finishes or undoes the replacement of segments by compacted ones that a stop interrupted (Kafka's LogLoader). New
 * segments are written as `.cleaned`, all renamed to `.swap` from the highest down, and then take their real names; so
 * a `.swap` above a remaining `.cleaned` belongs to a replacement that was not ready, and any other one must complete.
 */
import type { FileSystem } from '../base/file-system.ts';
import type { Offset } from '../base/units.ts';
import { lastOffset } from '../records/batch.ts';
import { BatchCursor, nextBatch } from './batch-cursor.ts';
import {
  CLEANED_SUFFIX,
  LOG_SUFFIX,
  offsetOfFileName,
  SEGMENT_SUFFIXES,
  SNAPSHOT_SUFFIX,
  SWAP_SUFFIX,
} from './log-files.ts';

/** Leaves only files with real names in `directory`. */
export function settleInterruptedSwap(directory: string, fileSystem: FileSystem): void {
  const names = fileSystem.list(directory).flatMap((entry) => (entry.directory ? [] : [entry.name]));
  const cleaned = names.filter((name) => name.endsWith(CLEANED_SUFFIX));
  const lowestCleaned = Math.min(...cleaned.map((name) => baseOf(name, CLEANED_SUFFIX)));
  const swaps: string[] = [];
  for (const name of names.filter((candidate) => candidate.endsWith(SWAP_SUFFIX))) {
    if (baseOf(name, SWAP_SUFFIX) >= lowestCleaned) fileSystem.remove(`${directory}/${name}`);
    else swaps.push(name);
  }
  for (const name of cleaned) fileSystem.remove(`${directory}/${name}`);
  if (swaps.length === 0) return;
  removeReplaced(directory, names, swaps, fileSystem);
  // Were the names below to last longer than these removals, records would be there twice.
  fileSystem.syncDirectory(directory);
  for (const name of swaps) {
    fileSystem.rename(`${directory}/${name}`, `${directory}/${name.slice(0, -SWAP_SUFFIX.length)}`);
  }
}

/** The old segments are those in the range of offsets that the new ones cover. */
function removeReplaced(
  directory: string,
  names: readonly string[],
  swaps: readonly string[],
  fileSystem: FileSystem,
): void {
  const logs = swaps.filter((name) => name.endsWith(LOG_SUFFIX + SWAP_SUFFIX));
  const from = Math.min(...logs.map((name) => baseOf(name, SWAP_SUFFIX)));
  const to = Math.max(...logs.map((name) => nextOffset(`${directory}/${name}`, baseOf(name, SWAP_SUFFIX), fileSystem)));
  for (const name of names) {
    if (name.endsWith(SWAP_SUFFIX) || name.endsWith(CLEANED_SUFFIX)) continue;
    const base = baseOf(name, '');
    if (base >= from && base < to) fileSystem.remove(`${directory}/${name}`);
  }
}

/** Infinity for a name that belongs to no segment. */
function baseOf(name: string, suffix: string): Offset {
  const plain = suffix === '' ? name : name.slice(0, -suffix.length);
  for (const kind of [...SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX]) {
    const base = offsetOfFileName(plain, kind);
    if (base !== undefined) return base;
  }
  return Number.POSITIVE_INFINITY;
}

function nextOffset(path: string, base: Offset, fileSystem: FileSystem): Offset {
  const file = fileSystem.openReadOnly(path);
  try {
    const cursor = new BatchCursor({ from: 0, to: file.size() });
    let next = base;
    while (nextBatch(cursor, file)) next = lastOffset(cursor.bytes, cursor.at) + 1;
    return next;
  } finally {
    file.close();
  }
}
