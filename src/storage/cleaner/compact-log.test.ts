import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { ControlType } from '../../records/control.ts';
import { failingDisk } from '../failing-file-system.test.support.ts';
import {
  FIRST_TIMESTAMP,
  ManualClock,
  newLog,
  readAll,
  testDependencies,
  until,
  withDirectory,
} from '../log.test.support.ts';
import { openLog } from '../log.ts';
import { defaultLogConfig, type LogConfig } from '../log-config.ts';
import { append, compactOnce, mark, readBatches, readEntries } from './compaction.test.support.ts';
import { WorkerEngine } from './worker-engine.ts';

const COMPACT: Partial<LogConfig> = {
  compactPolicy: true,
  deletePolicy: false,
  minCleanableRatio: 0,
  deleteRetentionMs: 1000,
  fileDeleteDelayMs: 10,
};

function compactedLog(directory: string, clock: ManualClock, config: Partial<LogConfig> = {}) {
  return newLog(directory, { ...COMPACT, ...config }, testDependencies({ clock }));
}

test('the last value of every key stays, at its offset, and the active segment is not touched', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock);
    append(log, [
      { key: 'a', value: '1' },
      { key: 'b', value: '1' },
      { key: 'a', value: '2' },
    ]);
    append(log, [{ key: 'b', value: '2' }]);
    log.roll();
    append(log, [
      { key: 'c', value: '1' },
      { key: 'a', value: '3' },
    ]);
    log.roll();
    append(log, [{ key: 'c', value: '2' }]);
    const compaction = await compactOnce(log, clock);
    assert.equal(compaction?.upTo, 6);
    assert.deepEqual(readEntries(log), ['3:b=2', '4:c=1', '5:a=3', '6:c=2']);
    assert.equal(log.endOffset, 7);
    assert.equal(log.cleanedTo, 6);
    assert.equal(log.segmentCount, 2, 'two small segments became one');
    assert.equal(await compactOnce(log, clock), undefined, 'nothing is dirty now');
    await log.close();
  });
});

test('a read at an offset that is gone returns the batch after it', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock);
    for (let number = 0; number < 10; number++) append(log, [{ key: 'k', value: `${number}` }]);
    append(log, [{ key: 'other', value: 'x' }]);
    log.roll();
    append(log, [{ key: 'last', value: 'y' }]);
    await compactOnce(log, clock);
    assert.deepEqual(readEntries(log), ['9:k=9', '10:other=x', '11:last=y']);
    for (const offset of [0, 5, 9]) {
      const outcome = log.read(offset, { maxBytes: 1000, minOneBatch: true, upTo: log.endOffset });
      assert.ok(outcome.ok && outcome.region !== undefined);
      assert.equal(outcome.startOffset, 9);
      outcome.region.release();
    }
    assert.deepEqual(await log.offsetForTimestamp(FIRST_TIMESTAMP, 12), {
      offset: 9,
      timestamp: FIRST_TIMESTAMP,
      leaderEpoch: 0,
    });
    await log.close();
  });
});

test('a tombstone stays until delete.retention.ms after the pass that first saw it', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock);
    append(log, [{ key: 'a', value: '1' }]);
    append(log, [{ key: 'a', value: null, timestamp: FIRST_TIMESTAMP + 5 }]);
    log.roll();
    append(log, [{ key: 'b', value: '1' }]);
    await compactOnce(log, clock);
    const [first] = readBatches(log);
    assert.equal(first?.horizon, clock.wall + 1000);
    assert.deepEqual(first?.records, [{ offset: 1, key: 'a', value: null, timestamp: FIRST_TIMESTAMP + 5 }]);
    clock.advance(999);
    log.roll();
    append(log, [{ key: 'c', value: '1' }]);
    await compactOnce(log, clock);
    assert.deepEqual(readEntries(log), ['1:a=null', '2:b=1', '3:c=1']);
    assert.equal(readBatches(log)[0]?.horizon, first?.horizon, 'the horizon is set once');
    clock.advance(1);
    log.roll();
    append(log, [{ key: 'd', value: '1' }]);
    await compactOnce(log, clock);
    assert.deepEqual(readEntries(log), ['2:b=1', '3:c=1', '4:d=1']);
    await log.close();
  });
});

