/** What a broker's configuration says of ZooKeeper. */

import { SluiceError } from '../../../base/errors.ts';
import type { BrokerConfig } from '../../../config/broker-config.ts';
import type { SessionOptions } from './client/session.ts';
import { CREATOR_AND_READERS } from './client/zookeeper.ts';
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

/** Throws SluiceError INVALID_CONFIG. */
export function checkCredentials({ credentials, setAcl }: ZooKeeperQuorumOptions): void {
  if (credentials !== undefined && !credentials.includes(':')) {
    throw new SluiceError('INVALID_CONFIG', 'sluice.zookeeper.credentials: allowed: user:password');
  }
  if (setAcl === true && credentials === undefined) {
    throw new SluiceError('INVALID_CONFIG', 'zookeeper.set.acl=true: nobody could change what nobody has created', {
      remedy: 'Set sluice.zookeeper.credentials too, or leave zookeeper.set.acl off.',
    });
  }
}

export function sessionOptions(options: ZooKeeperQuorumOptions): SessionOptions {
  const { connect, sessionTimeoutMs, connectionTimeoutMs, maxInFlight, setAcl, credentials } = options;
  return {
    connect,
    sessionTimeoutMs,
    connectionTimeoutMs,
    maxInFlight,
    ...(credentials === undefined ? {} : { auth: { scheme: 'digest', secret: credentials } }),
    ...(setAcl === true ? { acl: CREATOR_AND_READERS } : {}),
  };
}
