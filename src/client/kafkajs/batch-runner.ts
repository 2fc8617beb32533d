/**
 * The loop behind kafkajs's `run`: takes batches, calls the handler, commits what it resolved, and tries again where it
 * fails. Up to so many partitions are worked on at a time, each in its order. Owns what is resolved and not committed.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { type Offset, partitionName, type TopicPartition } from '../../base/units.ts';
import type { Consumer } from '../consumer/consumer.ts';
import type { FetchedBatch } from '../consumer/fetched-batch.ts';
import { backoffMs, sleep } from '../retry.ts';
import { type HandledBatch, handledBatch } from './handled-batch.ts';
import { asKafkaJS, KafkaJSError, KafkaJSNumberOfRetriesExceeded, toKafkaJSError } from './kafkajs-errors.ts';
import type { Instrumentation } from './kafkajs-events.ts';
import type { Logger } from './kafkajs-logger.ts';
import type { ConsumerRunConfig, OffsetsByTopicPartition, RetryOptions } from './kafkajs-types.ts';

export type BatchEvent = {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: string;
  readonly offsetLag: string;
  readonly offsetLagLow: string;
  readonly batchSize: number;
  readonly firstOffset: string | null;
  readonly lastOffset: string;
};

export type ConsumerEventPayloads = {
  'consumer.connect': null;
  'consumer.disconnect': null;
  'consumer.stop': null;
  'consumer.crash': { readonly error: Error; readonly groupId: string; readonly restart: boolean };
  'consumer.group_join': {
    readonly groupId: string;
    readonly memberId: string;
    readonly groupProtocol: string;
    readonly memberAssignment: Record<string, number[]>;
  };
  'consumer.rebalancing': { readonly groupId: string; readonly memberId: string };
  'consumer.commit_offsets': OffsetsByTopicPartition & { readonly groupId: string; readonly memberId: string };
  'consumer.start_batch_process': BatchEvent;
  'consumer.end_batch_process': BatchEvent & { readonly duration: number };
};

export interface RunnerParts {
  readonly consumer: Consumer;
  readonly groupId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events: Instrumentation<ConsumerEventPayloads>;
  readonly retry: RetryOptions | undefined;
}

/** What the user has paused. */
export interface Pauses {
  isPaused(place: TopicPartition): boolean;
  pause(place: TopicPartition): void;
  resume(place: TopicPartition): void;
}

/** Why the loop ended by itself; a final one is nothing that a restart would mend. */
export interface Crash {
  readonly error: Error;
  readonly isFinal: boolean;
}

/** A batch that is being worked on. */
interface Work extends TopicPartition {
  /** Given up, or moved elsewhere by a seek: what is left of it is not handled. */
  isStale: boolean;
  done: Promise<void>;
}

const RETRIES = 5;
const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 30_000;

export class BatchRunner {
  readonly #config: ConsumerRunConfig;
  readonly #parts: RunnerParts;
  readonly #pauses: Pauses;
  readonly #busy = new Map<string, Work>();
  /** Next offset by partition, behind what was handled. */
  readonly #resolved = new Map<string, TopicPartition & { readonly next: Offset }>();
  readonly #committed = new Map<string, Offset>();
  readonly #stop = new AbortController();
  #uncommittedRecords = 0;
  #committedMs: number;
  #crash: Crash | undefined;

  constructor(config: ConsumerRunConfig, parts: RunnerParts, pauses: Pauses) {
    this.#config = config;
    this.#parts = parts;
    this.#pauses = pauses;
    this.#committedMs = parts.clock.monotonicMs();
  }

  get isRunning(): boolean {
    return !this.#stop.signal.aborted;
  }

  /** No further message is handled. The consumer, when it is closed, waits for those that are. */
  stop(): void {
    this.#stop.abort();
  }

  isBusy({ topic, partition }: TopicPartition): boolean {
    return this.#most > 1 && this.#busy.has(partitionName(topic, partition));
  }

  /** Reading goes on elsewhere. */
  seekTo({ topic, partition }: TopicPartition): void {
    const name = partitionName(topic, partition);
    const work = this.#busy.get(name);
    if (work !== undefined) work.isStale = true;
    this.#forget(name);
  }

  /** Resolves when nobody works on these partitions any more, and what is done of them is committed, if it may be. */
  async giveUp(partitions: readonly TopicPartition[], mayCommit: boolean): Promise<void> {
    const names = partitions.map(({ topic, partition }) => partitionName(topic, partition));
    const working = names.map((name) => this.#busy.get(name)).filter((work) => work !== undefined);
    for (const work of working) work.isStale = true;
    if (mayCommit) {
      await Promise.all(working.map(({ done }) => done));
      if (this.#autoCommits) await this.#commitQuietly(names);
    }
    for (const name of names) this.#forget(name);
  }

  #forget(name: string): void {
    this.#resolved.delete(name);
    this.#committed.delete(name);
  }

  get #most(): number {
    return Math.max(1, this.#config.partitionsConsumedConcurrently ?? 1);
  }

  get #autoCommits(): boolean {
    return this.#config.autoCommit !== false;
  }

