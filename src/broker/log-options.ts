/** What the log manager takes from a broker's configuration. */
import { eventLoopLoad } from '../base/event-loop.ts';
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { CleanerSettings } from '../storage/cleaner/log-cleaner.ts';
import { WorkerEngine } from '../storage/cleaner/worker-engine.ts';
import type { LogManagerOptions } from '../storage/log-manager.ts';

export function logDirectories(config: BrokerConfig): readonly string[] {
  return config.get('log.dirs') ?? config.get('log.dir');
}

export function logManagerOptions(config: BrokerConfig, nodeId: BrokerId): Omit<LogManagerOptions, 'configOf'> {
  return {
    directories: logDirectories(config),
    nodeId,
    producerIdExpirationMs: config.get('producer.id.expiration.ms'),
    retentionCheckMs: config.get('log.retention.check.interval.ms'),
    recoveryPointCheckpointMs: config.get('log.flush.offset.checkpoint.interval.ms'),
    startOffsetCheckpointMs: config.get('log.flush.start.offset.checkpoint.interval.ms'),
    highWatermarkCheckpointMs: config.get('replica.high.watermark.checkpoint.interval.ms'),
    producerExpirationCheckMs: config.get('producer.id.expiration.check.interval.ms'),
    cleaningEngine: () => new WorkerEngine(),
    busyShare: eventLoopLoad(),
  };
}

/** How logs are compacted. Asked anew for each pass: most of it changes while the broker runs. */
export function cleanerSettings(config: BrokerConfig): CleanerSettings {
  return {
    enabled: config.get('log.cleaner.enable'),
    dedupeBufferBytes: config.get('log.cleaner.dedupe.buffer.size'),
    loadFactor: config.get('log.cleaner.io.buffer.load.factor'),
    ioBufferBytes: config.get('log.cleaner.io.buffer.size'),
    maxBytesPerSecond: config.get('log.cleaner.io.max.bytes.per.second'),
    backoffMs: config.get('log.cleaner.backoff.ms'),
  };
}
