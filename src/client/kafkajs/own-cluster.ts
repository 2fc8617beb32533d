import type { Cluster } from '../cluster.ts';
import { asKafkaJS } from './kafkajs-errors.ts';

/** The connections of one producer, consumer or admin: made when first needed, closed by `disconnect`, made anew after. */
export class OwnCluster {
  readonly #make: () => Cluster;
  #cluster: Cluster | undefined;

  constructor(make: () => Cluster) {
    this.#make = make;
  }

  get current(): Cluster {
    this.#cluster ??= this.#make();
    return this.#cluster;
  }

  /** Resolves when a broker has answered. */
  async connect(): Promise<void> {
    const { current } = this;
    await asKafkaJS(current.retrying(undefined, () => current.connection('any')));
  }

  async close(): Promise<void> {
    const cluster = this.#cluster;
    this.#cluster = undefined;
    await cluster?.close();
  }
}
