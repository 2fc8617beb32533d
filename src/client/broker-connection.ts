/** One connection to one broker, with the versions that were agreed on it. */
import { SluiceError } from '../base/errors.ts';
import type { Channel } from '../network/channel.ts';
import type { Api, DecodedFields, EncodableFields, Fields } from '../protocol/schema.ts';
import { askVersions, type BrokerVersions, HANDSHAKE_VERSIONS } from './api-versions.ts';
import type { Endpoint } from './bootstrap.ts';
import type { ClientDependencies } from './dependencies.ts';
import type { ConnectionOptions } from './options.ts';
import { notABroker } from './unreachable.ts';

export interface RequestOptions {
  readonly timeoutMs?: number;
  /** Caps the version where a later one needs what the caller does not have (a topic id). */
  readonly atMostVersion?: number;
}

export class BrokerConnection {
  readonly endpoint: Endpoint;
  readonly versions: BrokerVersions;
  readonly #channel: Channel;

  private constructor(endpoint: Endpoint, channel: Channel, versions: BrokerVersions) {
    this.endpoint = endpoint;
    this.#channel = channel;
    this.versions = versions;
  }

  /** Connects and agrees on versions. Rejects with BROKER_UNREACHABLE, or why the two cannot talk. */
  static async open(
    endpoint: Endpoint,
    options: ConnectionOptions,
    { connect }: Pick<ClientDependencies, 'connect'>,
  ): Promise<BrokerConnection> {
    let failure: unknown;
    // A broker that does not know the version of the question answers in another one's layout, or hangs up: either
    // way this connection is spent, and the plainer question needs a new one.
    for (const version of HANDSHAKE_VERSIONS) {
      const channel = await connect({ ...options, host: endpoint.host, port: endpoint.port });
      try {
        return new BrokerConnection(endpoint, channel, await askVersions(channel, version));
      } catch (error) {
        void channel.close();
        failure ??= error;
        if (error instanceof SluiceError && error.code === 'REQUEST_TIMED_OUT') break;
      }
    }
    if (!(failure instanceof SluiceError) || failure.code !== 'MALFORMED_RESPONSE') throw failure;
    throw notABroker(endpoint, failure);
  }

  get usable(): boolean {
    return this.#channel.open;
  }

  /** Bytes of requests that have not left yet. */
  get queuedBytes(): number {
    return this.#channel.queuedBytes;
  }

  /**
   * Sends a request in the highest common version and resolves with the answer. Rejects as `Channel.request` does, and
   * with UNSUPPORTED_VERSION; only after that and after CHANNEL_CLOSED is it certain that the broker did nothing.
   */
  request<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    body: EncodableFields<Req>,
    options: RequestOptions = {},
  ): Promise<DecodedFields<Res>> {
    let version: number;
    try {
      version = this.versions.choose(api, options.atMostVersion);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#channel.request(api, version, body, options);
  }

  /** Sends a request that is never answered. */
  send<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    body: EncodableFields<Req>,
    options: RequestOptions = {},
  ): void {
    this.#channel.send(api, this.versions.choose(api, options.atMostVersion), body);
  }

  close(): Promise<void> {
    return this.#channel.close();
  }
}
