/**
 * The producers of one partition: who may append what next, and which transactions are open. Judges a batch before it
 * is written (`duplicateOf`, `refusalOf`) and takes it in after it was written (`apply`), never in between: a failed
 * append leaves no trace. Rebuilt from snapshot files and batches; persists nothing itself.
 */
import { assert } from '../base/assert.ts';
import type { Offset, ProducerId, Timestamp } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import * as batch from '../records/batch.ts';
import { ControlType, controlTypeOf, coordinatorEpochOf } from '../records/control.ts';
import { CorruptRecords } from '../records/corrupt-records.ts';
import { readRecords } from '../records/reader.ts';
import type { AppendOrigin } from '../records/validate.ts';
import {
  isNextSequence,
  NO_EPOCH,
  NO_OFFSET,
  ProducerEntry,
  type RememberedBatch,
  sequenceAfter,
} from './producer-entry.ts';

/** Why a batch may not be appended. */
export interface ProducerRefusal {
  readonly errorCode: ErrorCode;
  readonly message: string;
}

/** A transaction that a marker has ended in this partition. */
export interface CompletedTransaction {
  readonly producerId: ProducerId;
  readonly firstOffset: Offset;
  /** Offset of the marker. */
  readonly lastOffset: Offset;
  readonly aborted: boolean;
  /** Below it no transaction is open any more: what the transaction index stores. */
  readonly lastStableOffset: Offset;
}

/** What DescribeProducers tells. */
export interface ActiveProducer {
  readonly producerId: ProducerId;
  readonly producerEpoch: number;
  /** -1 where no batch is remembered. */
  readonly lastSequence: number;
  readonly lastTimestamp: Timestamp;
  readonly coordinatorEpoch: number;
  /** -1 where no transaction is open. */
  readonly transactionStartOffset: Offset;
}

interface Transaction {
  readonly producerId: ProducerId;
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
}

interface Marker {
  readonly aborted: boolean;
  readonly coordinatorEpoch: number;
}

/** From this version on a marker carries a higher epoch than the transaction's batches (KIP-890). */
const EPOCH_BUMPING_VERSION = 2;
const MAX_EPOCH = 2 ** 15 - 1;
/** A marker batch holds one record of a dozen bytes. */
const MAX_MARKER_BYTES = 64 * 1024;

export class ProducerStates {
  /** Offset up to which batches were taken in. */
  endOffset: Offset = 0;
  readonly entries = new Map<ProducerId, ProducerEntry>();
  /** Open transactions by first offset, which is their order of insertion too. */
  readonly #open = new Map<Offset, Transaction>();
  /** Ended ones whose marker may still be lost: it lies at or above the high watermark. */
  #unreplicated: Transaction[] = [];
  #firstUnstable: Offset | undefined;

  /** First offset whose fate is open, or decided by a marker that is not replicated yet; undefined where there is none. */
  get firstUnstableOffset(): Offset | undefined {
    return this.#firstUnstable;
  }

  /** First offset of an open transaction, ended ones left out; undefined where there is none. */
  get firstOpenOffset(): Offset | undefined {
    return this.#open.keys().next().value;
  }

  /** The batch that was appended already with the sequence numbers of the one at `at`. */
  duplicateOf(bytes: Buffer, at: number): RememberedBatch | undefined {
    const entry = this.entries.get(batch.producerId(bytes, at));
    if (entry === undefined) return undefined;
    const first = batch.baseSequence(bytes, at);
    const last = sequenceAfter(first, batch.lastOffsetDelta(bytes, at));
    return entry.duplicateOf(batch.producerEpoch(bytes, at), first, last);
  }

  /** Whether the first of these batches, which nobody has looked at yet, was appended already. */
  hasAlready(bytes: Buffer): boolean {
    return bytes.length >= batch.BATCH_HEADER_BYTES && this.duplicateOf(bytes, 0) !== undefined;
  }

