/**
 * Rebuilds a log's producers from the newest snapshot that can be read and the batches after it. Only headers are read,
 * and markers whole.
 */
import type { Offset } from '../base/units.ts';
import { attributes, BATCH_HEADER_BYTES, baseOffset, batchBytes, isControl, lastOffset } from '../records/batch.ts';
import { BatchCursor, nextBatch, nextBatchAsync } from './batch-cursor.ts';
import type { LogCore } from './log-core.ts';
import { recallBatches, recallBatchesAsync } from './producer-recall.ts';
import { isExpired, ProducerStates } from './producer-state.ts';
import type { Segment } from './segment.ts';

/** In this turn: for truncation, where what must be read ends within one segment as a rule. */
export function rebuildProducers(core: LogCore, upTo: Offset): void {
  const { producers } = core;
  if (loadSnapshot(core, upTo)) recallBatches(core, producers.endOffset);
  for (const segment of segmentsToReplay(core, producers, upTo)) {
    const cursor = cursorOver(producers, segment);
    while (nextBatch(cursor, segment.file.use()) && replay(producers, cursor, upTo));
  }
  producers.endOffset = upTo;
}

/** Off the event loop: for start. */
export async function rebuildProducersAsync(core: LogCore, upTo: Offset): Promise<void> {
  if (loadSnapshot(core, upTo)) await recallBatchesAsync(core, core.producers.endOffset);
  await replayAll(core, core.producers, upTo);
}

/** The producers as they were at `offset`; the log's own, its snapshots and its files stay as they are. */
export async function producersAt(core: LogCore, offset: Offset): Promise<ProducerStates> {
  const producers = new ProducerStates();
  const snapshot = core.snapshots.readAtMost(offset);
  producers.reset(snapshot?.offset ?? Math.min(core.startOffset, offset), snapshot?.entries ?? []);
  await replayAll(core, producers, offset);
  return producers;
}

async function replayAll(core: LogCore, producers: ProducerStates, upTo: Offset): Promise<void> {
  for (const segment of segmentsToReplay(core, producers, upTo)) {
    const cursor = cursorOver(producers, segment);
    const file = segment.borrow();
    try {
      while ((await nextBatchAsync(cursor, file)) && replay(producers, cursor, upTo));
    } finally {
      segment.file.giveBack();
    }
  }
  producers.endOffset = upTo;
}

/** False where there is none. */
function loadSnapshot(core: LogCore, upTo: Offset): boolean {
  const { snapshots, producers, startOffset } = core;
  snapshots.removeWhere((offset) => offset > upTo || offset <= startOffset);
  const snapshot = snapshots.readLatest();
  if (snapshot === undefined) {
    producers.reset(Math.min(startOffset, upTo));
    return false;
  }
  const now = core.clock.wallMs();
  producers.reset(
    snapshot.offset,
    snapshot.entries.filter((entry) => !isExpired(entry, now, core.producerIdExpirationMs)),
  );
  return true;
}

function segmentsToReplay(core: LogCore, producers: ProducerStates, upTo: Offset): Segment[] {
  const from = producers.endOffset;
  if (from >= upTo) return [];
  return core.segments.slice(Math.max(0, core.segmentIndexOf(from))).filter((segment) => segment.baseOffset < upTo);
}

function cursorOver(producers: ProducerStates, segment: Segment): BatchCursor {
  const from = producers.endOffset;
  // The index of the first segment only is worth its loading: the others are read from their start.
  const position = from > segment.baseOffset ? segment.offsetIndex.positionFor(from) : 0;
  return new BatchCursor({ from: position, to: segment.size, windowBytes: 2 ** 18, need: markersWhole });
}

/** What a cursor must have at hand for `ProducerStates.apply`. */
export function markersWhole(bytes: Buffer, at: number): number {
  return isControl(attributes(bytes, at)) ? batchBytes(bytes, at) : BATCH_HEADER_BYTES;
}

/** Takes in the batch at hand; false where it lies at `upTo` or after. */
function replay(producers: ProducerStates, { bytes, at }: BatchCursor, upTo: Offset): boolean {
  if (baseOffset(bytes, at) >= upTo) return false;
  if (lastOffset(bytes, at) >= producers.endOffset) producers.apply(bytes, at);
  return true;
}
