import type { Offset, TopicPartition } from '../../base/units.ts';

/** How far a partition has been fetched. Changed by the fetcher only. */
export interface ReadPosition extends TopicPartition {
  /** Offset that the next fetch asks for. */
  next: Offset;
  /** Reading ends before this offset; Infinity where it does not. */
  readonly before: Offset;
  /** Bytes fetched ahead of the reader. */
  bufferedBytes: number;
  /** End of the partition as last heard of; -1 before the first answer. */
  highWatermark: Offset;
  /** Whether a fetch is under way for it. */
  asked: boolean;
  /** After a failure nothing is asked before this. */
  notBeforeMs: number;
  failures: number;
}

export function readPosition({ topic, partition }: TopicPartition, next: Offset, before: Offset): ReadPosition {
  return {
    topic,
    partition,
    next,
    before,
    bufferedBytes: 0,
    highWatermark: -1,
    asked: false,
    notBeforeMs: 0,
    failures: 0,
  };
}

export function isFinished(position: ReadPosition): boolean {
  return position.next >= position.before;
}
