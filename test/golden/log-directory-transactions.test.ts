/**
 * A partition of a real Apache Kafka with committed, aborted and undecided transactions of its Java client: opened here
 * it tells what Kafka told of it, and from the same batches our log writes the same files. The file is
 * { writer, config, lastStableOffset, endOffset, committed: [offset, value][], producers, files: { name: hex } };
 * `capture-transactions.ts` makes it.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { disk } from '../../src/base/disk.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { systemRandom } from '../../src/base/random.ts';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { splitFetch } from '../../src/client/consumer/fetched-batch.ts';
import { createLog, type Log, openLog } from '../../src/storage/log.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';
import { decodeSnapshot } from '../../src/storage/producer-snapshot.ts';
import { projectRoot } from '../support/declared-schemas.ts';

interface Golden {
  readonly lastStableOffset: number;
  readonly endOffset: number;
  readonly committed: readonly (readonly [number, string])[];
  readonly producers: readonly {
    readonly producerId: number;
    readonly producerEpoch: number;
    readonly lastSequence: number;
    readonly transactionStart: number;
  }[];
  readonly files: Readonly<Record<string, string>>;
}

const path = join(projectRoot, 'test/golden/log-directory/kafka-4.3-transactions.json');
const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden;
const dependencies = { fileSystem: disk, clock: systemClock, logger: silentLogger, random: systemRandom };
const config = { ...defaultLogConfig, segmentBytes: 1500, indexIntervalBytes: 300, retentionMs: -1 };
const partition = { topic: 'ledger', partition: 0, config, producerIdExpirationMs: 2 ** 52 };
const isIndex = (name: string): boolean => name.endsWith('.txnindex');

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const parent = makeTemporaryDirectory('sluice-golden');
  try {
    await run(join(parent, 'ledger-0'));
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

function transactionIndexes(files: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(files).filter(([name]) => isIndex(name));
}

function filesIn(directory: string): Record<string, string> {
  const names = readdirSync(directory).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name)).toString('hex')]));
}

/** As a consumer reads: fetches of at most `maxBytes`, filtered by what each one tells of aborted transactions. */
function readCommitted(log: Log, maxBytes: number): [number, string][] {
  const records: [number, string][] = [];
  for (let offset = 0; offset < log.lastStableOffset; ) {
    const upTo = log.lastStableOffset;
    const outcome = log.read(offset, { maxBytes, minOneBatch: true, upTo, collectAborted: true });
    assert.ok(outcome.ok && outcome.region !== undefined && outcome.aborted !== undefined);
    const bytes = Buffer.alloc(outcome.region.length);
    outcome.region.file.readSync(bytes, outcome.region.position);
    outcome.region.release();
    const source = { topic: 'ledger', partition: 0, bytes, highWatermark: log.endOffset, aborted: outcome.aborted };
    const { batches, next } = splitFetch(
      { ...source, checkCrcs: true, maxUncompressedBytes: undefined },
      { from: offset, before: Number.POSITIVE_INFINITY },
    );
    for (const batch of batches) {
      for (const record of batch.records()) records.push([record.offset, String(record.value)]);
    }
    offset = next;
  }
  return records;
}

function checkOpened(log: Log, context: string): void {
  assert.equal(log.endOffset, golden.endOffset, context);
  assert.equal(log.lastStableOffset, golden.lastStableOffset, context);
  for (const maxBytes of [1, 700, 2 ** 20]) assert.deepEqual(readCommitted(log, maxBytes), golden.committed, context);
  const producers = log
    .producers()
    .map(({ producerId, producerEpoch, lastSequence, transactionStartOffset }) => {
      return { producerId, producerEpoch, lastSequence, transactionStart: transactionStartOffset };
    })
    .sort((left, right) => left.producerId - right.producerId);
  assert.deepEqual(producers, golden.producers, context);
}

test('transactions that Apache Kafka wrote are told as by Kafka after any kind of stop, with or without their indexes', async () => {
  for (const cleanShutdown of [true, false]) {
    for (const missing of [/^$/, /\.txnindex$/, /index$|snapshot$/]) {
      // After a clean stop nobody looks for an index that is simply not there: neither does Kafka.
      if (cleanShutdown && missing.source === '\\.txnindex$') continue;
      if (cleanShutdown && missing.source.startsWith('index')) continue;
      await withDirectory(async (directory) => {
        mkdirSync(directory);
        for (const [name, hex] of Object.entries(golden.files)) {
          if (!missing.test(name)) writeFileSync(join(directory, name), Buffer.from(hex, 'hex'));
        }
        const log = await openLog({ ...partition, directory, cleanShutdown }, dependencies);
        const context = `${cleanShutdown ? 'clean' : 'unclean'}, without ${missing.source}`;
        checkOpened(log, context);
        await log.close();
        assert.deepEqual(transactionIndexes(filesIn(directory)), transactionIndexes(golden.files), context);
      });
    }
  }
});

function producersIn(hex: string): unknown {
  const entries = decodeSnapshot(Buffer.from(hex, 'hex'));
  assert.ok(entries !== undefined, 'the snapshot is whole');
  return entries.sort((left, right) => left.producerId - right.producerId);
}

test('the same batches give the same files as with the transactions of Apache Kafka', async () => {
  await withDirectory(async (directory) => {
    const topicId = /topic_id: (\S+)/.exec(Buffer.from(golden.files['partition.metadata']!, 'hex').toString())?.[1];
    const log = createLog({ ...partition, directory, topicId }, dependencies);
    const logs = Object.entries(golden.files).filter(([name]) => name.endsWith('.log'));
    const batches = Buffer.concat(logs.map(([, hex]) => Buffer.from(hex, 'hex')));
    for (let at = 0; at < batches.length; ) {
      const size = batches.readInt32BE(at + 8) + 12;
      assert.ok(log.appendAsFollower(batches.subarray(at, at + size)).ok);
      at += size;
    }
    checkOpened(log, 'appended');
    await log.close();
    const written = filesIn(directory);
    assert.deepEqual(Object.keys(written), Object.keys(golden.files));
    for (const [name, hex] of Object.entries(golden.files)) {
      // Kafka writes the producers of a snapshot in the order of a hash map.
      if (name.endsWith('.snapshot')) assert.deepEqual(producersIn(written[name]!), producersIn(hex), name);
      else assert.ok(written[name] === hex, `${name} is the same`);
    }
  });
});
