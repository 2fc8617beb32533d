/**
 * Keeps fetching ahead of a reader: one request a broker at a time, in a session, for all partitions there that have
 * room; positions may come and go. Works in turns like the producer's sender: whoever changes something calls `poke`.
 */
import type { Timer } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import { type BrokerId, partitionName } from '../../base/units.ts';
import { fetch } from '../../protocol/apis/fetch.ts';
import { ErrorCode, isRetriable } from '../../protocol/error-codes.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { Cluster } from '../cluster.ts';
import { clientClosed, mayRetry, refusedBy } from '../errors.ts';
import type { TopicView } from '../metadata-cache.ts';
import { backoffMs } from '../retry.ts';
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

/** A batch for the reader, and where it comes from. */
export interface Fetched {
  readonly batch: FetchedBatch;
  readonly position: ReadPosition;
}

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetchOptions;
  #positions: readonly ReadPosition[];
  #fetched: Fetched[] = [];
  readonly #sessions = new Map<BrokerId, FetchSession>();
  readonly #busyBrokers = new Set<BrokerId>();
  readonly #lookUps = new Set<string>();
  #bufferedBytes = 0;
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
    const [entry] = this.#fetched.splice(at, 1);
    const { batch, position } = entry!;
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
    // A limit on bytes serves the first partitions of a request best: every turn begins with another one.
    this.#turn = (this.#turn + 1) % Math.max(1, this.#positions.length);
    for (let index = 0; index < this.#positions.length; index++) {
      const position = this.#positions[(index + this.#turn) % this.#positions.length]!;
      if (position.asked || position.paused || isFinished(position) || !this.#hasRoom(position)) continue;
      if (position.notBeforeMs > nowMs) {
        wakeAtMs = Math.min(wakeAtMs, position.notBeforeMs);
        continue;
      }
      const topic = this.#cluster.knownTopic(position.topic);
      const source = topic === undefined ? -1 : sourceOf(position, topic, nowMs);
      if (topic === undefined || source < 0) {
        this.#lookUp(position);
      } else if (!this.#busyBrokers.has(source)) {
        byBroker.set(source, byBroker.get(source) ?? []);
        byBroker.get(source)!.push({ position, topic });
      }
    }
    for (const [broker, wanted] of byBroker) this.#send(broker, wanted);
    this.#wakeAt(wakeAtMs);
  }

  #send(broker: BrokerId, wanted: readonly Wanted[]): void {
    this.#busyBrokers.add(broker);
    for (const { position } of wanted) position.asked = true;
    const done = (): void => {
      this.#busyBrokers.delete(broker);
      for (const { position } of wanted) position.asked = false;
    };
    const session = this.#sessions.get(broker) ?? new FetchSession();
    this.#sessions.set(broker, session);
    this.#exchange(broker, session, wanted).then(
      (answer) => {
        done();
        if (!this.#stopped) this.#receive(broker, wanted, answer);
        this.poke();
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

  async #exchange(
    broker: BrokerId,
    session: FetchSession,
    wanted: readonly Wanted[],
  ): Promise<FetchAnswer | undefined> {
    const connection = await this.#cluster.connection(broker, this.#options.lane);
    const atMostVersion = mostFetchVersion(wanted);
    const body = fetchBody(session.request(wanted, this.#options.partitionMaxBytes), this.#options);
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
      if (fetched.errorCode === ErrorCode.NONE) this.#accept(each.position, fetched);
      else this.#refused(broker, each, fetched, answer);
    }
    this.#wakeReader?.();
  }

  #accept(position: ReadPosition, answer: PartitionFetch): void {
    position.failures = 0;
    position.highWatermark = answer.highWatermark;
    position.endOffset = this.#options.isolation === 'read_committed' ? answer.lastStableOffset : answer.highWatermark;
    if (answer.preferredReadReplica >= 0) {
      position.readFrom = answer.preferredReadReplica;
      position.readFromUntilMs = this.#nowMs + this.#cluster.options.metadataMaxAgeMs;
    }
    const bytes = answer.records;
    if (bytes === null || bytes.length === 0) return;
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
    try {
      const split = splitFetch(source, { from: position.next, before: position.before });
      if (split.cut && split.next === position.next) throw new CorruptRecords('the broker sent less than one batch');
      position.next = split.next;
      for (const batch of split.batches) {
        position.bufferedBytes += batch.byteLength;
        this.#bufferedBytes += batch.byteLength;
        this.#fetched.push({ batch, position });
      }
    } catch (error) {
      if (!(error instanceof CorruptRecords)) throw error;
      this.#fail(corrupt(position, error));
    }
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
    else this.#fail(refusedBy(errorCode, partitionName(position.topic, position.partition)));
  }

  /** The asked offset is gone or not there yet: goes on elsewhere, where the reader allows that. */
  #outOfRange(position: ReadPosition): void {
    const { whenOutOfRange: policy, isolation } = this.#options;
    if (policy === 'fail') {
      const about = `offset ${position.next} of ${partitionName(position.topic, position.partition)}`;
      this.#fail(refusedBy(ErrorCode.OFFSET_OUT_OF_RANGE, about));
      return;
    }
    position.asked = true;
    resolveReset(this.#cluster, [position], policy, { isolation }).then(
      ([offset]) => {
        position.asked = false;
        position.next = offset!;
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

/** What a reader is told of records that cannot be read. */
export function corrupt(
  { topic, partition }: { readonly topic: string; readonly partition: number },
  cause: Error,
): SluiceError {
  return new SluiceError('CORRUPT_RECORDS', `${partitionName(topic, partition)}: ${cause.message}`, {
    remedy: 'Read on behind the broken batch, and check the disks of the brokers.',
    cause,
  });
}

function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  return new SluiceError('UNEXPECTED', 'fetching failed', { cause: error, remedy: 'Look at the cause.' });
}
