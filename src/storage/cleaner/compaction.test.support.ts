/** What the tests of compaction share: batches with keys, a pass on demand, and everything that a reader sees. */
import assert from 'node:assert/strict';
import type { Clock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { Offset, Timestamp } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { type BatchHeader, buildBatch } from '../../records/builder.ts';
import { type ControlType, controlKey, endTransactionValue } from '../../records/control.ts';
import { readRecords } from '../../records/reader.ts';
import { FIRST_TIMESTAMP, readAll } from '../log.test.support.ts';
import type { Log } from '../log.ts';
import { ChunkBuffers } from './chunk-reader.ts';
import { type CleaningEngine, InlineEngine } from './cleaning-engine.ts';
import type { Compaction, CompactionTools } from './compact-log.ts';

export interface Entry {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp?: Timestamp;
}

/** Appends one batch; returns the offset of its first record. */
export function append(log: Log, entries: readonly Entry[], header: BatchHeader = {}): Offset {
  const records = entries.map(({ key, value, timestamp = FIRST_TIMESTAMP }) => ({
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    timestamp,
  }));
  const outcome = log.appendAsLeader(buildBatch({ ...header, records }), { leaderEpoch: 0, origin: 'coordinator' });
  assert.ok(outcome.ok, 'the append is accepted');
  return outcome.firstOffset;
}

/** Appends a transaction marker. */
export function mark(
  log: Log,
  type: typeof ControlType.ABORT | typeof ControlType.COMMIT,
  { producerId, producerEpoch = 0 }: { readonly producerId: number; readonly producerEpoch?: number },
): Offset {
  const record = { key: controlKey(type), value: endTransactionValue(0), timestamp: FIRST_TIMESTAMP };
  const bytes = buildBatch({ producerId, producerEpoch, transactional: true, control: true, records: [record] });
  const outcome = log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'coordinator' });
  assert.ok(outcome.ok, 'the marker is accepted');
  return outcome.firstOffset;
}

export function compactionTools(clock: Clock, parts: Partial<CompactionTools> = {}): CompactionTools {
  const engine: CleaningEngine = new InlineEngine({ clock });
  return {
    engine,
    buffers: new ChunkBuffers(4096),
    random: seededRandom(5),
    slots: 100_000,
    loadFactor: 0.9,
    spend: () => undefined,
    isStopped: () => false,
    ...parts,
  };
}

/** Runs one pass over what is dirty; undefined where nothing is dirty enough. */
export async function compactOnce(
  log: Log,
  clock: Clock,
  parts: Partial<CompactionTools> = {},
): Promise<Compaction | undefined> {
  const range = await log.dirtyRange(clock.wallMs());
  return range === undefined ? undefined : log.compact(range, compactionTools(clock, parts));
}

export interface SeenRecord {
  readonly offset: Offset;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: Timestamp;
}

export interface SeenBatch {
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  readonly codec: number;
  readonly control: boolean;
  readonly transactional: boolean;
  readonly producerId: number;
  readonly baseSequence: number;
  readonly horizon: Timestamp | undefined;
  readonly maxTimestamp: Timestamp;
  readonly records: readonly SeenRecord[];
}

/** Every batch of the log, with its records; control records too. */
export function readBatches(log: Log): SeenBatch[] {
  const bytes = readAll(log, log.startOffset);
  const batches: SeenBatch[] = [];
  for (let at = 0; at < bytes.length; at += batch.batchBytes(bytes, at)) {
    const bits = batch.attributes(bytes, at);
    batches.push({
      baseOffset: batch.baseOffset(bytes, at),
      lastOffset: batch.lastOffset(bytes, at),
      codec: batch.codecOf(bits),
      control: batch.isControl(bits),
      transactional: batch.isTransactional(bits),
      producerId: batch.producerId(bytes, at),
      baseSequence: batch.baseSequence(bytes, at),
      horizon: batch.hasDeleteHorizon(bits) ? batch.baseTimestamp(bytes, at) : undefined,
      maxTimestamp: batch.maxTimestamp(bytes, at),
      records: Array.from(readRecords(bytes, at), ({ offset, key, value, timestamp }) => ({
        offset,
        key: key?.toString('latin1') ?? null,
        value: value?.toString('latin1') ?? null,
        timestamp,
      })),
    });
  }
  return batches;
}

/** The records that consumers see, as `offset:key=value`. */
export function readEntries(log: Log): string[] {
  return readBatches(log)
    .filter(({ control }) => !control)
    .flatMap(({ records }) => records.map(({ offset, key, value }) => `${offset}:${key}=${value}`));
}
