/**
 * Finds transaction indexes that cannot be true and builds them again: from the producers at their segment's start and
 * the batches in it, for a transaction may have begun many segments before.
 */
import { BatchCursor, nextBatchAsync } from './batch-cursor.ts';
import type { LogCore } from './log-core.ts';
import { markersWhole, producersAt } from './producer-replay.ts';
import type { Segment } from './segment.ts';
import type { AbortedTransaction } from './transaction-index.ts';

/** Looks at the indexes of segments whose batches are not checked; their offsets end where `segments` go on. */
export async function checkTransactionIndexes(core: LogCore, segments: readonly Segment[]): Promise<void> {
  for (const [position, segment] of segments.entries()) {
    const index = segment.transactionIndex;
    if (index.isBlank) continue;
    await index.file.loadAsync();
    const end = core.segments[position + 1]?.baseOffset ?? Number.MAX_SAFE_INTEGER;
    if (index.isPlausible(end)) continue;
    core.logger.warn('The transaction index of a segment is built again', { segment: segment.baseOffset });
    await rebuildTransactionIndex(core, segment);
  }
}

/** Writes the index from the batches. Rejects with the system's error. */
export async function rebuildTransactionIndex(core: LogCore, segment: Segment): Promise<void> {
  const producers = await producersAt(core, segment.baseOffset);
  const found: AbortedTransaction[] = [];
  const cursor = new BatchCursor({ from: 0, to: segment.size, windowBytes: 2 ** 18, need: markersWhole });
  const file = segment.borrow();
  try {
    while (await nextBatchAsync(cursor, file)) {
      const completed = producers.apply(cursor.bytes, cursor.at);
      if (completed?.aborted === true) found.push(completed);
    }
  } finally {
    segment.file.giveBack();
  }
  await segment.transactionIndex.replace(found, core.fileSystem);
}
