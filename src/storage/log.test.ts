import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode } from '../protocol/error-codes.ts';
import * as batch from '../records/batch.ts';
import { appendEach, buildRecords, newLog, readAll, testDependencies, withDirectory } from './log.test.support.ts';
import { openLog } from './log.ts';

test('an appended batch is read back as the bytes that were sent, with offset and epoch filled in', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    const sent = buildRecords({ values: ['a', 'b', 'c'] });
    const outcome = log.appendAsLeader(sent, { leaderEpoch: 7, origin: 'client' });
    assert.deepEqual(outcome, {
      ok: true,
      firstOffset: 0,
      lastOffset: 2,
      appendTimeMs: -1,
      startOffset: 0,
      duplicate: false,
      durable: undefined,
    });
    log.appendAsLeader(buildRecords({ values: ['d'] }), { leaderEpoch: 7, origin: 'client' });
    const bytes = readAll(log, 0);
    assert.deepEqual(bytes.subarray(0, sent.length), sent);
    assert.equal(batch.leaderEpoch(bytes, 0), 7);
    assert.equal(batch.baseOffset(bytes, sent.length), 3);
    assert.equal(log.endOffset, 4);
    await log.close();
  });
});

test('a log that was closed opens with the same records, offsets and epochs', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { segmentBytes: 1000, indexIntervalBytes: 100 });
    for (let index = 0; index < 50; index++) {
      const outcome = log.appendAsLeader(buildRecords({ values: [`value ${index}`] }), {
        leaderEpoch: 3,
        origin: 'client',
      });
      assert.equal(outcome.ok, true);
    }
    assert.ok(log.segmentCount > 1, 'several segments are needed here');
    const before = readAll(log, 0);
    await log.close();
    const again = await openLog(
      { directory, topic: 't', partition: 0, config: log.config, cleanShutdown: true },
      testDependencies(),
    );
    assert.deepEqual(readAll(again, 0), before);
    assert.equal(again.endOffset, 50);
    assert.equal(again.latestEpoch, 3);
    assert.equal(again.recoveryPoint, 50);
    await again.close();
  });
});

test('reads outside of the log are refused and a read at its end returns nothing', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    log.appendAsLeader(buildRecords({ values: ['a'] }), { leaderEpoch: 0, origin: 'client' });
    const options = { maxBytes: 1000, minOneBatch: true, upTo: 1 };
    const beyond = log.read(2, options);
    assert.equal(beyond.ok ? ErrorCode.NONE : beyond.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
    const end = log.read(1, options);
    assert.deepEqual(end, {
      ok: true,
      region: undefined,
      bytes: 0,
      startOffset: 1,
      tooLarge: false,
      aborted: undefined,
    });
    await log.close();
  });
});

test('what was there when a flush began is durable when it ends, also where a segment is closed meanwhile', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    for (let round = 0; round < 5; round++) {
      appendEach(log, ['a', 'b']);
      const { endOffset } = log;
      const flushed = log.flush();
      // The sync has begun in the next turn and waits for the disk.
      await new Promise((resolve) => setImmediate(resolve));
      log.roll();
      appendEach(log, ['c']);
      await flushed;
      assert.ok(log.recoveryPoint >= endOffset, `${log.recoveryPoint} of ${endOffset}`);
    }
    await log.close();
  });
});
