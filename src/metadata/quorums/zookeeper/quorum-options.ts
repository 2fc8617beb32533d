/** What a broker's configuration says of ZooKeeper. */
import type { BrokerConfig } from '../../../config/broker-config.ts';
import type { ZooKeeperQuorumOptions } from './zookeeper-quorum.ts';

/** Undefined where the configuration names no ensemble. */
export function zooKeeperOptions(
  config: BrokerConfig,
): Omit<ZooKeeperQuorumOptions, 'brokerId' | 'interBrokerListener' | 'onFailure'> | undefined {
  const connect = config.get('zookeeper.connect');
  if (connect === null || connect.trim() === '') return undefined;
  return {
    connect,
    sessionTimeoutMs: config.get('zookeeper.session.timeout.ms'),
    connectionTimeoutMs: config.get('zookeeper.connection.timeout.ms'),
    maxInFlight: config.get('zookeeper.max.in.flight.requests'),
    setAcl: config.get('zookeeper.set.acl'),
    credentials: config.get('sluice.zookeeper.credentials') ?? undefined,
  };
}
