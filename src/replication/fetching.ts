/**
 * Reads several partitions for one Fetch request and, where too little is there, waits for appends: a delayed
 * operation that an event or its deadline completes, never polling.
 */
import type { Clock } from '../base/clock.ts';
import type { LeaderEpoch, Offset } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Isolation, Partition, ReadResult } from './partition.ts';

/** One partition to read. An `ErrorCode` in place of the partition passes through to the result. */
export interface PartitionFetch {
  readonly target: Partition | ErrorCode;
  readonly offset: Offset;
  readonly maxBytes: number;
  readonly currentLeaderEpoch: LeaderEpoch;
  readonly lastFetchedEpoch: LeaderEpoch;
}

export interface FetchLimits {
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  readonly isolation: Isolation;
}

/** Lets a fetch that waits be given up when its connection is gone. */
export interface Cancellation {
  readonly cancelled: boolean;
  onCancel(callback: () => void): () => void;
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
  dependencies: { readonly clock: Clock; readonly cancellation: Cancellation },
): Promise<ReadResult[]> {
  const { clock, cancellation } = dependencies;
  const deadlineMs = clock.monotonicMs() + limits.maxWaitMs;
  for (;;) {
    const warming = warm(fetches);
    if (warming.length > 0) await Promise.all(warming);
    const attempt = readAll(fetches, limits);
    const remainingMs = deadlineMs - clock.monotonicMs();
    const enough = fetches.length === 0 || attempt.urgent || attempt.bytes >= limits.minBytes;
    if (enough || remainingMs <= 0 || cancellation.cancelled) return attempt.results;
    releaseAll(attempt.results);
    await readable(fetches, { missingBytes: limits.minBytes - attempt.bytes, remainingMs }, dependencies);
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

function readAll(fetches: readonly PartitionFetch[], limits: FetchLimits): Attempt {
  const results: ReadResult[] = [];
  let bytes = 0;
  let urgent = false;
  for (const fetch of fetches) {
    const result =
      typeof fetch.target === 'number'
        ? unreadable(fetch.target)
        : fetch.target.read({
            offset: fetch.offset,
            maxBytes: Math.max(0, Math.min(fetch.maxBytes, limits.maxBytes - bytes)),
            minOneBatch: bytes === 0,
            isolation: limits.isolation,
            currentLeaderEpoch: fetch.currentLeaderEpoch,
            lastFetchedEpoch: fetch.lastFetchedEpoch,
          });
    bytes += result.region?.length ?? 0;
    urgent ||= result.errorCode !== ErrorCode.NONE || result.divergingEpoch !== undefined;
    results.push(result);
  }
  return { results, bytes, urgent };
}

/** Resolves once `missingBytes` more became readable, time is up, or the fetch was given up. */
function readable(
  fetches: readonly PartitionFetch[],
  wait: { readonly missingBytes: number; readonly remainingMs: number },
  dependencies: { readonly clock: Clock; readonly cancellation: Cancellation },
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
    const onReadable = (bytes: number): void => {
      const waiting = missing > 0;
      missing -= bytes;
      // Answer at the end of the turn: appends of other connections that are already here come along.
      if (waiting && missing <= 0) dependencies.clock.afterTurn(finish);
    };
    for (const fetch of fetches) {
      if (typeof fetch.target !== 'number') stops.push(fetch.target.onReadable(onReadable));
    }
  });
}

const UNKNOWN: ReadonlySet<ErrorCode> = new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID]);

function unreadable(errorCode: ErrorCode): ReadResult {
  return {
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    startOffset: -1,
    region: undefined,
    // Of what is unknown Kafka tells no transactions where it tells null of what it could not read.
    abortedTransactions: UNKNOWN.has(errorCode) ? [] : null,
    divergingEpoch: undefined,
  };
}
