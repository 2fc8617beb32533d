/**
 * What one compaction of a log decides, batch by batch: first the newest offset of every key in the dirty part, then
 * which records stay (Kafka's Cleaner). Works on bytes in memory, in whatever thread; knows no files and no log.
 */
import type { Offset, ProducerId, Timestamp } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { matchesChecksum } from '../../records/bounds.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import { openRecords } from '../../records/reader.ts';
import type { RecordCursor } from '../../records/record-cursor.ts';
import type { AbortedTransaction } from '../transaction-index.ts';
import type { BatchOutput } from './batch-output.ts';
import { BatchRewriter, KeptRecords } from './batch-rewriter.ts';
import { CleanedTransactions } from './cleaned-transactions.ts';
import type { HashSecret } from './key-hash.ts';
import { KeyMap } from './key-map.ts';

export interface PassOptions {
  /** Size of the key map. */
  readonly slots: number;
  readonly loadFactor: number;
  readonly secret: HashSecret;
  /** The first dirty offset. */
  readonly from: Offset;
  /** Nothing at or above is looked at in this pass. */
  readonly upTo: Offset;
  readonly nowMs: Timestamp;
  readonly deleteRetentionMs: number;
  /** Aborted transactions with offsets from `from` to `upTo`. */
  readonly aborted: readonly AbortedTransaction[];
}

/** The last that the log knows of a producer that may come back: its last data batch, or just its epoch. */
export interface LastOfProducer {
  readonly producerId: ProducerId;
  /** -1 where no data batch is remembered. */
  readonly lastDataOffset: Offset;
  readonly epoch: number;
}

export interface PassCounts {
  recordsRead: number;
  recordsKept: number;
  /** Records without a key, which nothing can supersede: dropped. */
  recordsWithoutKey: number;
}

/** Says when a turn has lasted long enough. */
export type Deadline = () => boolean;

/** Batches between two looks at the clock. */
const BATCHES_A_LOOK = 16;
/** A batch of that many bytes is looked after at once. */
const LARGE_BATCH_BYTES = 16 * 1024;
const NO_OFFSET: Offset = -1;

export class CleaningPass {
  readonly counts: PassCounts = { recordsRead: 0, recordsKept: 0, recordsWithoutKey: 0 };
  /** Below and at it the map knows all keys. */
  latest: Offset = NO_OFFSET;
  full = false;
  readonly #options: PassOptions;
  readonly #keys: KeyMap;
  readonly #rewriter = new BatchRewriter();
  readonly #kept = new KeptRecords();
  #transactions: CleanedTransactions;
  readonly #lastOf = new Map<ProducerId, LastOfProducer>();

  constructor(options: PassOptions) {
    this.#options = options;
    this.#keys = new KeyMap(options);
    this.#transactions = new CleanedTransactions(options.aborted);
  }

  get keys(): number {
    return this.#keys.size;
  }

  /** Takes the batches from `at` to `end` into the key map; returns where it stopped: full, or at the deadline. */
  index(bytes: Buffer, at: number, end: number, isOver: Deadline): number {
    let next = at;
    for (let batches = 1; next < end && !this.full; batches++) {
      const size = batch.batchBytes(bytes, next);
      this.#indexBatch(bytes, next);
      next += size;
      if ((size > LARGE_BATCH_BYTES || batches % BATCHES_A_LOOK === 0) && isOver()) break;
    }
    return next;
  }

  #indexBatch(bytes: Buffer, at: number): void {
    const { from } = this.#options;
    const last = batch.lastOffset(bytes, at);
    if (batch.isControl(batch.attributes(bytes, at))) this.#transactions.control(bytes, at);
    else if (!this.#transactions.data(bytes, at) && last >= from) this.#indexRecords(openRecords(bytes, at));
    if (last >= from && !this.full) this.latest = last;
  }

