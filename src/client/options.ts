/** How a client reaches a cluster: options with their defaults, which are Kafka's where Kafka has the same option. */
import type { ChannelOptions } from '../network/channel.ts';
import { type Endpoint, parseBootstrapServers } from './bootstrap.ts';
import { checkOptions } from './checked-options.ts';
import type { Backoff } from './retry.ts';

/** What every connection of a client has in common. */
export type ConnectionOptions = Pick<ChannelOptions, 'clientId' | 'connectTimeoutMs' | 'requestTimeoutMs' | 'tls'>;

export interface ClusterOptions {
  /** `host:port`, several with commas between or as a list; any broker that answers leads to the others. */
  readonly bootstrapServers: string | readonly string[];
  /** Name of this client in the broker's logs and quotas. */
  readonly clientId?: string;
  /** How long a connection may take to be made. */
  readonly connectTimeoutMs?: number;
  /** How long one request may stay unanswered. */
  readonly requestTimeoutMs?: number;
  /** How long an operation may take with all its attempts. */
  readonly operationTimeoutMs?: number;
  /** What is known of a topic is asked again after this time at the latest. */
  readonly metadataMaxAgeMs?: number;
  readonly retryBackoffMs?: number;
  readonly retryBackoffMaxMs?: number;
  /** Speak TLS, with Node's options (certificate authorities, own certificate). */
  readonly tls?: ChannelOptions['tls'];
}

export interface ResolvedOptions {
  readonly bootstrap: readonly Endpoint[];
  readonly connection: ConnectionOptions;
  readonly operationTimeoutMs: number;
  readonly metadataMaxAgeMs: number;
  readonly backoff: Backoff;
}

const LEAST = {
  ...{ connectTimeoutMs: 1, requestTimeoutMs: 1, operationTimeoutMs: 1 },
  ...{ metadataMaxAgeMs: 0, retryBackoffMs: 0, retryBackoffMaxMs: 0 },
};

/** Throws a SluiceError INVALID_OPTION or INVALID_BOOTSTRAP_SERVERS. */
export function resolveClusterOptions(options: ClusterOptions): ResolvedOptions {
  checkOptions(options, { atLeast: LEAST });
  return {
    bootstrap: parseBootstrapServers(options.bootstrapServers),
    connection: {
      clientId: options.clientId ?? 'sluice',
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      tls: options.tls,
    },
    operationTimeoutMs: options.operationTimeoutMs ?? 60_000,
    metadataMaxAgeMs: options.metadataMaxAgeMs ?? 300_000,
    backoff: { firstMs: options.retryBackoffMs ?? 100, mostMs: options.retryBackoffMaxMs ?? 1000 },
  };
}
