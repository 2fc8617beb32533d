/**
 * The shards of one coordinator on this broker: one for each partition of its topic that this broker leads. Follows what
 * the controller decides (`lead`, `resign`); never decides who leads.
 */
import type { Partition } from '../../replication/partition.ts';
import { Shard, type ShardDependencies, type ShardOptions } from './shard.ts';
import type { RecordFormat, ShardState, ShardTimers } from './shard-state.ts';

export interface RuntimeOptions<State extends ShardState<Rec>, Rec> extends Omit<ShardOptions, 'partition'> {
  readonly format: RecordFormat<Rec>;
  readonly createState: (timers: ShardTimers<Rec>) => State;
}

export class CoordinatorRuntime<State extends ShardState<Rec>, Rec> {
  readonly #options: RuntimeOptions<State, Rec>;
  readonly #dependencies: ShardDependencies;
  readonly #shards = new Map<number, Shard<State, Rec>>();
  #closed = false;

  constructor(options: RuntimeOptions<State, Rec>, dependencies: ShardDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** This broker leads the partition: its log is loaded, unless that happened already. */
  lead(partition: Partition): Promise<void> {
    const known = this.#shards.get(partition.partition);
    if (this.#closed || (known !== undefined && known.partition === partition && known.phase !== 'closed')) {
      return Promise.resolve();
    }
    known?.close();
    const { format, createState, ...options } = this.#options;
    const shard = new Shard({ ...options, partition }, format, createState, this.#dependencies);
    this.#shards.set(partition.partition, shard);
    return shard.load();
  }

  /** Another broker leads the partition, or it is gone. */
  resign(partition: number): void {
    this.#shards.get(partition)?.close();
    this.#shards.delete(partition);
  }

  /** The shard of a partition that this broker leads. */
  shard(partition: number): Shard<State, Rec> | undefined {
    return this.#shards.get(partition);
  }

  /** Numbers of the partitions that have a shard here. */
  partitions(): number[] {
    return [...this.#shards.keys()];
  }

  shards(): Iterable<Shard<State, Rec>> {
    return this.#shards.values();
  }

  close(): void {
    this.#closed = true;
    for (const shard of this.#shards.values()) shard.close();
    this.#shards.clear();
  }
}
