/**
 * Gives producers back what Kafka's snapshots leave out. A snapshot has the newest batch of each producer, while one may
 * repeat any of the last five: after a restart those would be taken for batches out of order, and the producer would
 * write them again under another epoch. They are read from the headers at the end of the log.
 */
import type { Offset, ProducerId } from '../base/units.ts';
import * as batch from '../records/batch.ts';
import { BatchCursor, nextBatch, nextBatchAsync } from './batch-cursor.ts';
import type { LogCore } from './log-core.ts';
import { type ProducerEntry, REMEMBERED_BATCHES, type RememberedBatch, sequenceAfter } from './producer-entry.ts';
import type { Segment } from './segment.ts';

/** How far back it is looked: five batches of Kafka's default size for a dozen producers. */
const LOOK_BACK_BYTES = 2 ** 20;
/** Small segments are no reason to open many files. */
const LOOK_BACK_SEGMENTS = 8;
/** Long after any client has given up on what it sent. */
const LONGEST_SILENCE_MS = 15 * 60_000;

/** In this turn: for truncation. `offset` is where the snapshot that the producers are from was taken. */
export function recallBatches(core: LogCore, offset: Offset): void {
  const recall = recallOf(core, offset);
  if (recall === undefined) return;
  for (const { segment, cursor } of recall.spans) {
    const file = segment.file.use();
    while (nextBatch(cursor, file) && recall.take(cursor));
  }
  recall.finish();
}

/** Off the event loop: for start. */
export async function recallBatchesAsync(core: LogCore, offset: Offset): Promise<void> {
  const recall = recallOf(core, offset);
  if (recall === undefined) return;
  for (const { segment, cursor } of recall.spans) {
    const file = segment.borrow();
    try {
      while ((await nextBatchAsync(cursor, file)) && recall.take(cursor));
    } finally {
      segment.file.giveBack();
    }
  }
  recall.finish();
}

/** Undefined where nobody could repeat anything. */
function recallOf(core: LogCore, offset: Offset): Recall | undefined {
  const last = core.segmentIndexOf(offset - 1);
  const newest = core.segments[last];
  if (core.producers.entries.size === 0 || newest === undefined) return undefined;
  if (core.clock.wallMs() - core.fileSystem.modifiedMs(newest.file.path) > LONGEST_SILENCE_MS) return undefined;
  const spans: Span[] = [];
  let left = LOOK_BACK_BYTES;
  for (let index = last; index >= 0 && left > 0 && spans.length < LOOK_BACK_SEGMENTS; index--) {
    const segment = core.segments[index]!;
    const from = left < segment.size ? segment.offsetIndex.boundaryAtMost(segment.size - left) : 0;
    spans.unshift({ segment, cursor: new BatchCursor({ from, to: segment.size, windowBytes: 2 ** 16 }) });
    left -= segment.size;
  }
  return new Recall(core.producers.entries, spans, offset);
}

interface Span {
  readonly segment: Segment;
  readonly cursor: BatchCursor;
}

class Recall {
  /** In the order of the log. */
  readonly spans: readonly Span[];
  readonly #entries: ReadonlyMap<ProducerId, ProducerEntry>;
  readonly #found = new Map<ProducerEntry, RememberedBatch[]>();
  readonly #upTo: Offset;
  #next: Offset = 0;

  constructor(entries: ReadonlyMap<ProducerId, ProducerEntry>, spans: readonly Span[], upTo: Offset) {
    this.spans = spans;
    this.#entries = entries;
    this.#upTo = upTo;
  }

  /** Takes in the batch at hand; false where there is nothing more to look for. */
  take({ bytes, at }: BatchCursor): boolean {
    const lastOffset = batch.lastOffset(bytes, at);
    // A broken index may have led to what is no batch.
    if (batch.baseOffset(bytes, at) < this.#next || lastOffset >= this.#upTo) return false;
    this.#next = lastOffset + 1;
    const entry = this.#entries.get(batch.producerId(bytes, at));
    const firstSequence = batch.baseSequence(bytes, at);
    if (entry === undefined || firstSequence < 0 || batch.producerEpoch(bytes, at) !== entry.epoch) return true;
    const offsetDelta = batch.lastOffsetDelta(bytes, at);
    const timestamp = batch.maxTimestamp(bytes, at);
    const found = { lastSequence: sequenceAfter(firstSequence, offsetDelta), lastOffset, offsetDelta, timestamp };
    const known = this.#found.get(entry);
    if (known === undefined) this.#found.set(entry, [found]);
    else if (known.push(found) > REMEMBERED_BATCHES) known.shift();
    return true;
  }

  /** What was found leads up to what the snapshot says, or is not believed. */
  finish(): void {
    for (const [{ batches }, found] of this.#found) {
      const newest = batches.at(-1);
      if (batches.length !== 1 || found.at(-1)!.lastOffset !== newest!.lastOffset) continue;
      batches.splice(0, 1, ...found.slice(0, -1), newest!);
    }
  }
}
