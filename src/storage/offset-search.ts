/**
 * Finds the batch that holds an offset by reading headers forward from a known boundary, in this turn, through one
 * shared buffer. Nothing is allocated: the answer is left in the fields of `found`.
 */
import type { FileHandle } from '../base/file-system.ts';
import type { Offset } from '../base/units.ts';
import {
  BATCH_HEADER_BYTES,
  baseOffset,
  batchBytes,
  LOG_OVERHEAD,
  lastOffset,
  lengthField,
  MAGIC_V2,
  magic,
} from '../records/batch.ts';

/** One page: with the default interval of an index that is about one read for a search. */
const SCRATCH_BYTES = 4096;
const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);

/** Valid until the next search. */
export const found = {
  position: 0,
  baseOffset: 0 as Offset,
  /** Whole size of the batch; -1 where it was not looked at. */
  bytes: 0,
};

export type SearchResult = 'found' | 'absent' | 'broken';

/**
 * The first batch at or after `from` whose last offset is not below `offset`. Where bytes are no batch, `broken`, and
 * `found` tells their position.
 */
export function searchOffset(
  file: FileHandle,
  offset: Offset,
  { from, to }: { readonly from: number; readonly to: number },
): SearchResult {
  let position = from;
  let windowFrom = from;
  let windowLength = 0;
  while (to - position >= BATCH_HEADER_BYTES) {
    let at = position - windowFrom;
    if (at + BATCH_HEADER_BYTES > windowLength) {
      windowFrom = position;
      windowLength = file.readSync(scratch, position);
      at = 0;
      if (windowLength < BATCH_HEADER_BYTES) return brokenAt(position);
    }
    if (magic(scratch, at) !== MAGIC_V2 || lengthField(scratch, at) < BATCH_HEADER_BYTES - LOG_OVERHEAD)
      return brokenAt(position);
    const size = batchBytes(scratch, at);
    if (lastOffset(scratch, at) >= offset) {
      found.position = position;
      found.baseOffset = baseOffset(scratch, at);
      found.bytes = size;
      return position + size <= to ? 'found' : 'broken';
    }
    position += size;
  }
  return position === to ? 'absent' : brokenAt(position);
}

function brokenAt(position: number): SearchResult {
  found.position = position;
  return 'broken';
}
