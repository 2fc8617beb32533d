/**
 * Sends records. `send` gives a promise a record; `write` gives none and is for many records: it returns false when the
 * buffer is full, `drained` waits for room, `flush` waits for all and tells of failures.
 */
import { SluiceError } from '../../base/errors.ts';
import type { Offset, Timestamp } from '../../base/units.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { BATCH_HEADER_BYTES } from '../../records/batch.ts';
import type { NewHeader } from '../../records/builder.ts';
import { unlessAborted } from '../abort.ts';
import type { Cluster } from '../cluster.ts';
import { aborted, clientClosed, refusedForGood } from '../errors.ts';
import type { TopicView } from '../metadata-cache.ts';
import { type ProducerOptions, type ResolvedProducerOptions, resolveProducerOptions } from './options.ts';
import { PartitionQueue } from './partition-queue.ts';
import { choosePartitioner, type Partitioner } from './partitioner.ts';
import type { BatchOutcome, PendingBatch } from './pending-batch.ts';
import { recordBytes } from './record-size.ts';
import { bufferFull, type RoomListener, SendBuffer } from './send-buffer.ts';
import { Sender, type SenderCounters } from './sender.ts';

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

/** What a producer has done so far, and how full it is. */
export interface ProducerMetrics extends ProducerTotals, Readonly<SenderCounters> {
  /** Calls of `send` that wait for room in the buffer. */
  readonly waitingForRoom: number;
}

/** Told once what became of a record: a failure, or its place. */
export type DeliveryCallback = (error: SluiceError | undefined, receipt: Receipt | undefined) => void;