test('records without a key are dropped', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock, { compactPolicy: false });
    append(log, [
      { key: null, value: 'lost' },
      { key: 'a', value: '1' },
    ]);
    append(log, [{ key: null, value: 'lost, but not its offset' }]);
    log.roll();
    log.setConfig({ ...log.config, compactPolicy: true });
    const compaction = await compactOnce(log, clock);
    assert.equal(compaction?.recordsWithoutKey, 2);
    assert.deepEqual(readEntries(log), ['1:a=1']);
    assert.equal(readBatches(log).at(-1)?.lastOffset, 2, 'the last batch of a pass stays, empty');
    await log.close();
  });
});

for (const [codec, name] of ['none', 'gzip', 'snappy', 'lz4', 'zstd'].entries()) {
  test(`a ${name} batch that loses records keeps codec, offsets and producer; one that loses none keeps its bytes`, async () => {
    await withDirectory(async (directory) => {
      const clock = new ManualClock();
      const log = compactedLog(directory, clock);
      append(log, [{ key: 'x', value: 'whole'.repeat(20) }], { codec });
      const whole = readAll(log, 0);
      append(
        log,
        [
          { key: 'a', value: 'one', timestamp: FIRST_TIMESTAMP + 1 },
          { key: 'b', value: 'two', timestamp: FIRST_TIMESTAMP + 7 },
          { key: 'a', value: 'three', timestamp: FIRST_TIMESTAMP + 3 },
          { key: 'c', value: 'four', timestamp: FIRST_TIMESTAMP + 9 },
        ],
        { codec, producerId: 7, producerEpoch: 1, baseSequence: 0 },
      );
      append(log, [{ key: 'c', value: 'five' }], { codec });
      log.roll();
      await compactOnce(log, clock);
      assert.deepEqual(readAll(log, 0).subarray(0, whole.length), whole);
      const batches = readBatches(log);
      assert.deepEqual(batches[1], {
        baseOffset: 1,
        lastOffset: 4,
        codec,
        control: false,
        transactional: false,
        producerId: 7,
        baseSequence: 0,
        horizon: undefined,
        maxTimestamp: FIRST_TIMESTAMP + 7,
        records: [
          { offset: 2, key: 'b', value: 'two', timestamp: FIRST_TIMESTAMP + 7 },
          { offset: 3, key: 'a', value: 'three', timestamp: FIRST_TIMESTAMP + 3 },
        ],
      });
      await log.close();
    });
  });
}

test("the last batch of a producer stays without records, and tells a restarted log the producer's sequence", async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock);
    append(log, [{ key: 'a', value: '1' }], { producerId: 5, producerEpoch: 2, baseSequence: 0 });
    append(log, [{ key: 'a', value: '2' }], { producerId: 5, producerEpoch: 2, baseSequence: 1 });
    append(log, [{ key: 'a', value: '3' }]);
    log.roll();
    await compactOnce(log, clock);
    const shapes = readBatches(log).map(({ baseOffset, producerId, baseSequence, records }) => [
      baseOffset,
      producerId,
      baseSequence,
      records.length,
    ]);
    assert.deepEqual(shapes, [
      [1, 5, 1, 0],
      [2, -1, -1, 1],
    ]);
    const producers = log.producers();
    log.abandon();
    for (const name of readdirSync(directory)) {
      if (name.endsWith('.snapshot')) rmSync(`${directory}/${name}`);
    }
    const dependencies = testDependencies({ clock });
    const config = { ...defaultLogConfig, ...COMPACT };
    const reopened = await openLog({ directory, topic: 't', partition: 0, config }, dependencies);
    assert.deepEqual(reopened.producers(), producers);
    await reopened.close();
  });
});

