/** What the log manager takes from a broker's configuration. */
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
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
  };
}
