/**
 * Between what was fetched and the reader: which record or batch comes next, which one is at hand, and when the reader
 * was here last. Never waits for anything but the event loop's next turn.
 */
import type { Clock } from '../../base/clock.ts';
import type { LeaderEpoch, Offset } from '../../base/units.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { ConsumedRecord, FetchedBatch } from './fetched-batch.ts';
import { corrupt, type Fetcher } from './fetcher.ts';
import type { OffsetToCommit } from './group/committed-offsets.ts';
import {
  type HeldPartition,
  type HeldPartitions,
  type InHand,
  markProcessed,
  type OpenBatch,
  passGaps,
} from './held-partitions.ts';

/** A reader that always finds something waits for nothing, so that timers and sockets would starve. */
const LONGEST_TURN_MS = 15;

interface OpenRecords extends OpenBatch {
  readonly records: Iterator<ConsumedRecord, void>;
}

export class RecordDelivery {
  /** Whether the reader waits for something to read. */
  isWaiting = false;
  readonly #clock: Clock;
  readonly #fetcher: Fetcher;
  readonly #held: HeldPartitions;
  #open: OpenRecords | undefined;
  /** Batches that were begun when their partition was paused. */
  #aside: OpenRecords[] = [];
  #inHand: InHand | undefined;
  #freed: (() => void)[] = [];
  #lastCallMs: number;
  #turnBeganMs = -Infinity;

  constructor(clock: Clock, fetcher: Fetcher, held: HeldPartitions) {
    this.#clock = clock;
    this.#fetcher = fetcher;
    this.#held = held;
    this.#lastCallMs = clock.monotonicMs();
  }

  /** The reader asks for more: what it had is processed. True where the event loop should have a turn first. */
  comeBack(): boolean {
    this.#lastCallMs = this.#clock.monotonicMs();
    if (this.#inHand !== undefined) markProcessed(this.#inHand);
    this.letGo();
    return this.#lastCallMs - this.#turnBeganMs > LONGEST_TURN_MS;
  }

  /** The reader says that what it has is processed: no later commit may go back behind it. */
  finishInHand(): void {
    if (this.#inHand !== undefined) markProcessed(this.#inHand);
  }

  /** Nothing is at hand any more, whether it was processed or not. */
  letGo(): void {
    this.#inHand = undefined;
    if (this.#freed.length === 0) return;
    for (const resolve of this.#freed.splice(0)) resolve();
  }

  /** Resolves when none of these is at hand. */
  async freed(partitions: readonly HeldPartition[]): Promise<void> {
    while (this.#inHand !== undefined && partitions.includes(this.#inHand.held)) {
      await new Promise<void>((resolve) => this.#freed.push(resolve));
    }
  }

  /** How long the reader has been working on what it has. */
  awayMs(): number {
    return this.isWaiting ? 0 : this.#clock.monotonicMs() - this.#lastCallMs;
  }

  async nextTurn(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.afterTurn(resolve));
    this.#turnBeganMs = this.#clock.monotonicMs();
  }

  /** Undefined where nothing is there. Throws a SluiceError CORRUPT_RECORDS. */
  takeRecord(): ConsumedRecord | undefined {
    for (;;) {
      const open = this.#current();
      if (open === undefined) return undefined;
      const next = nextOf(open);
      if (next === undefined) {
        this.#open = undefined;
        continue;
      }
      this.#hand(open, next.offset + 1, next.leaderEpoch);
      return next;
    }
  }

  /** Of a batch that was begun, what is left. */
  takeBatch(): FetchedBatch | undefined {
    const open = this.#current();
    if (open === undefined) return undefined;
    this.#open = undefined;
    const { held, batch } = open;
    const rest = held.delivered > batch.baseOffset ? batch.from(held.delivered) : batch;
    this.#hand(open, batch.lastOffset + 1, batch.leaderEpoch);
    return rest;
  }

  /** The batch that is being delivered; another one where that may not be, or is over. */
  #current(): OpenRecords | undefined {
    for (;;) {
      this.#open ??= this.#resumed() ?? this.#fetched();
      const open = this.#open;
      if (open === undefined) return undefined;
      if (open.held.leaving || open.held.position !== open.position) this.#open = undefined;
      else if (open.held.paused) {
        this.#aside.push(open);
        this.#open = undefined;
      } else return open;
    }
  }

  #resumed(): OpenRecords | undefined {
    const at = this.#aside.findIndex(({ held }) => !held.paused || held.leaving);
    return at < 0 ? undefined : this.#aside.splice(at, 1)[0];
  }

  #fetched(): OpenRecords | undefined {
    const found = this.#fetcher.take();
    if (found === undefined) return undefined;
    const { batch, position } = found;
    const held = this.#held.get(position);
    // Of a position that is given up, which the fetcher is told of in the same turn.
    if (held === undefined) return this.#fetched();
    return { held, position, batch, records: batch.records() };
  }

  #hand({ held, position }: OpenBatch, next: Offset, leaderEpoch: LeaderEpoch): void {
    held.delivered = next;
    this.#inHand = { held, position, next, leaderEpoch };
  }

  /** Forgets what is begun of a partition: it reads on elsewhere, or not at all. */
  forget(held: HeldPartition): void {
    if (this.#open?.held === held) this.#open = undefined;
    this.#aside = this.#aside.filter((each) => each.held !== held);
    if (this.#inHand?.held === held) this.letGo();
  }

  /** See `passGaps` of held-partitions. */
  passGaps(partitions: readonly HeldPartition[] = this.#held.all): void {
    for (const held of partitions) {
      const open = this.#aside.find((each) => each.held === held) ?? this.#open;
      if (!held.leaving || open?.held !== held) passGaps(held, this.#inHand, open);
    }
  }

  /** All that the reader was given, at hand or not. */
  deliveredOffsets(): OffsetToCommit[] {
    this.passGaps();
    return this.#held.all
      .filter(({ delivered, committed }) => delivered >= 0 && delivered !== committed)
      .map((held) => {
        const { topic, partition, delivered: offset } = held;
        const inHand = this.#inHand?.held === held ? this.#inHand : undefined;
        return { topic, partition, offset, leaderEpoch: inHand?.leaderEpoch ?? held.processedEpoch };
      });
  }
}

function nextOf({ records, batch }: OpenRecords): ConsumedRecord | undefined {
  try {
    const { done, value } = records.next();
    return done === true ? undefined : (value as ConsumedRecord);
  } catch (error) {
    throw error instanceof CorruptRecords ? corrupt(batch, error) : error;
  }
}
