/** The producer as programs use it: typed keys and values, bigint offsets. Everything else is `producer/producer.ts`. */
import type { SluiceError } from '../../base/errors.ts';
import type { Timestamp } from '../../base/units.ts';
import { unlessAborted } from '../abort.ts';
import type { Cluster } from '../cluster.ts';
import type { ProducerOptions } from '../producer/options.ts';
import { type Receipt as InnerReceipt, Producer, type ProducerMetrics } from '../producer/producer.ts';
import { type Serializer, serialized } from './serializers.ts';

export interface ClientProducerOptions<K, V> extends ProducerOptions {
  readonly key: Serializer<K>;
  readonly value: Serializer<V>;
}

/** A record to be sent. */
export interface OutgoingRecord<K, V> {
  readonly topic: string;
  /** Chosen by the partitioner where left out. */
  readonly partition?: number;
  readonly key?: K | null;
  /** Null is a tombstone where the topic is compacted. */
  readonly value: V | null;
  /** A list where a name comes more than once. */
  readonly headers?:
    | Readonly<Record<string, Uint8Array | string | null>>
    | readonly { readonly key: string; readonly value: Uint8Array | string | null }[];
  /** Milliseconds since the epoch; now where left out. */
  readonly timestamp?: Timestamp | Date;
}

/** Where a record is. */
export interface Receipt {
  readonly topic: string;
  readonly partition: number;
  /** -1n where the broker did not say: acks 0, or a repeated send that turned out to have come through. */
  readonly offset: bigint;
  /** The broker's where the topic has its own time. */
  readonly timestamp: Timestamp;
}

/** Told once what became of a record: a failure, or its place. */
export type DeliveryCallback = (error: SluiceError | undefined, receipt: Receipt | undefined) => void;

type InnerRecord = Parameters<Producer['write']>[0];

export class ClientProducer<K, V> implements AsyncDisposable {
  /** Called once when the producer is closed. */
  onClosed: (() => void) | undefined;
  readonly #producer: Producer;
  readonly #key: Serializer<K>;
  readonly #value: Serializer<V>;

  constructor(cluster: Cluster, { key, value, ...options }: ClientProducerOptions<K, V>) {
    this.#producer = new Producer(cluster, options);
    this.#key = key;
    this.#value = value;
  }

  /**
   * Sends a record and resolves with its place once it is acknowledged. Waits for room in the buffer first. Rejects with
   * SERIALIZATION_FAILED, RECORD_TOO_LARGE, BUFFER_FULL, DELIVERY_TIMED_OUT, or the broker's refusal. An abort ends waiting,
   * with ABORTED; a record that has come in by then stays on its way.
   */
  send(record: OutgoingRecord<K, V>, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Receipt> {
    const sent = new Promise<Receipt>((resolve, reject) => {
      const told = (error: SluiceError | undefined, receipt: InnerReceipt | undefined): void => {
        if (receipt === undefined) reject(error);
        else resolve(outward(receipt));
      };
      this.#producer.deliver(this.#inner(record), told, signal);
    });
    return signal === undefined ? sent : unlessAborted(sent, [signal]);
  }

  /**
   * Sends records and resolves with their places, in their order, once all are acknowledged; those for one partition
   * keep their order. Rejects with the first failure once the fate of all is known.
   */
  async sendAll(
    records: Iterable<OutgoingRecord<K, V>>,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Receipt[]> {
    // Before any is on its way: content that cannot be sent harms no other record.
    const inner = Array.from(records, (record) => this.#inner(record));
    const sent = new Promise<Receipt[]>((resolve, reject) => {
      const receipts: Receipt[] = new Array(inner.length);
      let left = inner.length;
      let failure: SluiceError | undefined;
      const settle = (): void => (failure === undefined ? resolve(receipts) : reject(failure));
      if (left === 0) settle();
      for (const [index, record] of inner.entries()) {
        const told = (error: SluiceError | undefined, receipt: InnerReceipt | undefined): void => {
          if (receipt === undefined) failure ??= error;
          else receipts[index] = outward(receipt);
          if (--left === 0) settle();
        };
        this.#producer.deliver(record, told, signal);
      }
    });
    return signal === undefined ? sent : unlessAborted(sent, [signal]);
  }

  /**
   * Hands a record in at once, without a promise. False means that the buffer is full: `await drained()` before the next
   * one. Whether it arrived is told to `callback`, or without one by `flush`. Throws SERIALIZATION_FAILED, RECORD_TOO_LARGE,
   * BUFFER_FULL, PARTITIONER_FAILED, and UNKNOWN_TOPIC_OR_PARTITION for a partition that is not there.
   */
  write(record: OutgoingRecord<K, V>, callback?: DeliveryCallback): boolean {
    if (callback === undefined) return this.#producer.write(this.#inner(record));
    return this.#producer.write(this.#inner(record), (error, receipt) =>
      callback(error, receipt === undefined ? undefined : outward(receipt)),
    );
  }

  /** Resolves as soon as there is room in the buffer. Rejects with BUFFER_FULL or CLIENT_CLOSED. */
  drained(): Promise<void> {
    return this.#producer.drained();
  }

  /**
   * Sends what is waiting without lingering and resolves when every record handed in so far is acknowledged or has
   * failed. Rejects with the first failure of a written record without a callback since the last flush.
   */
  flush(): Promise<void> {
    return this.#producer.flush();
  }

  get metrics(): ProducerMetrics {
    return this.#producer.metrics;
  }

  /** Flushes and takes no more records. Rejects as `flush` does, closed all the same. */
  async close(): Promise<void> {
    try {
      await this.#producer.close();
    } finally {
      this.onClosed?.();
      this.onClosed = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #inner(record: OutgoingRecord<K, V>): InnerRecord {
    const { topic, partition, headers, timestamp } = record;
    return {
      topic,
      partition,
      key: serialized(this.#key, record.key, topic, 'key'),
      value: serialized(this.#value, record.value, topic, 'value'),
      headers: headers === undefined ? undefined : headerList(headers),
      timestamp: timestamp instanceof Date ? timestamp.getTime() : timestamp,
    };
  }
}

function headerList(headers: NonNullable<OutgoingRecord<unknown, unknown>['headers']>): InnerRecord['headers'] {
  if (Array.isArray(headers)) return headers;
  return Object.entries(headers).map(([key, value]) => ({ key, value }));
}

function outward({ topic, partition, offset, timestamp }: InnerReceipt): Receipt {
  return { topic, partition, offset: BigInt(offset), timestamp };
}
