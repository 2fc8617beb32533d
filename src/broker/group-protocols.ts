import { GROUP_VERSION_FEATURE } from '../metadata/records.ts';
import type { BrokerServices } from './services.ts';

/** The level of `group.version` with the broker-driven protocol of consumer groups (KIP-848). */
const CONSUMER_PROTOCOL_LEVEL = 1;

/** Whether consumer groups of the broker-driven protocol are configured, and finalized in the cluster. */
export function servesConsumerProtocol({ config, quorum }: BrokerServices): boolean {
  const level = quorum.image().features.get(GROUP_VERSION_FEATURE) ?? 0;
  return level >= CONSUMER_PROTOCOL_LEVEL && config().get('group.coordinator.rebalance.protocols').includes('consumer');
}
