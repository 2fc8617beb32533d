/** Batches as a fetch brings them, without what a reader must not see. */
import type { LeaderEpoch, Offset, TopicPartition } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { BROKEN, matchesChecksum, PARTIAL, wholeBatchBytes } from '../../records/bounds.ts';
import { ControlType, controlTypeOf } from '../../records/control.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import { openRecords, type RecordView, viewRecord } from '../../records/reader.ts';
import type { RecordCursor } from '../../records/record-cursor.ts';

export interface ConsumedRecord extends RecordView, TopicPartition {
  readonly leaderEpoch: LeaderEpoch;
}

/** One batch for the reader. Its bytes are a view of the fetch's answer, which lives as long as the batch does. */
export class FetchedBatch {
  readonly topic: string;
  readonly partition: number;
  /** End of what is readable in the partition, as the leader said with this batch. */
  readonly highWatermark: Offset;
  /** Size of the batch on the wire. */
  readonly byteLength: number;
  readonly #bytes: Buffer;
  readonly #at: number;
  readonly #window: OffsetWindow;
  readonly #maxUncompressedBytes: number | undefined;

  constructor(source: TopicPartition & FetchedBytes, at: number, byteLength: number, window: OffsetWindow) {
    this.topic = source.topic;
    this.partition = source.partition;
    this.highWatermark = source.highWatermark;
    this.#maxUncompressedBytes = source.maxUncompressedBytes;
    this.#bytes = source.bytes;
    this.#at = at;
    this.byteLength = byteLength;
    this.#window = window;
  }

  get baseOffset(): Offset {
    return batch.baseOffset(this.#bytes, this.#at);
  }

  get lastOffset(): Offset {
    return batch.lastOffset(this.#bytes, this.#at);
  }

  /** Records in the batch, among them those outside of what was asked for. */
  get recordCount(): number {
    return batch.recordCount(this.#bytes, this.#at);
  }

  get leaderEpoch(): LeaderEpoch {
    return batch.leaderEpoch(this.#bytes, this.#at);
  }

  get codec(): number {
    return batch.codecOf(batch.attributes(this.#bytes, this.#at));
  }

  /**
   * Walks the records without an object each. May stand on records outside of what was asked for, see `wants`. Throws
   * CorruptRecords, also from the cursor's `next`.
   */
  cursor(): RecordCursor {
    return openRecords(this.#bytes, this.#at, { maxUncompressedBytes: this.#maxUncompressedBytes });
  }

  /** The same batch without the records before an offset. */
  from(offset: Offset): FetchedBatch {
    const { topic, partition, highWatermark } = this;
    const rest = {
      bytes: this.#bytes,
      aborted: [],
      checkCrcs: false,
      maxUncompressedBytes: this.#maxUncompressedBytes,
    };
    const window = { from: Math.max(offset, this.#window.from), before: this.#window.before };
    return new FetchedBatch({ topic, partition, highWatermark, ...rest }, this.#at, this.byteLength, window);
  }

  /** Whether a record of this batch was asked for. */
  wants(offset: Offset): boolean {
    return offset >= this.#window.from && offset < this.#window.before;
  }

  /** The records that were asked for, as objects. Throws CorruptRecords. */
  *records(): Generator<ConsumedRecord, void, void> {
    const { topic, partition, leaderEpoch } = this;
    const cursor = this.cursor();
    while (cursor.next()) {
      if (this.wants(cursor.offset)) yield { topic, partition, leaderEpoch, ...viewRecord(cursor) };
    }
  }
}

/** Offsets that a reader asked for: from the first, before the second. */
export interface OffsetWindow {
  readonly from: Offset;
  readonly before: Offset;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: Offset;
}

/** What one fetch brought for a partition. */
export interface FetchedBytes {
  readonly bytes: Buffer;
  readonly highWatermark: Offset;
  /** With read_committed: the transactions to be left out, by their first offset. */
  readonly aborted: readonly AbortedTransaction[];
  readonly checkCrcs: boolean;
  readonly maxUncompressedBytes: number | undefined;
}

export interface SplitFetch {
  readonly batches: readonly FetchedBatch[];
  /** Where the next fetch goes on. */
  readonly next: Offset;
  /** A batch begins here that the answer has not whole. */
  readonly cut: boolean;
}

/**
 * The batches of a fetch that a reader may see: whole, with records in its window, no control batches, nothing of aborted
 * transactions. Throws CorruptRecords.
 */
export function splitFetch(source: TopicPartition & FetchedBytes, window: OffsetWindow): SplitFetch {
  const { bytes } = source;
  const batches: FetchedBatch[] = [];
  const aborted = new AbortedProducers(source.aborted);
  let next = window.from;
  let at = 0;
  while (at < bytes.length) {
    const size = wholeBatchBytes(bytes, at);
    if (size === PARTIAL) return { batches, next, cut: true };
    if (size === BROKEN || batch.magic(bytes, at) !== batch.MAGIC_V2) {
      throw new CorruptRecords(`what lies at offset ${next} is no record batch of version 2`);
    }
    if (source.checkCrcs && !matchesChecksum(bytes, at)) {
      throw new CorruptRecords(`the batch at offset ${batch.baseOffset(bytes, at)} does not match its checksum`);
    }
    const last = batch.lastOffset(bytes, at);
    if (!aborted.hides(bytes, at) && last >= window.from && batch.baseOffset(bytes, at) < window.before) {
      batches.push(new FetchedBatch(source, at, size, window));
    }
    next = Math.max(next, last + 1);
    at += size;
  }
  return { batches, next, cut: false };
}

/** Walks along with the batches of one fetch and knows which producers have an aborted transaction open. */
class AbortedProducers {
  readonly #coming: AbortedTransaction[];
  readonly #open = new Set<number>();

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#coming = [...transactions].sort((left, right) => left.firstOffset - right.firstOffset);
  }

  /** Whether the reader must not see the batch: a control batch, or one of an aborted transaction. */
  hides(bytes: Buffer, at: number): boolean {
    const bits = batch.attributes(bytes, at);
    const last = batch.lastOffset(bytes, at);
    while (this.#coming.length > 0 && this.#coming[0]!.firstOffset <= last)
      this.#open.add(this.#coming.shift()!.producerId);
    if (!batch.isControl(bits)) return batch.isTransactional(bits) && this.#open.has(batch.producerId(bytes, at));
    if (isAbortMarker(bytes, at)) this.#open.delete(batch.producerId(bytes, at));
    return true;
  }
}

function isAbortMarker(bytes: Buffer, at: number): boolean {
  const cursor = openRecords(bytes, at);
  return cursor.next() && controlTypeOf(viewRecord(cursor).key) === ControlType.ABORT;
}
