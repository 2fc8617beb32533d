/**
 * What a partition remembers of one idempotent or transactional producer: its epoch, its last five batches (the most a
 * client has in flight, KIP-98), and where its open transaction began.
 */
import type { Offset, ProducerId, Timestamp } from '../base/units.ts';
import { NO_SEQUENCE, NO_TIMESTAMP } from '../records/batch.ts';

/** Kafka's ProducerStateEntry.NUM_BATCHES_TO_RETAIN. */
export const REMEMBERED_BATCHES = 5;
export const NO_EPOCH = -1;
export const NO_OFFSET: Offset = -1;
const MAX_SEQUENCE = 2 ** 31 - 1;
const SEQUENCES = 2 ** 31;

/** A batch that was appended. */
export interface RememberedBatch {
  lastSequence: number;
  lastOffset: Offset;
  /** Last offset minus first offset. */
  offsetDelta: number;
  timestamp: Timestamp;
}

/** The sequence number `by` after `sequence`: 0 follows 2^31-1. */
export function sequenceAfter(sequence: number, by: number): number {
  return (sequence + by) % SEQUENCES;
}

/** The sequence number `by` before `sequence`. */
export function sequenceBefore(sequence: number, by: number): number {
  return sequence >= by ? sequence - by : sequence - by + SEQUENCES;
}

/** Whether a batch that begins with `next` may follow one that ended with `last`. */
export function isNextSequence(last: number, next: number): boolean {
  return next === last + 1 || (next === 0 && last === MAX_SEQUENCE);
}

/** Whether a transaction of this epoch has begun and not ended. */
export function isUnderWay(entry: ProducerEntry | undefined, epoch: number): boolean {
  return entry !== undefined && entry.transactionStart !== NO_OFFSET && entry.epoch === epoch;
}

export class ProducerEntry {
  readonly producerId: ProducerId;
  epoch = NO_EPOCH;
  /** Of the transaction coordinator that wrote the last marker; -1 before the first. */
  coordinatorEpoch = -1;
  lastTimestamp: Timestamp = NO_TIMESTAMP;
  /** First offset of the open transaction, or -1. */
  transactionStart: Offset = NO_OFFSET;
  /** Oldest first, all of `epoch`. */
  readonly batches: RememberedBatch[] = [];

  constructor(producerId: ProducerId) {
    this.producerId = producerId;
  }

  get lastSequence(): number {
    return this.batches.at(-1)?.lastSequence ?? NO_SEQUENCE;
  }

  /** The remembered batch with exactly these sequence numbers: what is appended already. */
  duplicateOf(epoch: number, firstSequence: number, lastSequence: number): RememberedBatch | undefined {
    if (epoch !== this.epoch) return undefined;
    // The newest first: a producer that was forgotten, and began anew, uses the same numbers again.
    for (let index = this.batches.length - 1; index >= 0; index--) {
      const batch = this.batches[index]!;
      if (batch.lastSequence !== lastSequence) continue;
      if (sequenceBefore(batch.lastSequence, batch.offsetDelta) === firstSequence) return batch;
    }
    return undefined;
  }

  /** A new epoch forgets the batches of the one before. */
  enter(epoch: number): void {
    if (epoch === this.epoch) return;
    this.batches.length = 0;
    this.epoch = epoch;
  }

  remember(lastSequence: number, lastOffset: Offset, offsetDelta: number, timestamp: Timestamp): void {
    const oldest = this.batches.length === REMEMBERED_BATCHES ? this.batches.shift() : undefined;
    if (oldest === undefined) {
      this.batches.push({ lastSequence, lastOffset, offsetDelta, timestamp });
    } else {
      oldest.lastSequence = lastSequence;
      oldest.lastOffset = lastOffset;
      oldest.offsetDelta = offsetDelta;
      oldest.timestamp = timestamp;
      this.batches.push(oldest);
    }
    this.lastTimestamp = timestamp;
  }
}
