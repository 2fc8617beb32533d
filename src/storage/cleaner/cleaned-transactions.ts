/**
 * What compaction must know of transactions while it walks batches in order: which data was aborted, and which markers
 * still have data of their transaction before them (Kafka's CleanedTransactionMetadata).
 */
import type { Offset, ProducerId } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { ControlType, controlTypeOf } from '../../records/control.ts';
import { openRecords } from '../../records/reader.ts';
import type { AbortedTransaction } from '../transaction-index.ts';

/** A marker batch holds one record of a dozen bytes. */
const MAX_MARKER_BYTES = 64 * 1024;

export class CleanedTransactions {
  /** Aborted transactions whose marker was found to have data before it: the new segment's index needs them. */
  kept: AbortedTransaction[] = [];
  /** By first offset, latest first. */
  readonly #ahead: AbortedTransaction[];
  readonly #aborted = new Map<ProducerId, { readonly transaction: AbortedTransaction; seen: boolean }>();
  readonly #committed = new Set<ProducerId>();

  /** `aborted`: every aborted transaction with an offset among the batches to come. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.#ahead = aborted.toSorted((left, right) => right.firstOffset - left.firstOffset);
  }

  /** Takes in the data batch at `at`; true where it belongs to an aborted transaction. */
  data(bytes: Buffer, at: number): boolean {
    this.#beginUpTo(batch.lastOffset(bytes, at));
    if (!batch.isTransactional(batch.attributes(bytes, at))) return false;
    const producerId = batch.producerId(bytes, at);
    const aborted = this.#aborted.get(producerId);
    if (aborted === undefined) {
      this.#committed.add(producerId);
      return false;
    }
    aborted.seen = true;
    return true;
  }

  /** Takes in the control batch at `at`; true where no data of its transaction is left. Throws CorruptRecords. */
  control(bytes: Buffer, at: number): boolean {
    this.#beginUpTo(batch.lastOffset(bytes, at));
    // A pass before this one has emptied it.
    if (batch.recordCount(bytes, at) === 0) return true;
    const record = openRecords(bytes, at, { maxUncompressedBytes: MAX_MARKER_BYTES });
    if (!record.next()) return true;
    const key = record.keyLength < 0 ? null : record.bytes.subarray(record.keyAt, record.keyAt + record.keyLength);
    const producerId = batch.producerId(bytes, at);
    const type = controlTypeOf(key);
    if (type === ControlType.COMMIT) return !this.#committed.delete(producerId);
    if (type !== ControlType.ABORT) return false;
    const aborted = this.#aborted.get(producerId);
    this.#aborted.delete(producerId);
    if (aborted?.seen !== true) return true;
    this.kept.push(aborted.transaction);
    return false;
  }

  #beginUpTo(offset: Offset): void {
    for (let next = this.#ahead.at(-1); next !== undefined && next.firstOffset <= offset; next = this.#ahead.at(-1)) {
      this.#ahead.pop();
      if (!this.#aborted.has(next.producerId)) this.#aborted.set(next.producerId, { transaction: next, seen: false });
    }
  }
}