test('aborted records go at once; markers stay while their data does, and then for delete.retention.ms', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock, { deleteRetentionMs: 1000 });
    const transactional = (producerId: number, baseSequence: number) => ({
      producerId,
      producerEpoch: 0,
      baseSequence,
      transactional: true,
    });
    append(log, [{ key: 'a', value: 'committed' }], transactional(1, 0));
    append(log, [{ key: 'b', value: 'aborted' }], transactional(2, 0));
    mark(log, ControlType.COMMIT, { producerId: 1 });
    mark(log, ControlType.ABORT, { producerId: 2 });
    append(log, [{ key: 'a', value: 'later' }]);
    // Their last batches lie beyond what is compacted, so that nothing stays for the producers' sake.
    log.roll();
    append(log, [{ key: 'z', value: '1' }], transactional(1, 1));
    append(log, [{ key: 'z', value: '2' }], transactional(2, 1));
    mark(log, ControlType.COMMIT, { producerId: 1 });
    mark(log, ControlType.COMMIT, { producerId: 2 });
    log.updateHighWatermark(log.endOffset);
    const shape = () => readBatches(log).map(({ baseOffset, control }) => `${baseOffset}${control ? 'c' : ''}`);
    const pass = async (): Promise<void> => {
      log.roll();
      append(log, [{ key: 'next', value: `${clock.wall}` }]);
      log.updateHighWatermark(log.endOffset);
      await compactOnce(log, clock);
    };
    await compactOnce(log, clock);
    assert.deepEqual(shape(), ['2c', '3c', '4', '5', '6', '7c', '8c']);
    assert.deepEqual(
      log.abortedTransactions(0, 4).map(({ firstOffset }) => firstOffset),
      [1],
    );
    clock.advance(5000);
    await pass();
    // The data was seen gone only now: this pass gives the markers their horizon.
    assert.deepEqual(shape().slice(0, 3), ['2c', '3c', '4']);
    assert.equal(readBatches(log)[0]?.horizon, clock.wall + 1000);
    assert.deepEqual(log.abortedTransactions(0, 4), []);
    clock.advance(1000);
    await pass();
    assert.deepEqual(shape().slice(0, 2), ['4', '5']);
    assert.deepEqual(readBatches(log)[1]?.records, [], 'producer 1 wrote nothing since');
    await log.close();
  });
});

test('nothing at or above an open transaction or the high watermark is compacted', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock);
    append(log, [{ key: 'a', value: '1' }]);
    append(log, [{ key: 'a', value: '2' }]);
    log.roll();
    append(log, [{ key: 'b', value: '1' }], { producerId: 1, producerEpoch: 0, baseSequence: 0, transactional: true });
    append(log, [{ key: 'b', value: '2' }]);
    log.roll();
    append(log, [{ key: 'a', value: '3' }]);
    log.updateHighWatermark(1);
    assert.equal(await compactOnce(log, clock), undefined);
    log.updateHighWatermark(log.endOffset);
    assert.equal((await compactOnce(log, clock))?.upTo, 2);
    assert.deepEqual(readEntries(log), ['1:a=2', '2:b=1', '3:b=2', '4:a=3']);
    await log.close();
  });
});

test('records younger than min.compaction.lag.ms wait; older than max.compaction.lag.ms they do not', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock, { minCompactionLagMs: 1000, minCleanableRatio: 0.9 });
    append(log, [{ key: 'a', value: '1', timestamp: clock.wall }]);
    log.roll();
    append(log, [{ key: 'a', value: '2', timestamp: clock.wall + 500 }]);
    log.roll();
    append(log, [{ key: 'b', value: '1', timestamp: clock.wall + 500 }]);
    assert.equal(await log.dirtyRange(clock.wall), undefined);
    assert.equal((await log.dirtyRange(clock.wall + 1000))?.upTo, 1);
    assert.equal((await log.dirtyRange(clock.wall + 1500))?.upTo, 2);
    clock.advance(1500);
    await compactOnce(log, clock);
    log.roll();
    log.setConfig({ ...log.config, minCompactionLagMs: 0, maxCompactionLagMs: 2000 });
    append(log, [{ key: 'b', value: '2', timestamp: clock.wall }]);
    assert.equal(await log.dirtyRange(clock.wall), undefined, 'half of it is dirty');
    assert.equal((await log.dirtyRange(clock.wall + 1001))?.overdue, true);
    await log.close();
  });
});

test('keys that do not fit into the map at once take several passes', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock);
    for (let number = 0; number < 100; number++) append(log, [{ key: `k${number % 50}`, value: `${number}` }]);
    log.roll();
    append(log, [{ key: 'active', value: '' }]);
    const stops: number[] = [];
    for (;;) {
      const compaction = await compactOnce(log, clock, { slots: 20, loadFactor: 0.9 });
      if (compaction === undefined) break;
      stops.push(compaction.upTo);
    }
    assert.ok(stops.length > 3, `passes ended at ${stops}`);
    const keys = readEntries(log).map((entry) => entry.split(':')[1]);
    assert.deepEqual(
      keys.slice(0, 50),
      Array.from({ length: 50 }, (_, number) => `k${number}=${number + 50}`),
    );
    await log.close();
  });
});

