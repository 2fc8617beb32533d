/**
 * The entry: one client a program and cluster. Nothing is connected before it is needed; producers, consumers and admin
 * share what is known of the cluster. Closing the client closes what it made.
 */
import { Cluster } from '../cluster.ts';
import type { ConsumerOptions } from '../consumer/consumer-options.ts';
import type { ClusterOptions } from '../options.ts';
import type { ProducerOptions } from '../producer/options.ts';
import { ClientAdmin } from './client-admin.ts';
import { ClientConsumer, type ClientConsumerOptions } from './client-consumer.ts';
import { ClientProducer, type ClientProducerOptions } from './client-producer.ts';
import { asIs, buffer, type Content } from './serializers.ts';

export interface ClientOptions extends Omit<ClusterOptions, 'bootstrapServers'> {
  /** `host:port`, several with commas between or as a list; any broker that answers leads to the others. */
  readonly brokers: string | readonly string[];
}

export class Client implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #parts = new Set<AsyncDisposable>();

  /** Connects to nothing yet. Throws a SluiceError INVALID_BOOTSTRAP_SERVERS or INVALID_OPTION. */
  constructor(clientOptions: ClientOptions) {
    // Where there is no compiler, there may be no options.
    const { brokers, ...options } = clientOptions ?? {};
    this.#cluster = new Cluster({ ...options, bootstrapServers: brokers });
  }

  /** Throws a SluiceError INVALID_OPTION. */
  producer<K, V>(options: ClientProducerOptions<K, V>): ClientProducer<K, V>;
  producer(options?: ProducerOptions): ClientProducer<Content, Content>;
  producer<K, V>(options: Partial<ClientProducerOptions<K, V>> = {}): ClientProducer<K, V> {
    // Without serializers K and V are `Content`, as the second signature says.
    const serializers = {
      key: options.key ?? (asIs as ClientProducerOptions<K, V>['key']),
      value: options.value ?? (asIs as ClientProducerOptions<K, V>['value']),
    };
    return this.#keep(new ClientProducer(this.#cluster, { ...options, ...serializers }));
  }

  /** Throws a SluiceError INVALID_OPTION. */
  consumer<K, V>(options: ClientConsumerOptions<K, V>): ClientConsumer<K, V>;
  consumer(options?: ConsumerOptions & { readonly topics?: readonly string[] }): ClientConsumer<Buffer, Buffer>;
  consumer<K, V>(options: Partial<ClientConsumerOptions<K, V>> = {}): ClientConsumer<K, V> {
    const deserializers = {
      key: options.key ?? (buffer as unknown as ClientConsumerOptions<K, V>['key']),
      value: options.value ?? (buffer as unknown as ClientConsumerOptions<K, V>['value']),
    };
    return this.#keep(new ClientConsumer(this.#cluster, { ...options, ...deserializers }));
  }

  admin(): ClientAdmin {
    return new ClientAdmin(this.#cluster);
  }

  /** Closes producers (having sent what they have), consumers (having committed) and all connections. */
  async close(): Promise<void> {
    try {
      const closing = [...this.#parts].map((part) => part[Symbol.asyncDispose]());
      const failed = (await Promise.allSettled(closing)).find((each) => each.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    } finally {
      await this.#cluster.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #keep<T extends AsyncDisposable & { onClosed: (() => void) | undefined }>(part: T): T {
    this.#parts.add(part);
    part.onClosed = () => this.#parts.delete(part);
    return part;
  }
}
