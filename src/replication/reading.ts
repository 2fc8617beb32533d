/** What a read of one partition asks for and finds, and what it answers where it finds nothing. */
import type { FileRegion } from '../base/file-region.ts';
import type { BrokerId, LeaderEpoch, Offset, Timestamp } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { AbortedTransaction } from '../storage/log.ts';
import type { FollowerFetch } from './follower-progress.ts';

/** Which records a reader may see: all that are committed to the replicas, or only those of finished transactions. */
export type Isolation = 'read_uncommitted' | 'read_committed';

export interface ReadRequest {
  readonly offset: Offset;
  readonly maxBytes: number;
  /** Return one whole batch even where it is larger than `maxBytes`, so that a reader cannot get stuck. */
  readonly minOneBatch: boolean;
  readonly isolation: Isolation;
  /** The leader epoch that the reader believes in; -1 where it does not say (KIP-320). */
  readonly currentLeaderEpoch: LeaderEpoch;
  /** Epoch of the last record that the reader has; -1 where it does not say (KIP-595). */
  readonly lastFetchedEpoch: LeaderEpoch;
  /** The reader is a follower: it gets what is not committed, too. Only at the leader. */
  readonly follower?: FollowerFetch | undefined;
  /** The follower's position is to be taken note of: not where a fetch that waited looks again. */
  readonly countsAsFetch?: boolean;
  /** A replica that leads nothing may answer (KIP-392). */
  readonly atFollower?: boolean;
  /** The reader is sent to this replica instead of being given anything; -1 for none. */
  readonly preferredReplica?: BrokerId;
}

/** What a read found. A `region` must be released once, by sending it or by `release()`. */
export interface ReadResult {
  readonly errorCode: ErrorCode;
  readonly highWatermark: Offset;
  readonly lastStableOffset: Offset;
  readonly startOffset: Offset;
  readonly region: FileRegion | undefined;
  /** Which transactions of these records a `read_committed` reader must skip; null for any other reader. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
  /** Where the reader's log parts from ours, when `lastFetchedEpoch` shows that it does. */
  readonly divergingEpoch: { readonly epoch: LeaderEpoch; readonly endOffset: Offset } | undefined;
  /** Where the reader had better read; -1 where it is right here. */
  readonly preferredReplica: BrokerId;
}

/** Special timestamps of ListOffsets. */
export const ListOffsetsTimestamp = {
  latest: -1,
  earliest: -2,
  maxTimestamp: -3,
  earliestLocal: -4,
  latestTiered: -5,
  earliestPendingUpload: -6,
} as const;

export interface FoundOffset {
  readonly offset: Offset;
  readonly timestamp: Timestamp;
  readonly leaderEpoch: LeaderEpoch;
}

export const NOTHING_FOUND: FoundOffset = { offset: -1, timestamp: -1, leaderEpoch: -1 };

const UNKNOWN: ReadonlySet<ErrorCode> = new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID]);

/** With an error a reader is told no offset of the log, as by Kafka: it asks ListOffsets where to go on. */
export function failedRead(errorCode: ErrorCode): ReadResult {
  return {
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    startOffset: -1,
    region: undefined,
    // Of what is unknown Kafka tells no transactions where it tells null of what it could not read.
    abortedTransactions: UNKNOWN.has(errorCode) ? [] : null,
    divergingEpoch: undefined,
    preferredReplica: -1,
  };
}