test('truncation ends a pass that runs, and retention waits for it', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock, { deletePolicy: true, retentionMs: 0 });
    for (let number = 0; number < 100; number++) append(log, [{ key: 'k', value: `${number}` }]);
    log.roll();
    append(log, [{ key: 'k', value: 'end' }]);
    const before = readAll(log, 0);
    const pass = compactOnce(log, clock);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(log.applyRetention(clock.wall + 1e6), 0);
    log.truncateTo(100);
    assert.equal(await pass, undefined);
    assert.deepEqual(readAll(log, 0), before.subarray(0, readAll(log, 0).length));
    assert.deepEqual(
      readdirSync(directory).filter((name) => /cleaned|swap/.test(name)),
      [],
    );
    assert.equal(log.applyRetention(clock.wall + 1e6), 1);
    await log.close();
  });
});

test('the event loop never gives back a large file: not of a pass shortly after another, nor of one that was given up', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const { fileSystem, operations } = failingDisk();
    const log = newLog(directory, { ...COMPACT, fileDeleteDelayMs: 1000 }, testDependencies({ clock, fileSystem }));
    const deleted = `${directory}/00000000000000000000.log.deleted`;
    const cleaned = `${directory}/00000000000000000000.log.cleaned`;
    for (const value of ['1', '2', '3']) {
      append(log, [{ key: 'a', value }]);
      log.roll();
      append(log, [{ key: 'b', value }]);
    }
    await compactOnce(log, clock);
    log.roll();
    append(log, [{ key: 'c', value: '1' }]);
    operations.length = 0;
    await compactOnce(log, clock);
    const setAside = operations.indexOf(`rename ${directory}/00000000000000000000.log`);
    assert.ok(operations.slice(0, setAside).includes(`removeAsync ${deleted}`), 'nothing is renamed over');
    log.roll();
    append(log, [{ key: 'c', value: '2' }]);
    operations.length = 0;
    assert.equal(
      await compactOnce(log, clock, { isStopped: () => operations.includes(`rename ${cleaned}`) }),
      undefined,
    );
    assert.ok(
      operations.indexOf(`removeAsync ${cleaned}`) > operations.indexOf(`rename ${cleaned.replace('cleaned', 'swap')}`),
    );
    assert.ok(!readdirSync(directory).some((name) => /cleaned|swap/.test(name)));
    clock.advance(1000);
    await until(() => !readdirSync(directory).some((name) => name.endsWith('.deleted')));
    assert.deepEqual(
      operations.filter((operation) => operation.startsWith('remove ') && !operation.endsWith('.cleaned')),
      [],
    );
    await log.close();
  });
});

test('a compacted segment keeps the age of what it replaced, where records have no timestamp', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock);
    append(log, [{ key: 'a', value: '1', timestamp: -1 }]);
    append(log, [{ key: 'a', value: '2', timestamp: -1 }]);
    log.roll();
    append(log, [{ key: 'b', value: '1', timestamp: -1 }]);
    const path = `${directory}/00000000000000000000.log`;
    utimesSync(path, 1000, 1000);
    await compactOnce(log, clock);
    assert.deepEqual(readEntries(log), ['1:a=2', '2:b=1']);
    assert.equal(statSync(path).mtimeMs, 1_000_000);
    await log.close();
  });
});

test('a batch that does not match its checksum is not written again with a good one', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = compactedLog(directory, clock);
    append(log, [
      { key: 'a', value: 'first' },
      { key: 'a', value: 'second' },
    ]);
    log.roll();
    const fd = openSync(`${directory}/00000000000000000000.log`, 'r+');
    writeSync(fd, 'X', readAll(log, 0).indexOf('second'));
    closeSync(fd);
    const before = readAll(log, 0);
    await assert.rejects(compactOnce(log, clock), /does not match its checksum/);
    assert.deepEqual(readAll(log, 0), before);
    assert.equal(log.offline, false);
    await log.close();
  });
});

test('a worker thread compacts as this thread does', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const engine = new WorkerEngine();
    const log = compactedLog(directory, clock);
    for (let number = 0; number < 500; number++) {
      append(log, [{ key: `k${number % 70}`, value: 'v'.repeat(number) }], { codec: number % 5 });
    }
    log.roll();
    append(log, [{ key: 'end', value: '' }]);
    try {
      const compaction = await compactOnce(log, clock, { engine });
      assert.equal(compaction?.keys, 70);
      assert.equal(readEntries(log).length, 71);
    } finally {
      await engine.close();
    }
    await log.close();
  });
});
