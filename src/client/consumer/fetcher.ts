/**
 * Keeps fetching ahead of a reader: one request a broker at a time, in a session, for all partitions there that have
 * room; positions may come and go. Works in turns like the producer's sender: whoever changes something calls `poke`.
 */
import type { Timer } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import { type BrokerId, type LeaderEpoch, type Offset, partitionName, type TopicPartition } from '../../base/units.ts';
import { fetch } from '../../protocol/apis/fetch.ts';
import { ErrorCode, isRetriable } from '../../protocol/error-codes.ts';
import type { CorruptRecords } from '../../records/corrupt-records.ts';
import type { Cluster } from '../cluster.ts';
import { clientClosed, mayRetry, PartitionError, refusedBy } from '../errors.ts';
import type { TopicView } from '../metadata-cache.ts';
import { backoffMs } from '../retry.ts';
import { tell } from './consumer-events.ts';
import {
  type FetchAnswer,
  FetchAnswerIndex,
  fetchBody,
  mostFetchVersion,
  type PartitionFetch,
  type Wanted,
} from './fetch-request.ts';
import { FetchSession } from './fetch-session.ts';
import { type FetchedBatch, splitFetch } from './fetched-batch.ts';
import type { FetchOptions } from './options.ts';
import { isFinished, type ReadPosition } from './read-position.ts';
import { resolveReset } from './start-position.ts';
import { checkPositions, type Divergence, needsValidation } from './truncation-check.ts';

/** A batch for the reader, or what keeps it from the next one, and where that is. */
export type Fetched =
  | { readonly position: ReadPosition; readonly batch: FetchedBatch; readonly failure?: undefined }
  | { readonly position: ReadPosition; readonly batch?: undefined; readonly failure: PartitionError };

