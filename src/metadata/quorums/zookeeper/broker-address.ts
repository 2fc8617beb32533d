/** Where brokers reach each other, as they told when they registered. */
import { SluiceError } from '../../../base/errors.ts';
import type { BrokerId } from '../../../base/units.ts';
import type { BrokerEndpoint } from '../../image.ts';
import { failedWith } from './client/errors.ts';
import type { Watcher, ZooKeeper } from './client/zookeeper.ts';
import { brokerIdPath, readRegistration } from './store/znodes.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface AddressOptions {
  /** The listener by which brokers reach each other. */
  readonly listener: string;
  readonly watcher?: Watcher;
  readonly known?: readonly BrokerEndpoint[] | undefined;
}

/** By the listener of that name, or else by the first. */
export function addressAmong(endpoints: readonly BrokerEndpoint[], listener: string): Address | undefined {
  return endpoints.find(({ name }) => name === listener) ?? endpoints[0];
}

/**
 * Undefined for a broker that is not registered; for one that is in a way that nobody understands, where it was known to be.
 * The watcher is called when that changes. Rejects with a ZooKeeperError.
 */
export async function addressOf(
  session: ZooKeeper,
  brokerId: BrokerId,
  { listener, watcher, known = [] }: AddressOptions,
): Promise<Address | undefined> {
  const path = brokerIdPath(brokerId);
  if (watcher !== undefined && (await session.exists(path, watcher)) === undefined) return undefined;
  try {
    return addressAmong(readRegistration(brokerId, (await session.getData(path)).data).endpoints, listener);
  } catch (error) {
    if (failedWith(error, 'NO_NODE')) return undefined;
    if (error instanceof SluiceError && error.code === 'CORRUPT_METADATA') return addressAmong(known, listener);
    throw error;
  }
}
