/** How this broker reaches the others: addresses from the metadata, connections for whoever asks. */
import type { Clock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import type { BrokerId } from '../base/units.ts';
import type { BrokerEndpoint, MetadataImage } from '../metadata/image.ts';
import { type Channel, connect } from '../network/channel.ts';
import type { Transport } from '../network/transport.ts';

export interface PeersOptions {
  readonly brokerId: BrokerId;
  readonly requestTimeoutMs: number;
  /** Name of the listener that brokers use among themselves. */
  readonly listener: string;
}

export interface PeersDependencies {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly image: () => MetadataImage;
}

/** A peer is on a network that answers in milliseconds or not at all. */
const CONNECT_TIMEOUT_MS = 2000;

export class Peers {
  readonly #options: PeersOptions;
  readonly #dependencies: PeersDependencies;

  constructor(options: PeersOptions, dependencies: PeersDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** A new connection to a broker, the caller's to close. Rejects as `connect` of network/, or with BROKER_NOT_AVAILABLE. */
  async connectTo(brokerId: BrokerId): Promise<Channel> {
    const endpoint = this.endpointOf(brokerId);
    if (endpoint === undefined) {
      throw new SluiceError('BROKER_NOT_AVAILABLE', `broker ${brokerId} is not known`, { retriable: true });
    }
    return this.connectAt(endpoint);
  }

  connectAt({ host, port }: { readonly host: string; readonly port: number }): Promise<Channel> {
    const { brokerId, requestTimeoutMs } = this.#options;
    const { clock, transport } = this.#dependencies;
    return connect(
      { host, port, clientId: `broker-${brokerId}`, requestTimeoutMs, connectTimeoutMs: CONNECT_TIMEOUT_MS },
      { clock, transport },
    );
  }

  endpointOf(brokerId: BrokerId): BrokerEndpoint | undefined {
    const endpoints = this.#dependencies.image().brokers.get(brokerId)?.endpoints;
    return endpoints?.find(({ name }) => name === this.#options.listener) ?? endpoints?.[0];
  }
}
