/**
 * What one partition has committed, as leaders saw it, batch by batch: it only ever grows. Finds where a log differs from
 * it, and whether each producer's sequence in it is without gap or repetition.
 */
import * as batch from '../../src/records/batch.ts';
import type { Log } from '../../src/storage/log.ts';

export interface CommittedBatch {
  readonly base: number;
  readonly last: number;
  readonly epoch: number;
  /** Over everything but base offset and epoch. */
  readonly crc: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

const READ_BYTES = 2 ** 20;
const NO_PRODUCER = -1;
const SEQUENCES = 2 ** 31;

export class CommittedLog {
  readonly #name: string;
  readonly #batches: CommittedBatch[] = [];
  /** By producer: the epoch, and the sequence that comes next in it. */
  readonly #producers = new Map<number, { epoch: number; next: number }>();
  endOffset = 0;
  /** The newest leader epoch that committed anything. */
  leaderEpoch = -1;

  constructor(name: string) {
    this.#name = name;
  }

  get length(): number {
    return this.#batches.length;
  }

  get batches(): readonly CommittedBatch[] {
    return this.#batches;
  }

  /** Adds what a leader committed; says what is wrong with it. */
  extend(batches: readonly CommittedBatch[], leaderEpoch: number, endOffset: number): string | undefined {
    for (const each of batches) {
      const before = this.#batches.at(-1);
      if (before !== undefined && each.base <= before.last) continue;
      if (before !== undefined && each.epoch < before.epoch) return `${this.#name}: the epoch falls at ${each.base}`;
      const wrong = this.#sequence(each);
      if (wrong !== undefined) return `${this.#name}: ${wrong}`;
      this.#batches.push(each);
    }
    this.endOffset = endOffset;
    this.leaderEpoch = Math.max(this.leaderEpoch, leaderEpoch);
    return undefined;
  }

  #sequence({ base, last, producerId, producerEpoch, firstSequence }: CommittedBatch): string | undefined {
    if (producerId === NO_PRODUCER || firstSequence < 0) return undefined;
    const known = this.#producers.get(producerId);
    const next = (firstSequence + (last - base) + 1) % SEQUENCES;
    this.#producers.set(producerId, { epoch: producerEpoch, next });
    if (known === undefined || known.epoch < producerEpoch) {
      return firstSequence === 0
        ? undefined
        : `producer ${producerId} begins with sequence ${firstSequence} at ${base}`;
    }
    if (known.epoch > producerEpoch) return `producer ${producerId} goes back to epoch ${producerEpoch} at ${base}`;
    return known.next === firstSequence
      ? undefined
      : `producer ${producerId} has sequence ${firstSequence} at ${base}, ${known.next} was next`;
  }

  /** What is wrong with these batches of a replica, all of which are committed. */
  differs(batches: readonly CommittedBatch[]): string | undefined {
    if (batches.length === 0) return undefined;
    let index = this.#find(batches[0]!.base);
    for (const each of batches) {
      const expected = this.#batches[index++];
      const same =
        expected !== undefined &&
        expected.base === each.base &&
        expected.last === each.last &&
        expected.epoch === each.epoch &&
        expected.crc === each.crc;
      if (!same) {
        return `${this.#name} has ${JSON.stringify(each)} where ${JSON.stringify(expected)} was committed`;
      }
    }
    return undefined;
  }

  /** Position of the batch that holds an offset, or of the first one after it. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#batches[middle]!.last < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Batches of a log that begin in a range of offsets. */
export function batchesBetween(log: Log, from: number, to: number): CommittedBatch[] {
  const found: CommittedBatch[] = [];
  for (let offset = from; offset < to; ) {
    const outcome = log.read(offset, { maxBytes: READ_BYTES, minOneBatch: true, upTo: to });
    if (!outcome.ok || outcome.region === undefined) break;
    const { region } = outcome;
    const bytes = Buffer.alloc(region.length);
    region.file.readSync(bytes, region.position);
    region.release();
    const before = offset;
    for (let at = 0; at + batch.LOG_OVERHEAD <= bytes.length && at + batch.batchBytes(bytes, at) <= bytes.length; ) {
      const each = describe(bytes, at);
      offset = each.last + 1;
      at += batch.batchBytes(bytes, at);
      if (each.last >= from && each.base < to) found.push(each);
    }
    if (offset === before) break;
  }
  return found;
}

function describe(bytes: Buffer, at: number): CommittedBatch {
  return {
    base: batch.baseOffset(bytes, at),
    last: batch.lastOffset(bytes, at),
    epoch: batch.leaderEpoch(bytes, at),
    crc: batch.storedCrc(bytes, at),
    producerId: batch.producerId(bytes, at),
    producerEpoch: batch.producerEpoch(bytes, at),
    firstSequence: batch.baseSequence(bytes, at),
  };
}