  #indexRecords(record: RecordCursor): void {
    const { from } = this.#options;
    while (record.next()) {
      if (record.keyLength < 0 || record.offset < from) continue;
      if (this.#keys.isFull) {
        this.full = true;
        return;
      }
      this.#keys.put(record.bytes, record.keyAt, record.keyLength, record.offset);
      this.latest = record.offset;
    }
  }

  /** All keys below `offset` are known, though the last batches before it are gone. */
  indexedUpTo(offset: Offset): void {
    this.latest = offset - 1;
  }

  /** Begins with the records themselves; `aborted` are the transactions from the log's first offset on. */
  beginFilter(aborted: readonly AbortedTransaction[]): void {
    this.#transactions = new CleanedTransactions(aborted);
  }

  /** Begins a new segment, for which the producers are as told. */
  beginGroup(producers: readonly LastOfProducer[]): void {
    this.#lastOf.clear();
    for (const last of producers) this.#lastOf.set(last.producerId, last);
  }

  /** Puts what stays of the batches from `at` to `end` into `out`; returns where it stopped at the deadline. */
  filter(bytes: Buffer, at: number, end: number, out: BatchOutput, isOver: Deadline): number {
    let next = at;
    for (let batches = 1; next < end; batches++) {
      const size = batch.batchBytes(bytes, next);
      this.#filterBatch(bytes, next, out);
      next += size;
      if ((size > LARGE_BATCH_BYTES || batches % BATCHES_A_LOOK === 0) && isOver()) break;
    }
    return next;
  }

  /** Aborted transactions that the segments filtered since the last call must still tell of. */
  takeKeptTransactions(): AbortedTransaction[] {
    const { kept } = this.#transactions;
    this.#transactions.kept = [];
    return kept;
  }

  #filterBatch(bytes: Buffer, at: number, out: BatchOutput): void {
    const bits = batch.attributes(bytes, at);
    const control = batch.isControl(bits);
    const horizon = batch.hasDeleteHorizon(bits) ? batch.baseTimestamp(bytes, at) : undefined;
    const transactions = this.#transactions;
    const idle = control ? transactions.control(bytes, at) : transactions.data(bytes, at);
    const drop = control ? idle && horizon !== undefined && horizon <= this.#options.nowMs : idle;
    const before = out.length;
    if (!drop) {
      if (control) this.#keepMarker(bytes, at, { setHorizon: idle && horizon === undefined }, out);
      else this.#filterData(bytes, at, horizon, out);
    }
    if (out.length === before && this.#mustStay(bytes, at, control)) this.#rewriter.writeEmpty(bytes, at, out);
  }

  /** A batch that stays even without records, for a producer's sake or to mark how far the log was cleaned. */
  #mustStay(bytes: Buffer, at: number, control: boolean): boolean {
    const last = batch.lastOffset(bytes, at);
    if (last + 1 === this.#options.upTo) return true;
    const producerId = batch.producerId(bytes, at);
    const known = producerId === batch.NO_PRODUCER_ID ? undefined : this.#lastOf.get(producerId);
    if (known === undefined) return false;
    if (known.lastDataOffset !== NO_OFFSET) return known.lastDataOffset === last;
    return control && batch.producerEpoch(bytes, at) === known.epoch;
  }

  #keepMarker(bytes: Buffer, at: number, { setHorizon }: { setHorizon: boolean }, out: BatchOutput): void {
    const count = batch.recordCount(bytes, at);
    if (count === 0) return;
    this.counts.recordsRead += count;
    this.counts.recordsKept += count;
    if (!setHorizon) {
      copyBatch(bytes, at, out);
      return;
    }
    this.#kept.count = 0;
    const record = openChecked(bytes, at);
    while (record.next()) this.#kept.add(record);
    this.#rewrite(bytes, at, record, this.#newHorizon(), out);
  }

  #filterData(bytes: Buffer, at: number, horizon: Timestamp | undefined, out: BatchOutput): void {
    const kept = this.#kept;
    kept.count = 0;
    const tombstonesStay = horizon === undefined || this.#options.nowMs < horizon;
    const record = openRecords(bytes, at);
    let read = 0;
    let tombstones = false;
    while (record.next()) {
      read++;
      if (!this.#stays(record, tombstonesStay)) continue;
      kept.add(record);
      if (record.valueLength < 0) tombstones = true;
    }
    this.counts.recordsRead += read;
    this.counts.recordsKept += kept.count;
    if (kept.count === 0) return;
    const setHorizon = tombstones && horizon === undefined;
    if (kept.count === read && !setHorizon) {
      copyBatch(bytes, at, out);
      return;
    }
    // A harmed batch must not get a checksum that says otherwise.
    if (!matchesChecksum(bytes, at)) throw wrongChecksum(bytes, at);
    this.#rewrite(bytes, at, record, setHorizon ? this.#newHorizon() : horizon, out);
  }

  #stays(record: RecordCursor, tombstonesStay: boolean): boolean {
    if (record.offset > this.latest) return true;
    if (record.keyLength < 0) {
      this.counts.recordsWithoutKey++;
      return false;
    }
    if (record.valueLength < 0 && !tombstonesStay) return false;
    return record.offset >= this.#keys.get(record.bytes, record.keyAt, record.keyLength);
  }

  #newHorizon(): Timestamp {
    return Math.min(this.#options.nowMs + this.#options.deleteRetentionMs, Number.MAX_SAFE_INTEGER);
  }

  #rewrite(bytes: Buffer, at: number, record: RecordCursor, horizon: Timestamp | undefined, out: BatchOutput): void {
    this.#rewriter.rewrite({ bytes, at, records: record.bytes, kept: this.#kept }, horizon, out);
  }
}

function copyBatch(bytes: Buffer, at: number, out: BatchOutput): void {
  out.copy(bytes, at, at + batch.batchBytes(bytes, at));
}

function openChecked(bytes: Buffer, at: number): RecordCursor {
  if (!matchesChecksum(bytes, at)) throw wrongChecksum(bytes, at);
  return openRecords(bytes, at);
}

function wrongChecksum(bytes: Buffer, at: number): CorruptRecords {
  return new CorruptRecords(`the batch at offset ${batch.baseOffset(bytes, at)} does not match its checksum`);
}
