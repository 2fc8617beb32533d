/**
 * Every topic config (Kafka's TopicConfig and LogConfig) and the broker option that gives its default. The defaults
 * declared here count only where there is no such option.
 */
import type { BrokerOptionName } from './broker-options.ts';
import { bool, double, int, LONG_MAX, list, long, type Option, string, type ValueOf } from './option.ts';
import { logOptions } from './options/log.ts';
import { nearestName } from './suggest.ts';

/** Partition and broker pairs, or all. */
const throttledReplicas = {
  accepts: (text: string) => text.trim() === '*' || /^(\d+:\d+)?(\s*,\s*(\d+:\d+)?)*$/.test(text.trim()),
  allowed: '* or a list of partition:broker',
};

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

export const topicOptions = {
  'cleanup.policy': list(
    { default: 'delete', allowed: ['compact', 'delete'], mayBeEmpty: true },
    'What happens to old segments: delete, compact, both, or nothing at all.',
  ),
  'compression.type': string(
    { default: 'producer', allowed: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'] },
    'Codec of stored batches; producer keeps what arrives.',
  ),
  'compression.gzip.level': int(
    { default: -1, check: logOptions['compression.gzip.level'].check! },
    'Effort of gzip where the broker compresses.',
  ),
  'compression.lz4.level': int({ default: 9, min: 1, max: 17 }, 'Effort of lz4 where the broker compresses.'),
  'compression.zstd.level': int({ default: 3, min: -131072, max: 22 }, 'Effort of zstd where the broker compresses.'),
  'delete.retention.ms': long({ default: DAY_MS, min: 0 }, 'Time that a compacted topic keeps a tombstone.'),
  'file.delete.delay.ms': long(
    { default: 60000, min: 0 },
    'Time between taking a file out of service and removing it.',
  ),
  'flush.messages': long({ default: LONG_MAX, min: 1 }, 'Records after which a partition is synced to disk.'),
  'flush.ms': long({ default: LONG_MAX, min: 0 }, 'Longest time that a record is not yet synced.'),
  'follower.replication.throttled.replicas': list(
    { default: '', mayBeEmpty: true, check: throttledReplicas },
    'Followers whose fetching is limited.',
  ),
  'index.interval.bytes': int({ default: 4096, min: 0 }, 'Bytes of records for each index entry.'),
  'internal.segment.bytes': int({ default: null, min: 1, internal: true }, 'segment.bytes without its lower bound.'),
  'leader.replication.throttled.replicas': list(
    { default: '', mayBeEmpty: true, check: throttledReplicas },
    'Leaders whose sending to followers is limited.',
  ),
  'local.retention.bytes': long({ default: -2, min: -2, inert: 'never' }, 'Bytes of tiered segments on local disks.'),
  'local.retention.ms': long(
    { default: -2, min: -2, inert: 'never' },
    'Time that tiered segments stay on local disks.',
  ),
  'max.compaction.lag.ms': long({ default: LONG_MAX, min: 1 }, 'Age at which a record must have been compacted.'),
  'max.message.bytes': int({ default: MIB + 12, min: 0 }, 'Largest record batch that is accepted.'),
  'message.timestamp.after.max.ms': long(
    { default: 3600000, min: 0 },
    'How far in the future a timestamp of a producer may lie.',
  ),
  'message.timestamp.before.max.ms': long(
    { default: LONG_MAX, min: 0 },
    'How far in the past a timestamp of a producer may lie.',
  ),
  'message.timestamp.type': string(
    { default: 'CreateTime', allowed: ['CreateTime', 'LogAppendTime'] },
    'Whose clock stamps a record: the producer or the broker.',
  ),
  'min.cleanable.dirty.ratio': double(
    { default: 0.5, min: 0, max: 1 },
    'Share of uncompacted bytes that starts compaction.',
  ),
  'min.compaction.lag.ms': long({ default: 0, min: 0 }, 'Youngest age at which a record may be compacted away.'),
  'min.insync.replicas': int({ default: 1, min: 1 }, 'In-sync replicas without which acks=all is refused.'),
  preallocate: bool({ default: false, inert: 'never' }, 'Whether segment files are made at full size.'),
  'remote.log.copy.disable': bool({ default: false, inert: 'never' }, 'Stops tiering; there is no tiered storage.'),
  'remote.log.delete.on.disable': bool(
    { default: false, inert: 'never' },
    'Drops tiered data; there is no tiered storage.',
  ),
  'remote.storage.enable': bool(
    { default: false, inert: 'never' },
    'Tiers the topic; refused, as there is no tiered storage.',
  ),
  'retention.bytes': long(
    { default: -1 },
    'Size of a partition above which its oldest segments are deleted; -1 for no limit.',
  ),
  'retention.ms': long({ default: 7 * DAY_MS, min: -1 }, 'Age at which segments are deleted; -1 keeps them forever.'),
  'segment.bytes': int({ default: 1024 * MIB, min: MIB }, 'Largest segment file.'),
  'segment.index.bytes': int({ default: 10 * MIB, min: 4 }, 'Largest offset index file.'),
  'segment.jitter.ms': long({ default: 0, min: 0 }, 'Most time taken off segment.ms at random.'),
  'segment.ms': long({ default: 7 * DAY_MS, min: 1 }, 'Longest time that a segment is written to.'),
  'unclean.leader.election.enable': bool({ default: false }, 'Whether a replica that misses records may lead at need.'),
} as const;

export type TopicOptionName = keyof typeof topicOptions;
export type TopicOptionValue<N extends TopicOptionName> = ValueOf<(typeof topicOptions)[N]>;

export const topicOptionNames = Object.keys(topicOptions) as readonly TopicOptionName[];

export function isTopicOption(name: string): name is TopicOptionName {
  return Object.hasOwn(topicOptions, name);
}

export function findTopicOption(name: string): Option | undefined {
  return isTopicOption(name) ? topicOptions[name] : undefined;
}

/** The broker option that a topic config falls back to (Kafka's ServerTopicConfigSynonyms); its strongest name. */
export const topicSynonyms: Readonly<Partial<Record<TopicOptionName, BrokerOptionName>>> = {
  'segment.bytes': 'log.segment.bytes',
  'segment.ms': 'log.roll.ms',
  'segment.jitter.ms': 'log.roll.jitter.ms',
  'segment.index.bytes': 'log.index.size.max.bytes',
  'flush.messages': 'log.flush.interval.messages',
  'flush.ms': 'log.flush.interval.ms',
  'retention.bytes': 'log.retention.bytes',
  'retention.ms': 'log.retention.ms',
  'max.message.bytes': 'message.max.bytes',
  'index.interval.bytes': 'log.index.interval.bytes',
  'delete.retention.ms': 'log.cleaner.delete.retention.ms',
  'min.compaction.lag.ms': 'log.cleaner.min.compaction.lag.ms',
  'max.compaction.lag.ms': 'log.cleaner.max.compaction.lag.ms',
  'file.delete.delay.ms': 'log.segment.delete.delay.ms',
  'min.cleanable.dirty.ratio': 'log.cleaner.min.cleanable.ratio',
  'cleanup.policy': 'log.cleanup.policy',
  'unclean.leader.election.enable': 'unclean.leader.election.enable',
  'min.insync.replicas': 'min.insync.replicas',
  'compression.type': 'compression.type',
  'compression.gzip.level': 'compression.gzip.level',
  'compression.lz4.level': 'compression.lz4.level',
  'compression.zstd.level': 'compression.zstd.level',
  preallocate: 'log.preallocate',
  'message.timestamp.type': 'log.message.timestamp.type',
  'message.timestamp.before.max.ms': 'log.message.timestamp.before.max.ms',
  'message.timestamp.after.max.ms': 'log.message.timestamp.after.max.ms',
  'local.retention.ms': 'log.local.retention.ms',
  'local.retention.bytes': 'log.local.retention.bytes',
};

/** Why a name is no topic config: the part of a message that follows the name. */
export function explainUnknownTopicOption(name: string): string {
  const nearest = nearestName(name, topicOptionNames);
  return nearest === undefined ? 'unknown topic config' : `unknown topic config; did you mean ${nearest}?`;
}
