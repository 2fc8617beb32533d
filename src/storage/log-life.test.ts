import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { seededRandom } from '../base/random.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import * as batch from '../records/batch.ts';
import { CODECS } from '../records/compression/codec-numbers.ts';
import { readRecords } from '../records/reader.ts';
import { failingDisk } from './failing-file-system.test.support.ts';
import {
  appendEach,
  buildRecords,
  FIRST_TIMESTAMP,
  ManualClock,
  newLog,
  readAll,
  testDependencies,
  until,
  withDirectory,
} from './log.test.support.ts';
import { type Log, openLog } from './log.ts';

const HOUR = 3_600_000;

function append(log: Log, spec: Parameters<typeof buildRecords>[0]) {
  return log.appendAsLeader(buildRecords(spec), { leaderEpoch: 0, origin: 'client' });
}

test('a segment is closed before a batch that would make it too large', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { segmentBytes: 300 });
    appendEach(log, ['x'.repeat(100)]);
    assert.equal(log.segmentCount, 1);
    appendEach(log, ['x'.repeat(100)]);
    assert.equal(log.segmentCount, 2);
    const tooLarge = append(log, { values: ['x'.repeat(400)] });
    assert.equal(tooLarge.ok ? 0 : tooLarge.errorCode, ErrorCode.RECORD_LIST_TOO_LARGE);
    assert.ok(existsSync(`${directory}/00000000000000000001.log`));
    assert.ok(existsSync(`${directory}/00000000000000000001.snapshot`));
    await log.close();
  });
});

test('a segment is closed by the age of its first batch, not by the clock', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = newLog(directory, { segmentMs: HOUR }, testDependencies({ clock }));
    append(log, { values: ['a'], timestamp: FIRST_TIMESTAMP });
    clock.advance(10 * HOUR);
    append(log, { values: ['b'], timestamp: FIRST_TIMESTAMP + HOUR });
    assert.equal(log.segmentCount, 1);
    append(log, { values: ['c'], timestamp: FIRST_TIMESTAMP + HOUR + 1 });
    assert.equal(log.segmentCount, 2);
    await log.close();
  });
});

test('a segment without timestamps is closed by the clock', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = newLog(directory, { segmentMs: HOUR }, testDependencies({ clock }));
    append(log, { values: ['a'], timestamp: -1 });
    clock.advance(HOUR);
    append(log, { values: ['b'], timestamp: -1 });
    assert.equal(log.segmentCount, 1);
    clock.advance(1);
    append(log, { values: ['c'], timestamp: -1 });
    assert.equal(log.segmentCount, 2);
    await log.close();
  });
});

test('segments of many logs are closed one after the other where they jitter, never later than segment.ms', async () => {
  const ages = new Set<number>();
  for (let seed = 1; seed <= 12; seed++) {
    await withDirectory(async (directory) => {
      const clock = new ManualClock();
      const dependencies = { ...testDependencies({ clock }), random: seededRandom(seed) };
      const log = newLog(directory, { segmentMs: 1000, segmentJitterMs: 400 }, dependencies);
      appendEach(log, ['first'], { timestamp: 0 });
      let age = 0;
      while (log.segmentCount === 1) appendEach(log, ['x'], { timestamp: ++age });
      assert.ok(age > 600 && age <= 1001, `seed ${seed}: closed after ${age} ms`);
      ages.add(age);
      await log.close();
    });
  }
  assert.ok(ages.size > 6, `twelve segments were closed at ${ages.size} different ages`);
});

test('a full index closes the segment', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { indexIntervalBytes: 1, indexMaxBytes: 48 });
    appendEach(
      log,
      Array.from({ length: 20 }, () => 'x'),
      { timestamp: -1 },
    );
    assert.ok(log.segmentCount >= 3, `${log.segmentCount} segments`);
    for (const name of readdirSync(directory)) {
      if (name.endsWith('.index')) assert.ok(readFileSync(`${directory}/${name}`).length <= 48);
    }
    await log.close();
  });
});