  /**
   * Why the batch at `at`, which has a producer id, may not be appended here. `transactionVersion` is that of the
   * WriteTxnMarkers request, for markers.
   */
  refusalOf(
    bytes: Buffer,
    at: number,
    rules: { readonly origin: AppendOrigin; readonly transactionVersion: number },
  ): ProducerRefusal | undefined {
    if (rules.origin === 'replica') return undefined;
    const entry = this.entries.get(batch.producerId(bytes, at));
    const attributes = batch.attributes(bytes, at);
    if (batch.isControl(attributes)) return this.#markerRefusal(bytes, at, entry, rules.transactionVersion);
    if (entry === undefined) return undefined;
    const epoch = batch.producerEpoch(bytes, at);
    if (epoch < entry.epoch) return oldEpoch(entry, epoch);
    if (rules.origin === 'client') {
      const refusal = sequenceRefusal(entry, epoch, batch.baseSequence(bytes, at));
      if (refusal !== undefined) return refusal;
    }
    if (entry.transactionStart === NO_OFFSET || batch.isTransactional(attributes)) return undefined;
    const message = `producer ${entry.producerId} writes outside its open transaction`;
    return { errorCode: ErrorCode.INVALID_TXN_STATE, message };
  }

  #markerRefusal(
    bytes: Buffer,
    at: number,
    entry: ProducerEntry | undefined,
    transactionVersion: number,
  ): ProducerRefusal | undefined {
    const marker = readMarker(bytes, at);
    if (marker === undefined || entry === undefined) return undefined;
    const epoch = batch.producerEpoch(bytes, at);
    if (isEpochTooOld(entry, epoch, transactionVersion)) return oldEpoch(entry, epoch);
    if (entry.coordinatorEpoch <= marker.coordinatorEpoch) return undefined;
    const message = `coordinator epoch ${marker.coordinatorEpoch} is older than ${entry.coordinatorEpoch}`;
    return { errorCode: ErrorCode.TRANSACTION_COORDINATOR_FENCED, message };
  }

  /**
   * Takes in the batch at `at`, which lies in the log now, offsets and all. Returns the transaction that it ended.
   * Trusts the log: what a leader accepted, its followers take in unasked.
   */
  apply(bytes: Buffer, at: number): CompletedTransaction | undefined {
    this.endOffset = batch.lastOffset(bytes, at) + 1;
    const producerId = batch.producerId(bytes, at);
    if (producerId === batch.NO_PRODUCER_ID) return undefined;
    const attributes = batch.attributes(bytes, at);
    if (batch.isControl(attributes)) return this.#applyMarker(bytes, at);
    const entry = this.#entry(producerId);
    const first = batch.baseOffset(bytes, at);
    const delta = batch.lastOffsetDelta(bytes, at);
    const sequence = batch.baseSequence(bytes, at);
    entry.enter(batch.producerEpoch(bytes, at));
    entry.remember(
      sequence < 0 ? batch.NO_SEQUENCE : sequenceAfter(sequence, delta),
      first + delta,
      delta,
      batch.maxTimestamp(bytes, at),
    );
    if (batch.isTransactional(attributes) && entry.transactionStart === NO_OFFSET) {
      entry.transactionStart = first;
      this.#begin(producerId, first);
    }
    return undefined;
  }

  #applyMarker(bytes: Buffer, at: number): CompletedTransaction | undefined {
    const marker = readMarker(bytes, at);
    if (marker === undefined) return undefined;
    const producerId = batch.producerId(bytes, at);
    const entry = this.#entry(producerId);
    const firstOffset = entry.transactionStart;
    entry.enter(batch.producerEpoch(bytes, at));
    entry.coordinatorEpoch = marker.coordinatorEpoch;
    entry.lastTimestamp = batch.maxTimestamp(bytes, at);
    entry.transactionStart = NO_OFFSET;
    if (firstOffset === NO_OFFSET) return undefined;
    const lastOffset = batch.lastOffset(bytes, at);
    this.#open.delete(firstOffset);
    this.#unreplicated.push({ producerId, firstOffset, lastOffset });
    this.#updateFirstUnstable();
    const next = this.#open.values().next().value;
    const lastStableOffset = next?.firstOffset ?? lastOffset + 1;
    return { producerId, firstOffset, lastOffset, aborted: marker.aborted, lastStableOffset };
  }

  #entry(producerId: ProducerId): ProducerEntry {
    let entry = this.entries.get(producerId);
    if (entry === undefined) {
      entry = new ProducerEntry(producerId);
      this.entries.set(producerId, entry);
    }
    return entry;
  }

  #begin(producerId: ProducerId, firstOffset: Offset): void {
    this.#open.set(firstOffset, { producerId, firstOffset, lastOffset: NO_OFFSET });
    this.#firstUnstable ??= firstOffset;
  }

  #updateFirstUnstable(): void {
    let first = this.#open.keys().next().value;
    for (const { firstOffset } of this.#unreplicated) first = Math.min(first ?? firstOffset, firstOffset);
    this.#firstUnstable = first;
  }

  /** Nothing below `offset` can be lost any more: markers there are final. */
  replicatedUpTo(offset: Offset): void {
    if (this.#unreplicated.length === 0) return;
    this.#unreplicated = this.#unreplicated.filter(({ lastOffset }) => lastOffset >= offset);
    this.#updateFirstUnstable();
  }

  /** Forgets producers that have not written for `expirationMs`, unless they are in a transaction. */
  expire(now: Timestamp, expirationMs: number): void {
    for (const entry of this.entries.values()) {
      if (isExpired(entry, now, expirationMs)) this.entries.delete(entry.producerId);
    }
  }

  /** Starts over from a snapshot's producers, or from none. */
  reset(endOffset: Offset, entries: readonly ProducerEntry[] = []): void {
    this.entries.clear();
    this.#open.clear();
    // A truncation above the high watermark leaves markers that may still be lost.
    this.#unreplicated = this.#unreplicated.filter(({ lastOffset }) => lastOffset < endOffset);
    this.endOffset = endOffset;
    for (const entry of entries) this.entries.set(entry.producerId, entry);
    const open = entries.filter((entry) => entry.transactionStart !== NO_OFFSET);
    open.sort((left, right) => left.transactionStart - right.transactionStart);
    for (const { producerId, transactionStart } of open) {
      this.#open.set(transactionStart, { producerId, firstOffset: transactionStart, lastOffset: NO_OFFSET });
    }
    this.#updateFirstUnstable();
  }

  /** Knows what `other` knows, of whose log this one is a copy; `other` is not used any more. */
  takeOver(other: ProducerStates): void {
    this.#unreplicated = [...other.#unreplicated];
    this.reset(other.endOffset, [...other.entries.values()]);
  }

  describe(): ActiveProducer[] {
    return Array.from(this.entries.values(), (entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.epoch,
      lastSequence: entry.lastSequence,
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      transactionStartOffset: entry.transactionStart,
    }));
  }
}