interface EarlyRecord {
  readonly record: ProducerRecord;
  readonly bytes: number;
  readonly callback: DeliveryCallback | undefined;
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
  readonly #buffer: SendBuffer;
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
    const { bufferBytes: limitBytes, maxBlockMs: waitMs } = this.#options;
    this.#buffer = new SendBuffer(cluster.dependencies.clock, { limitBytes, waitMs });
    this.#sender = new Sender(cluster, this.#options, (batch, outcome) => this.#onSettled(batch, outcome));
    this.#sender.isShortOfRoom = () => this.#buffer.waiting > 0;
    this.#sender.onRenewed = () => {
      for (const { queues } of this.#outlets.values()) for (const queue of queues) queue?.restart();
    };
  }

  get totals(): ProducerTotals {
    return {
      acknowledgedRecords: this.#acknowledgedRecords,
      failedRecords: this.#failedRecords,
      bufferedBytes: this.#buffer.bytes,
    };
  }

  get metrics(): ProducerMetrics {
    return { ...this.totals, ...this.#sender.counters, waitingForRoom: this.#buffer.waiting };
  }

  /**
   * Sends a record and resolves with its place once it is acknowledged. Waits for room in the buffer first. Rejects with
   * a SluiceError: DELIVERY_TIMED_OUT, RECORD_TOO_LARGE, BUFFER_FULL, or the broker's refusal. An abort ends waiting, with
   * ABORTED; a record that has come in by then stays on its way.
   */
  send(record: ProducerRecord, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Receipt> {
    const sent = new Promise<Receipt>((resolve, reject) => {
      this.deliver(
        record,
        (error, receipt) => {
          if (receipt === undefined) reject(error);
          else resolve(receipt);
        },
        signal,
      );
    });
    return signal === undefined ? sent : unlessAborted(sent, [signal]);
  }

  /** As `send`, with a callback instead of a promise. */
  deliver(record: ProducerRecord, callback: DeliveryCallback, signal?: AbortSignal): void {
    if (this.#buffer.hasRoom) this.#handIn(record, callback, signal);
    else
      this.#waitForRoom((failure) => {
        if (failure === undefined || signal?.aborted === true) this.#handIn(record, callback, signal);
        else callback(failure, undefined);
      });
  }

  #handIn(record: ProducerRecord, callback: DeliveryCallback, signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) {
      callback(aborted(signal), undefined);
      return;
    }
    try {
      this.write(record, callback);
    } catch (error) {
      callback(asSluiceError(error), undefined);
    }
  }

  /**
   * Hands a record in without a promise of its own. False means that the buffer is full: `await drained()` before the
   * next one. Whether it arrived is told to `callback`, or without one by `flush`. Throws RECORD_TOO_LARGE, BUFFER_FULL,
   * PARTITIONER_FAILED, and UNKNOWN_TOPIC_OR_PARTITION for a partition that is not there.
   */
  write(record: ProducerRecord, callback?: DeliveryCallback): boolean {
    const bytes = this.#admit(record);
    const outlet = this.#outlet(record.topic);
    if (outlet.view === undefined) outlet.early.push({ record, bytes, callback });
    else this.#append(outlet, outlet.view, { record, bytes, callback });
    return this.#buffer.hasRoom;
  }

  /** Resolves as soon as there is room in the buffer. Rejects with BUFFER_FULL or CLIENT_CLOSED. */
  drained(): Promise<void> {
    if (this.#buffer.hasRoom) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waitForRoom((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  #waitForRoom(listener: RoomListener): void {
    this.#buffer.whenRoom(listener);
    // There is room once something is acknowledged, which may linger as yet.
    if (this.#buffer.waiting === 1) this.#sender.poke();
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
      this.#buffer.failAll(clientClosed());
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
    if (this.#buffer.bytes > this.#options.bufferBytes * MOST_OVERFILL) {
      throw bufferFull(`${this.#buffer.bytes} bytes wait to be acknowledged`);
    }
    this.#buffer.bytes += bytes;
    return bytes;
  }

  #append(outlet: Outlet, view: TopicView, { record, bytes, callback }: EarlyRecord): void {
    const key = toBytes(record.key ?? null);
    const value = toBytes(record.value);
    // A newer view may have more partitions; where there is none the old one still tells how many there were.
    const topic = this.#cluster.lastKnownTopic(record.topic) ?? view;
    outlet.view = topic;
    const partition = this.#choose(topic, { record, bytes, key, value });
    outlet.queues[partition] ??= new PartitionQueue(record.topic, partition, this.#options);
    const queue = outlet.queues[partition];
    const { clock } = this.#cluster.dependencies;
    const timestamp = record.timestamp ?? clock.wallMs();
    const wasWaiting = queue.waiting.length;
    const batch = queue.openBatch(bytes) ?? queue.newBatch(bytes, clock.monotonicMs());
    const place = batch.append(
      timestamp,
      key,
      value,
      record.headers === undefined ? undefined : toHeaders(record.headers),
    );
    batch.chargedBytes += bytes;
    if (callback === undefined) batch.unwatched++;
    else
      batch.listen(place, (outcome, index) =>
        settle(callback, outcome, { topic: record.topic, partition, index, timestamp }),
      );
    // Only what changes when something may be sent wakes the sender: a first batch, a batch that got full.
    if (queue.waiting.length !== wasWaiting || batch.bytes >= queue.batchBytes) this.#sender.enqueue(queue);
  }

  /** The record's partition. Throws, and gives its memory back, where there is no such partition. */
  #choose(
    topic: TopicView,
    {
      record,
      bytes,
      key,
      value,
    }: { record: ProducerRecord; bytes: number; key: Uint8Array | null; value: Uint8Array | null },
  ): number {
    let failure: SluiceError;
    try {
      const partition = record.partition ?? this.#partitioner(topic, key, value);
      if (topic.partitions[partition] !== undefined) return partition;
      failure = refusedForGood(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${record.topic}-${partition}`);
    } catch (cause) {
      const remedy = 'Look at the cause.';
      failure = new SluiceError('PARTITIONER_FAILED', `no partition for a record of ${topic.name}`, { cause, remedy });
    }
    this.#buffer.release(bytes);
    throw failure;
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
        this.#buffer.release(early.bytes);
        this.#failEarly(early, asSluiceError(error));
      }
    } finally {
      outlet.loading = undefined;
    }
  }

  #acceptEarly(outlet: Outlet, view: TopicView, early: EarlyRecord): void {
    try {
      this.#append(outlet, view, early);
    } catch (error) {
      this.#failEarly(early, asSluiceError(error));
    }
  }

  #failEarly({ callback }: EarlyRecord, error: SluiceError): void {
    this.#failedRecords++;
    if (callback === undefined) this.#firstUnwatchedFailure ??= error;
    else call(callback, error, undefined);
  }

  #onSettled(batch: PendingBatch, outcome: BatchOutcome): void {
    if (outcome.ok) {
      this.#acknowledgedRecords += batch.count;
    } else {
      this.#failedRecords += batch.count;
      if (batch.unwatched > 0) this.#firstUnwatchedFailure ??= outcome.error;
    }
    this.#buffer.release(batch.chargedBytes);
  }
}

/** What fails in the user's own callback is none of the sender's business: it is thrown where nobody else suffers. */
function call(callback: DeliveryCallback, error: SluiceError | undefined, receipt: Receipt | undefined): void {
  try {
    callback(error, receipt);
  } catch (failure) {
    queueMicrotask(() => {
      throw failure;
    });
  }
}

interface PlaceInBatch {
  readonly topic: string;
  readonly partition: number;
  readonly index: number;
  readonly timestamp: Timestamp;
}

function settle(callback: DeliveryCallback, outcome: BatchOutcome, place: PlaceInBatch): void {
  if (!outcome.ok) {
    call(callback, outcome.error, undefined);
    return;
  }
  const { topic, partition, index, timestamp } = place;
  const offset = outcome.baseOffset < 0 ? -1 : outcome.baseOffset + index;
  const stamped = outcome.appendTimestamp < 0 ? timestamp : outcome.appendTimestamp;
  call(callback, undefined, { topic, partition, offset, timestamp: stamped });
}

function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  return new SluiceError('UNEXPECTED', 'sending failed', { cause: error, remedy: 'Look at the cause.' });
}

function toBytes(content: Uint8Array | string | null | undefined): Uint8Array | null {
  return typeof content === 'string' ? Buffer.from(content) : (content ?? null);
}

function toHeaders(headers: NonNullable<ProducerRecord['headers']>): NewHeader[] {
  return headers.map(({ key, value }) => ({ key, value: toBytes(value) }));
}
