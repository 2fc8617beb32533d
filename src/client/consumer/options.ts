/** What a reader may be told, with defaults; names and defaults are Kafka's where it has the same. */
import type { Offset, TopicPartition } from '../../base/units.ts';
import type { Isolation } from '../list-offsets.ts';
import type { StartPosition } from './start-position.ts';

/** Where to go on when the asked offset is not there (any more): an end of the log, or so far back in time. */
export type OutOfRangePolicy = 'earliest' | 'latest' | 'fail' | { readonly withinMs: number };

/** How records are fetched. */
export interface FetchSettings {
  readonly isolation?: Isolation;
  /** How long a broker may wait for `minBytes`. Default 500. */
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  /** Limit of one answer. Default 50 MiB. */
  readonly maxBytes?: number;
  /** Limit of one partition in an answer. Default 1 MiB. */
  readonly partitionMaxBytes?: number;
  /** Memory for batches that were fetched ahead. Default 64 MiB; one answer may pass it. */
  readonly prefetchBytes?: number;
  /** Check every batch against its checksum. Default true. */
  readonly checkCrcs?: boolean;
  /** How far one batch may unfold. Default 128 MiB. */
  readonly maxUncompressedBytes?: number;
  /** Where this client is, as brokers name their racks: a replica there is read where the cluster allows it. */
  readonly rack?: string;
}

export interface ReaderOptions extends FetchSettings {
  /** Topics to read whole, or single partitions of them. */
  readonly partitions: readonly (string | TopicPartition)[];
  /** Where to begin, for all or for each. Default 'earliest'. */
  readonly from?: StartPosition | ((partition: TopicPartition) => StartPosition);
  /**
   * 'end' stops at what was the end of each partition when reading began; a function tells the offset before which
   * reading of a partition stops (Infinity: it does not). Default 'forever'.
   */
  readonly until?: 'end' | 'forever' | ((partition: TopicPartition) => Offset);
  /** Where to go on when the asked offset is not there (any more). Default 'fail'. */
  readonly whenOutOfRange?: OutOfRangePolicy;
  /** Ends reading with ABORTED. */
  readonly signal?: AbortSignal;
}

export interface FetchOptions {
  readonly isolation: Isolation;
  readonly whenOutOfRange: OutOfRangePolicy;
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  readonly prefetchBytes: number;
  readonly checkCrcs: boolean;
  readonly maxUncompressedBytes: number | undefined;
  readonly rack: string;
  /** The connections of its own on which it waits for records. */
  readonly lane: string;
  /** A topic that is gone is waited for; otherwise it ends reading. */
  readonly waitsForTopics: boolean;
}

export function resolveFetchOptions(
  options: FetchSettings & Partial<Pick<FetchOptions, 'whenOutOfRange' | 'lane' | 'waitsForTopics'>>,
): FetchOptions {
  return {
    isolation: options.isolation ?? 'read_uncommitted',
    whenOutOfRange: options.whenOutOfRange ?? 'fail',
    maxWaitMs: options.maxWaitMs ?? 500,
    minBytes: options.minBytes ?? 1,
    maxBytes: options.maxBytes ?? 50 * 1024 * 1024,
    partitionMaxBytes: options.partitionMaxBytes ?? 1024 * 1024,
    prefetchBytes: options.prefetchBytes ?? 64 * 1024 * 1024,
    checkCrcs: options.checkCrcs ?? true,
    maxUncompressedBytes: options.maxUncompressedBytes,
    rack: options.rack ?? '',
    lane: options.lane ?? 'fetch',
    waitsForTopics: options.waitsForTopics ?? false,
  };
}
