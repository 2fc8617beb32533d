/**
 * How fast a log is compacted, and what a log beside it notices of that: batches of 16 KiB are appended to the other log
 * and read back as fast as the event loop lets them, alone first, then beside the compaction, done in a worker thread
 * and in this one. Run: node dist/bench/compaction.js [MiB of the log] [codec]
 */
import { rmSync } from 'node:fs';
import { systemClock } from '../src/base/clock.ts';
import { disk } from '../src/base/disk.ts';
import { silentLogger } from '../src/base/logger.ts';
import { seededRandom, systemRandom } from '../src/base/random.ts';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { buildBatch } from '../src/records/builder.ts';
import { type CleaningEngine, InlineEngine } from '../src/storage/cleaner/cleaning-engine.ts';
import { defaultCleanerSettings, LogCleaner } from '../src/storage/cleaner/log-cleaner.ts';
import { WorkerEngine } from '../src/storage/cleaner/worker-engine.ts';
import { createLog, type Log } from '../src/storage/log.ts';
import { defaultLogConfig } from '../src/storage/log-config.ts';

const MIB = 2 ** 20;
const VALUE_BYTES = 180;
const RECORDS_A_BATCH = 80;
/** Three quarters of the records are superseded. */
const RECORDS_A_KEY = 4;
const ALONE_MS = 3000;

const dependencies = { fileSystem: disk, clock: systemClock, logger: silentLogger, random: systemRandom };

function newLog(path: string, compactPolicy: boolean): Log {
  const config = { ...defaultLogConfig, compactPolicy, deletePolicy: !compactPolicy, segmentBytes: 64 * MIB };
  return createLog({ directory: path, topic: 't', partition: 0, config }, dependencies);
}

async function fill(log: Log, bytes: number, codec: number): Promise<void> {
  const random = seededRandom(1);
  const keys = Math.ceil(bytes / (VALUE_BYTES + 30) / RECORDS_A_KEY);
  for (let written = 0; written < bytes; ) {
    const records = Array.from({ length: RECORDS_A_BATCH }, () => ({
      key: Buffer.from(`user-${String(random.below(keys)).padStart(11, '0')}`),
      value: random.bytes(VALUE_BYTES / 2).toString('hex'),
      timestamp: Date.now(),
    }));
    const values = records.map((record) => ({ ...record, value: Buffer.from(record.value) }));
    const batch = buildBatch({ codec, records: values });
    log.appendAsLeader(batch, { leaderEpoch: 0, origin: 'client' });
    written += batch.length;
  }
  log.roll();
  await log.flush();
}

interface Beside {
  readonly mebibytesASecond: number;
  /** Longest and 99th percentile of how long a turn of append and read took, in ms. */
  readonly p99Ms: number;
  readonly worstMs: number;
}

/** Appends and reads in turns of the event loop until `isOver`. */
async function appendAndRead(log: Log, isOver: () => boolean): Promise<Beside> {
  const batch = buildBatch({
    records: [{ key: Buffer.from('k'), value: Buffer.alloc(16 * 1024), timestamp: Date.now() }],
  });
  const target = Buffer.alloc(2 * batch.length);
  const turns: number[] = [];
  const start = performance.now();
  let bytes = 0;
  for (let before = start; !isOver(); ) {
    const outcome = log.appendAsLeader(Buffer.from(batch), { leaderEpoch: 0, origin: 'client' });
    if (!outcome.ok) throw new Error(outcome.message);
    const read = log.read(outcome.firstOffset, { maxBytes: target.length, minOneBatch: true, upTo: log.endOffset });
    if (read.ok && read.region !== undefined) {
      await read.region.file.read(target.subarray(0, read.region.length), read.region.position);
      read.region.release();
    }
    bytes += batch.length;
    await new Promise((resolve) => setImmediate(resolve));
    const now = performance.now();
    turns.push(now - before);
    before = now;
    // Old data of the log beside is of no interest, and its pages would fill the memory.
    if (turns.length % 10_000 === 0) log.truncateFullyAndStartAt(log.endOffset);
  }
  const seconds = (performance.now() - start) / 1000;
  turns.sort((left, right) => left - right);
  return {
    mebibytesASecond: bytes / MIB / seconds,
    p99Ms: turns[Math.floor(turns.length * 0.99)]!,
    worstMs: turns.at(-1)!,
  };
}

async function measure(name: string, engine: () => CleaningEngine, mebibytes: number, codec: number): Promise<void> {
  const path = makeTemporaryDirectory('sluice-bench');
  try {
    const log = newLog(`${path}/compacted-0`, true);
    const beside = newLog(`${path}/beside-0`, false);
    await fill(log, mebibytes * MIB, codec);
    const alone = await appendAndRead(beside, timeIsUp(ALONE_MS));
    const sizeBefore = log.size;
    const cleaner = new LogCleaner(
      { settings: () => defaultCleanerSettings, logs: () => [log], engine, onCleaned: async () => undefined },
      dependencies,
    );
    const start = performance.now();
    let seconds = 0;
    const passes = cleaner.cleanAll().then(() => {
      seconds = (performance.now() - start) / 1000;
    });
    const together = await appendAndRead(beside, () => seconds > 0);
    await passes;
    report(name, { sizeBefore, sizeAfter: log.size, seconds }, alone, together);
    await log.close();
    await beside.close();
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

function timeIsUp(ms: number): () => boolean {
  const end = performance.now() + ms;
  return () => performance.now() >= end;
}

function report(
  name: string,
  { sizeBefore, sizeAfter, seconds }: { sizeBefore: number; sizeAfter: number; seconds: number },
  alone: Beside,
  together: Beside,
): void {
  const side = ({ mebibytesASecond, p99Ms, worstMs }: Beside): string =>
    `${mebibytesASecond.toFixed(0)} MiB/s (p99 ${p99Ms.toFixed(2)} ms, worst ${worstMs.toFixed(1)} ms)`;
  const sizes = `${(sizeBefore / MIB).toFixed(0)} -> ${(sizeAfter / MIB).toFixed(0)} MiB in ${seconds.toFixed(1)} s`;
  console.log(`${name}: ${(sizeBefore / MIB / seconds).toFixed(0)} MiB/s (${sizes})`);
  console.log(`  the log beside: alone ${side(alone)}, during the compaction ${side(together)}`);
}

const mebibytes = Number(process.argv[2] ?? 512);
const codec = Number(process.argv[3] ?? 0);
await measure('in a worker thread', () => new WorkerEngine(), mebibytes, codec);
await measure('in this thread', () => new InlineEngine({ clock: systemClock }), mebibytes, codec);
