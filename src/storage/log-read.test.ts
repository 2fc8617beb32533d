import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/random.ts';
import { batchBytes } from '../records/batch.ts';
import { failingDisk } from './failing-file-system.test.support.ts';
import { appendEach, buildRecords, newLog, readAll, testDependencies, withDirectory } from './log.test.support.ts';
import { type Log, openLog } from './log.ts';

interface ModelBatch {
  readonly base: number;
  readonly last: number;
  readonly bytes: Buffer;
}

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** What a read must return, told from the batches alone; the cut of the last batch is left open. */
function checkRead(
  log: Log,
  model: readonly ModelBatch[],
  { offset, maxBytes, minOneBatch, upTo }: { offset: number; maxBytes: number; minOneBatch: boolean; upTo: number },
): void {
  const outcome = log.read(offset, { maxBytes, minOneBatch, upTo });
  assert.ok(outcome.ok);
  const visible = model.filter((batch) => batch.last >= offset && batch.base < upTo && batch.last < upTo);
  const first = visible[0];
  const context = JSON.stringify({ offset, maxBytes, minOneBatch, upTo, first: first?.base });
  if (outcome.region === undefined) {
    assert.equal(outcome.bytes, 0);
    if (first !== undefined) {
      assert.ok(outcome.tooLarge && !minOneBatch && first.bytes.length > maxBytes, `nothing was returned: ${context}`);
    }
    return;
  }
  const got = Buffer.alloc(outcome.region.length);
  assert.equal(outcome.region.file.readSync(got, outcome.region.position), got.length);
  outcome.region.release();
  assert.ok(first !== undefined, `nothing is visible: ${context}`);
  assert.equal(outcome.startOffset, first.base, context);
  assert.equal(outcome.bytes, got.length);
  const expected = Buffer.concat(visible.map((batch) => batch.bytes));
  assert.deepEqual(got, expected.subarray(0, got.length), context);
  assert.ok(got.length >= first.bytes.length, `the first batch is whole: ${context}`);
  assert.ok(got.length <= Math.max(maxBytes, first.bytes.length), context);
}

test(`random reads of a random log return what a list of batches says (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 8; round++) {
    await withDirectory(async (directory) => {
      const segmentBytes = 500 + random.below(4000);
      let log = newLog(directory, { segmentBytes, indexIntervalBytes: random.below(600) });
      const model: ModelBatch[] = [];
      for (let step = 0; step < 400; step++) {
        const action = random.below(100);
        if (action < 40) {
          const values = Array.from({ length: 1 + random.below(4) }, () => 'x'.repeat(random.below(120)));
          const bytes = buildRecords({ values });
          const outcome = log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'client' });
          assert.ok(outcome.ok);
          model.push({ base: outcome.firstOffset, last: outcome.lastOffset, bytes });
        } else if (action < 43 && model.length > 0) {
          const target = model[random.below(model.length)]!;
          log.truncateTo(target.base + random.below(target.last - target.base + 1));
          model.length = model.indexOf(target);
          assert.equal(log.endOffset, target.base);
        } else if (action < 45) {
          const cleanShutdown = random.below(2) === 0;
          if (cleanShutdown) await log.close();
          else log.abandon();
          log = await openLog(
            { directory, topic: 't', partition: 0, config: log.config, cleanShutdown },
            testDependencies(),
          );
        } else {
          const end = log.endOffset;
          const boundaries = [...model.map((batch) => batch.base), end];
          const upTo = boundaries[random.below(boundaries.length)]!;
          const offset = random.below(end + 1);
          if (random.below(4) === 0) await log.warm(offset);
          checkRead(log, model, { offset, maxBytes: 1 + random.below(1500), minOneBatch: random.below(2) === 0, upTo });
        }
      }
      assert.deepEqual(readAll(log, 0), Buffer.concat(model.map((batch) => batch.bytes)));
      await log.close();
    });
  }
});

test('a reader at the end of the log needs no read of any file', async () => {
  await withDirectory(async (directory) => {
    const disk = failingDisk();
    const log = newLog(directory, {}, testDependencies({ fileSystem: disk.fileSystem }));
    for (let index = 0; index < 200; index++) {
      appendEach(log, [`value ${index}`]);
      assert.equal(log.warm(index), undefined);
      const outcome = log.read(index, { maxBytes: 1000, minOneBatch: true, upTo: index + 1 });
      assert.ok(outcome.ok && outcome.startOffset === index && outcome.bytes > 0);
      outcome.region?.release();
    }
    assert.equal(disk.operations.filter((operation) => operation.startsWith('read')).length, 0);
    await log.close();
  });
});

test('a read of old records waits for the disk once and not again', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { segmentBytes: 2000, indexIntervalBytes: 100 });
    appendEach(
      log,
      Array.from({ length: 100 }, (_, index) => `value ${index}`),
    );
    await log.close();
    const options = { directory, topic: 't', partition: 0, config: log.config, cleanShutdown: true };
    const again = await openLog(options, testDependencies());
    for (const offset of [0, 50, 99]) {
      const cold = again.warm(offset);
      assert.ok(cold instanceof Promise, `offset ${offset} is cold`);
      await cold;
      assert.equal(again.warm(offset), undefined, `offset ${offset} is warm`);
    }
    assert.equal(again.warm(100), undefined, 'there is nothing to read at the end');
    assert.equal(again.warm(1000), undefined);
    await again.close();
  });
});

test('a cut falls on a batch boundary where the index knows one', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { indexIntervalBytes: 1 });
    appendEach(
      log,
      Array.from({ length: 50 }, () => 'x'.repeat(100)),
    );
    const size = batchBytes(readAll(log, 0), 0);
    const outcome = log.read(3, { maxBytes: 10 * size + 17, minOneBatch: false, upTo: 50 });
    assert.ok(outcome.ok);
    assert.equal(outcome.bytes, 10 * size);
    outcome.region?.release();
    await log.close();
  });
});

test('a segment that is deleted under a slow reader stays readable until it is released', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { segmentBytes: 500, retentionMs: -1, retentionBytes: 0, fileDeleteDelayMs: 0 });
    appendEach(
      log,
      Array.from({ length: 20 }, (_, index) => `value ${index}`),
    );
    const first = readAll(log, 0, 1);
    const outcome = log.read(0, { maxBytes: 10, minOneBatch: true, upTo: 20 });
    assert.ok(outcome.ok && outcome.region !== undefined);
    assert.ok(log.applyRetention(Date.now()) > 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const bytes = Buffer.alloc(outcome.region.length);
    assert.equal(outcome.region.file.readSync(bytes, outcome.region.position), bytes.length);
    assert.deepEqual(bytes, first);
    const { file } = outcome.region;
    outcome.region.release();
    outcome.region.release();
    assert.throws(() => file.size(), { code: 'EBADF' }, 'the last reader closes it');
    await log.close();
  });
});

test('many segments are read with few open files', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { segmentBytes: 200 });
    appendEach(
      log,
      Array.from({ length: 600 }, (_, index) => `value ${index}`),
    );
    assert.ok(log.segmentCount > 200);
    assert.equal(readAll(log, 0).length, log.size);
    await log.close();
  });
});
