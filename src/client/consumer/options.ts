/** What a reader may be told, with defaults; names and defaults are Kafka's where it has the same. */
import type { TopicPartition } from '../../base/units.ts';
import type { Isolation } from '../list-offsets.ts';
import type { StartPosition } from './start-position.ts';

export interface ReaderOptions {
  /** Topics to read whole, or single partitions of them. */
  readonly partitions: readonly (string | TopicPartition)[];
  /** Where to begin, for all or for each. Default 'earliest'. */
  readonly from?: StartPosition | ((partition: TopicPartition) => StartPosition);
  /** 'end' stops at what was the end of each partition when reading began. Default 'forever'. */
  readonly until?: 'end' | 'forever';
  readonly isolation?: Isolation;
  /** Where to go on when the asked offset is not there (any more). Default 'fail'. */
  readonly whenOutOfRange?: 'earliest' | 'latest' | 'fail';
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
  /** Ends reading with ABORTED. */
  readonly signal?: AbortSignal;
}

export interface FetchOptions {
  readonly isolation: Isolation;
  readonly whenOutOfRange: 'earliest' | 'latest' | 'fail';
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  readonly prefetchBytes: number;
  readonly checkCrcs: boolean;
  readonly maxUncompressedBytes: number | undefined;
}

export function resolveFetchOptions(options: ReaderOptions): FetchOptions {
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
  };
}
