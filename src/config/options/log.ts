/** Options of the logs on disk: where they lie, when they roll, how long they are kept, how they are cleaned. */
import { bool, DOUBLE_MAX, double, int, LONG_MAX, list, long, string } from '../option.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const CLUSTER_WIDE = 'cluster-wide';
/** A codec's level may also be -1, the codec's own default. */
const gzipLevel = {
  accepts: (text: string) => /^(-1|[1-9])$/.test(text),
  allowed: 'a whole number from 1 to 9, or -1',
};

export const logOptions = {
  'log.dirs': list(
    { default: null, fallbacks: [{ option: 'log.dir', times: 1 }] },
    'Directories of the data, one for each disk.',
  ),
  'log.dir': list({ default: '/tmp/kafka-logs' }, 'Directory of the data where log.dirs is unset.'),
  'cordoned.log.dirs': list(
    { default: '', mayBeEmpty: true, mode: 'per-broker', inert: 'later' },
    'Directories that get no new partitions; * for all.',
  ),
  'log.segment.bytes': int({ default: 1073741824, min: 1048576, mode: CLUSTER_WIDE }, 'Largest segment file.'),
  'log.roll.ms': long(
    { default: null, min: 1, mode: CLUSTER_WIDE, fallbacks: [{ option: 'log.roll.hours', times: HOUR_MS }] },
    'Longest time that a segment is written to.',
  ),
  'log.roll.hours': int({ default: 168, min: 1 }, 'The same in hours, where log.roll.ms is unset.'),
  'log.roll.jitter.ms': long(
    { default: null, min: 0, mode: CLUSTER_WIDE, fallbacks: [{ option: 'log.roll.jitter.hours', times: HOUR_MS }] },
    'Most time taken off at random, so that segments do not roll all at once.',
  ),
  'log.roll.jitter.hours': int({ default: 0, min: 0 }, 'The same in hours, where log.roll.jitter.ms is unset.'),
  'log.retention.ms': long(
    {
      default: null,
      min: -1,
      mode: CLUSTER_WIDE,
      fallbacks: [
        { option: 'log.retention.minutes', times: MINUTE_MS },
        { option: 'log.retention.hours', times: HOUR_MS },
      ],
    },
    'Age at which segments are deleted; -1 keeps them forever.',
  ),
  'log.retention.minutes': int({ default: null }, 'The same in minutes, where log.retention.ms is unset.'),
  'log.retention.hours': int({ default: 168 }, 'The same in hours, where neither of the other two is set.'),
  'log.retention.bytes': long(
    { default: -1, mode: CLUSTER_WIDE },
    'Size of a partition above which its oldest segments are deleted; -1 for no limit.',
  ),
  'log.retention.check.interval.ms': long({ default: 300000, min: 1 }, 'Pace of the search for segments to delete.'),
  'log.cleanup.policy': list(
    { default: 'delete', allowed: ['compact', 'delete'], mayBeEmpty: true, mode: CLUSTER_WIDE },
    'What happens to old segments: delete, compact, both, or nothing at all.',
  ),
  'log.index.size.max.bytes': int({ default: 10485760, min: 4, mode: CLUSTER_WIDE }, 'Largest offset index file.'),
  'log.index.interval.bytes': int(
    { default: 4096, min: 0, mode: CLUSTER_WIDE },
    'Bytes of records for each index entry.',
  ),
  'log.flush.interval.messages': long(
    { default: LONG_MAX, min: 1, mode: CLUSTER_WIDE },
    'Records after which a partition is synced to disk; 1 makes acknowledgements wait for the disk.',
  ),
  'log.flush.interval.ms': long(
    { default: null, mode: CLUSTER_WIDE, fallbacks: [{ option: 'log.flush.scheduler.interval.ms', times: 1 }] },
    'Longest time that a record is not yet synced.',
  ),
  'log.flush.scheduler.interval.ms': long({ default: LONG_MAX }, 'Pace of the search for logs to sync.'),
  'log.flush.offset.checkpoint.interval.ms': int({ default: 60000, min: 0 }, 'Pace of writing recovery points.'),
  'log.flush.start.offset.checkpoint.interval.ms': int(
    { default: 60000, min: 0 },
    'Pace of writing log start offsets.',
  ),
  'log.segment.delete.delay.ms': long(
    { default: 60000, min: 0, mode: CLUSTER_WIDE },
    'Time between taking a file out of service and removing it.',
  ),
  'log.preallocate': bool(
    { default: false, mode: CLUSTER_WIDE, inert: 'never' },
    'Whether segment files are made at full size.',
  ),
  'log.message.timestamp.type': string(
    { default: 'CreateTime', allowed: ['CreateTime', 'LogAppendTime'], mode: CLUSTER_WIDE },
    'Whose clock stamps a record: the producer or the broker.',
  ),
  'log.message.timestamp.before.max.ms': long(
    { default: LONG_MAX, min: 0, mode: CLUSTER_WIDE },
    'How far in the past a timestamp of a producer may lie.',
  ),
  'log.message.timestamp.after.max.ms': long(
    { default: 3600000, min: 0, mode: CLUSTER_WIDE },
    'How far in the future a timestamp of a producer may lie.',
  ),
  'log.local.retention.ms': long(
    { default: -2, min: -2, mode: CLUSTER_WIDE, inert: 'never' },
    'Time that tiered segments stay on local disks; there is no tiered storage.',
  ),
  'log.local.retention.bytes': long(
    { default: -2, min: -2, mode: CLUSTER_WIDE, inert: 'never' },
    'Bytes of tiered segments on local disks; there is no tiered storage.',
  ),
  'log.dir.failure.timeout.ms': long(
    { default: 30000, min: 1, inert: 'later' },
    'Longest time to report a failed directory.',
  ),
  'num.recovery.threads.per.data.dir': int(
    { default: 2, min: 1, mode: CLUSTER_WIDE, inert: 'never' },
    'Recovery threads of a Java broker.',
  ),
  'num.replica.alter.log.dirs.threads': int(
    { default: null, inert: 'never' },
    'Threads that move replicas between disks.',
  ),
  'message.max.bytes': int({ default: 1048588, min: 0, mode: CLUSTER_WIDE }, 'Largest record batch that is accepted.'),
  'min.insync.replicas': int(
    { default: 1, min: 1, mode: CLUSTER_WIDE },
    'In-sync replicas without which a write with acks=all is refused.',
  ),
  'unclean.leader.election.enable': bool(
    { default: false, mode: CLUSTER_WIDE },
    'Whether a replica that misses records may lead when no other is left.',
  ),
  'compression.type': string(
    {
      default: 'producer',
      allowed: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
      mode: CLUSTER_WIDE,
    },
    'Codec of stored batches; producer keeps what arrives.',
  ),
  'compression.gzip.level': int(
    { default: -1, mode: CLUSTER_WIDE, check: gzipLevel },
    'Effort of gzip where the broker compresses.',
  ),
  'compression.lz4.level': int(
    { default: 9, min: 1, max: 17, mode: CLUSTER_WIDE },
    'Effort of lz4 where the broker compresses.',
  ),
  'compression.zstd.level': int(
    { default: 3, min: -131072, max: 22, mode: CLUSTER_WIDE },
    'Effort of zstd where the broker compresses.',
  ),

  'log.cleaner.enable': bool({ default: true }, 'Whether compaction runs.'),
  'log.cleaner.threads': int(
    { default: 1, min: 0, mode: CLUSTER_WIDE, inert: 'never' },
    'Compaction threads of a Java broker.',
  ),
  'log.cleaner.io.max.bytes.per.second': double(
    { default: DOUBLE_MAX, mode: CLUSTER_WIDE },
    'Most bytes that compaction reads and writes a second.',
  ),
  'log.cleaner.dedupe.buffer.size': long(
    { default: 134217728, mode: CLUSTER_WIDE },
    'Memory for the keys of one compaction.',
  ),
  'log.cleaner.io.buffer.size': int({ default: 524288, min: 0, mode: CLUSTER_WIDE }, 'Read buffer of compaction.'),
  'log.cleaner.io.buffer.load.factor': double({ default: 0.9, mode: CLUSTER_WIDE }, 'How full the key memory may get.'),
  'log.cleaner.backoff.ms': long(
    { default: 15000, min: 0, mode: CLUSTER_WIDE },
    'Pause when nothing is to be compacted.',
  ),
  'log.cleaner.min.cleanable.ratio': double(
    { default: 0.5, min: 0, max: 1, mode: CLUSTER_WIDE },
    'Share of uncompacted bytes from which a log is compacted.',
  ),
  'log.cleaner.delete.retention.ms': long(
    { default: 86400000, min: 0, mode: CLUSTER_WIDE },
    'Time that a compacted log keeps a tombstone.',
  ),
  'log.cleaner.min.compaction.lag.ms': long(
    { default: 0, min: 0, mode: CLUSTER_WIDE },
    'Youngest age at which a record may be compacted away.',
  ),
  'log.cleaner.max.compaction.lag.ms': long(
    { default: LONG_MAX, min: 1, mode: CLUSTER_WIDE },
    'Age at which a record must have been through compaction.',
  ),

  'producer.id.expiration.ms': int(
    { default: 86400000, min: 1, mode: CLUSTER_WIDE },
    'Silence after which an idempotent producer is forgotten.',
  ),
  'producer.id.expiration.check.interval.ms': int({ default: 600000, min: 1 }, 'Pace of forgetting such producers.'),
} as const;
