/**
 * What one partition must hold, in plain arrays: the batches appended, how much of them is certain to survive what, and
 * what each producer may do next. Knows nothing of files.
 *
 * The guarantees that it holds a log to:
 *  - While a process lives, and after a clean stop or a kill -9: exactly what was appended, byte for byte.
 *  - After a power loss: everything that a completed flush covered; beyond it a run of whole batches in their order,
 *    from the state of the log at one moment since that flush. Never a gap, a mix of two states, or half a batch.
 *  - The log's start offset never goes back below what was durable (a flush after deletion, a settled DeleteRecords,
 *    a clean stop), and never passes what was asked for.
 *  - Producers are what the surviving batches say: the last batch of each is answered as a duplicate, a gap is refused.
 */
import assert from 'node:assert/strict';

export interface ModelBatch {
  readonly base: number;
  readonly last: number;
  readonly epoch: number;
  readonly bytes: Buffer;
  /** -1 for none. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** The log at one moment. */
interface Version {
  readonly batches: readonly ModelBatch[];
  readonly end: number;
  /** The start offset may be anything up to here. */
  maxStart: number;
}

/** What is known of a log after it was opened. */
export interface Found {
  readonly start: number;
  readonly end: number;
  /** From the one that holds the start offset to the end. */
  readonly batches: readonly ModelBatch[];
}

/** What a producer did last, oldest first. */
interface ProducerModel {
  epoch: number;
  batches: { readonly batch: ModelBatch; certain: boolean }[];
  /** The log may have forgotten it: its batches were deleted, or compacted away. */
  maybeUnknown: boolean;
}

export type Expected =
  | { readonly kind: 'appended' }
  | { readonly kind: 'duplicate'; readonly batch: ModelBatch }
  | { readonly kind: 'refused' }
  /** The log may know or not. */
  | { readonly kind: 'duplicate or refused' | 'duplicate, appended or refused'; readonly batch: ModelBatch }
  | { readonly kind: 'appended or refused' | 'anything: appended or refused' };

const REMEMBERED = 5;
const MOST_VERSIONS = 64;

export class PartitionModel {
  /** Every batch up to the end, those below the start included, as long as producers may be told by them. */
  batches: ModelBatch[] = [];
  start = 0;
  end = 0;
  /** Of the newest batch or leadership. */
  epoch = 0;
  /** A flush has covered everything below. */
  durableEnd = 0;
  durableStart = 0;
  /** Until the next flush a power loss may bring records below the old start back, whose epochs are forgotten. */
  startWentBack = false;
  readonly producers = new Map<number, ProducerModel>();
  /** Earlier states that a power loss may bring back, oldest first. */
  #versions: Version[] = [];
  /** The start offset may be up to here: a change of it was cut short. */
  #maxStart = 0;
  /** Producers of which nothing is known until their next batch. */
  readonly #unclear = new Set<number>();
  /** Producers that were forgotten and used the same sequence numbers again, which real ones never do. */
  readonly #anew = new Set<number>();
  /** Counts what a flush that began earlier does not cover. */
  #generation = 0;

  appended(batch: ModelBatch): void {
    assert.ok(batch.base >= this.end);
    this.batches.push(batch);
    this.end = batch.last + 1;
    this.epoch = Math.max(this.epoch, batch.epoch);
    if (batch.producerId >= 0) this.#remember(batch, true);
  }

  /** A full disk refused these: what was written of them was taken back, which a power loss may undo. */
  refused(batches: readonly ModelBatch[]): void {
    if (batches[0]?.base !== this.end) return;
    const end = batches.at(-1)!.last + 1;
    this.#versions.push({ batches: [...this.batches, ...batches], end, maxStart: this.#maxStart });
    this.#generation++;
  }

  #remember(batch: ModelBatch, certain: boolean): void {
    let producer = this.producers.get(batch.producerId);
    if (producer === undefined || producer.epoch !== batch.producerEpoch) {
      producer = { epoch: batch.producerEpoch, batches: [], maybeUnknown: false };
      this.producers.set(batch.producerId, producer);
    }
    producer.maybeUnknown = false;
    this.#unclear.delete(batch.producerId);
    // The log had forgotten the producer, which began anew.
    const before = producer.batches.at(-1)?.batch.lastSequence;
    if (before !== undefined && before !== batch.firstSequence - 1) {
      producer.batches.length = 0;
      this.#anew.add(batch.producerId);
    }
    producer.batches.push({ batch, certain });
    if (producer.batches.length > REMEMBERED) producer.batches.shift();
  }

