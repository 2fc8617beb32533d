/**
 * Sends records. `send` gives a promise a record; `write` gives none and is for many records: it returns false when the
 * buffer is full, `drained` waits for room, `flush` waits for all and tells of failures.
 */
import { SluiceError } from '../../base/errors.ts';
import type { Offset, Timestamp } from '../../base/units.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { BATCH_HEADER_BYTES } from '../../records/batch.ts';
import { mostRecordBytes, type NewHeader } from '../../records/builder.ts';
import type { Cluster } from '../cluster.ts';
import { clientClosed, refusedForGood } from '../errors.ts';
import type { TopicView } from '../metadata-cache.ts';
import { type ProducerOptions, type ResolvedProducerOptions, resolveProducerOptions } from './options.ts';
import { PartitionQueue } from './partition-queue.ts';
import { choosePartitioner, type Partitioner } from './partitioner.ts';
import type { BatchOutcome, PendingBatch } from './pending-batch.ts';
import { Sender } from './sender.ts';

/** A record to be sent. Text is sent as UTF-8. */
export interface ProducerRecord {
  readonly topic: string;
  /** Chosen by the partitioner where left out. */
  readonly partition?: number;
  readonly key?: Uint8Array | string | null;
  /** Null is a tombstone where the topic is compacted. */
  readonly value: Uint8Array | string | null;
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | string | null }[];
  /** Milliseconds since the epoch; now where left out. */
  readonly timestamp?: Timestamp;
}

/** Where a record is. */
export interface Receipt {
  readonly topic: string;
  readonly partition: number;
  /** -1 where the broker did not say: acks 0, or a repeated send that turned out to have come through. */
  readonly offset: Offset;
  readonly timestamp: Timestamp;
}

export interface ProducerTotals {
  readonly acknowledgedRecords: number;
  readonly failedRecords: number;
  readonly bufferedBytes: number;
}

type Accepted = {
  readonly batch: PendingBatch;
  readonly index: number;
  readonly partition: number;
  readonly timestamp: Timestamp;
};

interface EarlyRecord {
  readonly record: ProducerRecord;
  readonly bytes: number;
  readonly accepted: ((place: Accepted) => void) | undefined;
  readonly failed: ((error: SluiceError) => void) | undefined;
}

/** What is known of a topic that is sent to, and its queues by partition. */
interface Outlet {
  view: TopicView | undefined;
  /** Settles when the look-up under way is over and the early records are in their queues, or have failed. */
  loading: Promise<void> | undefined;
  readonly early: EarlyRecord[];
  readonly queues: PartitionQueue[];
}

/** `write` refuses outright once so many times the buffer is filled by a caller that does not wait. */
const MOST_OVERFILL = 4;