export function isExpired(entry: ProducerEntry, now: Timestamp, expirationMs: number): boolean {
  return entry.transactionStart === NO_OFFSET && now - entry.lastTimestamp >= expirationMs;
}

function oldEpoch(entry: ProducerEntry, epoch: number): ProducerRefusal {
  const message = `epoch ${epoch} of producer ${entry.producerId} is older than ${entry.epoch}`;
  return { errorCode: ErrorCode.INVALID_PRODUCER_EPOCH, message };
}

/** A retried marker of the new kind finds its own epoch and no open transaction: it is written again, harmlessly. */
function isEpochTooOld(entry: ProducerEntry, epoch: number, transactionVersion: number): boolean {
  if (transactionVersion < EPOCH_BUMPING_VERSION || epoch !== entry.epoch) return epoch < entry.epoch;
  return entry.transactionStart !== NO_OFFSET && epoch !== MAX_EPOCH;
}

/** A producer whose records were all deleted is unknown, and starts anywhere (KIP-360). */
function sequenceRefusal(entry: ProducerEntry, epoch: number, first: number): ProducerRefusal | undefined {
  assert(epoch >= entry.epoch, 'epochs are judged before sequence numbers');
  if (entry.epoch === NO_EPOCH) return undefined;
  const expected = epoch === entry.epoch ? entry.lastSequence : -1;
  if (isNextSequence(expected, first)) return undefined;
  const message =
    epoch === entry.epoch
      ? `sequence ${first} of producer ${entry.producerId} does not follow ${expected}`
      : `producer ${entry.producerId} must begin epoch ${epoch} with sequence 0, not ${first}`;
  return { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message };
}

/**
 * The transaction marker in a control batch; undefined for other kinds, for batches that compaction emptied, and for
 * what cannot be read: it lies in the log as it is, and stopping over it would lose more.
 */
function readMarker(bytes: Buffer, at: number): Marker | undefined {
  if (batch.recordCount(bytes, at) <= 0) return undefined;
  try {
    for (const record of readRecords(bytes, at, { maxUncompressedBytes: MAX_MARKER_BYTES })) {
      const type = controlTypeOf(record.key);
      if (type !== ControlType.ABORT && type !== ControlType.COMMIT) return undefined;
      return { aborted: type === ControlType.ABORT, coordinatorEpoch: coordinatorEpochOf(record.value) };
    }
  } catch (error) {
    if (!(error instanceof CorruptRecords)) throw error;
  }
  return undefined;
}
