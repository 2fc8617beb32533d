/**
 * A partition's directory as Apache Kafka wrote it: from the same batches our log writes the same files, byte for byte,
 * and it opens Kafka's after any kind of stop. The batches hold idempotent producers, transactions, two leader epochs,
 * timestamps out of order and none. The file is { writer, config, files: { name: hex } }.
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
import { createLog, type Log, openLog } from '../../src/storage/log.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';
import { projectRoot } from '../support/declared-schemas.ts';

const dependencies = { fileSystem: disk, clock: systemClock, logger: silentLogger, random: systemRandom };
const config = { ...defaultLogConfig, segmentBytes: 1500, indexIntervalBytes: 300, retentionMs: -1 };
const topicId = 'ckhF3xLEQsqTd6aJf9KTaQ';
const partition = { topic: 'orders', partition: 0, config, producerIdExpirationMs: 2 ** 52 };

const path = join(projectRoot, 'test/golden/log-directory/kafka-4.3.json');
const golden = JSON.parse(readFileSync(path, 'utf8')) as { files: Record<string, string> };
const files = new Map(Object.entries(golden.files).map(([name, hex]) => [name, Buffer.from(hex, 'hex')]));
const batches = Buffer.concat([...files].filter(([name]) => name.endsWith('.log')).map(([, content]) => content));

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const parent = makeTemporaryDirectory('sluice-golden');
  try {
    await run(join(parent, 'orders-0'));
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

function contentOf(log: Log): Buffer {
  const parts: Buffer[] = [];
  for (const name of readdirSync(log.directory).sort()) {
    if (name.endsWith('.log')) parts.push(readFileSync(join(log.directory, name)));
  }
  return Buffer.concat(parts);
}

/** Appends Kafka's batches one fetch a batch, as Kafka's log got them. */
function appendAll(log: Log): void {
  for (let at = 0; at < batches.length; ) {
    const size = batches.readInt32BE(at + 8) + 12;
    assert.ok(log.appendAsFollower(batches.subarray(at, at + size)).ok);
    at += size;
  }
}

test('the same batches give the same files as in Apache Kafka', async () => {
  await withDirectory(async (directory) => {
    const log = createLog({ ...partition, directory, topicId }, dependencies);
    appendAll(log);
    await log.close();
    const names = [...files.keys()];
    assert.deepEqual(readdirSync(directory).sort(), names);
    for (const name of names) {
      assert.equal(readFileSync(join(directory, name)).toString('hex'), files.get(name)?.toString('hex'), name);
    }
  });
});

test('a directory of Apache Kafka opens after any kind of stop, with its records, epochs and producers', async () => {
  for (const stop of [
    'clean',
    'unclean',
    'unclean, preallocated indexes',
    'no indexes, snapshots or epochs',
  ] as const) {
    await withDirectory(async (directory) => {
      mkdirSync(directory);
      for (const [name, content] of files) {
        if (stop.startsWith('no indexes') && /index$|snapshot$|epoch-checkpoint$/.test(name)) continue;
        const zeros = stop.endsWith('preallocated indexes') && /\.(time)?index$/.test(name) ? 1200 : 0;
        writeFileSync(join(directory, name), Buffer.concat([content, Buffer.alloc(zeros)]));
      }
      const log = await openLog({ ...partition, directory, cleanShutdown: stop === 'clean' }, dependencies);
      assert.deepEqual(contentOf(log), batches, stop);
      assert.equal(log.endOffset, 67, stop);
      assert.equal(log.topicId, topicId);
      assert.deepEqual(log.endOffsetForEpoch(3), { epoch: 3, endOffset: 28 }, stop);
      assert.equal(log.lastStableOffset, 67, stop);
      assert.deepEqual(
        log
          .producers()
          .map(({ producerId, lastSequence, coordinatorEpoch }) => [producerId, lastSequence, coordinatorEpoch]),
        [
          [1, 17, -1],
          [9, 17, 5],
        ],
        stop,
      );
      for (const [name, content] of files) {
        if (!name.endsWith('.txnindex')) continue;
        assert.equal(readFileSync(join(directory, name)).toString('hex'), content.toString('hex'), `${name}, ${stop}`);
      }
      await log.close();
    });
  }
});
