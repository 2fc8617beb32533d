/**
 * One partition of a coordinator's topic, where this broker leads it: state, and the log that the state is made from.
 *
 *    loading ──(log replayed)──> active ──(leadership lost, log failed)──> closed
 *       └────────────────────────────────────────────────────────────────────^
 *
 * A request runs, is appended and replayed within one turn: that is the lock. Its reply leaves once the append is
 * committed; what only reads waits for the writes that it saw.
 */
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Offset } from '../../base/units.ts';
import { type ErrorCode as Code, ErrorCode, errorName } from '../../protocol/error-codes.ts';
import * as batch from '../../records/batch.ts';
import { BatchWriter, mostRecordBytes } from '../../records/builder.ts';
import type { Partition } from '../../replication/partition.ts';
import { CommitQueue } from './commit-queue.ts';
import { coordinatorError } from './failure.ts';
import { replayLog } from './replay-log.ts';
import type { Result } from './result.ts';
import type { RecordFormat, ShardState, ShardTimers } from './shard-state.ts';
import { KeyedTimers } from './timers.ts';

export type ShardPhase = 'loading' | 'active' | 'closed';

export interface ShardOptions {
  readonly partition: Partition;
  /** Codec number of the batches; see CODECS. */
  readonly codec: () => number;
  readonly loadChunkBytes: () => number;
  /** Longest wait until a write is committed. */
  readonly commitTimeoutMs: () => number;
}

export interface ShardDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A batch of a coordinator stays well below what a consumer fetches at a time, where it can. */
const BATCH_TARGET_BYTES = 512 * 1024;

export class Shard<State extends ShardState<Rec>, Rec> {
  readonly partition: Partition;
  readonly state: State;
  readonly #options: ShardOptions;
  readonly #format: RecordFormat<Rec>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timers: KeyedTimers<Rec>;
  readonly #commits: CommitQueue;
  readonly #stopListening: () => void;
  #phase: ShardPhase = 'loading';
  /** End of the last write: what a reply may depend on. */
  #writtenTo: Offset = 0;

  constructor(
    options: ShardOptions,
    format: RecordFormat<Rec>,
    createState: (timers: ShardTimers<Rec>) => State,
    dependencies: ShardDependencies,
  ) {
    this.#options = options;
    this.#format = format;
    this.#clock = dependencies.clock;
    this.partition = options.partition;
    const { topic, partition } = options.partition;
    this.#logger = dependencies.logger.with({ topic, partition });
    this.#timers = new KeyedTimers(dependencies.clock, (operation) => this.#runTimer(operation));
    this.state = createState(this.#timers);
    this.#commits = new CommitQueue(
      { timeoutMs: options.commitTimeoutMs, highWatermark: () => this.partition.highWatermark },
      dependencies,
    );
    this.#stopListening = this.partition.onReadable(() => this.#commits.advance());
  }

  get phase(): ShardPhase {
    return this.#phase;
  }

