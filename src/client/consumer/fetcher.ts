/**
 * Keeps fetching ahead of a reader: one request a leader at a time, for all partitions there that have room. Works in
 * turns like the producer's sender: whoever changes something calls `poke`.
 */
import type { Timer } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import { type BrokerId, partitionName } from '../../base/units.ts';
import { fetch } from '../../protocol/apis/fetch.ts';
import { ErrorCode, isRetriable } from '../../protocol/error-codes.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { Cluster } from '../cluster.ts';
import { clientClosed, mayRetry, refusedBy } from '../errors.ts';
import { listOffsets } from '../list-offsets.ts';
import { backoffMs } from '../retry.ts';
import {
  type FetchAnswer,
  fetchBody,
  fetchedFor,
  mostFetchVersion,
  type PartitionFetch,
  type Wanted,
} from './fetch-request.ts';
import { type FetchedBatch, splitFetch } from './fetched-batch.ts';
import type { FetchOptions } from './options.ts';
import { isFinished, type ReadPosition } from './read-position.ts';

const LANE_NAME = 'fetch';

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetchOptions;
  readonly #positions: readonly ReadPosition[];
  readonly #fetched: { readonly batch: FetchedBatch; readonly position: ReadPosition }[] = [];
  readonly #busyLeaders = new Set<BrokerId>();
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

  /**
   * The next batch in the order of arrival, offsets of a partition rising. Undefined when all is read or the fetcher is
   * stopped. Rejects with what no further attempt would mend.
   */
  async next(): Promise<FetchedBatch | undefined> {
    for (;;) {
      const entry = this.#fetched.shift();
      if (entry !== undefined) {
        this.#bufferedBytes -= entry.batch.byteLength;
        entry.position.bufferedBytes -= entry.batch.byteLength;
        if (this.#fetched.length === 0 || this.#hasRoom(entry.position)) this.#poke();
        return entry.batch;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#stopped || this.#positions.every(isFinished)) return undefined;
      this.#poke();
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
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

  #poke(): void {
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

  /** Sends a request to every leader that has none under way and has something to ask. */
  #ask(): void {
    if (this.#cluster.closing.aborted) this.#fail(clientClosed());
    if (this.#stopped) return;
    const nowMs = this.#nowMs;
    let wakeAtMs = Infinity;
    const byLeader = new Map<BrokerId, Wanted[]>();
    // A limit on bytes serves the first partitions of a request best: every turn begins with another one.
    this.#turn = (this.#turn + 1) % this.#positions.length;
    for (let index = 0; index < this.#positions.length; index++) {
      const position = this.#positions[(index + this.#turn) % this.#positions.length]!;
      if (position.asked || isFinished(position) || !this.#hasRoom(position)) continue;
      if (position.notBeforeMs > nowMs) {
        wakeAtMs = Math.min(wakeAtMs, position.notBeforeMs);
        continue;
      }
      const topic = this.#cluster.knownTopic(position.topic);
      const leader = topic?.partitions[position.partition]?.leader ?? -1;
      if (topic === undefined || leader < 0) {
        this.#lookUp(position);
      } else if (!this.#busyLeaders.has(leader)) {
        byLeader.set(leader, byLeader.get(leader) ?? []);
        byLeader.get(leader)!.push({ position, topic });
      }
    }
    for (const [leader, wanted] of byLeader) this.#send(leader, wanted);
    this.#wakeAt(wakeAtMs);
  }

  #send(leader: BrokerId, wanted: readonly Wanted[]): void {
    this.#busyLeaders.add(leader);
    for (const { position } of wanted) position.asked = true;
    const done = (): void => {
      this.#busyLeaders.delete(leader);
      for (const { position } of wanted) position.asked = false;
    };
    this.#exchange(leader, wanted).then(
      (answer) => {
        done();
        if (!this.#stopped) this.#receive(wanted, answer);
        this.#poke();
      },
      (error: unknown) => {
        done();
        if (mayRetry(error)) for (const { position } of wanted) this.#later(position, true);
        else this.#fail(asSluiceError(error));
        this.#poke();
      },
    );
  }

  async #exchange(leader: BrokerId, wanted: readonly Wanted[]): Promise<FetchAnswer> {
    const connection = await this.#cluster.connection(leader, LANE_NAME);
    const atMostVersion = mostFetchVersion(wanted);
    const answer = await connection.request(fetch, fetchBody(wanted, this.#options), { atMostVersion });
    if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, `fetching from broker ${leader}`);
    return answer;
  }

  #receive(wanted: readonly Wanted[], answer: FetchAnswer): void {
    for (const each of wanted) {
      const fetched = fetchedFor(each, answer);
      if (fetched === undefined) continue;
      if (fetched.errorCode === ErrorCode.NONE) this.#accept(each.position, fetched);
      else this.#refused(each.position, fetched.errorCode);
    }
    this.#wakeReader?.();
  }

  #accept(position: ReadPosition, answer: PartitionFetch): void {
    position.failures = 0;
    position.highWatermark = answer.highWatermark;
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

  #refused(position: ReadPosition, code: number): void {
    if (code === ErrorCode.OFFSET_OUT_OF_RANGE) this.#outOfRange(position);
    else if (isRetriable(code)) this.#later(position, true);
    else this.#fail(refusedBy(code, partitionName(position.topic, position.partition)));
  }

  /** The asked offset is gone or not there yet: goes to an end of the log, where the reader allows that. */
  #outOfRange(position: ReadPosition): void {
    const { whenOutOfRange: at } = this.#options;
    const { topic, partition } = position;
    if (at === 'fail') {
      const about = `offset ${position.next} of ${partitionName(topic, partition)}`;
      this.#fail(refusedBy(ErrorCode.OFFSET_OUT_OF_RANGE, about));
      return;
    }
    position.asked = true;
    listOffsets(this.#cluster, [{ topic, partition, at }], { isolation: this.#options.isolation }).then(
      ([answer]) => {
        position.asked = false;
        position.next = answer!.offset;
        this.#poke();
        this.#wakeReader?.();
      },
      (error: unknown) => this.#fail(asSluiceError(error)),
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
        this.#poke();
      },
      (error: unknown) => {
        this.#lookUps.delete(topic);
        this.#fail(asSluiceError(error));
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
    this.#wake = this.#cluster.dependencies.clock.after(delayMs, () => this.#poke(), { holdsProcess: true });
  }
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
