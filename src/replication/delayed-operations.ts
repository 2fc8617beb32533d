/** Requests that wait for replicas: completed by the partitions that they concern, or by their time. */
import type { Clock } from '../base/clock.ts';
import type { Offset } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { CommitWait } from './commit-waits.ts';
import type { Partition } from './partition.ts';

/** One partition's part of a request. */
export interface Awaited {
  readonly partition: Partition;
  /** One after the last record that was written. */
  readonly requiredOffset: Offset;
}

/**
 * Resolves with one error code each, in the same order: NONE where the records are committed, REQUEST_TIMED_OUT where they
 * are not after `timeoutMs`. All that is not committed yet is waited for together.
 */
export function untilCommitted(
  awaited: readonly Awaited[],
  timeoutMs: number,
  { clock }: { readonly clock: Clock },
): Promise<ErrorCode[]> {
  return new Promise((resolve) => {
    const outcomes: ErrorCode[] = awaited.map(() => ErrorCode.REQUEST_TIMED_OUT);
    let missing = awaited.length;
    const waits = awaited.map(({ requiredOffset }, index): CommitWait => {
      return {
        requiredOffset,
        settle: (errorCode) => {
          outcomes[index] = errorCode;
          missing--;
          if (missing > 0) return;
          timer.cancel();
          resolve(outcomes);
        },
      };
    });
    const timer = clock.after(timeoutMs, () => {
      for (let index = 0; index < waits.length; index++) awaited[index]!.partition.stopAwaiting(waits[index]!);
      resolve(outcomes);
    });
    for (let index = 0; index < waits.length; index++) awaited[index]!.partition.awaitCommit(waits[index]!);
  });
}

/** Resolves with NONE once no running replica has records below `offset`, REQUEST_TIMED_OUT where that takes too long. */
export function untilDeleted(
  partition: Partition,
  offset: Offset,
  timeoutMs: number,
  { clock }: { readonly clock: Clock },
): Promise<ErrorCode> {
  return new Promise((resolve) => {
    const wait: CommitWait = {
      requiredOffset: offset,
      settle: (errorCode) => {
        timer.cancel();
        resolve(errorCode);
      },
    };
    const timer = clock.after(timeoutMs, () => {
      partition.stopAwaiting(wait);
      resolve(ErrorCode.REQUEST_TIMED_OUT);
    });
    partition.awaitDeletion(wait);
  });
}
