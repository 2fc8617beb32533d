/**
 * Between what was fetched and the reader: which record or batch comes next, which one is at hand, and when the reader
 * was here last. Never waits for anything but the event loop's next turn.
 */
import type { Clock } from '../../base/clock.ts';
import type { Offset } from '../../base/units.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { RecordCursor } from '../../records/record-cursor.ts';
import type { FetchedBatch } from './fetched-batch.ts';
import { corruptBatch, type Fetcher } from './fetcher.ts';
import type { OffsetToCommit } from './group/committed-offsets.ts';
import {
  type HeldPartition,
  type HeldPartitions,
  type InHand,
  markProcessed,
  moveTo,
  type OpenBatch,
  passGaps,
} from './held-partitions.ts';
import { readPosition } from './read-position.ts';

/** Makes what the reader gets of the record on which the cursor stands; it outlives the cursor's next move. */
export type MakeRecord<R> = (batch: FetchedBatch, cursor: RecordCursor) => R;

/** A reader that always finds something waits for nothing, so that timers and sockets would starve. */
const LONGEST_TURN_MS = 15;

interface OpenRecords extends OpenBatch {
  /** Undefined before the first record. */
  cursor: RecordCursor | undefined;
  readonly inHand: InHand;
}

export class RecordDelivery<R> {
  /** Whether the reader waits for something to read. */
  isWaiting = false;
  readonly #clock: Clock;
  readonly #fetcher: Fetcher;
  readonly #held: HeldPartitions;
  readonly #make: MakeRecord<R>;
  #open: OpenRecords | undefined;
  /** Batches that were begun when their partition was paused. */
  #aside: OpenRecords[] = [];
  #inHand: InHand | undefined;
  #freed: (() => void)[] = [];
  #lastCallMs: number;
  #turnBeganMs = -Infinity;

  constructor(clock: Clock, fetcher: Fetcher, held: HeldPartitions, make: MakeRecord<R>) {
    this.#clock = clock;
    this.#make = make;
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

  /** The reader was here, although it has not come back for more. */
  touch(): void {
    this.#lastCallMs = this.#clock.monotonicMs();
  }

  /** How long the reader has been working on what it has. */
  awayMs(): number {
    return this.isWaiting ? 0 : this.#clock.monotonicMs() - this.#lastCallMs;
  }

  async nextTurn(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.afterTurn(resolve));
    this.#turnBeganMs = this.#clock.monotonicMs();
  }

  /** Undefined where nothing is there. Throws a PartitionError: reading that partition goes on where it stood. */
  takeRecord(): R | undefined {
    for (;;) {
      const open = this.#current();
      if (open === undefined) return undefined;
      const record = this.#nextOf(open);
      if (record !== undefined) return record;
      this.#open = undefined;
    }
  }

  #nextOf(open: OpenRecords): R | undefined {
    const { batch } = open;
    try {
      open.cursor ??= batch.cursor();
      const { cursor } = open;
      while (cursor.next()) {
        if (!batch.wants(cursor.offset)) continue;
        this.#hand(open, cursor.offset + 1);
        return this.#make(batch, cursor);
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof CorruptRecords)) throw error;
      this.#open = undefined;
      this.#readAgain(open.held);
      throw corruptBatch(batch, error);
    }
  }

  /** What was fetched cannot be used: the next attempt begins where the reader stands. */
  #readAgain(held: HeldPartition): void {
    if (held.position !== undefined) this.#fetcher.drop([held.position]);
    moveTo(held, readPosition(held, held.delivered));
    this.#fetcher.add([held.position!]);
  }

  /** Of a batch that was begun, what is left. Throws as `takeRecord`. */
  takeBatch(): FetchedBatch | undefined {
    const open = this.#current();
    if (open === undefined) return undefined;
    this.#open = undefined;
    const { held, batch } = open;
    const rest = held.delivered > batch.baseOffset ? batch.from(held.delivered) : batch;
    this.#hand(open, batch.lastOffset + 1);
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
    if (found.failure !== undefined) throw found.failure;
    const { batch, position } = found;
    const held = this.#held.get(position);
    // Of a position that is given up, which the fetcher is told of in the same turn.
    if (held === undefined) return this.#fetched();
    const inHand = { held, position, next: batch.baseOffset, leaderEpoch: batch.leaderEpoch };
    return { held, position, batch, cursor: undefined, inHand };
  }

  #hand({ held, inHand }: OpenRecords, next: Offset): void {
    held.delivered = next;
    inHand.next = next;
    this.#inHand = inHand;
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