/** How long a broker is waited for that shall forget a session. */
const PARTING_TIMEOUT_MS = 1000;

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetchOptions;
  #positions: readonly ReadPosition[];
  #fetched: Fetched[] = [];
  readonly #sessions = new Map<BrokerId, FetchSession>();
  readonly #busyBrokers = new Set<BrokerId>();
  readonly #lookUps = new Set<string>();
  #bufferedBytes = 0;
  /** What the answers under way may bring at the most. */
  #expectedBytes = 0;
  #turn = 0;
  #poked = false;
  #stopped = false;
  #failure: SluiceError | undefined;
  #wake: Timer | undefined;
  #wakeReader: (() => void) | undefined;

  constructor(cluster: Cluster, options: FetchOptions, positions: readonly ReadPosition[]) {
    this.#cluster = cluster;
    this.#options = options;
    this.#positions = positions;
  }

  /** Reads there from now on. */
  add(positions: readonly ReadPosition[]): void {
    this.#positions = [...this.#positions, ...positions];
    this.poke();
  }

  /** Reads there no more, and throws away what was fetched. */
  drop(positions: readonly ReadPosition[]): void {
    if (positions.length === 0) return;
    for (const position of positions) {
      position.dropped = true;
      this.#bufferedBytes -= position.bufferedBytes;
      position.bufferedBytes = 0;
    }
    this.#positions = this.#positions.filter(({ dropped }) => !dropped);
    this.#fetched = this.#fetched.filter(({ position }) => !position.dropped);
    this.poke();
  }

  /** What stopped the fetcher by itself. */
  get failure(): SluiceError | undefined {
    return this.#failure;
  }

  /** The next batch in the order of arrival that is not of a paused partition, if one is there. */
  take(): Fetched | undefined {
    const at = this.#fetched.findIndex(({ position }) => !position.paused);
    if (at < 0) return undefined;
    const entry = at === 0 ? this.#fetched.shift()! : this.#fetched.splice(at, 1)[0]!;
    const { batch, position } = entry;
    if (batch === undefined) {
      position.failed = false;
      this.poke();
      return entry;
    }
    this.#bufferedBytes -= batch.byteLength;
    position.bufferedBytes -= batch.byteLength;
    if (this.#fetched.length === 0 || this.#hasRoom(position)) this.poke();
    return entry;
  }

  /** Lets whoever waits for an arrival look again. */
  wake(): void {
    this.#wakeReader?.();
  }

  /** Resolves when there may be something to take, or the fetcher has stopped. */
  arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeReader = resolve;
    });
  }

  /**
   * The next batch in the order of arrival, offsets of a partition rising. Undefined when all is read or the fetcher is
   * stopped. Rejects with what no further attempt would mend.
   */
  async next(): Promise<FetchedBatch | undefined> {
    for (;;) {
      const entry = this.take();
      if (entry?.failure !== undefined) throw entry.failure;
      if (entry !== undefined) return entry.batch;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#stopped || this.#positions.every(isFinished)) return undefined;
      this.poke();
      await this.arrival();
    }
  }

  /** Ends reading: `next` gives undefined, or rejects with `failure`, once what is fetched has been read. */
  stop(failure?: SluiceError): void {
    this.#stopped = true;
    this.#failure ??= failure;
    this.#wake?.cancel();
    if (failure === undefined) this.#fetched.length = 0;
    this.#wakeReader?.();
  }

  get #nowMs(): number {
    return this.#cluster.dependencies.clock.monotonicMs();
  }

  poke(): void {
    if (this.#poked || this.#stopped) return;
    this.#poked = true;
    this.#cluster.dependencies.clock.afterTurn(() => {
      this.#poked = false;
      this.#ask();
    });
  }

  #hasRoom(position: ReadPosition): boolean {
    return (
      position.bufferedBytes < this.#options.partitionMaxBytes && this.#bufferedBytes < this.#options.prefetchBytes
    );
  }

  /** Sends a request to every broker that has none under way and has something to ask. */
  #ask(): void {
    if (this.#cluster.closing.aborted) this.#fail(clientClosed());
    if (this.#stopped) return;
    const nowMs = this.#nowMs;
    let wakeAtMs = Infinity;
    const byBroker = new Map<BrokerId, Wanted[]>();
    const unsure: Wanted[] = [];
    // A limit on bytes serves the first partitions of a request best: every turn begins with another one.
    this.#turn = (this.#turn + 1) % Math.max(1, this.#positions.length);
    for (let index = 0; index < this.#positions.length; index++) {
      const position = this.#positions[(index + this.#turn) % this.#positions.length]!;
      if (position.asked || position.failed || position.paused) continue;
      if (isFinished(position) || !this.#hasRoom(position)) continue;
      if (position.notBeforeMs > nowMs) {
        wakeAtMs = Math.min(wakeAtMs, position.notBeforeMs);
        continue;
      }
      const topic = this.#cluster.knownTopic(position.topic);
      const source = topic === undefined ? -1 : sourceOf(position, topic, nowMs);
      if (topic === undefined || source < 0) {
        this.#lookUp(position);
      } else if (needsValidation(position, topic)) {
        unsure.push({ position, topic });
      } else if (!this.#busyBrokers.has(source)) {
        byBroker.set(source, byBroker.get(source) ?? []);
        byBroker.get(source)!.push({ position, topic });
      }
    }
    if (unsure.length > 0) this.#validate(unsure);
    const brokers = byBroker.size + this.#busyBrokers.size;
    for (const [broker, wanted] of byBroker) this.#send(broker, wanted, this.#shareOf(brokers));
    this.#wakeAt(wakeAtMs);
  }

  /** How many bytes one broker may answer with, so that all together stay within what may be fetched ahead. */
  #shareOf(brokers: number): number {
    const { maxBytes, prefetchBytes, partitionMaxBytes } = this.#options;
    const left = prefetchBytes - this.#bufferedBytes - this.#expectedBytes;
    return Math.min(maxBytes, Math.max(partitionMaxBytes, Math.min(left, Math.floor(prefetchBytes / brokers))));
  }

  #send(broker: BrokerId, wanted: readonly Wanted[], maxBytes: number): void {
    this.#busyBrokers.add(broker);
    this.#expectedBytes += maxBytes;
    for (const { position } of wanted) position.asked = true;
    const done = (): void => {
      this.#busyBrokers.delete(broker);
      this.#expectedBytes -= maxBytes;
      for (const { position } of wanted) position.asked = false;
    };
    const session = this.#sessions.get(broker) ?? new FetchSession();
    this.#sessions.set(broker, session);
    this.#exchange({ broker, session, wanted, maxBytes }).then(
      (answer) => {
        done();
        if (this.#stopped) return;
        this.#receive(broker, wanted, answer);
        this.#ask();
        this.#wakeAfterTurn();
      },
      (error: unknown) => {
        done();
        session.failed();
        for (const { position } of wanted) {
          position.readFrom = -1;
          if (mayRetry(error)) this.#later(position, true);
        }
        if (!mayRetry(error)) this.#fail(asSluiceError(error));
        this.poke();
      },
    );
  }

  async #exchange({ broker, session, wanted, maxBytes }: Exchange): Promise<FetchAnswer | undefined> {
    const connection = await this.#cluster.connection(broker, this.#options.lane);
    const atMostVersion = mostFetchVersion(wanted);
    const body = fetchBody(session.request(wanted, this.#options.partitionMaxBytes), { ...this.#options, maxBytes });
    const answer = await connection.request(fetch, body, { atMostVersion });
    if (session.answered(answer)) return undefined;
    if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, `fetching from broker ${broker}`);
    return answer;
  }

  /** No answer at all means that the session has to be opened anew. */
  #receive(broker: BrokerId, wanted: readonly Wanted[], answer: FetchAnswer | undefined): void {
    if (answer === undefined) {
      for (const { position } of wanted) this.#later(position, false);
      return;
    }
    const index = new FetchAnswerIndex(answer);
    for (const each of wanted) {
      const fetched = index.get(each);
      if (fetched === undefined || each.position.dropped) continue;
      if (fetched.errorCode === ErrorCode.NONE) this.#accept(each, fetched);
      else this.#refused(broker, each, fetched, answer);
    }
  }

  /**
   * Lets the reader go on once the next request has left: a fast one works through all that is there without a pause, and
   * the broker would wait for it, then it for the broker.
   */
  #wakeAfterTurn(): void {
    this.#cluster.dependencies.clock.afterTurn(() => this.#wakeReader?.());
  }

  #accept({ position, topic: view }: Wanted, answer: PartitionFetch): void {
    position.highWatermark = answer.highWatermark;
    position.endOffset = this.#options.isolation === 'read_committed' ? answer.lastStableOffset : answer.highWatermark;
    if (answer.preferredReadReplica >= 0) {
      position.readFrom = answer.preferredReadReplica;
      position.readFromUntilMs = this.#nowMs + this.#cluster.options.metadataMaxAgeMs;
    }
    const bytes = answer.records;
    if (bytes === null || bytes.length === 0) {
      position.failures = 0;
      return;
    }
    const { topic, partition } = position;
    const { checkCrcs, maxUncompressedBytes } = this.#options;
    const aborted = answer.abortedTransactions ?? [];
    const source = {
      topic,
      partition,
      bytes,
      highWatermark: answer.highWatermark,
      aborted,
      checkCrcs,
      maxUncompressedBytes,
    };
    const split = splitFetch(source, { from: position.next, before: position.before });
    const isStuck = split.cut && split.next === position.next;
    const fault = isStuck ? { message: 'the broker sent less than one batch', nextOffset: -1 } : split.fault;
    position.next = split.next;
    position.epoch = split.epoch ?? position.epoch;
    position.validatedIn = Math.max(position.validatedIn, view.partitions[partition]?.leaderEpoch ?? -1);
    for (const batch of split.batches) {
      position.bufferedBytes += batch.byteLength;
      this.#bufferedBytes += batch.byteLength;
      this.#fetched.push({ batch, position });
    }
    if (fault === undefined) position.failures = 0;
    else this.#failAt(position, corrupt(position, { message: fault.message, nextOffset: fault.nextOffset }));
  }

  /** The reader hears of it behind what was fetched before; another attempt is made when it comes back for more. */
  #failAt(position: ReadPosition, failure: PartitionError): void {
    if (position.dropped) return;
    this.#later(position, false);
    position.failed = true;
    this.#fetched.push({ position, failure });
    this.#wakeReader?.();
  }

  #refused(
    broker: BrokerId,
    { position, topic }: Wanted,
    { errorCode, currentLeader }: PartitionFetch,
    answer: FetchAnswer,
  ): void {
    const fromLeader = topic.partitions[position.partition]?.leader === broker;
    position.readFrom = -1;
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      // Another replica may not have it yet, or not any more; what is there is the leader's to say.
      if (fromLeader) this.#outOfRange(position);
      return;
    }
    const { leaderId: leader, leaderEpoch } = currentLeader;
    const endpoints = answer.nodeEndpoints.map(({ nodeId: id, host, port, rack }) => ({ id, host, port, rack }));
    const hint = { topic: position.topic, partition: position.partition, leader, leaderEpoch };
    if (leader >= 0 && this.#cluster.learnLeader(hint, endpoints)) return;
    if (isRetriable(errorCode)) this.#later(position, true);
    else this.#failAt(position, refusedAt(position, errorCode));
  }

  /** Asks the leaders whether what was read before is still in their logs (KIP-320). */
  #validate(unsure: readonly Wanted[]): void {
    for (const { position } of unsure) position.asked = true;
    checkPositions(this.#cluster, unsure).then(
      (found) => {
        for (const { position, leaderEpoch, divergence } of found) {
          position.asked = false;
          if (divergence === 'unknown') this.#later(position, true);
          else if (divergence === undefined) position.validatedIn = leaderEpoch;
          else this.#diverged(position, leaderEpoch, divergence);
        }
        this.poke();
      },
      (error: unknown) => {
        for (const { position } of unsure) position.asked = false;
        this.#fail(asSluiceError(error));
      },
    );
  }

  /** What was read last is not in the log any more: goes on where the histories part, where the reader allows that. */
  #diverged(position: ReadPosition, leaderEpoch: LeaderEpoch, { epoch, endOffset }: Divergence): void {
    const lost = { topic: position.topic, partition: position.partition, offset: position.next, endOffset };
    tell('truncated', lost);
    position.validatedIn = leaderEpoch;
    if (this.#options.whenOutOfRange === 'fail') {
      this.#failAt(position, truncated(position, endOffset));
      position.epoch = -1;
    } else if (endOffset < 0) {
      position.epoch = -1;
      this.#outOfRange(position);
    } else {
      position.next = endOffset;
      position.epoch = epoch;
    }
  }

  /** The asked offset is gone or not there yet: goes on elsewhere, where the reader allows that. */
  #outOfRange(position: ReadPosition): void {
    const { whenOutOfRange: policy, isolation } = this.#options;
    if (policy === 'fail') {
      this.#failAt(position, refusedAt(position, ErrorCode.OFFSET_OUT_OF_RANGE));
      return;
    }
    position.asked = true;
    resolveReset(this.#cluster, [position], policy, { isolation }).then(
      ([offset]) => {
        position.asked = false;
        position.next = offset!;
        position.epoch = -1;
        this.poke();
        this.#wakeReader?.();
      },
      (error: unknown) => {
        position.asked = false;
        if (mayRetry(error)) this.#later(position, true);
        else if (!position.dropped) this.#fail(asSluiceError(error));
      },
    );
  }

  /** Asks again after a pause. `elsewhere`: what is known of the leader may be out of date. */
  #later(position: ReadPosition, elsewhere: boolean): void {
    if (elsewhere) this.#cluster.forgetTopic(position.topic);
    position.failures++;
    const { options, dependencies } = this.#cluster;
    position.notBeforeMs = this.#nowMs + backoffMs(options.backoff, position.failures, dependencies.random);
  }

  #lookUp(position: ReadPosition): void {
    const { topic } = position;
    if (this.#lookUps.has(topic)) return;
    this.#lookUps.add(topic);
    this.#cluster.forgetTopic(topic);
    this.#cluster.topic(topic).then(
      (view) => {
        this.#lookUps.delete(topic);
        for (const each of this.#positions) {
          if (each.topic === topic && (view.partitions[each.partition]?.leader ?? -1) < 0) this.#later(each, false);
        }
        this.poke();
      },
      (error: unknown) => {
        this.#lookUps.delete(topic);
        const waiting = this.#positions.filter((each) => each.topic === topic);
        if (waiting.length === 0 || this.#stopped) return;
        if (this.#options.waitsForTopics && (mayRetry(error) || isUnknownTopic(error))) {
          for (const each of waiting) this.#later(each, false);
          this.poke();
        } else this.#fail(asSluiceError(error));
      },
    );
  }

  /** Lets the brokers forget the sessions; best effort, and for a second at the most. Call after `stop`. */
  async closeSessions(): Promise<void> {
    const { clock } = this.#cluster.dependencies;
    const open = [...this.#sessions].map(async ([broker, session]) => {
      const last = session.end();
      if (last === undefined || this.#cluster.closing.aborted) return;
      const connection = await this.#cluster.connection(broker);
      await connection.request(fetch, { ...fetchBody(last, this.#options), maxWaitMs: 0, minBytes: 0 });
    });
    this.#sessions.clear();
    let timer: Timer | undefined;
    const tooLong = new Promise((resolve) => {
      timer = clock.after(PARTING_TIMEOUT_MS, () => resolve(undefined));
    });
    await Promise.race([Promise.allSettled(open), tooLong]);
    timer?.cancel();
  }

  #fail(error: SluiceError): void {
    if (!this.#stopped) this.stop(error);
  }

  #wakeAt(atMs: number): void {
    this.#wake?.cancel();
    this.#wake = undefined;
    if (atMs === Infinity) return;
    const delayMs = Math.max(1, Math.ceil(atMs - this.#nowMs));
    this.#wake = this.#cluster.dependencies.clock.after(delayMs, () => this.poke(), { holdsProcess: true });
  }
}

/** The broker that a partition is read from; -1 where there is no leader. */
function sourceOf(position: ReadPosition, topic: TopicView, nowMs: number): BrokerId {
  if (position.readFrom >= 0 && nowMs < position.readFromUntilMs) return position.readFrom;
  return topic.partitions[position.partition]?.leader ?? -1;
}

function isUnknownTopic(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION';
}

interface Exchange {
  readonly broker: BrokerId;
  readonly session: FetchSession;
  readonly wanted: readonly Wanted[];
  readonly maxBytes: number;
}

/** What a reader is told of records that cannot be read. */
export function corrupt(
  position: TopicPartition & { readonly next: Offset },
  { message, nextOffset, cause }: { readonly message: string; readonly nextOffset: Offset; readonly cause?: unknown },
): PartitionError {
  const place = partitionName(position.topic, position.partition);
  const error = new SluiceError('CORRUPT_RECORDS', `${place}: ${message}`, {
    remedy: 'Seek behind the broken batch, and check the disks of the brokers.',
    cause,
  });
  return new PartitionError(error, position, { offset: position.next, nextOffset });
}

/** As `corrupt`, of a batch whose records make no sense. */
export function corruptBatch(batch: FetchedBatch, cause: CorruptRecords): PartitionError {
  const { topic, partition, baseOffset, lastOffset } = batch;
  const fault = { message: cause.message, nextOffset: lastOffset + 1, cause };
  return corrupt({ topic, partition, next: baseOffset }, fault);
}

function refusedAt(position: ReadPosition, code: number): PartitionError {
  const about = `offset ${position.next} of ${partitionName(position.topic, position.partition)}`;
  return new PartitionError(refusedBy(code, about), position, { offset: position.next });
}

function truncated(position: ReadPosition, endOffset: Offset): PartitionError {
  const message = `what lay before offset ${position.next} of ${partitionName(position.topic, position.partition)} is gone`;
  const remedy = 'Seek to where the records differ, or set offsetReset.';
  const error = new SluiceError('LOG_TRUNCATED', message, { remedy });
  return new PartitionError(error, position, { offset: position.next, nextOffset: endOffset });
}

function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  return new SluiceError('UNEXPECTED', 'fetching failed', { cause: error, remedy: 'Look at the cause.' });
}
