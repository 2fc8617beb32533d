/** A topic's configuration as its replicas use it: Kafka's names in, the log's own shape out. */
import type { TopicConfig } from '../config/topic-config.ts';
import { CODECS } from '../records/compression/codecs.ts';
import type { LogConfig } from '../storage/log-config.ts';
import type { ReplicaConfig } from './replicas.ts';

export function replicaConfigOf(config: TopicConfig): ReplicaConfig {
  return {
    log: logConfigOf(config),
    minInSyncReplicas: config.get('min.insync.replicas'),
    throttledLeaders: config.get('leader.replication.throttled.replicas'),
    throttledFollowers: config.get('follower.replication.throttled.replicas'),
  };
}

function logConfigOf(config: TopicConfig): LogConfig {
  const policies = config.get('cleanup.policy');
  return {
    // Kafka's tests set a size below the public limit under this name.
    segmentBytes: config.get('internal.segment.bytes') ?? config.get('segment.bytes'),
    segmentMs: config.get('segment.ms'),
    segmentJitterMs: config.get('segment.jitter.ms'),
    indexIntervalBytes: config.get('index.interval.bytes'),
    indexMaxBytes: config.get('segment.index.bytes'),
    retentionMs: config.get('retention.ms'),
    retentionBytes: config.get('retention.bytes'),
    flushMessages: config.get('flush.messages'),
    flushMs: config.get('flush.ms'),
    fileDeleteDelayMs: config.get('file.delete.delay.ms'),
    maxMessageBytes: config.get('max.message.bytes'),
    deletePolicy: policies.includes('delete'),
    compactPolicy: policies.includes('compact'),
    compression: compressionOf(config),
    timestampType: config.get('message.timestamp.type'),
    timestampBeforeMaxMs: config.get('message.timestamp.before.max.ms'),
    timestampAfterMaxMs: config.get('message.timestamp.after.max.ms'),
    preallocate: config.get('preallocate'),
    deleteRetentionMs: config.get('delete.retention.ms'),
    minCompactionLagMs: config.get('min.compaction.lag.ms'),
    maxCompactionLagMs: config.get('max.compaction.lag.ms'),
    minCleanableRatio: config.get('min.cleanable.dirty.ratio'),
  };
}

function compressionOf(config: TopicConfig): LogConfig['compression'] {
  const type = config.get('compression.type');
  switch (type) {
    case 'producer':
      return 'producer';
    case 'uncompressed':
      return { codec: CODECS.none };
    case 'gzip':
      return { codec: CODECS.gzip, level: config.get('compression.gzip.level') };
    case 'lz4':
      return { codec: CODECS.lz4, level: config.get('compression.lz4.level') };
    case 'zstd':
      return { codec: CODECS.zstd, level: config.get('compression.zstd.level') };
    case 'snappy':
      return { codec: CODECS.snappy };
  }
}
