/** Connections by broker id, made when first asked for, made anew when lost; never more than one a broker and purpose. */
import type { BrokerId } from '../base/units.ts';
import { type Endpoint, formatEndpoint } from './bootstrap.ts';
import { BrokerConnection } from './broker-connection.ts';
import type { ClientDependencies } from './dependencies.ts';
import { clientClosed } from './errors.ts';
import type { ConnectionOptions } from './options.ts';

export class ConnectionPool {
  readonly #options: ConnectionOptions;
  readonly #dependencies: ClientDependencies;
  readonly #connections = new Map<string, Promise<BrokerConnection>>();
  #closed = false;

  constructor(options: ConnectionOptions, dependencies: ClientDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /**
   * The connection to a broker. One `lane` is one connection: a fetch that waits for records must not hold up the
   * requests behind it, so long polls have a lane of their own.
   */
  async get(broker: BrokerId | 'bootstrap', endpoint: Endpoint, lane: string): Promise<BrokerConnection> {
    if (this.#closed) throw clientClosed();
    const key = `${broker}/${formatEndpoint(endpoint)}/${lane}`;
    const known = this.#connections.get(key);
    if (known !== undefined) {
      const connection = await known;
      if (connection.usable) return connection;
      if (this.#connections.get(key) === known) this.#connections.delete(key);
    }
    return this.#connections.get(key) ?? this.#open(key, endpoint);
  }

  #open(key: string, endpoint: Endpoint): Promise<BrokerConnection> {
    const opening = BrokerConnection.open(endpoint, this.#options, this.#dependencies);
    this.#connections.set(key, opening);
    return opening.then(
      (connection) => {
        if (!this.#closed) return connection;
        void connection.close();
        throw clientClosed();
      },
      (error: unknown) => {
        // The next caller tries again.
        if (this.#connections.get(key) === opening) this.#connections.delete(key);
        throw error;
      },
    );
  }

  /** Closes the connections of one lane; what waits for an answer on them fails. */
  async closeLane(lane: string): Promise<void> {
    const closing: Promise<void>[] = [];
    for (const [key, opening] of this.#connections) {
      if (!key.endsWith(`/${lane}`)) continue;
      this.#connections.delete(key);
      closing.push(opening.then((connection) => connection.close()));
    }
    await Promise.allSettled(closing);
  }

  /** Closes every connection; what waits for an answer on one of them fails. Resolves when the sockets are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    const openings = [...this.#connections.values()];
    this.#connections.clear();
    const closing = openings.map(async (opening) => (await opening).close());
    await Promise.allSettled(closing);
  }
}