  /** What the log must say to an idempotent batch. */
  expect(producerId: number, producerEpoch: number, firstSequence: number, lastSequence: number): Expected {
    if (this.#unclear.has(producerId) || this.#anew.has(producerId)) return { kind: 'anything: appended or refused' };
    const producer = this.producers.get(producerId);
    if (producer === undefined) return { kind: 'appended' };
    if (producerEpoch === producer.epoch) {
      for (const { batch, certain } of producer.batches) {
        if (batch.firstSequence !== firstSequence || batch.lastSequence !== lastSequence) continue;
        if (producer.maybeUnknown) return { kind: 'duplicate, appended or refused', batch };
        return { kind: certain ? 'duplicate' : 'duplicate or refused', batch };
      }
    }
    const expected = producerEpoch === producer.epoch ? producer.batches.at(-1)!.batch.lastSequence + 1 : 0;
    const next = producerEpoch >= producer.epoch && firstSequence === expected;
    if (next) return { kind: 'appended' };
    return { kind: producer.maybeUnknown ? 'appended or refused' : 'refused' };
  }

  /** The batch that holds `offset`, or the first after it. */
  indexOf(offset: number, batches: readonly ModelBatch[] = this.batches): number {
    let low = 0;
    let high = batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (batches[middle]!.last < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The batches that a reader from the start must get. */
  readable(): readonly ModelBatch[] {
    return this.batches.slice(this.indexOf(this.start));
  }

  #remembered(): void {
    this.#versions.push({ batches: this.batches.slice(), end: this.end, maxStart: this.#maxStart });
    if (this.#versions.length > MOST_VERSIONS) this.#versions.shift();
    this.#generation++;
  }

  truncatedTo(offset: number): void {
    if (offset >= this.end) return;
    this.#remembered();
    const kept = this.batches.slice(0, this.indexOf(offset));
    const cut = this.batches[kept.length];
    this.end = cut === undefined ? Math.min(offset, this.end) : Math.min(offset, cut.base);
    this.batches = kept;
    this.start = Math.min(this.start, this.end);
    this.durableEnd = Math.min(this.durableEnd, this.end);
    this.durableStart = Math.min(this.durableStart, this.end);
    this.#learnProducers();
  }

  startedAnewAt(offset: number): void {
    this.#remembered();
    this.startWentBack ||= offset < this.start;
    this.batches = [];
    // A crash may leave the old log without its first segments.
    this.#maxStart = Math.max(this.#maxStart, offset, this.end);
    this.start = offset;
    this.end = offset;
    // Until the next flush the old segments may be there, some of them, or none.
    this.durableEnd = 0;
    this.durableStart = 0;
    this.producers.clear();
    this.#anew.clear();
  }

  startMovedTo(offset: number): void {
    this.start = Math.max(this.start, offset);
    this.#maxStart = Math.max(this.#maxStart, this.start);
  }

  /** A deletion was cut short by a crash: how far it came is not known. */
  startMayMoveTo(offset: number): void {
    this.#maxStart = Math.max(this.#maxStart, offset);
  }

  /** Call before a flush begins; call the result when it has succeeded. */
  beginFlush(): (durableStart: number) => void {
    const { end } = this;
    const generation = this.#generation;
    const versions = this.#versions.length;
    return (durableStart) => {
      if (generation !== this.#generation) return;
      this.#versions.splice(0, versions);
      this.durableEnd = Math.max(this.durableEnd, end);
      this.#maxStart = this.start;
      this.startWentBack = false;
      this.durableStart = Math.max(this.durableStart, Math.min(durableStart, this.start));
    };
  }

  /** After a clean stop, too, everything is durable. */
  stoppedCleanly(): void {
    this.startWentBack = false;
    this.#versions = [];
    this.durableEnd = this.end;
    this.durableStart = this.start;
  }

  /** After a start that followed a clean stop, or a kill -9. */
  reopened(found: Found): void {
    assert.ok(found.start >= this.durableStart, `the start ${found.start} went below ${this.durableStart}`);
    assert.ok(found.start <= this.#maxStart, `the start ${found.start} passed ${this.#maxStart}`);
    const nothing = this.readable().length === 0 && found.start === found.end;
    // A log that was cut below its start, and has nothing yet, may stand at either.
    if (!nothing) assert.equal(found.end, this.end, 'a record that was appended is there after a kill');
    this.end = found.end;
    assertSame(found.batches, this.batches.slice(this.indexOf(found.start)));
    this.start = found.start;
    this.#maxStart = found.start;
    this.#learnProducers();
  }

  /** After a power loss. `end` is how much the log has now. */
  survived(found: Found): void {
    const versions: Version[] = [
      { batches: this.batches, end: this.end, maxStart: this.#maxStart },
      ...this.#versions.toReversed(),
    ];
    assert.ok(found.end >= this.durableEnd, `the log ends at ${found.end}, ${this.durableEnd} was flushed`);
    assert.ok(found.start >= this.durableStart, `the start ${found.start} went below ${this.durableStart}`);
    const matching = versions.filter((candidate) => this.#matches(found, candidate));
    const [version] = matching;
    assert.ok(
      version !== undefined,
      `what is left was never in the log: ${describe(found)} of ${versions.map(describeVersion).join(' | ')}`,
    );
    this.batches = version.batches.slice(0, this.indexOf(found.end, version.batches));
    this.start = found.start;
    this.end = found.end;
    this.durableEnd = found.end;
    this.durableStart = found.start;
    this.#maxStart = found.start;
    this.#versions = [];
    this.#generation++;
    this.#learnProducers();
    if (found.batches.length > 0) return;
    // An empty log can be any of several, and remember producers of that one.
    for (const { batches } of matching) for (const { producerId } of batches) this.#unclear.add(producerId);
  }

  #matches(found: Found, version: Version): boolean {
    // The checkpoint of the start is a file of its own: an older state of the log may meet a newer one of that.
    if (found.start > Math.max(version.maxStart, this.#maxStart)) return false;
    // The start that was durable before the log was cut below it: nothing is left then.
    if (found.start === found.end && found.end > version.end) return true;
    const from = this.indexOf(found.start, version.batches);
    const expected = version.batches.slice(from, from + found.batches.length);
    if (!isSame(found.batches, expected)) return false;
    const endsAt = expected.at(-1)?.last;
    // An empty log may stand anywhere between its start and the end.
    return endsAt === undefined ? found.end === found.start : endsAt + 1 === found.end;
  }

  /** What a log knows of producers that it has learnt from its files. */
  #learnProducers(): void {
    const known = [...this.batches];
    this.producers.clear();
    for (const batch of known) if (batch.producerId >= 0) this.#remember(batch, false);
    for (const producer of this.producers.values()) {
      const newest = producer.batches.at(-1)!;
      newest.certain = newest.batch.last >= this.start;
      producer.maybeUnknown = !newest.certain;
    }
  }

  /** The log turned out to know a producer, or not. */
  settleProducer(producerId: number, known: boolean): void {
    const producer = this.producers.get(producerId);
    if (producer === undefined) return;
    if (known) producer.maybeUnknown = false;
    else this.producers.delete(producerId);
  }
}

function isSame(actual: readonly ModelBatch[], expected: readonly ModelBatch[]): boolean {
  return (
    actual.length === expected.length && actual.every((batch, index) => batch.bytes.equals(expected[index]!.bytes))
  );
}

function assertSame(actual: readonly ModelBatch[], expected: readonly ModelBatch[]): void {
  const difference = actual.findIndex((batch, index) => expected[index]?.bytes.equals(batch.bytes) !== true);
  assert.ok(difference < 0, `the batch at ${actual[difference]?.base} is not the one that was appended there`);
  assert.equal(actual.length, expected.length, 'number of batches that can be read');
}

function describe({ start, end, batches }: Found): string {
  return `start ${start}, end ${end}, ${batches.map(describeBatch).join(' ')}`;
}

function describeVersion({ batches, end, maxStart }: Version): string {
  return `start ≤ ${maxStart}, end ${end}, ${batches.slice(-40).map(describeBatch).join(' ')}`;
}

function describeBatch({ base, last, epoch }: ModelBatch): string {
  return `${base}-${last}@${epoch}`;
}
