/** How one log behaves: Kafka's topic configuration as the log needs it, units last in every name. */

export interface LogConfig {
  /** A segment never grows beyond this. */
  readonly segmentBytes: number;
  /** A segment is closed this long after its first batch's timestamp. */
  readonly segmentMs: number;
  /** Up to this much is taken off `segmentMs`, at random for each segment, so that logs do not all roll at once. */
  readonly segmentJitterMs: number;
  readonly indexIntervalBytes: number;
  readonly indexMaxBytes: number;
  /** -1: for ever. */
  readonly retentionMs: number;
  /** -1: without limit. */
  readonly retentionBytes: number;
  /** Records that may be appended before a flush; anything that is not a safe integer means never. */
  readonly flushMessages: number;
  readonly flushMs: number;
  readonly fileDeleteDelayMs: number;
  readonly maxMessageBytes: number;
  readonly deletePolicy: boolean;
  readonly compactPolicy: boolean;
  /** `producer` keeps the producer's codec; otherwise batches of another codec are compressed again. */
  readonly compression: 'producer' | { readonly codec: number; readonly level?: number };
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  /** Accepted for Kafka's sake and ignored: files grow as they are written. */
  readonly preallocate: boolean;
  readonly deleteRetentionMs: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableRatio: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const GIBIBYTE = 2 ** 30;
/** Kafka's Long.MAX_VALUE, as near as a number comes. */
const NEVER = 2 ** 63;

/** Kafka 4.3's defaults (LogConfig, ServerLogConfigs). */
export const defaultLogConfig: LogConfig = {
  segmentBytes: GIBIBYTE,
  segmentMs: WEEK_MS,
  segmentJitterMs: 0,
  indexIntervalBytes: 4096,
  indexMaxBytes: 10 * 2 ** 20,
  retentionMs: WEEK_MS,
  retentionBytes: -1,
  flushMessages: NEVER,
  flushMs: NEVER,
  fileDeleteDelayMs: 60_000,
  maxMessageBytes: 2 ** 20 + 12,
  deletePolicy: true,
  compactPolicy: false,
  compression: 'producer',
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: NEVER,
  timestampAfterMaxMs: HOUR_MS,
  preallocate: false,
  deleteRetentionMs: DAY_MS,
  minCompactionLagMs: 0,
  maxCompactionLagMs: NEVER,
  minCleanableRatio: 0.5,
};

/** Compacted logs must close segments in time for the cleaner to reach them (KIP-354). */
export function longestSegmentMs(config: LogConfig): number {
  if (config.compactPolicy && config.maxCompactionLagMs > 0)
    return Math.min(config.maxCompactionLagMs, config.segmentMs);
  return config.segmentMs;
}
