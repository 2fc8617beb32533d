/**
 * Compacts a broker's logs, one at a time, the dirtiest first, for as long as one is dirty enough; then waits. A log that
 * cannot be compacted is said so once and left alone until the next start; the others go on.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf, SluiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Log } from '../log.ts';
import { ChunkBuffers } from './chunk-reader.ts';
import type { CleaningEngine } from './cleaning-engine.ts';
import type { Compaction, CompactionTools } from './compact-log.ts';
import type { DirtyRange } from './dirty-range.ts';
import { KEY_ENTRY_BYTES } from './key-map.ts';
import { Pacing } from './pacing.ts';
import { Throttle } from './throttle.ts';
import { ENGINE_ENDED } from './worker-engine.ts';

/** Kafka's options log.cleaner.*; read anew for each pass. */
export interface CleanerSettings {
  readonly enabled: boolean;
  readonly dedupeBufferBytes: number;
  readonly loadFactor: number;
  readonly ioBufferBytes: number;
  readonly maxBytesPerSecond: number;
  readonly backoffMs: number;
}

export const defaultCleanerSettings: CleanerSettings = {
  enabled: true,
  dedupeBufferBytes: 128 * 2 ** 20,
  loadFactor: 0.9,
  ioBufferBytes: 512 * 1024,
  maxBytesPerSecond: Number.MAX_VALUE,
  backoffMs: 15_000,
};

export interface LogCleanerOptions {
  readonly settings: () => CleanerSettings;
  readonly logs: () => Iterable<Log>;
  readonly engine: () => CleaningEngine;
  /** Which share of its time the broker is busy, 0 to 1: compaction gives way. Always idle where left out. */
  readonly busyShare?: () => number;
  /** A log's `cleanedTo` has moved. */
  readonly onCleaned: (log: Log) => Promise<void>;
}

/** Since the start of the process, for metrics. */
export interface CleanerCounters {
  readonly passes: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly recordsRead: number;
  readonly recordsKept: number;
  readonly recordsWithoutKey: number;
  /** Time of passes that ended well, rests included. */
  readonly busyMs: number;
  /** How long the last of them took. */
  readonly lastPassMs: number;
  /** Logs that cannot be compacted and are left alone until the next start. */
  readonly uncleanable: number;
}

export const NOTHING_CLEANED: CleanerCounters = {
  passes: 0,
  bytesRead: 0,
  bytesWritten: 0,
  recordsRead: 0,
  recordsKept: 0,
  recordsWithoutKey: 0,
  busyMs: 0,
  lastPassMs: 0,
  uncleanable: 0,
};

interface Candidate {
  readonly log: Log;
  readonly range: DirtyRange;
}

/** Logs that are looked at before others get the event loop. */
const LOGS_A_TURN = 256;
/** A piece's buffer; there are two of them, and one for the result. */
const BUFFERS = 2;
const LEAST_CHUNK_BYTES = 64 * 1024;
/** More keys than that would need positions beyond what one typed array has. */
const MOST_SLOTS = 2 ** 30;
const MEBIBYTE = 2 ** 20;

export class LogCleaner {
  readonly #options: LogCleanerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #throttle: Throttle;
  readonly #pacing: Pacing;
  readonly #uncleanable = new WeakSet<Log>();
  #counters = NOTHING_CLEANED;
  #engine: CleaningEngine | undefined;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** Ends the wait of a throttled pass. */
  #wake: () => void = () => undefined;

  constructor(
    options: LogCleanerOptions,
    dependencies: { readonly clock: Clock; readonly logger: Logger; readonly random: Random },
  ) {
    this.#options = options;
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger;
    this.#random = dependencies.random;
    this.#throttle = new Throttle(dependencies);
    this.#pacing = new Pacing({ busyShare: options.busyShare ?? (() => 0) }, dependencies);
  }

  get counters(): CleanerCounters {
    return this.#counters;
  }

