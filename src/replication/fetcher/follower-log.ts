/**
 * What a follower does to its log on its leader's word: append, cut where the histories part (by leader epoch, never by
 * high watermark: KIP-101, KIP-279), begin anew where the leader has nothing of what it has.
 */
import type { LeaderEpoch, Offset } from '../../base/units.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import * as batch from '../../records/batch.ts';
import type { AppendOutcome, Log } from '../../storage/log.ts';

/** The last epoch that the leader has of those up to the one it was told, and where that one ends there. */
export interface EpochEnd {
  readonly epoch: LeaderEpoch;
  readonly endOffset: Offset;
}

/** Appends fetched batches. Those of later epochs than `leaderEpoch` are left out: the leader changed meanwhile. */
export function appendFetched(log: Log, fetched: Buffer, leaderEpoch: LeaderEpoch): AppendOutcome {
  const outcome = log.appendAsFollower(fetched, { leaderEpoch });
  if (outcome.ok || outcome.errorCode !== ErrorCode.OFFSET_OUT_OF_RANGE || !beginsBeforeEmptyLog(log, fetched)) {
    return outcome;
  }
  // The leader's log starts inside this batch, since records were deleted: it can only be had whole.
  log.truncateFullyAndStartAt(batch.baseOffset(fetched, 0));
  return log.appendAsFollower(fetched, { leaderEpoch });
}

function beginsBeforeEmptyLog(log: Log, fetched: Buffer): boolean {
  if (log.endOffset !== log.startOffset || fetched.length < batch.BATCH_HEADER_BYTES) return false;
  return batch.baseOffset(fetched, 0) < log.endOffset && batch.lastOffset(fetched, 0) >= log.endOffset;
}

/**
 * Cuts the log to where it may still agree with its leader's: where the leader's epoch ends there, or here if that comes
 * first. Where this log does not know that epoch, the next fetch finds out whether it was enough.
 */
export function truncateDiverged(log: Log, leader: EpochEnd): Offset {
  const ours = leader.epoch < 0 ? UNKNOWN : log.endOffsetForEpoch(leader.epoch);
  const end = ours.epoch < 0 ? leader.endOffset : Math.min(leader.endOffset, ours.endOffset);
  log.truncateTo(Math.min(end, log.endOffset));
  return log.endOffset;
}

const UNKNOWN: EpochEnd = { epoch: -1, endOffset: -1 };

/** The position was not in the leader's log: it lost records in an unclean election, or deleted what comes next. */
export function resetToLeader(log: Log, leader: { readonly startOffset: Offset; readonly endOffset: Offset }): void {
  if (leader.endOffset < log.endOffset) log.truncateTo(leader.endOffset);
  else if (leader.startOffset > log.endOffset) log.truncateFullyAndStartAt(leader.startOffset);
}