test('offsets too far apart for one segment go into two', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    const far = 2 ** 31 + 10;
    assert.ok(log.appendAsFollower(buildRecords({ values: ['a'], baseOffset: 5, leaderEpoch: 0 })).ok);
    assert.ok(log.appendAsFollower(buildRecords({ values: ['b'], baseOffset: far, leaderEpoch: 0 })).ok);
    assert.equal(log.segmentCount, 2);
    const outcome = log.read(6, { maxBytes: 100, minOneBatch: true, upTo: far + 1 });
    assert.ok(outcome.ok && outcome.startOffset === far, 'a read in the gap gets the next batch');
    outcome.region?.release();
    assert.ok(existsSync(`${directory}/0000000000${far}.log`));
    await log.close();
  });
});

test('a follower refuses what lies before its end and leaves a partial batch out', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    const first = buildRecords({ values: ['a', 'b'], baseOffset: 10, leaderEpoch: 3 });
    const second = buildRecords({ values: ['c'], baseOffset: 12, leaderEpoch: 5 });
    const outcome = log.appendAsFollower(Buffer.concat([first, second.subarray(0, 50)]));
    assert.ok(outcome.ok && outcome.firstOffset === 10 && outcome.lastOffset === 11);
    const again = log.appendAsFollower(first);
    assert.equal(again.ok ? 0 : again.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
    const later = log.appendAsFollower(second, { leaderEpoch: 4 });
    assert.ok(later.ok && later.lastOffset < later.firstOffset, 'a batch of a later epoch is not taken');
    assert.equal(log.endOffset, 12);
    const broken = Buffer.from(second);
    broken[62]! ^= 1;
    const corrupt = log.appendAsFollower(broken);
    assert.equal(corrupt.ok ? 0 : corrupt.errorCode, ErrorCode.CORRUPT_MESSAGE);
    assert.equal(log.endOffset, 12);
    await log.close();
  });
});

test('retention by time deletes what is old, and never what is not replicated', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const config = { segmentBytes: 200, retentionMs: HOUR, fileDeleteDelayMs: 1000 };
    const { fileSystem, operations } = failingDisk();
    const log = newLog(directory, config, testDependencies({ clock, fileSystem }));
    for (let index = 0; index < 10; index++) {
      append(log, { values: ['x'.repeat(50)], timestamp: FIRST_TIMESTAMP + index });
    }
    const segments = log.segmentCount;
    log.updateHighWatermark(4);
    assert.equal(log.applyRetention(FIRST_TIMESTAMP + HOUR), 0);
    assert.ok(log.applyRetention(FIRST_TIMESTAMP + 2 * HOUR) > 0);
    assert.ok(log.startOffset > 0 && log.startOffset <= 4);
    assert.ok(log.segmentCount < segments);
    log.updateHighWatermark(10);
    log.applyRetention(FIRST_TIMESTAMP + 2 * HOUR);
    assert.equal(log.startOffset, 10, 'the active segment goes too, after it was rolled');
    assert.equal(log.segmentCount, 1);
    assert.ok(readdirSync(directory).some((name) => name.endsWith('.deleted')));
    clock.advance(1000);
    await until(() => !readdirSync(directory).some((name) => name.endsWith('.deleted')));
    assert.deepEqual(
      operations.filter((operation) => /^remove .*\.log/.test(operation)),
      [],
      'large files are removed off the event loop',
    );
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.endsWith('.log')),
      ['00000000000000000010.log'],
    );
    append(log, { values: ['x'] });
    assert.equal(log.endOffset, 11);
    await log.close();
  });
});

test('retention by size keeps at least the configured bytes', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { segmentBytes: 300, retentionMs: -1, retentionBytes: 1000 });
    appendEach(
      log,
      Array.from({ length: 40 }, () => 'x'.repeat(50)),
    );
    assert.ok(log.applyRetention(FIRST_TIMESTAMP) > 0);
    assert.ok(log.size >= 1000 && log.size < 1300, `${log.size} bytes`);
    assert.equal(log.applyRetention(FIRST_TIMESTAMP), 0);
    await log.close();
  });
});

