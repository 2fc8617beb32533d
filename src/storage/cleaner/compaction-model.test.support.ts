/** A log beside a plain list of everything that was appended to it: what a reader must see of it, compacted or not. */
import assert from 'node:assert/strict';
import type { Random } from '../../base/random.ts';
import type { Offset, ProducerId } from '../../base/units.ts';
import { ControlType } from '../../records/control.ts';
import type { Log } from '../log.ts';
import { append, type Entry, mark, readBatches, type SeenBatch } from './compaction.test.support.ts';

interface Appended {
  readonly offset: Offset;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  /** Of an open transaction undefined. */
  aborted: boolean | undefined;
}

/** Keys that random records have. */
const KEYS = 30;
const PRODUCERS = 4;
const FIRST_TRANSACTIONAL: ProducerId = 3;

export class ModelledLog {
  readonly records = new Map<Offset, Appended>();
  readonly #random: Random;
  readonly #sequences = new Map<ProducerId, number>();
  readonly #epochs = new Map<ProducerId, number>();
  readonly #open = new Map<ProducerId, Appended[]>();
  #values = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Appends one random batch or marker. */
  append(log: Log, wallMs: number): void {
    const random = this.#random;
    const producerId = random.below(3) === 0 ? 1 + random.below(PRODUCERS) : undefined;
    if (producerId !== undefined && this.#open.has(producerId) && random.below(3) === 0) {
      this.#end(log, producerId);
      return;
    }
    const entries = Array.from({ length: 1 + random.below(5) }, () => ({
      key: random.below(50) === 0 ? null : `k${random.below(KEYS)}`,
      value: random.below(6) === 0 ? null : `${this.#values++}${'.'.repeat(random.below(40))}`,
      timestamp: wallMs + random.below(2000) - 1000,
    }));
    this.#appendFrom(log, entries, producerId);
  }

  #appendFrom(log: Log, entries: readonly Required<Entry>[], producerId: ProducerId | undefined): void {
    const codec = this.#random.below(2) * this.#random.below(5);
    const transactional = producerId !== undefined && producerId >= FIRST_TRANSACTIONAL;
    const baseSequence = producerId === undefined ? undefined : (this.#sequences.get(producerId) ?? 0);
    const producerEpoch = producerId === undefined ? undefined : (this.#epochs.get(producerId) ?? 0);
    const { config } = log;
    // The topic was not compacted before: then records without a key are taken.
    log.setConfig({ ...config, compactPolicy: false });
    const first = append(log, entries, { codec, producerId, producerEpoch, baseSequence, transactional });
    log.setConfig(config);
    if (producerId !== undefined) this.#sequences.set(producerId, baseSequence! + entries.length);
    const records = entries.map((entry, index) => ({
      ...entry,
      offset: first + index,
      aborted: transactional ? undefined : false,
    }));
    for (const record of records) this.records.set(record.offset, record);
    if (transactional) this.#open.set(producerId, [...(this.#open.get(producerId) ?? []), ...records]);
  }

  #end(log: Log, producerId: ProducerId): void {
    const aborted = this.#random.below(2) === 0;
    let producerEpoch = this.#epochs.get(producerId) ?? 0;
    if (this.#random.below(3) === 0) {
      producerEpoch++;
      this.#epochs.set(producerId, producerEpoch);
      this.#sequences.set(producerId, 0);
    }
    mark(log, aborted ? ControlType.ABORT : ControlType.COMMIT, { producerId, producerEpoch });
    for (const record of this.#open.get(producerId)!) record.aborted = aborted;
    this.#open.delete(producerId);
  }

  /** Fails where a reader of the whole log sees anything but the model's records, in order, with every last value. */
  check(log: Log, why: string): void {
    const batches = readBatches(log);
    let next = 0;
    for (const { baseOffset, lastOffset, control, records } of batches) {
      assert.ok(baseOffset >= next, `${why}: batch ${baseOffset} overlaps the one before`);
      next = lastOffset + 1;
      if (control) continue;
      for (const record of records) {
        const { key, value, timestamp } = this.records.get(record.offset)!;
        assert.deepEqual(record, { offset: record.offset, key, value, timestamp }, why);
      }
    }
    assert.deepEqual(lastValues(committed(log, batches)), lastValues(this.#committed(log.lastStableOffset)), why);
  }

  #committed(upTo: Offset): Appended[] {
    return [...this.records.values()].filter(({ offset, aborted }) => offset < upTo && aborted !== true);
  }

  /** Fails where something below `upTo` stayed though a pass that knew all keys went through there. */
  checkCompacted(log: Log, upTo: Offset, why: string): void {
    const seen = new Set<string>();
    for (const { control, records } of readBatches(log)) {
      for (const { offset, key } of control ? [] : records) {
        if (offset >= upTo) return;
        assert.ok(key !== null, `${why}: record ${offset} has no key`);
        assert.ok(!seen.has(key), `${why}: ${key} is there twice, at ${offset} again`);
        assert.equal(this.records.get(offset)!.aborted, false, `${why}: record ${offset} was aborted`);
        seen.add(key);
      }
    }
  }
}

/** What a consumer of committed records keeps, told by the batches and the aborted transactions as a fetch has them. */
function committed(log: Log, batches: readonly SeenBatch[]) {
  const stable = log.lastStableOffset;
  const aborted = log
    .abortedTransactions(log.startOffset, stable)
    .toSorted((left, right) => left.firstOffset - right.firstOffset);
  const skipped = new Set<ProducerId>();
  return batches.flatMap(({ baseOffset, lastOffset, control, transactional, producerId, records }) => {
    if (baseOffset >= stable) return [];
    while (aborted[0] !== undefined && aborted[0].firstOffset <= lastOffset) skipped.add(aborted.shift()!.producerId);
    if (control && records[0]?.key?.charCodeAt(3) === ControlType.ABORT) skipped.delete(producerId);
    return control || (transactional && skipped.has(producerId)) ? [] : records;
  });
}

/** The state that records add up to; a tombstone and nothing at all are the same. */
function lastValues(records: Iterable<{ readonly key: string | null; readonly value: string | null }>) {
  const values = new Map<string, string>();
  for (const { key, value } of records) {
    if (key === null) continue;
    if (value === null) values.delete(key);
    else values.set(key, value);
  }
  return new Map([...values].toSorted(([left], [right]) => left.localeCompare(right)));
}
