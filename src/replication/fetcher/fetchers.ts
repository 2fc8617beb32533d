/** The fetchers of a broker: which partition is fetched by which, one or more (num.replica.fetchers) a leader broker. */
import type { BrokerId } from '../../base/units.ts';
import type { Partition } from '../partition.ts';
import { type FetcherDependencies, ReplicaFetcher } from './replica-fetcher.ts';

export interface FetchersDependencies extends FetcherDependencies {
  /** num.replica.fetchers */
  readonly fetchersPerLeader: () => number;
}

export class Fetchers {
  readonly #dependencies: FetchersDependencies;
  /** By leader and number. */
  readonly #fetchers = new Map<string, ReplicaFetcher>();
  readonly #assigned = new Map<Partition, ReplicaFetcher>();
  #stopped = false;

  constructor(dependencies: FetchersDependencies) {
    this.#dependencies = dependencies;
  }

  /** Fetches the partition from whoever leads it now; nothing where nobody does. */
  follow(partition: Partition): void {
    const { leader } = partition.state;
    if (this.#stopped || leader < 0) {
      this.unfollow(partition);
      return;
    }
    const fetcher = this.#fetcherFor(leader, partition);
    if (this.#assigned.get(partition) !== fetcher) this.unfollow(partition);
    this.#assigned.set(partition, fetcher);
    fetcher.assign(partition);
  }

  unfollow(partition: Partition): void {
    const fetcher = this.#assigned.get(partition);
    if (fetcher === undefined) return;
    this.#assigned.delete(partition);
    fetcher.drop(partition);
    if (!fetcher.isIdle) return;
    fetcher.stop();
    for (const [key, known] of this.#fetchers) if (known === fetcher) this.#fetchers.delete(key);
  }

  /** The number of fetchers changed: partitions are spread over them anew. */
  spread(): void {
    for (const partition of [...this.#assigned.keys()]) this.follow(partition);
  }

  stop(): void {
    this.#stopped = true;
    for (const fetcher of this.#fetchers.values()) fetcher.stop();
    this.#fetchers.clear();
    this.#assigned.clear();
  }

  #fetcherFor(leader: BrokerId, partition: Partition): ReplicaFetcher {
    const key = `${leader}/${numberOf(partition, this.#dependencies.fetchersPerLeader())}`;
    let fetcher = this.#fetchers.get(key);
    if (fetcher === undefined) {
      fetcher = new ReplicaFetcher(leader, this.#dependencies);
      this.#fetchers.set(key, fetcher);
    }
    return fetcher;
  }
}

/** Partitions of one topic go to different fetchers. */
function numberOf({ topic, partition }: Partition, count: number): number {
  let hash = partition;
  for (let index = 0; index < topic.length; index++) hash = (31 * hash + topic.charCodeAt(index)) >>> 0;
  return hash % Math.max(1, count);
}