test('a log that is only compacted loses nothing but what lies below its start', async () => {
  await withDirectory(async (directory) => {
    const config = { segmentBytes: 200, retentionMs: 1, retentionBytes: 1, deletePolicy: false, compactPolicy: false };
    const log = newLog(directory, config);
    appendEach(
      log,
      Array.from({ length: 10 }, () => 'x'.repeat(50)),
    );
    assert.equal(log.applyRetention(FIRST_TIMESTAMP + 100 * HOUR), 0);
    assert.equal(log.advanceStartOffset(5), ErrorCode.NONE);
    assert.ok(log.applyRetention(FIRST_TIMESTAMP) > 0);
    assert.ok(log.firstSegmentOffset <= 5);
    assert.equal(log.startOffset, 5);
    await log.close();
  });
});

test('the start offset moves up to the high watermark and hides records at once', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    appendEach(log, ['a', 'b', 'c', 'd']);
    log.updateHighWatermark(3);
    assert.equal(log.advanceStartOffset(4), ErrorCode.OFFSET_OUT_OF_RANGE);
    assert.equal(log.advanceStartOffset(2), ErrorCode.NONE);
    assert.equal(log.advanceStartOffset(1), ErrorCode.NONE);
    assert.equal(log.startOffset, 2);
    const outcome = log.read(1, { maxBytes: 10, minOneBatch: true, upTo: 4 });
    assert.equal(outcome.ok ? 0 : outcome.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
    await log.close();
  });
});

test('truncation cuts records, epochs and producers, and the log goes on from there', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { segmentBytes: 400, indexIntervalBytes: 50 });
    for (let index = 0; index < 30; index++) {
      const bytes = buildRecords({
        values: [`${index}`],
        timestamp: FIRST_TIMESTAMP + index,
        producerId: 3,
        producerEpoch: 0,
        baseSequence: index,
      });
      log.appendAsLeader(bytes, { leaderEpoch: index < 10 ? 1 : 2, origin: 'client' });
    }
    const before = readAll(log, 0, 8);
    let truncated = 0;
    log.listeners.onTruncated = () => truncated++;
    await log.flush();
    assert.equal(log.truncateTo(30), false);
    assert.equal(log.truncateTo(8), true);
    assert.equal(truncated, 1);
    assert.equal(log.endOffset, 8);
    assert.equal(log.recoveryPoint, 8);
    assert.equal(log.latestEpoch, 1);
    assert.equal(log.producers()[0]?.lastSequence, 7);
    assert.deepEqual(readAll(log, 0), before);
    assert.equal((await log.maxTimestampOffset())?.offset, 7);
    append(log, { values: ['x'], producerId: 3, producerEpoch: 0, baseSequence: 8 });
    assert.equal(log.endOffset, 9);
    await log.close();
    const options = { directory, topic: 't', partition: 0, config: log.config, cleanShutdown: true };
    const again = await openLog(options, testDependencies());
    assert.equal(again.endOffset, 9);
    await again.close();
  });
});

test('full truncation starts the log at another offset, below or above what it held', async () => {
  for (const offset of [0, 3, 500]) {
    await withDirectory(async (directory) => {
      const log = newLog(directory, { segmentBytes: 200 });
      appendEach(
        log,
        Array.from({ length: 10 }, () => 'x'.repeat(40)),
      );
      log.truncateFullyAndStartAt(offset);
      assert.deepEqual([log.startOffset, log.endOffset, log.segmentCount, log.size], [offset, offset, 1, 0]);
      assert.equal(log.latestEpoch, -1);
      appendEach(log, ['next']);
      assert.equal(log.endOffset, offset + 1);
      await log.close();
      const options = { directory, topic: 't', partition: 0, config: log.config };
      const again = await openLog({ ...options, startOffset: offset }, testDependencies());
      assert.deepEqual([again.startOffset, again.endOffset], [offset, offset + 1]);
      await again.close();
    });
  }
});

