/** The consumer as programs use it: typed keys and values, bigint offsets. Everything else is `consumer/consumer.ts`. */
import type { LeaderEpoch, Offset, Timestamp, TopicPartition } from '../../base/units.ts';
import { codecName } from '../../records/compression/codecs.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { Cluster } from '../cluster.ts';
import { type CloseOptions, Consumer } from '../consumer/consumer.ts';
import type { ConsumerOptions } from '../consumer/consumer-options.ts';
import type { FetchedBatch } from '../consumer/fetched-batch.ts';
import { corruptBatch } from '../consumer/fetcher.ts';
import type { MakeRecord } from '../consumer/record-delivery.ts';
import { toOffset } from './offsets.ts';
import { type Deserializers, ReceivedRecord } from './received-record.ts';
import type { Deserializer } from './serializers.ts';

export interface ClientConsumerOptions<K, V> extends ConsumerOptions {
  readonly key: Deserializer<K>;
  readonly value: Deserializer<V>;
  /** Subscribed at once; `subscribe` takes patterns too. */
  readonly topics?: readonly string[];
}

/** An offset for a commit: of the next record to read. */
export interface CommitPoint extends TopicPartition {
  readonly offset: bigint;
  readonly leaderEpoch?: LeaderEpoch;
  /** The consumer's own note. */
  readonly metadata?: string;
}

/** A batch as it lies in the log. */
export class ReceivedBatch<K, V> implements Iterable<ReceivedRecord<K, V>> {
  readonly #batch: FetchedBatch;
  readonly #deserializers: Deserializers<K, V>;

  constructor(batch: FetchedBatch, deserializers: Deserializers<K, V>) {
    this.#batch = batch;
    this.#deserializers = deserializers;
  }

  get topic(): string {
    return this.#batch.topic;
  }

  get partition(): number {
    return this.#batch.partition;
  }

