/**
 * The partitions that a consumer holds, and how far each one is: fetched (`position.next`), given to the reader
 * (`delivered`), moved past by the reader (`processed`), committed. Pure: fetches and commits nothing.
 */
import { type LeaderEpoch, type Offset, partitionName, type TopicPartition } from '../../base/units.ts';
import type { FetchedBatch } from './fetched-batch.ts';
import type { OffsetToCommit } from './group/committed-offsets.ts';
import type { ReadPosition } from './read-position.ts';

const UNKNOWN = -1;

export interface HeldPartition extends TopicPartition {
  /** Undefined until it is known where to begin. */
  position: ReadPosition | undefined;
  /** Next offset that the reader gets; -1 while that is not known. */
  delivered: Offset;
  /** Next offset behind what the reader has moved past. */
  processed: Offset;
  processedEpoch: LeaderEpoch;
  /** As last committed by this consumer, or found when it began. */
  committed: Offset;
  paused: boolean;
  /** Being given up, or gone: nothing more is delivered. */
  leaving: boolean;
  /** Somebody else's already, or about to be: nothing is committed any more. */
  lost: boolean;
  /** Grows with every seek, so that a start that was looked up before counts no more. */
  seeks: number;
}

/** What the reader works on: until it comes back for more nobody knows whether it has done that. */
export interface InHand {
  readonly held: HeldPartition;
  readonly position: ReadPosition;
  /** Offset behind it; grows while the records of one batch are handed out. */
  next: Offset;
  readonly leaderEpoch: LeaderEpoch;
}

/** A batch of which the reader has not had all. */
export interface OpenBatch {
  readonly held: HeldPartition;
  readonly position: ReadPosition;
  readonly batch: FetchedBatch;
}

export class HeldPartitions {
  readonly #byName = new Map<string, HeldPartition>();

  get all(): readonly HeldPartition[] {
    return [...this.#byName.values()];
  }

  get(place: TopicPartition): HeldPartition | undefined {
    return this.#byName.get(partitionName(place.topic, place.partition));
  }

  add({ topic, partition }: TopicPartition): HeldPartition {
    const held: HeldPartition = {
      topic,
      partition,
      position: undefined,
      delivered: UNKNOWN,
      processed: UNKNOWN,
      processedEpoch: UNKNOWN,
      committed: UNKNOWN,
      paused: false,
      leaving: false,
      lost: false,
      seeks: 0,
    };
    this.#byName.set(partitionName(topic, partition), held);
    return held;
  }

  remove(place: TopicPartition): void {
    this.#byName.delete(partitionName(place.topic, place.partition));
  }

  /** As places, for those who must not see more. */
  places(): TopicPartition[] {
    return this.all.map(({ topic, partition }) => ({ topic, partition }));
  }
}

/** Reading begins, or goes on, at this position. */
export function moveTo(held: HeldPartition, position: ReadPosition): void {
  position.paused = held.paused;
  held.position = position;
  held.delivered = position.next;
  held.processed = position.next;
  held.processedEpoch = UNKNOWN;
}

/** The reader has come back for more. */
export function markProcessed({ held, position, next, leaderEpoch }: InHand): void {
  if (held.position !== position) return;
  held.processed = next;
  held.processedEpoch = leaderEpoch;
}

/**
 * Takes in that nothing is left to deliver of what was fetched, where that is so: what lies behind (markers of
 * transactions, what compaction took out) is then done with too.
 */
export function passGaps(held: HeldPartition, inHand: InHand | undefined, open: OpenBatch | undefined): void {
  const { position } = held;
  // Of a dropped position nobody delivers what was fetched.
  if (position === undefined || position.dropped) return;
  if (position.bufferedBytes > 0 || position.next <= held.processed) return;
  if (inHand?.held === held || open?.held === held) return;
  held.delivered = position.next;
  held.processed = position.next;
}

/** What is worth a commit: further than what is committed, or elsewhere after a seek. */
export function uncommitted(partitions: readonly HeldPartition[]): OffsetToCommit[] {
  return partitions
    .filter(({ processed, committed }) => processed !== UNKNOWN && processed !== committed)
    .map(({ topic, partition, processed: offset, processedEpoch: leaderEpoch }) => {
      return { topic, partition, offset, leaderEpoch };
    });
}
