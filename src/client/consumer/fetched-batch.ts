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
    const cursor = this.cursor();
    while (cursor.next()) if (this.wants(cursor.offset)) yield consumedRecord(this, cursor);
  }
}

/** The record on which a cursor stands, with its place. */
export function consumedRecord(batch: FetchedBatch, cursor: RecordCursor): ConsumedRecord {
  const { offset, timestamp, key, value, headers } = viewRecord(cursor);
  const { topic, partition, leaderEpoch } = batch;
  return { topic, partition, leaderEpoch, offset, timestamp, key, value, headers };
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
  /** Leader epoch of what lies before `next`; undefined where nothing new does. */
  readonly epoch: LeaderEpoch | undefined;
  /** A batch begins here that the answer has not whole. */
  readonly cut: boolean;
  /** Why nothing behind the batches could be read. */
  readonly fault: BatchFault | undefined;
}

/** A batch that makes no sense. */
export interface BatchFault {
  readonly message: string;
  /** Behind it, as far as its header can be believed. */
  readonly nextOffset: Offset;
}

/**
 * The batches of a fetch that a reader may see: whole, with records in its window, no control batches, nothing of aborted
 * transactions. Stops in front of a batch that is broken.
 */
export function splitFetch(source: TopicPartition & FetchedBytes, window: OffsetWindow): SplitFetch {
  const { bytes } = source;
  const batches: FetchedBatch[] = [];
  const aborted = new AbortedProducers(source.aborted);
  let next = window.from;
  let epoch: LeaderEpoch | undefined;
  let at = 0;
  while (at < bytes.length) {
    const size = wholeBatchBytes(bytes, at);
    if (size === PARTIAL) return { batches, next, epoch, cut: true, fault: undefined };
    if (size === BROKEN || batch.magic(bytes, at) !== batch.MAGIC_V2) {
      const message = `what lies at offset ${next} is no record batch of version 2`;
      return { batches, next, epoch, cut: false, fault: { message, nextOffset: next + 1 } };
    }
    const last = batch.lastOffset(bytes, at);
    const message = faultOf(source, at, aborted);
    if (message !== undefined) {
      const nextOffset = last >= next && last - next < MOST_BELIEVED_RECORDS ? last + 1 : next + 1;
      return { batches, next, epoch, cut: false, fault: { message, nextOffset } };
    }
    if (!aborted.isHidden && last >= window.from && batch.baseOffset(bytes, at) < window.before) {
      batches.push(new FetchedBatch(source, at, size, window));
    }
    next = Math.max(next, last + 1);
    epoch = batch.leaderEpoch(bytes, at);
    at += size;
  }
  return { batches, next, epoch, cut: false, fault: undefined };
}

/** More than fit a batch of 1 GiB: a header that says so is broken itself. */
const MOST_BELIEVED_RECORDS = 2 ** 27;

/** What is wrong with a whole batch; otherwise lets the transactions move past it. */
function faultOf(source: FetchedBytes, at: number, aborted: AbortedProducers): string | undefined {
  const { bytes, checkCrcs } = source;
  if (checkCrcs && !matchesChecksum(bytes, at)) {
    return `the batch at offset ${batch.baseOffset(bytes, at)} does not match its checksum`;
  }
  try {
    aborted.pass(bytes, at);
    return undefined;
  } catch (error) {
    if (error instanceof CorruptRecords) return error.message;
    throw error;
  }
}

/** Walks along with the batches of one fetch and knows which producers have an aborted transaction open. */
class AbortedProducers {
  readonly #coming: AbortedTransaction[];
  readonly #open = new Set<number>();
  /** Whether the reader must not see the last batch: a control batch, or one of an aborted transaction. */
  isHidden = false;

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#coming = [...transactions].sort((left, right) => left.firstOffset - right.firstOffset);
  }

  /** Throws CorruptRecords. */
  pass(bytes: Buffer, at: number): void {
    const bits = batch.attributes(bytes, at);
    const last = batch.lastOffset(bytes, at);
    while (this.#coming.length > 0 && this.#coming[0]!.firstOffset <= last)
      this.#open.add(this.#coming.shift()!.producerId);
    this.isHidden =
      batch.isControl(bits) || (batch.isTransactional(bits) && this.#open.has(batch.producerId(bytes, at)));
    if (batch.isControl(bits) && isAbortMarker(bytes, at)) this.#open.delete(batch.producerId(bytes, at));
  }
}

function isAbortMarker(bytes: Buffer, at: number): boolean {
  const cursor = openRecords(bytes, at);
  return cursor.next() && controlTypeOf(viewRecord(cursor).key) === ControlType.ABORT;
}