  /** Begins to look for dirty logs from time to time. */
  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(this.#options.settings().backoffMs, () => {
      this.#running = this.cleanAll()
        .catch((error: unknown) => this.#logger.error('Compaction failed', { error: messageOf(error) }))
        .then(() => {
          this.#running = undefined;
          this.start();
        });
    });
  }

  /** Stops the pass that runs, with nothing half done. Never rejects. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#wake();
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close();
    await this.#running;
  }

  /** Compacts until no log is dirty enough; returns how many passes that took. One call at a time. */
  async cleanAll(): Promise<number> {
    let passes = 0;
    for (;;) {
      const settings = this.#options.settings();
      const candidate = settings.enabled ? await this.#dirtiest() : undefined;
      if (candidate === undefined || this.#stopped) break;
      if (!(await this.#clean(candidate, settings))) break;
      passes++;
    }
    // A thread and its memory are not kept for what may come hours later.
    await this.#engine?.close();
    this.#engine = undefined;
    return passes;
  }

  async #dirtiest(): Promise<Candidate | undefined> {
    const nowMs = this.#clock.wallMs();
    let best: Candidate | undefined;
    let visited = 0;
    for (const log of [...this.#options.logs()]) {
      if (++visited % LOGS_A_TURN === 0) await new Promise<void>((resolve) => this.#clock.afterTurn(resolve));
      if (!log.config.compactPolicy || this.#uncleanable.has(log)) continue;
      const range = await this.#rangeOf(log, nowMs);
      if (range !== undefined && (best === undefined || range.ratio > best.range.ratio)) best = { log, range };
    }
    return best;
  }

  async #rangeOf(log: Log, nowMs: number): Promise<DirtyRange | undefined> {
    try {
      return await log.dirtyRange(nowMs);
    } catch (error) {
      this.#giveUpOn(log, error);
      return undefined;
    }
  }

  /** False where looking for another log at once would find the same one in the same state. */
  async #clean({ log, range }: Candidate, settings: CleanerSettings): Promise<boolean> {
    this.#engine ??= this.#options.engine();
    const startedMs = this.#clock.monotonicMs();
    try {
      const compaction = await log.compact(range, this.#toolsFor(log, this.#engine, settings));
      if (compaction === undefined) return false;
      const tookMs = this.#clock.monotonicMs() - startedMs;
      this.#count(compaction, tookMs);
      this.#report(log, range, compaction, tookMs);
      await this.#options.onCleaned(log);
      return true;
    } catch (error) {
      if (this.#stopped) return false;
      if (!(error instanceof SluiceError) || error.code !== ENGINE_ENDED) {
        this.#giveUpOn(log, error);
        return true;
      }
      this.#logger.error('Compaction is tried again later', { error: error.message });
      return false;
    }
  }

  #toolsFor(log: Log, engine: CleaningEngine, settings: CleanerSettings): CompactionTools {
    const { dedupeBufferBytes, loadFactor, ioBufferBytes } = settings;
    return {
      engine,
      buffers: new ChunkBuffers(Math.max(LEAST_CHUNK_BYTES, Math.floor(ioBufferBytes / BUFFERS))),
      random: this.#random,
      slots: Math.min(MOST_SLOTS, Math.floor(dedupeBufferBytes / KEY_ENTRY_BYTES)),
      loadFactor: Math.min(1, loadFactor),
      spend: (bytes) => this.#spend(bytes),
      isStopped: () => this.#stopped || !log.config.compactPolicy,
    };
  }

  #spend(bytes: number): Promise<void> | undefined {
    const rate = this.#throttle.spend(bytes, this.#options.settings().maxBytesPerSecond);
    const rest = this.#pacing.rest();
    if (rate === undefined && rest === undefined) return undefined;
    const wait = Promise.all([rate, rest]).then(() => undefined);
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return Promise.race([wait, woken]);
  }

  #giveUpOn(log: Log, error: unknown): void {
    this.#uncleanable.add(log);
    this.#counters = { ...this.#counters, uncleanable: this.#counters.uncleanable + 1 };
    const { topic, partition } = log;
    this.#logger.error('A log cannot be compacted and is left as it is', { topic, partition, error: messageOf(error) });
  }

  #count({ bytesRead, bytesWritten, recordsRead, recordsKept, recordsWithoutKey }: Compaction, tookMs: number): void {
    const before = this.#counters;
    this.#counters = {
      passes: before.passes + 1,
      bytesRead: before.bytesRead + bytesRead,
      bytesWritten: before.bytesWritten + bytesWritten,
      recordsRead: before.recordsRead + recordsRead,
      recordsKept: before.recordsKept + recordsKept,
      recordsWithoutKey: before.recordsWithoutKey + recordsWithoutKey,
      busyMs: before.busyMs + tookMs,
      lastPassMs: tookMs,
      uncleanable: before.uncleanable,
    };
  }

  #report(log: Log, range: DirtyRange, compaction: Compaction, tookMs: number): void {
    const { topic, partition } = log;
    const { bytesRead, bytesWritten, recordsWithoutKey, segmentsBefore, segmentsAfter, keys } = compaction;
    this.#logger.info('Compacted a log', {
      topic,
      partition,
      from: range.from,
      upTo: compaction.upTo,
      keys,
      segmentsBefore,
      segmentsAfter,
      mebibytesRead: toMebibytes(bytesRead),
      mebibytesWritten: toMebibytes(bytesWritten),
      recordsRead: compaction.recordsRead,
      recordsKept: compaction.recordsKept,
      seconds: Math.round(tookMs / 100) / 10,
    });
    if (recordsWithoutKey > 0) this.#logger.warn('Records without a key were dropped', { topic, recordsWithoutKey });
  }
}

function toMebibytes(bytes: number): number {
  return Math.round((bytes / MEBIBYTE) * 10) / 10;
}
