import type { BrokerId, LeaderEpoch, Offset, TopicPartition } from '../../base/units.ts';

/** How far a partition has been fetched. Changed by the fetcher only. */
export interface ReadPosition extends TopicPartition {
  /** Offset that the next fetch asks for. */
  next: Offset;
  /** Epoch of the leader that wrote what lies before `next`; -1 where that is not known. */
  epoch: LeaderEpoch;
  /** Leader epoch in which `next` is known to follow what was read before; -1 for none. */
  validatedIn: LeaderEpoch;
  /** Nothing more is asked until the reader was told what is wrong here. */
  failed: boolean;
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

/** `epoch` is the leader epoch of what comes before, where it is known: it shows whether that was truncated since. */
export function readPosition(
  { topic, partition }: TopicPartition,
  next: Offset,
  before: Offset = Number.POSITIVE_INFINITY,
  epoch: LeaderEpoch = -1,
): ReadPosition {
  return {
    topic,
    partition,
    next,
    epoch,
    validatedIn: -1,
    failed: false,
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
