/**
 * Reads topics as a member of a group, or partitions that are assigned by hand: `for await` over records, or over
 * batches where speed counts. Connects and joins when reading begins. What the reader has moved past is processed, and
 * only that is committed by itself. While a record is worked on heartbeats go on, and a rebalance waits for it.
 */
import type { Timer } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import type { Offset, Timestamp, TopicPartition } from '../../base/units.ts';
import { partitionName } from '../../base/units.ts';
import { onAbort } from '../abort.ts';
import type { Cluster } from '../cluster.ts';
import { aborted, PartitionError } from '../errors.ts';
import { listOffsets } from '../list-offsets.ts';
import { type ConsumerOptions, type ResolvedConsumerOptions, resolveConsumerOptions } from './consumer-options.ts';
import { type ConsumedRecord, consumedRecord, type FetchedBatch } from './fetched-batch.ts';
import { Fetcher } from './fetcher.ts';
import { ClassicMember } from './group/classic-member.ts';
import type { CommittedOffset, OffsetToCommit } from './group/committed-offsets.ts';
import { ConsumerMember } from './group/consumer-member.ts';
import { CoordinatorLink } from './group/coordinator-link.ts';
import type { GroupMembership, Subscription } from './group/membership.ts';
import { HeldPartitions, moveTo } from './held-partitions.ts';
import { Holdings } from './holdings.ts';
import { asSluiceError, OffsetKeeper } from './offset-keeper.ts';
import { readPosition } from './read-position.ts';
import { type MakeRecord, RecordDelivery } from './record-delivery.ts';

export interface CloseOptions {
  /** Whether the group hears of it at once. Default: unless the member is static. */
  readonly leave?: boolean;
}

/** Late readers are looked for this often, at the most. */
const LOOK_FOR_LATE_MS = 1000;

let consumers = 0;