export class Producer implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #options: ResolvedProducerOptions;
  readonly #sender: Sender;
  readonly #partitioner: Partitioner;
  readonly #outlets = new Map<string, Outlet>();
  readonly #waitingForRoom: (() => void)[] = [];
  #bufferedBytes = 0;
  #acknowledgedRecords = 0;
  #failedRecords = 0;
  #firstUnwatchedFailure: SluiceError | undefined;
  #closed = false;

  /** The cluster is shared and stays open when the producer is closed. */
  constructor(cluster: Cluster, options: ProducerOptions = {}) {
    this.#cluster = cluster;
    this.#options = resolveProducerOptions(options);
    this.#partitioner = choosePartitioner(
      this.#options.partitioner,
      cluster.dependencies.random,
      this.#options.batchBytes,
    );
    this.#sender = new Sender(cluster, this.#options, (batch, outcome) => this.#onSettled(batch, outcome));
    this.#sender.onRenewed = () => {
      for (const { queues } of this.#outlets.values()) for (const queue of queues) queue?.restart();
    };
  }

  get totals(): ProducerTotals {
    return {
      acknowledgedRecords: this.#acknowledgedRecords,
      failedRecords: this.#failedRecords,
      bufferedBytes: this.#bufferedBytes,
    };
  }

  /**
   * Sends a record and resolves with its place once it is acknowledged. Waits for room in the buffer first. Rejects with
   * a SluiceError: DELIVERY_TIMED_OUT, RECORD_TOO_LARGE, or the broker's refusal.
   */
  async send(record: ProducerRecord): Promise<Receipt> {
    if (this.#bufferedBytes >= this.#options.bufferBytes || this.#waitingForRoom.length > 0) await this.#room();
    const bytes = this.#admit(record);
    const { batch, index, partition, timestamp } = await this.#accept(record, bytes);
    const outcome = await batch.settled();
    if (!outcome.ok) throw outcome.error;
    const offset = outcome.baseOffset < 0 ? -1 : outcome.baseOffset + index;
    const stamped = outcome.appendTimestamp < 0 ? timestamp : outcome.appendTimestamp;
    return { topic: record.topic, partition, offset, timestamp: stamped };
  }

  /**
   * Hands a record in without a promise of its own. False means that the buffer is full: `await drained()` before the
   * next one. Whether it arrived is told by `flush`. Throws RECORD_TOO_LARGE and BUFFER_FULL.
   */
  write(record: ProducerRecord): boolean {
    const bytes = this.#admit(record);
    const outlet = this.#outlet(record.topic);
    if (outlet.view === undefined) outlet.early.push({ record, bytes, accepted: undefined, failed: undefined });
    else this.#append(outlet, outlet.view, record, bytes).batch.unwatched++;
    return this.#bufferedBytes < this.#options.bufferBytes;
  }

  /** Resolves as soon as there is room in the buffer. */
  drained(): Promise<void> {
    return this.#bufferedBytes < this.#options.bufferBytes ? Promise.resolve() : this.#room();
  }

  /**
   * Sends what is waiting without lingering and resolves when every record handed in so far is acknowledged or has
   * failed. Rejects with the first failure of a written record since the last flush.
   */
  async flush(): Promise<void> {
    this.#sender.flushing++;
    try {
      for (const { loading } of this.#outlets.values()) await loading;
      const pending = this.#sender.pending().map((batch) => batch.settled());
      this.#sender.poke();
      await Promise.all(pending);
    } finally {
      this.#sender.flushing--;
    }
    const failure = this.#firstUnwatchedFailure;
    this.#firstUnwatchedFailure = undefined;
    if (failure !== undefined) throw failure;
  }

  /** Flushes and takes no more records. Rejects as `flush` does, closed all the same. */
  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.flush();
    } finally {
      this.#closed = true;
      this.#sender.failAll(clientClosed());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Checks that a record may come in and charges the buffer for it. */
  #admit(record: ProducerRecord): number {
    if (this.#closed || this.#cluster.closing.aborted) throw clientClosed();
    const bytes = recordBytes(record);
    if (bytes + BATCH_HEADER_BYTES > this.#options.maxRequestBytes) {
      const message = `a record of ${bytes} bytes does not fit a request of ${this.#options.maxRequestBytes}`;
      throw new SluiceError('RECORD_TOO_LARGE', message, { remedy: 'Send smaller records, or raise maxRequestBytes.' });
    }
    if (this.#bufferedBytes > this.#options.bufferBytes * MOST_OVERFILL) {
      const message = `${this.#bufferedBytes} bytes wait to be acknowledged`;
      throw new SluiceError('BUFFER_FULL', message, {
        retriable: true,
        remedy: 'Await drained() when write() returns false.',
      });
    }
    this.#bufferedBytes += bytes;
    return bytes;
  }

  #accept(record: ProducerRecord, bytes: number): Accepted | Promise<Accepted> {
    const outlet = this.#outlet(record.topic);
    if (outlet.view !== undefined) return this.#append(outlet, outlet.view, record, bytes);
    return new Promise((accepted, failed) => {
      outlet.early.push({ record, bytes, accepted, failed });
    });
  }

  #append(outlet: Outlet, view: TopicView, record: ProducerRecord, bytes: number): Accepted {
    const key = toBytes(record.key ?? null);
    const value = toBytes(record.value);
    // A newer view may have more partitions; where there is none the old one still tells how many there were.
    const topic = this.#cluster.knownTopic(record.topic) ?? view;
    outlet.view = topic;
    const partition = record.partition ?? this.#partitioner(topic, key, value);
    if (topic.partitions[partition] === undefined) {
      this.#release(bytes);
      throw refusedForGood(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${record.topic}-${partition}`);
    }
    outlet.queues[partition] ??= new PartitionQueue(record.topic, partition, this.#options);
    const queue = outlet.queues[partition];
    const { clock } = this.#cluster.dependencies;
    const timestamp = record.timestamp ?? clock.wallMs();
    const wasWaiting = queue.waiting.length;
    const batch = queue.openBatch(bytes, clock.monotonicMs());
    const index = batch.append(
      timestamp,
      key,
      value,
      record.headers === undefined ? undefined : toHeaders(record.headers),
    );
    batch.chargedBytes += bytes;
    // Only what changes when something may be sent wakes the sender: a first batch, a batch that got full.
    if (queue.waiting.length !== wasWaiting || batch.bytes >= this.#options.batchBytes) this.#sender.enqueue(queue);
    return { batch, index, partition, timestamp };
  }

  #outlet(topic: string): Outlet {
    let outlet = this.#outlets.get(topic);
    if (outlet === undefined) {
      outlet = { view: undefined, loading: undefined, early: [], queues: [] };
      this.#outlets.set(topic, outlet);
    }
    if (outlet.view === undefined) outlet.loading ??= this.#load(topic, outlet);
    return outlet;
  }

  /** Looks the topic up and then lets the records in that came before it was known, in their order. */
  async #load(topic: string, outlet: Outlet): Promise<void> {
    try {
      const view = await this.#cluster.topic(topic, { create: this.#options.createTopics });
      outlet.view = view;
      for (const early of outlet.early.splice(0)) this.#acceptEarly(outlet, view, early);
    } catch (error) {
      for (const early of outlet.early.splice(0)) {
        this.#release(early.bytes);
        this.#failEarly(early, error as SluiceError);
      }
    } finally {
      outlet.loading = undefined;
    }
  }

  #acceptEarly(outlet: Outlet, view: TopicView, early: EarlyRecord): void {
    const { record, bytes, accepted } = early;
    try {
      const place = this.#append(outlet, view, record, bytes);
      if (accepted === undefined) place.batch.unwatched++;
      else accepted(place);
    } catch (error) {
      this.#failEarly(early, error as SluiceError);
    }
  }

  #failEarly({ failed }: EarlyRecord, error: SluiceError): void {
    this.#failedRecords++;
    if (failed === undefined) this.#firstUnwatchedFailure ??= error;
    else failed(error);
  }

  #room(): Promise<void> {
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  #onSettled(batch: PendingBatch, outcome: BatchOutcome): void {
    if (outcome.ok) {
      this.#acknowledgedRecords += batch.count;
    } else {
      this.#failedRecords += batch.count;
      if (batch.unwatched > 0) this.#firstUnwatchedFailure ??= outcome.error;
    }
    this.#release(batch.chargedBytes);
  }

  #release(bytes: number): void {
    this.#bufferedBytes -= bytes;
    if (this.#bufferedBytes >= this.#options.bufferBytes) return;
    for (const resolve of this.#waitingForRoom.splice(0)) resolve();
  }
}

function toBytes(content: Uint8Array | string | null): Uint8Array | null {
  return typeof content === 'string' ? Buffer.from(content) : content;
}

function toHeaders(headers: NonNullable<ProducerRecord['headers']>): NewHeader[] {
  return headers.map(({ key, value }) => ({ key, value: toBytes(value) }));
}

/** Upper bound of a record's size in a batch. */
function recordBytes({ key, value, headers }: ProducerRecord): number {
  let bytes = mostRecordBytes({ key: null, value: null }) + contentBytes(key ?? null) + contentBytes(value);
  for (const header of headers ?? []) bytes += 10 + Buffer.byteLength(header.key) + contentBytes(header.value);
  return bytes;
}

function contentBytes(content: Uint8Array | string | null): number {
  if (content === null) return 0;
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length;
}