  /** Replays the log; resolves when requests are answered, or when the shard is closed. Never rejects. */
  async load(): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    try {
      const records = await replayLog(
        this.partition.log,
        {
          record: (key, value, place) => {
            const record = this.#format.decode(key, value);
            if (record !== undefined) this.state.replay(record, place);
          },
          endTransaction: (producerId, committed) => this.state.endTransaction(producerId, committed),
        },
        {
          chunkBytes: this.#options.loadChunkBytes(),
          wanted: () => this.#phase === 'loading',
          pause: () => new Promise((resolve) => this.#clock.afterTurn(resolve)),
        },
      );
      if (records === undefined) return;
      this.#writtenTo = this.partition.log.endOffset;
      this.#phase = 'active';
      this.state.loaded();
      const ms = Math.round(this.#clock.monotonicMs() - startedMs);
      if (records > 0) this.#logger.info('coordinator loaded', { records, ms });
    } catch (error) {
      this.#fail('the coordinator cannot load its partition', error);
    }
  }

  /**
   * Runs a request, writes its records and resolves with its reply once they are committed. `refuse` shapes the reply
   * where the shard does not answer or the records were not written.
   */
  write<Reply>(operation: (state: State) => Result<Reply, Rec>, refuse: (errorCode: Code) => Reply): Promise<Reply> {
    const closed = this.#refusal();
    if (closed !== ErrorCode.NONE) return Promise.resolve(refuse(closed));
    let result: Result<Reply, Rec>;
    try {
      result = operation(this.state);
    } catch (error) {
      this.#logger.error('a coordinator request failed', { reason: messageOf(error), stack: stackOf(error) });
      return Promise.resolve(refuse(ErrorCode.UNKNOWN_SERVER_ERROR));
    }
    return new Promise((resolve) => {
      this.#commit(result, (errorCode) => {
        resolve(errorCode === ErrorCode.NONE ? result.reply : refuse(errorCode));
      });
    });
  }

  /** Answers from the state, once all that it was made from is committed. */
  read<Reply>(operation: (state: State) => Reply, refuse: (errorCode: Code) => Reply): Promise<Reply> {
    return this.write((state) => ({ records: [], reply: operation(state) }), refuse);
  }

  /** Gives up the partition: whoever waits is told that another broker is the coordinator. */
  close(): void {
    if (this.#phase === 'closed') return;
    const wasActive = this.#phase === 'active';
    this.#phase = 'closed';
    this.#stopListening();
    this.#timers.cancelAll();
    this.#commits.failAll(ErrorCode.NOT_COORDINATOR);
    if (wasActive) this.state.unloaded();
  }

  #refusal(): Code {
    switch (this.#phase) {
      case 'active':
        return ErrorCode.NONE;
      case 'loading':
        return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
      case 'closed':
        return ErrorCode.NOT_COORDINATOR;
    }
  }

  #runTimer(operation: () => Result<unknown, Rec>): void {
    if (this.#phase !== 'active') return;
    void this.write<unknown>(operation, (errorCode) => {
      // Another broker has the coordinator now, and does what is due.
      const hasMoved = errorCode === ErrorCode.NOT_COORDINATOR;
      const level = hasMoved ? 'debug' : 'warn';
      this.#logger[level]('what was due at a coordinator could not be written', { error: errorName(errorCode) });
    });
  }

  /** Appends and replays the records of a result, in this turn, and tells when they are committed. */
  #commit(result: Result<unknown, Rec>, done: (errorCode: Code) => void): void {
    const settle = (errorCode: Code): void => {
      const told = coordinatorError(errorCode);
      if (this.#phase !== 'closed') this.#settle(result, told);
      done(told);
    };
    if (result.records.length === 0) {
      this.#commits.add(this.#writtenTo, undefined, settle);
      return;
    }
    const bytes = encodeBatches(result.records, this.#format, {
      codec: this.#options.codec(),
      timestamp: this.#clock.wallMs(),
    });
    const outcome = this.partition.append(bytes, { origin: 'coordinator' }, -1);
    if (!outcome.ok) {
      this.#logger.warn('a coordinator could not write', { reason: outcome.message });
      settle(outcome.errorCode);
      return;
    }
    this.#writtenTo = outcome.lastOffset + 1;
    if (result.settle === undefined && !this.#replay(result.records, outcome.firstOffset)) {
      done(ErrorCode.NOT_COORDINATOR);
      return;
    }
    this.#commits.add(this.#writtenTo, outcome.durable, (errorCode) => {
      settle(errorCode);
      if (errorCode === ErrorCode.KAFKA_STORAGE_ERROR) this.#fail('a coordinator write is not durable', undefined);
    });
  }

  #settle(result: Result<unknown, Rec>, errorCode: Code): void {
    try {
      result.settle?.(errorCode);
    } catch (error) {
      this.#fail('the coordinator could not take over what it wrote', error);
    }
  }

  #replay(records: readonly Rec[], firstOffset: Offset): boolean {
    try {
      for (let index = 0; index < records.length; index++) {
        this.state.replay(records[index]!, { offset: firstOffset + index, producerId: batch.NO_PRODUCER_ID });
      }
      return true;
    } catch (error) {
      this.#fail('the coordinator could not replay what it wrote', error);
      return false;
    }
  }

  /** State and log may disagree: nothing is answered from it any more. */
  #fail(what: string, error: unknown): void {
    if (this.#phase === 'closed') return;
    this.#logger.error(what, error === undefined ? {} : { reason: messageOf(error), stack: stackOf(error) });
    this.close();
  }
}

/** The records as batches that lie one behind the other, to be appended at once. */
function encodeBatches<Rec>(
  records: readonly Rec[],
  format: RecordFormat<Rec>,
  { codec, timestamp }: { readonly codec: number; readonly timestamp: number },
): Buffer {
  const batches: Buffer[] = [];
  let writer = new BatchWriter();
  for (const record of records) {
    const { key, value } = format.encode(record);
    if (writer.count > 0 && writer.bytes + mostRecordBytes({ key, value }) > BATCH_TARGET_BYTES) {
      batches.push(writer.finish({ codec }));
      writer = new BatchWriter();
    }
    writer.append(timestamp, key, value);
  }
  batches.push(writer.finish({ codec }));
  return batches.length === 1 ? batches[0]! : Buffer.concat(batches);
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
