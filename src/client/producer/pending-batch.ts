/** Records of one partition on their way: open while they are collected, then bytes, then settled. */
import { assert } from '../../base/assert.ts';
import type { SluiceError } from '../../base/errors.ts';
import type { Offset, ProducerId, Timestamp } from '../../base/units.ts';
import { BatchWriter, type NewHeader } from '../../records/builder.ts';
import { stampProducer } from '../../records/producer-fields.ts';
import { openRecords, viewRecord } from '../../records/reader.ts';

/** How a batch ended: acknowledged with its place, or not. */
export type BatchOutcome =
  | {
      readonly ok: true;
      /** Offset of the first record; -1 where the broker did not say (acks 0, or a repeated send). */
      readonly baseOffset: Offset;
      /** Time that the broker gave the records; -1 where they keep their own. */
      readonly appendTimestamp: Timestamp;
    }
  | { readonly ok: false; readonly error: SluiceError };

/** Told how a batch ended, by each of its records that has one; with the record's place in the batch that it ended in. */
export type OutcomeListener = (outcome: BatchOutcome, index: number) => void;

export interface Compression {
  readonly codec: number;
  readonly level: number | undefined;
}

/** Who sends, as the broker knows it. */
export interface ProducerIdentity {
  readonly id: ProducerId;
  readonly epoch: number;
}

export const NO_SEQUENCE = -1;

export class PendingBatch {
  readonly openedAtMs: number;
  /** Memory that the batch is charged with until it is settled. */
  chargedBytes = 0;
  baseSequence = NO_SEQUENCE;
  /** Whether it was sent at least once, so that the broker may have it. */
  sent = false;
  /** Whether the last attempt ended without word that it was not written: under another identity it might be written again. */
  uncertain = false;
  /** Whether any attempt did: what one leader does not have, another may. */
  everUncertain = false;
  outcome: BatchOutcome | undefined;
  /** Records whose producer waits for no promise; their failure is told by `flush`. */
  unwatched = 0;
  #writer: BatchWriter | undefined;
  #finished: Buffer | undefined;
  #recordCount = 0;
  /** Size before compression, once closed. */
  #plainBytes = 0;
  #settledPromise: Promise<BatchOutcome> | undefined;
  #resolveSettled: ((outcome: BatchOutcome) => void) | undefined;
  /** By the record's place; made for the first one that wants to know. */
  #listeners: (OutcomeListener | undefined)[] | undefined;

  constructor(nowMs: number, capacityBytes: number) {
    this.openedAtMs = nowMs;
    this.#writer = new BatchWriter({ capacityBytes });
  }

  get count(): number {
    return this.#recordCount;
  }

  get open(): boolean {
    return this.#writer !== undefined;
  }

  /** Size so far: before compression while it is open, on the wire afterwards. */
  get bytes(): number {
    return this.#writer?.bytes ?? this.#finished!.length;
  }

  /** Adds a record; returns its place in the batch. */
  append(
    timestamp: Timestamp,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly NewHeader[] | undefined,
  ): number {
    assert(this.#writer !== undefined, 'only an open batch takes records');
    this.#writer.append(timestamp, key, value, headers);
    return this.#recordCount++;
  }

  /** Calls when the batch is settled. A listener must not throw. */
  listen(index: number, listener: OutcomeListener): void {
    this.#listeners ??= [];
    this.#listeners[index] = listener;
  }

  /** The bytes to send. The first call closes and compresses the batch, and gives it its place if there is one to give. */
  finish(
    compression: Compression,
    place?: { readonly identity: ProducerIdentity; readonly baseSequence: number },
  ): Buffer {
    if (this.#finished === undefined) {
      // Spelled out: what a spread makes is slow to look things up in.
      const { codec, level } = compression;
      this.#plainBytes = this.#writer!.bytes;
      this.#finished = this.#writer!.finish({
        codec,
        level,
        producerId: place?.identity.id,
        producerEpoch: place?.identity.epoch,
        baseSequence: place?.baseSequence,
      });
      this.#writer = undefined;
      this.baseSequence = place?.baseSequence ?? NO_SEQUENCE;
    }
    return this.#finished;
  }

  /** Gives a closed batch its producer and its place in that producer's sequence. */
  stamp(identity: ProducerIdentity, baseSequence: number): void {
    assert(this.#finished !== undefined, 'only a closed batch has a sequence');
    this.baseSequence = baseSequence;
    stampProducer(this.#finished, 0, { ...identity, baseSequence });
  }

  /** Size before compression. */
  get plainBytes(): number {
    return this.#writer?.bytes ?? this.#plainBytes;
  }

  /**
   * The records of this closed batch in closed ones of at most `mostBytes` before compression, of one record at the least.
   * They take its place: whoever waits for this one is told what becomes of them.
   */
  split(compression: Compression, mostBytes: number): PendingBatch[] {
    const parts: PendingBatch[] = [];
    const cursor = openRecords(this.#finished!, 0);
    for (let index = 0; cursor.next(); index++) {
      const bytes = cursor.recordEnd - cursor.recordAt;
      let part = parts.at(-1);
      if (part === undefined || part.bytes + bytes > mostBytes) {
        part = new PendingBatch(this.openedAtMs, mostBytes);
        // Where an earlier attempt was written, the broker finds the numbers of the parts taken.
        part.uncertain = this.uncertain;
        part.everUncertain = this.everUncertain;
        parts.push(part);
      }
      const { timestamp, key, value, headers } = viewRecord(cursor);
      const place = part.append(timestamp, key, value, headers);
      const listener = this.#listeners?.[index];
      if (listener === undefined) part.unwatched++;
      else part.listen(place, listener);
    }
    for (const part of parts) {
      part.finish(compression);
      part.chargedBytes = Math.floor((this.chargedBytes * part.count) / this.count);
      this.chargedBytes -= part.chargedBytes;
      this.#recordCount -= part.count;
    }
    this.#becomes(parts);
    return parts;
  }

  #becomes(parts: readonly PendingBatch[]): void {
    const resolve = this.#resolveSettled;
    this.#listeners = undefined;
    this.#finished = undefined;
    if (resolve === undefined) return;
    void Promise.all(parts.map((part) => part.settled())).then((outcomes) => {
      resolve(outcomes.find(({ ok }) => !ok) ?? outcomes[0]!);
    });
  }

  /** An attempt ended, and the batch may have been written. */
  doubt(): void {
    this.uncertain = true;
    this.everUncertain = true;
  }

  settle(outcome: BatchOutcome): void {
    assert(this.outcome === undefined, 'a batch is settled once');
    this.outcome = outcome;
    this.#finished = undefined;
    this.#writer = undefined;
    this.#resolveSettled?.(outcome);
    const listeners = this.#listeners;
    this.#listeners = undefined;
    listeners?.forEach((listener, index) => void listener?.(outcome, index));
  }

  /** Resolves, never rejects, when the batch is settled. Made on demand: most batches need one, most records none. */
  settled(): Promise<BatchOutcome> {
    this.#settledPromise ??= new Promise((resolve) => {
      if (this.outcome === undefined) this.#resolveSettled = resolve;
      else resolve(this.outcome);
    });
    return this.#settledPromise;
  }
}
