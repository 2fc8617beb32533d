/** What a broker tells of itself when it joins the cluster. */
import type { BrokerId } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import type { BrokerEndpoint } from './image.ts';

export interface BrokerRegistration {
  readonly brokerId: BrokerId;
  readonly clusterId: string;
  /** New for every start of the broker. */
  readonly incarnationId: Uuid;
  readonly endpoints: readonly BrokerEndpoint[];
  readonly rack: string | null;
  readonly logDirs: readonly Uuid[];
  readonly features?: readonly {
    readonly name: string;
    readonly minSupportedVersion: number;
    readonly maxSupportedVersion: number;
  }[];
  /** The epoch of the broker's last clean stop; left out or -1 where it did not stop cleanly. */
  readonly previousBrokerEpoch?: number;
  /** Whether the broker serves at once: where nobody else watches it, there is nothing to wait for. */
  readonly unfenced: boolean;
}

/** One incarnation of a broker, as its registration made it known. */
export interface BrokerReference {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: number;
}

/** A broker that is known to be alive, with the epoch that this registration has. */
export interface LiveBroker {
  readonly registration: BrokerRegistration;
  readonly brokerEpoch: number;
}

/** Where something else than heartbeats tells which brokers live (ZooKeeper's ephemeral nodes). */
export interface BrokerWatch {
  /**
   * Calls the listener with all live brokers, at once when this node is the active controller and after each change, until
   * it resigns or the returned function is called.
   */
  watchBrokers(listener: (brokers: readonly LiveBroker[]) => void): () => void;
}
