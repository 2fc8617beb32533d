/**
 * The batches of one partition in the order of their records, and who of them is under way. Keeps the order: a batch that
 * failed goes back to its place, and nothing overtakes it.
 */
import { BATCH_HEADER_BYTES } from '../../records/batch.ts';
import type { ResolvedProducerOptions } from './options.ts';
import { NO_SEQUENCE, PendingBatch, type ProducerIdentity } from './pending-batch.ts';

/** Sequence numbers wrap after 2^31 - 1. */
const SEQUENCES = 2 ** 31;
/** Memory of the first batch. */
const LEAST_BATCH_BYTES = 1024;

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** Waiting, oldest first; only the last one may be open. */
  readonly waiting: PendingBatch[] = [];
  readonly inFlight = new Set<PendingBatch>();
  nextSequence = 0;
  /** After a failure nothing is sent before this. */
  notBeforeMs = 0;
  failures = 0;
  /** How large a batch grows, before compression: as the producer was told, or smaller where the broker takes no such ones. */
  batchBytes: number;
  /**
   * A batch has failed: until all that is under way has come back, and while it is tried again, nothing else is sent.
   * Else later batches could push it out of the broker's short memory, and one that was written after all would be
   * written twice.
   */
  #recovering = false;
  /**
   * Whether a batch of this identity was acknowledged. A leader that knows nothing of a producer takes any sequence from it
   * for the first one: until then there is only one batch that it could take.
   */
  #established = false;
  readonly #options: ResolvedProducerOptions;
  #usualBytes = LEAST_BATCH_BYTES;

  constructor(topic: string, partition: number, options: ResolvedProducerOptions) {
    this.topic = topic;
    this.partition = partition;
    this.#options = options;
    this.batchBytes = options.batchBytes;
  }

  get idle(): boolean {
    return this.waiting.length === 0 && this.inFlight.size === 0;
  }

  /** The batch at the end, where it takes one more record of at most `recordBytes`. */
  openBatch(recordBytes: number): PendingBatch | undefined {
    const last = this.waiting.at(-1);
    return last?.open && last.bytes + recordBytes <= Math.max(this.batchBytes, recordBytes) ? last : undefined;
  }

  /** A batch behind all others, for a record of at most `recordBytes`. */
  newBatch(recordBytes: number, nowMs: number): PendingBatch {
    // As much memory as the batch before needed: with few records a batch a full one would be mostly air.
    const capacityBytes = Math.max(recordBytes + BATCH_HEADER_BYTES, Math.min(this.batchBytes, this.#usualBytes));
    const batch = new PendingBatch(nowMs, capacityBytes);
    this.waiting.push(batch);
    return batch;
  }

  /** When the next batch may be sent: 0 for now, Infinity where there is none or one must come back first. */
  readyAtMs(flushing: boolean): number {
    const first = this.waiting[0];
    if (first === undefined || this.#blocked) return Infinity;
    const full = !first.open || this.waiting.length > 1 || first.bytes >= this.batchBytes;
    const fullAtMs = full || flushing ? 0 : first.openedAtMs + this.#options.lingerMs;
    return Math.max(fullAtMs, this.notBeforeMs);
  }

  get #blocked(): boolean {
    if (this.inFlight.size === 0) return false;
    return this.#recovering || !this.#established || !this.#options.idempotent || this.waiting[0]!.sent;
  }

  /** Takes the next batch for sending. */
  take(): PendingBatch {
    const batch = this.waiting.shift()!;
    if (batch.open) this.#usualBytes = batch.bytes + (batch.bytes >> 3);
    this.#recovering = batch.sent;
    batch.sent = true;
    this.inFlight.add(batch);
    return batch;
  }

  /** Gives what a batch was split into the numbers that it had: the broker took none of them. */
  divideSequence(batch: PendingBatch, parts: readonly PendingBatch[], identity: ProducerIdentity): void {
    let sequence = batch.baseSequence;
    for (const part of parts) {
      part.stamp(identity, sequence);
      sequence = (sequence + part.count) % SEQUENCES;
    }
  }

  /** Numbers a batch after the ones before it. */
  takeSequence(count: number): number {
    const sequence = this.nextSequence;
    this.nextSequence = (sequence + count) % SEQUENCES;
    return sequence;
  }

  /** The next batch is the first one of another identity. */
  restart(): void {
    this.nextSequence = 0;
    this.#established = false;
  }

  acknowledged(): void {
    this.failures = 0;
    this.#established = true;
  }

  /** Puts a batch that failed back in front of all later ones, or what it was split into. */
  giveBack(batch: PendingBatch, parts: readonly PendingBatch[] = [batch]): void {
    this.inFlight.delete(batch);
    this.#recovering = true;
    const order = batch.baseSequence;
    let place = 0;
    if (order !== NO_SEQUENCE) {
      while (place < this.waiting.length && precedes(this.waiting[place]!.baseSequence, order)) place++;
    }
    this.waiting.splice(place, 0, ...parts);
  }

  /**
   * Whether the first batch that was sent may have been written. Where that one was not, none behind it was: the broker
   * takes sequences without gaps only.
   */
  get isUncertain(): boolean {
    return this.waiting[0]?.uncertain === true;
  }

  /** Whether a batch with an earlier sequence is still to be sent or to be answered. */
  hasEarlier(batch: PendingBatch): boolean {
    const earlier = (other: PendingBatch): boolean => precedes(other.baseSequence, batch.baseSequence);
    return this.waiting.some(earlier) || [...this.inFlight].some((other) => other !== batch && earlier(other));
  }
}

/** Whether a sequence comes before another, in a ring where what is under way is close together. */
function precedes(sequence: number, other: number): boolean {
  if (sequence === NO_SEQUENCE) return false;
  const distance = (other - sequence + SEQUENCES) % SEQUENCES;
  return distance > 0 && distance < SEQUENCES / 2;
}