  get firstOffset(): bigint {
    return BigInt(this.#batch.baseOffset);
  }

  get lastOffset(): bigint {
    return BigInt(this.#batch.lastOffset);
  }

  /** End of what is readable in the partition, as the leader said with this batch. */
  get highWatermark(): bigint {
    return BigInt(this.#batch.highWatermark);
  }

  /** Records in the batch; some of them may lie before what was asked for and are not given. */
  get recordCount(): number {
    return this.#batch.recordCount;
  }

  /** Size on the wire. */
  get byteLength(): number {
    return this.#batch.byteLength;
  }

  get compression(): ReturnType<typeof codecName> {
    return codecName(this.#batch.codec);
  }

  /** Throws a PartitionError CORRUPT_RECORDS. */
  *[Symbol.iterator](): Generator<ReceivedRecord<K, V>, void, void> {
    try {
      const cursor = this.#batch.cursor();
      while (cursor.next()) {
        if (this.#batch.wants(cursor.offset)) yield new ReceivedRecord(this.#batch, cursor, this.#deserializers);
      }
    } catch (error) {
      throw error instanceof CorruptRecords ? corruptBatch(this.#batch, error) : error;
    }
  }
}

export class ClientConsumer<K, V> implements AsyncIterable<ReceivedRecord<K, V>>, AsyncDisposable {
  /** Called once when the consumer is closed. */
  onClosed: (() => void) | undefined;
  readonly #consumer: Consumer<ReceivedRecord<K, V>>;
  readonly #deserializers: Deserializers<K, V>;

  constructor(cluster: Cluster, { key, value, topics, ...options }: ClientConsumerOptions<K, V>) {
    this.#deserializers = { key, value };
    const make: MakeRecord<ReceivedRecord<K, V>> = (batch, cursor) => {
      return new ReceivedRecord(batch, cursor, this.#deserializers);
    };
    this.#consumer = new Consumer(cluster, options, make);
    if (topics !== undefined) this.#consumer.subscribe(topics);
  }

  /**
   * Reads these topics, or those whose whole name matches, as a member of the group; in place of what was subscribed
   * before. Throws NO_GROUP and MIXED_ASSIGNMENT.
   */
  subscribe(topics: string | readonly string[] | RegExp): void {
    this.#consumer.subscribe(topics);
  }

  /** Reads exactly these partitions, without a membership; in place of what was assigned before. */
  assign(partitions: readonly TopicPartition[]): void {
    this.#consumer.assign(partitions);
  }

  /** The partitions that are held now. */
  get assignment(): readonly TopicPartition[] {
    return this.#consumer.assignment;
  }

  /** The member's id in its group; empty before it has one. */
  get memberId(): string {
    return this.#consumer.memberId;
  }

  /**
   * Records one by one; those of one partition by offset. What the loop has moved past is processed. A loop that ended may be
   * taken up again: also after a PartitionError, which comes back unless the consumer seeks. Other errors are for good.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedRecord<K, V>> {
    return this.#consumer[Symbol.asyncIterator]();
  }

  /** Batches as they lie in the log; those of one partition by offset. Faster than records one by one. */
  batches(): AsyncIterableIterator<ReceivedBatch<K, V>> {
    const batches = this.#consumer.batches();
    const iterator: AsyncIterableIterator<ReceivedBatch<K, V>> = {
      next: async () => {
        const { done, value } = await batches.next();
        if (done === true) return { done: true, value: undefined };
        return { done: false, value: new ReceivedBatch(value, this.#deserializers) };
      },
      return: async () => {
        await batches.return?.();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Goes on from this offset. Throws NOT_ASSIGNED. */
  seek(place: TopicPartition, offset: bigint | Offset): void {
    this.#consumer.seek(place, toOffset(offset));
  }

  /** All that is held, where no partitions are given. */
  seekToBeginning(partitions?: readonly TopicPartition[]): Promise<void> {
    return this.#consumer.seekToBeginning(partitions);
  }

  seekToEnd(partitions?: readonly TopicPartition[]): Promise<void> {
    return this.#consumer.seekToEnd(partitions);
  }

  /** To the first record at or after a time; to the end where there is none. */
  seekToTimestamp(timestamp: Timestamp, partitions?: readonly TopicPartition[]): Promise<void> {
    return this.#consumer.seekToTimestamp(timestamp, partitions);
  }

  /** Nothing of these partitions is delivered until `resume`; what was fetched is kept. */
  pause(partitions?: readonly TopicPartition[]): void {
    this.#consumer.pause(partitions);
  }

  resume(partitions?: readonly TopicPartition[]): void {
    this.#consumer.resume(partitions);
  }

  get paused(): readonly TopicPartition[] {
    return this.#consumer.paused;
  }

  /** The offset of the next record that is delivered; undefined while that is not known. */
  position(place: TopicPartition): bigint | undefined {
    const offset = this.#consumer.position(place);
    return offset === undefined ? undefined : BigInt(offset);
  }

  /** How many offsets are behind the next one; undefined while nothing was heard of the end. */
  lag(place: TopicPartition): number | undefined {
    return this.#consumer.lag(place);
  }

  /**
   * Commits these offsets, or without any, all that was delivered so far: also the record or batch at hand, of which
   * whoever commits says that it is done. Rejects with the broker's refusal.
   */
  commit(points?: readonly CommitPoint[]): Promise<void> {
    return this.#consumer.commit(points?.map((each) => ({ ...each, offset: toOffset(each.offset) })));
  }

  /** What the group has committed; offset -1n where that is nothing. */
  async committed(partitions?: readonly TopicPartition[]): Promise<Required<CommitPoint>[]> {
    const found = await this.#consumer.committed(partitions);
    return found.map((each) => ({ ...each, offset: BigInt(each.offset) }));
  }

  /** Commits what was processed, gives up the partitions and leaves the group. A loop under way ends. */
  async close(options?: CloseOptions): Promise<void> {
    await this.#consumer.close(options);
    this.onClosed?.();
    this.onClosed = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