test('records are found by timestamp across segments, out of order and compressed', async () => {
  await withDirectory(async (directory) => {
    const codec = CODECS.gzip;
    const log = newLog(directory, { segmentBytes: 700, indexIntervalBytes: 100, compression: { codec } });
    const timestamps: number[] = [];
    for (let index = 0; index < 60; index++) {
      const timestamp = 1000 + index * 10 - (index % 4) * 25;
      timestamps.push(timestamp);
      append(log, { values: [`${index}`], timestamp });
    }
    assert.ok(log.segmentCount > 2);
    assert.equal(batch.codecOf(batch.attributes(readAll(log, 0, 1), 0)), codec);
    for (const target of [0, 999, 1000, 1001, 1255, 1400, 1590, 1591]) {
      const expected = timestamps.findIndex((timestamp) => timestamp >= target);
      const found = await log.offsetForTimestamp(target, 60);
      assert.equal(found?.offset ?? -1, expected, `timestamp ${target}`);
      if (found !== undefined) assert.equal(found.timestamp, timestamps[expected]);
    }
    const newest = timestamps.indexOf(Math.max(...timestamps));
    assert.equal((await log.maxTimestampOffset())?.offset, newest);
    assert.equal(await log.offsetForTimestamp(1400, 5), undefined, 'beyond what is visible');
    log.advanceStartOffset(30);
    assert.equal((await log.offsetForTimestamp(0, 60))?.offset, 30);
    await log.close();
  });
});

test('a topic with LogAppendTime gives records the time of the broker', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    clock.wall = 5_000_000;
    const log = newLog(directory, { timestampType: 'LogAppendTime' }, testDependencies({ clock }));
    const outcome = append(log, { values: ['a', 'b'], timestamp: 17 });
    assert.ok(outcome.ok);
    assert.equal(outcome.appendTimeMs, 5_000_000);
    const bytes = readAll(log, 0);
    assert.ok(batch.usesAppendTime(batch.attributes(bytes, 0)));
    assert.deepEqual(
      [...readRecords(bytes, 0)].map((record) => record.timestamp),
      [5_000_000, 5_000_000],
    );
    assert.equal((await log.offsetForTimestamp(5_000_000, 2))?.offset, 0);
    await log.close();
  });
});

test('leader epochs tell where a diverged replica has to cut', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    log.assignEpochStart(2, 0);
    for (const leaderEpoch of [2, 2, 4, 4, 7]) {
      log.appendAsLeader(buildRecords({ values: ['x'] }), { leaderEpoch, origin: 'client' });
    }
    assert.deepEqual(log.endOffsetForEpoch(1), { epoch: 1, endOffset: 0 });
    assert.deepEqual(log.endOffsetForEpoch(2), { epoch: 2, endOffset: 2 });
    assert.deepEqual(log.endOffsetForEpoch(3), { epoch: 2, endOffset: 2 });
    assert.deepEqual(log.endOffsetForEpoch(4), { epoch: 4, endOffset: 4 });
    assert.deepEqual(log.endOffsetForEpoch(7), { epoch: 7, endOffset: 5 });
    assert.deepEqual(log.endOffsetForEpoch(8), { epoch: -1, endOffset: -1 });
    assert.deepEqual(log.endOffsetForEpoch(-1), { epoch: -1, endOffset: -1 });
    assert.equal(log.epochAt(3), 4);
    log.advanceStartOffset(3);
    assert.deepEqual(log.endOffsetForEpoch(2), { epoch: 2, endOffset: 3 });
    log.assignEpochStart(9, 5);
    log.assignEpochStart(9, 6);
    assert.equal(log.endOffsetForEpoch(8).endOffset, 5, 'an epoch keeps its first start');
    log.truncateTo(5);
    assert.equal(log.latestEpoch, 7, 'an epoch without records goes at a truncation to the end');
    await log.close();
    assert.equal(readFileSync(`${directory}/leader-epoch-checkpoint`, 'utf8'), '0\n2\n4 3\n7 4\n');
  });
});
