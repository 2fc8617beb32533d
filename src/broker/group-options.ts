/** The coordinator of groups, as the broker's configuration wants it. */
import type { BrokerConfig } from '../config/broker-config.ts';
import type { ConsumerGroupSettings } from '../coordinator/group/consumer/context.ts';
import { consumerGroupSettings } from '../coordinator/group/consumer/settings.ts';
import type { GroupCoordinatorOptions } from '../coordinator/group/group-coordinator.ts';
import type { GroupSettings } from '../coordinator/group/settings.ts';

const MINUTE_MS = 60_000;

/** Everything but the broker's own id. */
export function groupCoordinatorOptions(config: () => BrokerConfig): Omit<GroupCoordinatorOptions, 'brokerId'> {
  let known: { readonly config: BrokerConfig; readonly settings: GroupSettings } | undefined;
  // Most groups have no configs of their own.
  let plain: { readonly config: BrokerConfig; readonly settings: ConsumerGroupSettings } | undefined;
  return {
    settings: () => {
      const now = config();
      // Asked for with every request; made anew only where the configuration has changed.
      if (known?.config !== now) known = { config: now, settings: settingsOf(now) };
      return known.settings;
    },
    consumerSettings: (own) => {
      const now = config();
      if (own.size > 0) return consumerGroupSettings(now, own);
      if (plain?.config !== now) plain = { config: now, settings: consumerGroupSettings(now, own) };
      return plain.settings;
    },
    partitions: () => config().get('offsets.topic.num.partitions'),
    codec: () => config().get('offsets.topic.compression.codec'),
    loadChunkBytes: () => config().get('offsets.load.buffer.size'),
    commitTimeoutMs: () => config().get('offsets.commit.timeout.ms'),
  };
}

function settingsOf(config: BrokerConfig): GroupSettings {
  return {
    minSessionTimeoutMs: config.get('group.min.session.timeout.ms'),
    maxSessionTimeoutMs: config.get('group.max.session.timeout.ms'),
    initialRebalanceDelayMs: config.get('group.initial.rebalance.delay.ms'),
    maxMembers: config.get('group.max.size'),
    offsetMetadataMaxLength: config.get('offset.metadata.max.bytes'),
    offsetsRetentionMs: config.get('offsets.retention.minutes') * MINUTE_MS,
    offsetsRetentionCheckMs: config.get('offsets.retention.check.interval.ms'),
  };
}
