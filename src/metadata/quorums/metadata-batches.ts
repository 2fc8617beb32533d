/**
 * Metadata records in record batches, and back: what the log and its snapshots have in common. A group of records is one
 * batch, which recovery keeps or cuts as a whole; a group too large for one lies in several between BeginTransaction and
 * EndTransaction, and counts only once the end is there.
 */
import { SluiceError } from '../../base/errors.ts';
import type { LeaderEpoch, Offset, Timestamp } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { BatchWriter, buildBatch } from '../../records/builder.ts';
import { type ControlType, controlKey, type QuorumControlType, quorumControlValue } from '../../records/control.ts';
import { readRecords } from '../../records/reader.ts';
import { decodeRecord, encodeRecord, type MetadataRecord, newRecord } from '../records.ts';

/** Largest batch, as in Kafka's raft. */
export const MAX_BATCH_BYTES = 8 * 2 ** 20;
/** Room for what surrounds a value in a batch: lengths, deltas, attributes. */
const RECORD_OVERHEAD_BYTES = 64;

export interface BatchPlace {
  readonly baseOffset: Offset;
  readonly epoch: LeaderEpoch;
  readonly timestamp: Timestamp;
}

/** Batches in a row and how many offsets they take. */
export interface PackedBatches {
  readonly bytes: Buffer;
  readonly records: number;
}

/** Packs records that count together or not at all. */
export function packAtomic(
  records: readonly MetadataRecord[],
  place: BatchPlace,
  maxBytes = MAX_BATCH_BYTES,
): PackedBatches {
  const values = records.map(encodeRecord);
  if (sizeOf(values) <= maxBytes) return pack(values, place, maxBytes);
  const bounded = [
    encodeRecord(newRecord('beginTransaction', { name: 'sluice' })),
    ...values,
    encodeRecord(newRecord('endTransaction', {})),
  ];
  return pack(bounded, place, maxBytes);
}

/** Packs values into as few batches as fit. */
export function pack(values: readonly Buffer[], place: BatchPlace, maxBytes = MAX_BATCH_BYTES): PackedBatches {
  const batches: Buffer[] = [];
  let packed = 0;
  while (packed < values.length) {
    const writer = new BatchWriter();
    do {
      writer.append(place.timestamp, null, values[packed]!);
      packed++;
    } while (packed < values.length && writer.bytes + values[packed]!.length + RECORD_OVERHEAD_BYTES <= maxBytes);
    batches.push(writer.finish({ baseOffset: place.baseOffset + packed - writer.count, leaderEpoch: place.epoch }));
  }
  return { bytes: batches.length === 1 ? batches[0]! : Buffer.concat(batches), records: values.length };
}

function sizeOf(values: readonly Buffer[]): number {
  return values.reduce((total, value) => total + value.length + RECORD_OVERHEAD_BYTES, batch.BATCH_HEADER_BYTES);
}

/** A batch with one control record. */
export function controlBatch<T extends QuorumControlType>(
  type: T,
  value: Parameters<typeof quorumControlValue<T>>[1],
  place: BatchPlace,
): Buffer {
  return controlRecords([{ type, value: quorumControlValue(type, value) }], place);
}

/** A batch of control records with values as bytes. */
export function controlRecords(
  records: readonly { readonly type: ControlType; readonly value: Buffer }[],
  place: BatchPlace,
): Buffer {
  return buildBatch({
    baseOffset: place.baseOffset,
    leaderEpoch: place.epoch,
    control: true,
    records: records.map(({ type, value }) => ({ key: controlKey(type), value, timestamp: place.timestamp })),
  });
}

/** The metadata records of the data batch at `at`. Throws SluiceError CORRUPT_METADATA or UNSUPPORTED_METADATA. */
export function unpack(bytes: Buffer, at: number): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  for (const { value, offset } of readRecords(bytes, at)) {
    if (value === null)
      throw new SluiceError('CORRUPT_METADATA', `the metadata record at offset ${offset} has no value`);
    records.push(decodeRecord(value));
  }
  return records;
}

/** Holds back the records of a transaction until its end, and drops those of one that was given up. */
export class TransactionFilter {
  #held: MetadataRecord[] | undefined;

  /** Whether a transaction has begun and not ended. */
  get open(): boolean {
    return this.#held !== undefined;
  }

  /** The records that count now. */
  pass(records: readonly MetadataRecord[]): MetadataRecord[] {
    const passed: MetadataRecord[] = [];
    for (const record of records) {
      if (record.kind === 'beginTransaction') this.#held = [];
      else if (record.kind === 'abortTransaction') this.#held = undefined;
      else if (record.kind === 'endTransaction') {
        passed.push(...(this.#held ?? []));
        this.#held = undefined;
      } else (this.#held ?? passed).push(record);
    }
    return passed;
  }
}
