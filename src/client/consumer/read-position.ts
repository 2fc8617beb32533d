import type { BrokerId, Offset, TopicPartition } from '../../base/units.ts';

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
  /** End of what this reader may see: with read_committed the last stable offset. -1 before the first answer. */
  endOffset: Offset;
  /** Whether a fetch is under way for it. */
  asked: boolean;
  /** After a failure nothing is asked before this. */
  notBeforeMs: number;
  failures: number;
  /** What was fetched is held back, and nothing more is asked. */
  paused: boolean;
  /** Nobody reads here any more; what still arrives is thrown away. */
  dropped: boolean;
  /** The replica that the leader sent this reader to (KIP-392); -1 for the leader itself. */
  readFrom: BrokerId;
  /** Then the leader is asked again. */
  readFromUntilMs: number;
}

export function readPosition({ topic, partition }: TopicPartition, next: Offset, before: Offset): ReadPosition {
  return {
    topic,
    partition,
    next,
    before,
    bufferedBytes: 0,
    highWatermark: -1,
    endOffset: -1,
    asked: false,
    notBeforeMs: 0,
    failures: 0,
    paused: false,
    dropped: false,
    readFrom: -1,
    readFromUntilMs: 0,
  };
}

export function isFinished(position: ReadPosition): boolean {
  return position.next >= position.before;
}
