/** What the tests of this room share: a log in a temporary directory, batches, and reading everything back. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { type Clock, systemClock } from '../base/clock.ts';
import { disk } from '../base/disk.ts';
import type { FileSystem } from '../base/file-system.ts';
import { silentLogger } from '../base/logger.ts';
import { seededRandom } from '../base/random.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import type { Offset } from '../base/units.ts';
import { batchBytes, lastOffset } from '../records/batch.ts';
import { buildBatch } from '../records/builder.ts';
import { createLog, type Log, type LogDependencies } from './log.ts';
import { defaultLogConfig, type LogConfig } from './log-config.ts';

export async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const parent = makeTemporaryDirectory('sluice-storage');
  try {
    await run(`${parent}/t-0`);
  } finally {
    // A log that was left open may still be writing its metadata.
    rmSync(parent, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function testDependencies(parts: { fileSystem?: FileSystem; clock?: Clock } = {}): LogDependencies {
  return {
    fileSystem: parts.fileSystem ?? disk,
    clock: parts.clock ?? systemClock,
    logger: silentLogger,
    random: seededRandom(1),
  };
}

export function newLog(directory: string, config: Partial<LogConfig> = {}, dependencies = testDependencies()): Log {
  const topicId = 'ckhF3xLEQsqTd6aJf9KTaQ';
  return createLog(
    { directory, topic: 't', partition: 0, topicId, config: { ...defaultLogConfig, ...config } },
    dependencies,
  );
}

export interface RecordsSpec {
  readonly values: readonly string[];
  readonly timestamp?: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly baseOffset?: Offset;
  readonly leaderEpoch?: number;
}

/** A fixed time well inside what topics accept relative to the real clock is not needed: age is not limited. */
export const FIRST_TIMESTAMP = 1_700_000_000_000;

export function buildRecords({ values, timestamp = FIRST_TIMESTAMP, ...rest }: RecordsSpec): Buffer {
  return buildBatch({ ...rest, records: values.map((value) => ({ key: null, value: Buffer.from(value), timestamp })) });
}

/** All bytes from the batch that holds `from` to `upTo`, by reads of at most `maxBytes`. */
export function readAll(log: Log, from: Offset, upTo: Offset = log.endOffset, maxBytes = 2 ** 20): Buffer {
  const parts: Buffer[] = [];
  for (let offset = from; offset < upTo; ) {
    const outcome = log.read(offset, { maxBytes, minOneBatch: true, upTo });
    assert.ok(outcome.ok, 'a read inside the log succeeds');
    if (outcome.region === undefined) break;
    const bytes = Buffer.alloc(outcome.region.length);
    assert.equal(outcome.region.file.readSync(bytes, outcome.region.position), bytes.length);
    outcome.region.release();
    let end = 0;
    while (end + 12 <= bytes.length && end + batchBytes(bytes, end) <= bytes.length) {
      offset = lastOffset(bytes, end) + 1;
      end += batchBytes(bytes, end);
    }
    assert.ok(end > 0, 'a read returns one whole batch at least');
    parts.push(bytes.subarray(0, end));
  }
  return Buffer.concat(parts);
}

/** Waits for what happens off the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition(); ) {
    assert.ok(Date.now() < end, 'it happens within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A clock that moves only when told. */
export class ManualClock implements Clock {
  wall = FIRST_TIMESTAMP;
  monotonic = 0;
  readonly #timers = new Set<{ atMs: number; periodMs: number | undefined; callback: () => void }>();

  wallMs(): number {
    return this.wall;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    return this.#add(delayMs, undefined, callback);
  }

  every(periodMs: number, callback: () => void): { cancel(): void } {
    return this.#add(periodMs, periodMs, callback);
  }

  #add(delayMs: number, periodMs: number | undefined, callback: () => void): { cancel(): void } {
    const timer = { atMs: this.monotonic + delayMs, periodMs, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Lets time pass and fires what is due. */
  advance(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
    for (const timer of [...this.#timers]) {
      if (timer.atMs > this.monotonic) continue;
      if (timer.periodMs === undefined) this.#timers.delete(timer);
      else timer.atMs = this.monotonic + timer.periodMs;
      timer.callback();
    }
  }
}

/** Appends one batch a value and fails the test where one is refused. */
export function appendEach(log: Log, values: readonly string[], spec: Omit<RecordsSpec, 'values'> = {}): void {
  for (const value of values) {
    const outcome = log.appendAsLeader(buildRecords({ ...spec, values: [value] }), {
      leaderEpoch: 0,
      origin: 'client',
    });
    assert.ok(outcome.ok, 'the append is accepted');
  }
}
