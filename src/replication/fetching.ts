/**
 * Reads several partitions for one Fetch request and, where too little is there, waits for appends: a delayed
 * operation that an event or its deadline completes, never polling.
 */
import type { Clock } from '../base/clock.ts';
import type { BrokerId, LeaderEpoch, Offset } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Isolation, Partition, ReadResult } from './partition.ts';
import { failedRead } from './reading.ts';

/** One partition to read. An `ErrorCode` in place of the partition passes through to the result. */
export interface PartitionFetch {
  readonly target: Partition | ErrorCode;
  readonly offset: Offset;
  readonly maxBytes: number;
  readonly currentLeaderEpoch: LeaderEpoch;
  readonly lastFetchedEpoch: LeaderEpoch;
  /** Where the log of a follower starts. */
  readonly startOffset?: Offset;
  /** The reader is sent to this replica instead of being given anything; -1 for none. */
  readonly preferredReplica?: BrokerId;
}

export interface FetchLimits {
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  readonly isolation: Isolation;
  /** The reader is a follower, of this registration. */
  readonly follower?: { readonly brokerId: BrokerId; readonly brokerEpoch: number } | undefined;
  /** Replicas that lead nothing may answer (KIP-392). */
  readonly atFollower?: boolean;
}

/** Lets a fetch that waits be given up when its connection is gone. */
export interface Cancellation {
  readonly cancelled: boolean;
  onCancel(callback: () => void): () => void;
}

/** Lets a fetch that waits be answered with what is there, because its reader wants something else now. */
export interface Hurry {
  readonly hurried: boolean;
  onHurry(callback: () => void): () => void;
}

export interface FetchDependencies {
  readonly clock: Clock;
  readonly cancellation: Cancellation;
  readonly hurry?: Hurry;
}

/** A read of all partitions as of one turn. */
interface Attempt {
  readonly results: ReadResult[];
  readonly bytes: number;
  /** Something that the client must hear of at once: an error or a diverging epoch. */
  readonly urgent: boolean;
}

/** Results in the order of `fetches`. Every region among them must be released once. */
export async function fetchPartitions(
  fetches: readonly PartitionFetch[],
  limits: FetchLimits,
  dependencies: FetchDependencies,
): Promise<ReadResult[]> {
  const { clock, cancellation, hurry } = dependencies;
  const deadlineMs = clock.monotonicMs() + limits.maxWaitMs;
  for (let isFirst = true; ; isFirst = false) {
    const warming = warm(fetches);
    if (warming.length > 0) await Promise.all(warming);
    const attempt = readAll(fetches, limits, isFirst);
    const remainingMs = deadlineMs - clock.monotonicMs();
    const enough = fetches.length === 0 || attempt.urgent || attempt.bytes >= limits.minBytes;
    const givenUp = cancellation.cancelled || hurry?.hurried === true;
    if (enough || remainingMs <= 0 || givenUp) return attempt.results;
    releaseAll(attempt.results);
    const uncommitted = limits.follower !== undefined;
    await readable(fetches, { missingBytes: limits.minBytes - attempt.bytes, remainingMs, uncommitted }, dependencies);
  }
}

/** Gives back the files behind results that will not be sent. */
export function releaseAll(results: readonly ReadResult[]): void {
  for (const result of results) result.region?.release();
}

/** Loads what a read needs from disk off the loop, so that one cold reader does not stall the others. */
function warm(fetches: readonly PartitionFetch[]): Promise<void>[] {
  const pending: Promise<void>[] = [];
  for (const fetch of fetches) {
    if (typeof fetch.target === 'number') continue;
    const warming = fetch.target.log.warm(fetch.offset);
    if (warming !== undefined) pending.push(warming);
  }
  return pending;
}

function readAll(fetches: readonly PartitionFetch[], limits: FetchLimits, countsAsFetch: boolean): Attempt {
  const results: ReadResult[] = [];
  let bytes = 0;
  let urgent = false;
  for (const fetch of fetches) {
    const result =
      typeof fetch.target === 'number'
        ? failedRead(fetch.target)
        : fetch.target.read({
            offset: fetch.offset,
            maxBytes: Math.max(0, Math.min(fetch.maxBytes, limits.maxBytes - bytes)),
            minOneBatch: bytes === 0,
            isolation: limits.isolation,
            currentLeaderEpoch: fetch.currentLeaderEpoch,
            lastFetchedEpoch: fetch.lastFetchedEpoch,
            follower: followerOf(fetch, limits),
            countsAsFetch,
            atFollower: limits.atFollower ?? false,
            preferredReplica: fetch.preferredReplica ?? -1,
          });
    bytes += result.region?.length ?? 0;
    urgent ||= isUrgent(result);
    results.push(result);
  }
  return { results, bytes, urgent };
}

function followerOf({ offset, startOffset = -1 }: PartitionFetch, { follower }: FetchLimits) {
  return follower === undefined ? undefined : { ...follower, offset, startOffset };
}

function isUrgent({ errorCode, divergingEpoch, preferredReplica }: ReadResult): boolean {
  return errorCode !== ErrorCode.NONE || divergingEpoch !== undefined || preferredReplica >= 0;
}

/** Resolves once `missingBytes` more became readable, time is up, or the fetch was given up. */
function readable(
  fetches: readonly PartitionFetch[],
  wait: { readonly missingBytes: number; readonly remainingMs: number; readonly uncommitted: boolean },
  dependencies: FetchDependencies,
): Promise<void> {
  return new Promise((resolve) => {
    const stops: (() => void)[] = [];
    let missing = wait.missingBytes;
    const finish = (): void => {
      for (const stop of stops) stop();
      stops.length = 0;
      resolve();
    };
    const timer = dependencies.clock.after(wait.remainingMs, finish);
    stops.push(() => timer.cancel(), dependencies.cancellation.onCancel(finish));
    if (dependencies.hurry !== undefined) stops.push(dependencies.hurry.onHurry(finish));
    const onReadable = (bytes: number): void => {
      const waiting = missing > 0;
      missing -= bytes;
      // Answer at the end of the turn: appends of other connections that are already here come along.
      if (waiting && missing <= 0) dependencies.clock.afterTurn(finish);
    };
    for (const { target } of fetches) {
      if (typeof target !== 'number') stops.push(target.onReadable(onReadable, wait));
    }
  });
}
