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
    rmSync(parent, { recursive: true, force: true });
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