  /** Until it is stopped, or crashes. */
  async run(): Promise<Crash | undefined> {
    const { consumer } = this.#parts;
    try {
      for await (const batch of consumer.batches()) {
        if (!this.isRunning) break;
        // What is done and may be committed is minded here.
        consumer.release();
        this.#begin(batch);
        while (this.#busy.size >= this.#most && this.#crash === undefined) await this.#oneIsDone();
        if (this.#crash !== undefined) break;
      }
    } catch (error) {
      if (this.isRunning) this.#crash ??= crashOf(toKafkaJSError(error));
    }
    await Promise.all([...this.#busy.values()].map(({ done }) => done));
    return this.isRunning ? this.#crash : undefined;
  }

  async #oneIsDone(): Promise<void> {
    await Promise.race([...this.#busy.values()].map(({ done }) => done));
  }

  #begin(batch: FetchedBatch): void {
    const { topic, partition } = batch;
    const name = partitionName(topic, partition);
    const work: Work = { topic, partition, isStale: false, done: Promise.resolve() };
    this.#busy.set(name, work);
    // The next batch of a partition has to wait until this one is through; with one at a time it does anyway.
    if (this.#most > 1 && this.#parts.consumer.holds(work)) this.#parts.consumer.pause([work]);
    work.done = this.#process(batch, work).finally(() => {
      this.#busy.delete(name);
      if (this.#most > 1 && this.#parts.consumer.holds(work) && !this.#pauses.isPaused(work))
        this.#parts.consumer.resume([work]);
    });
  }

  /** Tries again as often as is allowed; beyond that the loop crashes. Never rejects. */
  async #process(fetched: FetchedBatch, work: Work): Promise<void> {
    const { clock, random, retry } = this.#parts;
    const { retries = RETRIES, initialRetryTime = FIRST_PAUSE_MS, maxRetryTime = LONGEST_PAUSE_MS } = retry ?? {};
    let batch: HandledBatch | undefined;
    for (let failures = 0; ; ) {
      try {
        batch ??= handledBatch(fetched);
        await this.#handle(batch, work);
        return;
      } catch (error) {
        failures++;
        const failure = error instanceof Error ? error : new Error(String(error));
        const pauseMs = backoffMs({ firstMs: initialRetryTime, mostMs: maxRetryTime }, failures, random);
        if (work.isStale || !this.isRunning) return;
        if (error instanceof KafkaJSError && !error.retriable) return this.#end(failure, true);
        if (failures > retries) {
          const exceeded = new KafkaJSNumberOfRetriesExceeded(failure, { retryCount: retries, retryTime: pauseMs });
          return this.#end(exceeded, false);
        }
        await sleep(clock, pauseMs, [this.#stop.signal]).catch(() => undefined);
        this.#parts.consumer.stillWorking();
      }
    }
  }

  #end(error: Error, isFinal: boolean): void {
    this.#crash ??= { error, isFinal };
  }

  /** Takes up what is not resolved when the partition is read the next time. */
  #readAgain(work: Work, batch: HandledBatch): void {
    const resolved = this.#resolved.get(partitionName(work.topic, work.partition))?.next ?? -1;
    const next = Math.max(resolved, Number(batch.firstOffset() ?? batch.next));
    if (this.#parts.consumer.holds(work) && !work.isStale) this.#parts.consumer.seek(work, next);
  }

  async #handle(batch: HandledBatch, work: Work): Promise<void> {
    const { clock, events } = this.#parts;
    const startedMs = clock.monotonicMs();
    const about = eventOf(batch);
    events.emit('consumer.start_batch_process', about);
    try {
      if (this.#config.eachBatch !== undefined) await this.#eachBatch(batch, work);
      else await this.#eachMessage(batch, work);
    } catch (error) {
      if (!(error instanceof KafkaJSError)) {
        const handler = this.#config.eachBatch === undefined ? 'eachMessage' : 'eachBatch';
        const said = error instanceof Error ? { error: error.message, stack: error.stack } : { error };
        this.#parts.logger.error(`Error when calling ${handler}`, { ...about, ...said });
      }
      if (this.#autoCommits) await this.#commitQuietly();
      throw error;
    }
    if (this.#autoCommits && !work.isStale) await this.#commitQuietly();
    events.emit('consumer.end_batch_process', { ...about, duration: clock.monotonicMs() - startedMs });
  }

  async #eachMessage(batch: HandledBatch, work: Work): Promise<void> {
    const { topic, partition } = work;
    const name = partitionName(topic, partition);
    const from = this.#resolved.get(name)?.next ?? -1;
    for (const message of batch.messages) {
      // A second attempt begins with the message that failed.
      if (Number(message.offset) < from) continue;
      if (!this.isRunning || work.isStale) return;
      await this.#config.eachMessage?.({
        topic,
        partition,
        message,
        heartbeat: () => this.#heartbeat(),
        pause: () => this.#pause(work),
      });
      if (work.isStale) return;
      this.#resolve(work, Number(message.offset) + 1);
      await this.#heartbeat();
      if (this.#isCommitDue()) await this.#commitQuietly();
      if (this.#pauses.isPaused(work) && message !== batch.messages.at(-1)) {
        this.#readAgain(work, batch);
        return;
      }
    }
    this.#resolve(work, batch.next);
  }

  async #eachBatch(batch: HandledBatch, work: Work): Promise<void> {
    const last = batch.messages.at(-1)?.offset;
    await this.#config.eachBatch!({
      batch,
      // Behind the last message lie markers of transactions, which nobody else will resolve.
      resolveOffset: (offset) => this.#resolve(work, offset === last ? batch.next : Number(offset) + 1),
      heartbeat: () => this.#heartbeat(),
      pause: () => this.#pause(work),
      commitOffsetsIfNecessary: async (offsets) => {
        if (offsets === undefined && this.#isCommitDue()) await asKafkaJS(this.#commit());
        else if (offsets !== undefined) await asKafkaJS(this.#parts.consumer.commit(flat(offsets)));
      },
      uncommittedOffsets: () => this.#uncommitted(),
      isRunning: () => this.isRunning,
      isStale: () => work.isStale,
    });
    if (work.isStale) return;
    if (this.#config.eachBatchAutoResolve !== false) this.#resolve(work, batch.next);
    else if (this.#resolved.get(partitionName(work.topic, work.partition))?.next !== batch.next)
      this.#readAgain(work, batch);
  }

  #resolve(work: Work, next: Offset): void {
    if (work.isStale) return;
    const { topic, partition } = work;
    this.#resolved.set(partitionName(topic, partition), { topic, partition, next });
    this.#uncommittedRecords++;
  }

  #pause(work: Work): () => void {
    this.#pauses.pause(work);
    return () => this.#pauses.resume(work);
  }

  async #heartbeat(): Promise<void> {
    this.#parts.consumer.stillWorking();
  }

  #isCommitDue(): boolean {
    const { autoCommitInterval, autoCommitThreshold } = this.#config;
    if (!this.#autoCommits) return false;
    const waitedMs = this.#parts.clock.monotonicMs() - this.#committedMs;
    return (
      (typeof autoCommitInterval === 'number' && waitedMs >= autoCommitInterval) ||
      (typeof autoCommitThreshold === 'number' && this.#uncommittedRecords >= autoCommitThreshold)
    );
  }

  #uncommitted(): OffsetsByTopicPartition {
    const topics = new Map<string, { partition: number; offset: string }[]>();
    for (const { topic, partition, next } of this.#open()) {
      topics.set(topic, [...(topics.get(topic) ?? []), { partition, offset: String(next) }]);
    }
    return { topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })) };
  }

  /** What is resolved and not committed. */
  #open(names: Iterable<string> = this.#resolved.keys()): (TopicPartition & { readonly next: Offset })[] {
    const found = [...names].map((name) => [name, this.#resolved.get(name)] as const);
    return found.flatMap(([name, each]) =>
      each === undefined || this.#committed.get(name) === each.next ? [] : [each],
    );
  }

  async #commit(names?: readonly string[]): Promise<void> {
    const offsets = this.#open(names);
    this.#uncommittedRecords = 0;
    this.#committedMs = this.#parts.clock.monotonicMs();
    if (offsets.length === 0) return;
    const { consumer, events, groupId } = this.#parts;
    await consumer.commit(offsets.map(({ topic, partition, next }) => ({ topic, partition, offset: next })));
    const committed = offsets.map(({ topic, partition, next }) => {
      return { topic, partitions: [{ partition, offset: String(next) }] };
    });
    for (const { topic, partition, next } of offsets) this.#committed.set(partitionName(topic, partition), next);
    events.emit('consumer.commit_offsets', { groupId, memberId: consumer.memberId, topics: committed });
  }

  /** One that fails is made up for by the next. */
  async #commitQuietly(names?: readonly string[]): Promise<void> {
    try {
      await this.#commit(names);
    } catch (error) {
      this.#parts.logger.warn(`Commit failed: ${toKafkaJSError(error).message}`, { groupId: this.#parts.groupId });
    }
  }
}

function crashOf(error: KafkaJSError): Crash {
  return { error, isFinal: !error.retriable };
}

function flat({ topics }: OffsetsByTopicPartition) {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
  );
}

function eventOf(batch: HandledBatch): BatchEvent {
  const { topic, partition, highWatermark, messages } = batch;
  const lags = { offsetLag: batch.offsetLag(), offsetLagLow: batch.offsetLagLow() };
  const ends = { firstOffset: batch.firstOffset(), lastOffset: batch.lastOffset() };
  return { topic, partition, highWatermark, ...lags, batchSize: messages.length, ...ends };
}