/** `R` is what the reader gets of a record, see `MakeRecord`. */
export class Consumer<R = ConsumedRecord> implements AsyncIterable<R>, AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #options: ResolvedConsumerOptions;
  readonly #lane = `consumer-${++consumers}`;
  readonly #held = new HeldPartitions();
  readonly #fetcher: Fetcher;
  readonly #delivery: RecordDelivery<R>;
  readonly #holdings: Holdings;
  readonly #keeper: OffsetKeeper;
  readonly #link: CoordinatorLink | undefined;
  readonly #stop = new AbortController();
  readonly #detach: () => void;
  #subscription: Subscription | undefined;
  #membership: GroupMembership | undefined;
  #begun = false;
  #isSuspended = false;
  #lateReaders: Timer | undefined;
  #failure: SluiceError | undefined;
  #closing: Promise<void> | undefined;

  /** The cluster is shared and stays open when the consumer is closed. Throws a SluiceError INVALID_OPTION. */
  constructor(cluster: Cluster, options: ConsumerOptions = {}, makeRecord?: MakeRecord<R>) {
    this.#cluster = cluster;
    this.#options = resolveConsumerOptions(options, this.#lane);
    const { group, fetch } = this.#options;
    this.#link = group === undefined ? undefined : new CoordinatorLink(cluster, group.groupId, this.#lane);
    this.#fetcher = new Fetcher(cluster, fetch, []);
    // Whoever leaves `makeRecord` out has R by default.
    const make = makeRecord ?? (consumedRecord as MakeRecord<unknown> as MakeRecord<R>);
    this.#delivery = new RecordDelivery(cluster.dependencies.clock, this.#fetcher, this.#held, make);
    this.#keeper = new OffsetKeeper(cluster, this.#options, this.#link, this.#held);
    this.#holdings = new Holdings(cluster, this.#options, {
      held: this.#held,
      fetcher: this.#fetcher,
      delivery: this.#delivery,
      keeper: this.#keeper,
      stop: this.#stop.signal,
      fail: (error) => this.#fail(error),
    });
    const { signal } = options;
    this.#detach = signal === undefined ? () => undefined : onAbort(signal, () => this.#fail(aborted(signal)));
  }

  /**
   * Reads these topics, or those whose whole name matches, as a member of the group; in place of what was subscribed
   * before. Under the newer protocol the broker matches the pattern, as a regular expression of RE2.
   */
  subscribe(topics: string | readonly string[] | RegExp): void {
    if (this.#link === undefined) throw misused('NO_GROUP', 'only members of a group subscribe', 'Give a groupId.');
    if (this.#held.all.length > 0 && this.#membership === undefined) throw mixed();
    this.#subscription =
      topics instanceof RegExp
        ? { kind: 'pattern', pattern: topics }
        : { kind: 'topics', topics: typeof topics === 'string' ? [topics] : [...topics] };
    this.#membership?.subscriptionChanged();
  }

  /** Reads exactly these partitions, without a membership; in place of what was assigned before. */
  assign(partitions: readonly TopicPartition[]): void {
    if (this.#subscription !== undefined) throw mixed();
    const names = new Set(partitions.map(({ topic, partition }) => partitionName(topic, partition)));
    const gone = this.#held.all.filter(({ topic, partition }) => !names.has(partitionName(topic, partition)));
    this.#holdings.dropByHand(gone);
    this.#holdings.addByHand(partitions.filter((each) => this.#held.get(each) === undefined));
  }

  /** The partitions that are held now. */
  get assignment(): readonly TopicPartition[] {
    return this.#held.places();
  }

  /** Whether the partition is held, and not being given up. */
  holds(place: TopicPartition): boolean {
    return this.#held.get(place)?.leaving === false;
  }

  /** The member's id in its group; empty before it has one. */
  get memberId(): string {
    return this.#membership?.identity.memberId ?? '';
  }

  /**
   * Records one by one; those of one partition by offset. A loop that ended may be taken up again by another one: also after
   * a PartitionError, which comes back unless the reader seeks. Other errors are for good.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<R> {
    return this.#iterate(() => this.#delivery.takeRecord());
  }

  /** Batches as they lie in the log; those of one partition by offset. */
  batches(): AsyncIterableIterator<FetchedBatch> {
    return this.#iterate(() => this.#delivery.takeBatch());
  }

  #iterate<T>(take: () => T | undefined): AsyncIterableIterator<T> {
    const iterator: AsyncIterableIterator<T> = {
      next: () => this.#next(take),
      return: async () => {
        // Whether the last one is done nobody knows: it is not committed.
        this.#delivery.letGo();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #next<T>(take: () => T | undefined): Promise<IteratorResult<T, undefined>> {
    const isTurnOver = this.#delivery.comeBack();
    if (
      !isTurnOver &&
      this.#begun &&
      !this.#isSuspended &&
      this.#failure === undefined &&
      this.#closing === undefined
    ) {
      try {
        const value = take();
        if (value !== undefined) return Promise.resolve({ done: false, value });
      } catch (error) {
        if (error instanceof PartitionError) return Promise.reject(error);
        this.#fail(asSluiceError(error));
      }
    }
    return this.#wait(take);
  }

  async #wait<T>(take: () => T | undefined): Promise<IteratorResult<T, undefined>> {
    if (this.#failure === undefined && this.#closing === undefined) this.#begin();
    this.#delivery.isWaiting = true;
    try {
      // Timers and sockets get their turn, however much there is to read.
      await this.#delivery.nextTurn();
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#closing !== undefined) return { done: true, value: undefined };
        const value = take();
        if (value !== undefined) return { done: false, value };
        if (this.#fetcher.failure !== undefined) throw this.#fetcher.failure;
        await this.#fetcher.arrival();
      }
    } catch (error) {
      if (error instanceof PartitionError) throw error;
      this.#fail(asSluiceError(error));
      throw this.#failure;
    } finally {
      this.#delivery.isWaiting = false;
    }
  }

  /** With the first call for a record; and again when the reader comes back after too long. */
  #begin(): void {
    if (this.#isSuspended) {
      this.#isSuspended = false;
      void this.#membership?.resume();
    }
    if (this.#begun) return;
    if (this.#subscription === undefined && this.#held.all.length === 0) {
      throw misused('NOTHING_TO_READ', 'nothing is subscribed or assigned', 'Subscribe, or assign partitions.');
    }
    this.#begun = true;
    this.#keeper.startCommitting(() => this.#delivery.passGaps());
    if (this.#subscription !== undefined) this.#joinGroup(this.#subscription);
  }

  #joinGroup(first: Subscription): void {
    const { group, groupProtocol, maxPollIntervalMs } = this.#options;
    const subscription = (): Subscription => this.#subscription ?? first;
    const held = this.#held;
    const holdings = this.#holdings;
    const host = {
      get subscription() {
        return subscription();
      },
      get owned() {
        return held.places();
      },
      revoke: (partitions: readonly TopicPartition[]) => holdings.revoke(partitions),
      lose: (partitions: readonly TopicPartition[]) => holdings.lose(partitions),
      assign: (partitions: readonly TopicPartition[]) => holdings.take(partitions),
      fail: (error: SluiceError) => this.#fail(error),
    };
    const Member = groupProtocol === 'consumer' ? ConsumerMember : ClassicMember;
    this.#membership = new Member(this.#cluster, this.#link!, group!, host);
    this.#keeper.actFor(this.#membership);
    this.#membership.start();
    const lookMs = Math.min(LOOK_FOR_LATE_MS, maxPollIntervalMs / 4);
    this.#lateReaders = this.#cluster.dependencies.clock.every(lookMs, () => this.#lookForLateReader());
  }

  /** A reader that does not come back keeps records from everybody: its partitions go to others until it does. */
  #lookForLateReader(): void {
    if (this.#isSuspended || this.#delivery.awayMs() <= this.#options.maxPollIntervalMs) return;
    this.#isSuspended = true;
    this.#holdings.freeze();
    void this.#membership?.suspend();
  }

  /** Goes on from this offset. */
  seek(place: TopicPartition, offset: Offset): void {
    const held = this.#held.get(place);
    if (held === undefined || held.leaving) throw notHeld(place);
    this.#delivery.forget(held);
    if (held.position !== undefined) this.#fetcher.drop([held.position]);
    held.seeks++;
    moveTo(held, readPosition(place, offset, Number.POSITIVE_INFINITY));
    this.#fetcher.add([held.position!]);
    this.#fetcher.wake();
  }

  /** All that is held, where no partitions are given. */
  async seekToBeginning(partitions: readonly TopicPartition[] = this.assignment): Promise<void> {
    await this.#seekBy(partitions, 'earliest');
  }

  async seekToEnd(partitions: readonly TopicPartition[] = this.assignment): Promise<void> {
    await this.#seekBy(partitions, 'latest');
  }

  /** To the first record at or after a time; to the end where there is none. */
  async seekToTimestamp(timestamp: Timestamp, partitions: readonly TopicPartition[] = this.assignment): Promise<void> {
    await this.#seekBy(partitions, timestamp);
  }

  async #seekBy(partitions: readonly TopicPartition[], at: 'earliest' | 'latest' | Timestamp): Promise<void> {
    const { isolation } = this.#options.fetch;
    const ask = (where: typeof at) =>
      listOffsets(
        this.#cluster,
        partitions.map(({ topic, partition }) => ({ topic, partition, at: where })),
        { isolation, signal: this.#stop.signal },
      );
    const found = await ask(at);
    const ends = found.some(({ offset }) => offset < 0) ? await ask('latest') : found;
    for (const [index, place] of partitions.entries()) {
      const { offset } = found[index]!;
      // It may have been given up while the brokers were asked.
      if (this.#held.get(place)?.leaving === false) this.seek(place, offset < 0 ? ends[index]!.offset : offset);
    }
  }

  /** Nothing of these partitions is delivered until `resume`; what was fetched is kept. */
  pause(partitions: readonly TopicPartition[] = this.assignment): void {
    this.#setPaused(partitions, true);
  }

  resume(partitions: readonly TopicPartition[] = this.assignment): void {
    this.#setPaused(partitions, false);
    this.#fetcher.poke();
    this.#fetcher.wake();
  }

  get paused(): readonly TopicPartition[] {
    return this.#held.all.filter(({ paused }) => paused).map(({ topic, partition }) => ({ topic, partition }));
  }

  #setPaused(partitions: readonly TopicPartition[], paused: boolean): void {
    for (const place of partitions) {
      const held = this.#held.get(place);
      if (held === undefined || held.leaving) throw notHeld(place);
      held.paused = paused;
      if (held.position !== undefined) held.position.paused = paused;
    }
  }

  /** The offset of the next record that is delivered; undefined while that is not known. */
  position(place: TopicPartition): Offset | undefined {
    const held = this.#held.get(place);
    if (held === undefined) throw notHeld(place);
    return held.delivered < 0 ? undefined : held.delivered;
  }

  /** How many offsets are behind the next one; undefined while nothing was heard of the end. */
  lag(place: TopicPartition): number | undefined {
    const next = this.position(place);
    const end = this.#held.get(place)?.position?.endOffset ?? -1;
    return next === undefined || end < 0 ? undefined : Math.max(0, end - next);
  }

  /**
   * Commits these offsets, or without any, all that was delivered so far: also the record or batch at hand, of which
   * whoever commits says that it is done. Rejects with the broker's refusal.
   */
  async commit(offsets?: readonly OffsetToCommit[]): Promise<void> {
    if (offsets === undefined) this.#delivery.finishInHand();
    await this.#keeper.commit(offsets ?? this.#delivery.deliveredOffsets(), this.#stop.signal);
  }

  /** What the group has committed; offset -1 where that is nothing. */
  committed(partitions: readonly TopicPartition[] = this.assignment): Promise<CommittedOffset[]> {
    return this.#keeper.committed(partitions, this.#stop.signal);
  }

  /** Says that the reader is at work on what it has, so that it does not count as gone for longer than it may. */
  stillWorking(): void {
    this.#delivery.touch();
  }

  /** Says that the reader minds itself what it has processed: nothing waits for it, and nothing is committed for it. */
  release(): void {
    this.#delivery.letGo();
  }

  #fail(error: SluiceError): void {
    if (this.#closing !== undefined || this.#failure !== undefined) return;
    this.#failure = error;
    this.#holdings.tellFailure(error);
    this.#fetcher.wake();
  }

  /** Commits what was processed, gives up the partitions and leaves the group. A loop under way ends. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#holdings.closing();
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close({ leave = this.#options.group?.instanceId === null }: CloseOptions): Promise<void> {
    this.#detach();
    this.#lateReaders?.cancel();
    this.#delivery.letGo();
    this.#fetcher.wake();
    if (this.#isSuspended) await this.#holdings.lose(this.assignment);
    await this.#holdings.revoke(this.assignment);
    await this.#keeper.stop();
    await this.#membership?.close(leave);
    this.#stop.abort();
    this.#fetcher.stop();
    await this.#fetcher.closeSessions();
    await this.#link?.close();
    await this.#cluster.closeLane(this.#options.fetch.lane);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function misused(code: string, message: string, remedy: string): SluiceError {
  return new SluiceError(code, message, { remedy });
}

function mixed(): SluiceError {
  return misused('MIXED_ASSIGNMENT', 'a consumer either subscribes or is assigned partitions', 'Make two consumers.');
}

function notHeld({ topic, partition }: TopicPartition): SluiceError {
  const message = `${partitionName(topic, partition)} is not assigned to this consumer`;
  return misused('NOT_ASSIGNED', message, 'Wait for onAssigned, or assign it.');
}
