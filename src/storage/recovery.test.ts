import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { batchBytes } from '../records/batch.ts';
import { failingDisk } from './failing-file-system.test.support.ts';
import { appendEach, buildRecords, newLog, readAll, testDependencies, withDirectory } from './log.test.support.ts';
import { type Log, type OpenLogOptions, openLog } from './log.ts';
import { defaultLogConfig } from './log-config.ts';

const CONFIG = { ...defaultLogConfig, segmentBytes: 1500, indexIntervalBytes: 200 };
const SEGMENT = '00000000000000000000';

/** Forty batches in several segments, and what their files hold after a clean stop. */
async function prepare(directory: string): Promise<{ bytes: Buffer; bases: string[] }> {
  const log = newLog(directory, CONFIG);
  for (let index = 0; index < 40; index++) {
    const bytes = buildRecords({
      values: [`value ${index} ${'x'.repeat(index)}`],
      timestamp: 1_700_000_000_000 + index,
      producerId: 7,
      producerEpoch: 0,
      baseSequence: index,
    });
    assert.ok(log.appendAsLeader(bytes, { leaderEpoch: index < 20 ? 1 : 4, origin: 'client' }).ok);
  }
  const bytes = readAll(log, 0);
  await log.close();
  const bases = readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .map((name) => name.slice(0, -4))
    .sort();
  assert.ok(bases.length >= 3, 'several segments are needed here');
  return { bytes, bases };
}

function reopen(directory: string, options: Partial<OpenLogOptions> = {}): Promise<Log> {
  return openLog(
    { directory, topic: 't', partition: 0, config: CONFIG, producerIdExpirationMs: 2 ** 52, ...options },
    testDependencies(),
  );
}

function indexFiles(directory: string): Map<string, string> {
  const names = readdirSync(directory).filter((name) => /index$|epoch-checkpoint$/.test(name));
  return new Map(names.map((name) => [name, readFileSync(`${directory}/${name}`).toString('hex')]));
}

test('a crash loses nothing that is in the files: records, indexes, epochs and producers come back', async () => {
  await withDirectory(async (directory) => {
    const { bytes } = await prepare(directory);
    const indexes = indexFiles(directory);
    for (const name of readdirSync(directory)) {
      if (/\.(index|timeindex|snapshot)$/.test(name)) rmSync(`${directory}/${name}`);
    }
    rmSync(`${directory}/leader-epoch-checkpoint`);
    const log = await reopen(directory);
    assert.deepEqual(readAll(log, 0), bytes);
    assert.equal(log.endOffset, 40);
    assert.deepEqual(log.endOffsetForEpoch(1), { epoch: 1, endOffset: 20 });
    assert.equal(log.producers()[0]?.lastSequence, 39);
    assert.equal(log.recoveryPoint, 40, 'what was found is made durable');
    await log.close();
    assert.deepEqual(indexFiles(directory), indexes);
  });
});

test('a torn tail of any length is cut, and the log goes on from there', async () => {
  await withDirectory(async (directory) => {
    const { bytes, bases } = await prepare(directory);
    const last = `${directory}/${bases.at(-1)}.log`;
    const whole = readFileSync(last);
    let previousEnd = 0;
    for (let at = 0; at + 12 < whole.length; at += batchBytes(whole, at)) previousEnd = at;
    for (const length of [previousEnd + 1, previousEnd + 12, previousEnd + 60, previousEnd + 61, whole.length - 1]) {
      writeFileSync(last, whole.subarray(0, length));
      const log = await reopen(directory);
      assert.equal(log.endOffset, 39, `${length} of ${whole.length} bytes`);
      assert.deepEqual(readAll(log, 0), bytes.subarray(0, bytes.length - (whole.length - previousEnd)));
      assert.equal(log.producers()[0]?.lastSequence, 38);
      appendEach(log, ['next']);
      assert.equal(log.endOffset, 40);
      log.abandon();
      writeFileSync(last, whole);
    }
  });
});

test('garbage after the last batch is cut even where the stop was called clean', async () => {
  await withDirectory(async (directory) => {
    const { bytes, bases } = await prepare(directory);
    appendFileSync(`${directory}/${bases.at(-1)}.log`, Buffer.alloc(500));
    const log = await reopen(directory, { cleanShutdown: true });
    assert.deepEqual(readAll(log, 0), bytes);
    await log.close();
  });
});

test('a flipped bit anywhere in a batch cuts the log before it and drops all later segments', async () => {
  await withDirectory(async (directory) => {
    const { bytes, bases } = await prepare(directory);
    const copies = new Map(readdirSync(directory).map((name) => [name, readFileSync(`${directory}/${name}`)]));
    const middle = `${bases[1]}.log`;
    const start = batchBytes(copies.get(middle)!, 0);
    const size = batchBytes(copies.get(middle)!, start);
    const kept = copies.get(`${bases[0]}.log`)!.length + start;
    // Bytes 12 to 15 are the leader epoch, which the checksum leaves out.
    for (const at of [0, 3, 7, 8, 9, 11, 16, 17, 21, 26, 30, 57, size - 1]) {
      for (const name of readdirSync(directory)) rmSync(`${directory}/${name}`, { recursive: true });
      for (const [name, content] of copies) writeFileSync(`${directory}/${name}`, content);
      const broken = Buffer.from(copies.get(middle)!);
      broken[start + at]! ^= 0x10;
      writeFileSync(`${directory}/${middle}`, broken);
      const log = await reopen(directory);
      assert.deepEqual(readAll(log, 0), bytes.subarray(0, kept), `byte ${at}`);
      assert.equal(log.segmentCount, 2);
      assert.equal(log.endOffset, Number(bases[1]) + 1);
      assert.equal(log.producers()[0]?.lastSequence, log.endOffset - 1);
      assert.ok(!existsSync(`${directory}/${bases[2]}.log`));
      log.abandon();
    }
  });
});

test('segments below the recovery point are not read', async () => {
  await withDirectory(async (directory) => {
    const { bases } = await prepare(directory);
    const first = readFileSync(`${directory}/${bases[0]}.log`);
    first[first.length - 1]! ^= 1;
    writeFileSync(`${directory}/${bases[0]}.log`, first);
    const checked: number[] = [];
    const log = await reopen(directory, {
      recoveryPoint: Number(bases[2]),
      onProgress: (left) => checked.push(left),
    });
    assert.equal(log.endOffset, 40);
    assert.equal(checked.length, bases.length - 2);
    log.abandon();
  });
});

test('a missing or broken index alone is built again and costs no record', async () => {
  for (const damage of ['missing', 'odd length', 'zeros', 'garbage', 'empty'] as const) {
    for (const suffix of ['.index', '.timeindex']) {
      await withDirectory(async (directory) => {
        const { bytes } = await prepare(directory);
        const path = `${directory}/${SEGMENT}${suffix}`;
        const content = readFileSync(path);
        if (damage === 'missing') rmSync(path);
        if (damage === 'odd length') truncateSync(path, content.length - 1);
        if (damage === 'zeros') writeFileSync(path, Buffer.alloc(4800));
        if (damage === 'garbage') writeFileSync(path, Buffer.alloc(content.length, 0xa7));
        if (damage === 'empty') writeFileSync(path, '');
        const log = await reopen(directory, { cleanShutdown: true });
        assert.deepEqual(readAll(log, 0), bytes, `${damage} ${suffix}`);
        assert.equal((await log.offsetForTimestamp(1_700_000_000_003, 40))?.offset, 3, `${damage} ${suffix}`);
        await log.close();
        if (damage !== 'empty') assert.deepEqual(readFileSync(path), content, `${damage} ${suffix}`);
      });
    }
  }
});

test('a broken index of the active segment does not hide records at a clean start', async () => {
  await withDirectory(async (directory) => {
    const { bytes, bases } = await prepare(directory);
    writeFileSync(`${directory}/${bases.at(-1)}.index`, Buffer.alloc(16, 0x7f));
    const log = await reopen(directory, { cleanShutdown: true });
    assert.equal(log.endOffset, 40);
    assert.deepEqual(readAll(log, 0), bytes);
    appendEach(log, ['next']);
    await log.close();
  });
});

test('a broken epoch checkpoint is built again from the batches', async () => {
  await withDirectory(async (directory) => {
    await prepare(directory);
    writeFileSync(`${directory}/leader-epoch-checkpoint`, 'x');
    const log = await reopen(directory, { cleanShutdown: true });
    assert.deepEqual(log.endOffsetForEpoch(1), { epoch: 1, endOffset: 20 });
    assert.equal(log.latestEpoch, 4);
    await log.close();
    assert.equal(readFileSync(`${directory}/leader-epoch-checkpoint`, 'utf8'), '0\n2\n1 0\n4 20\n');
  });
});

test('epochs of records that did not survive are forgotten', async () => {
  await withDirectory(async (directory) => {
    const { bases } = await prepare(directory);
    writeFileSync(`${directory}/leader-epoch-checkpoint`, '0\n3\n1 0\n4 20\n9 500\n');
    const first = readFileSync(`${directory}/${bases[0]}.log`);
    first[first.length - 1]! ^= 1;
    writeFileSync(`${directory}/${bases[0]}.log`, first);
    const log = await reopen(directory);
    assert.ok(log.endOffset < 20);
    assert.equal(log.latestEpoch, 1);
    log.abandon();
  });
});

test('files that a stop left half-way are removed or finished', async () => {
  await withDirectory(async (directory) => {
    const { bytes, bases } = await prepare(directory);
    writeFileSync(`${directory}/00000000000000000003.log.deleted`, 'x');
    writeFileSync(`${directory}/00000000000000000099.index`, 'orphan!!');
    writeFileSync(`${directory}/${bases[1]}.log.cleaned`, 'x');
    const log = await reopen(directory, { cleanShutdown: true });
    assert.deepEqual(readAll(log, 0), bytes);
    const names = readdirSync(directory);
    assert.ok(!names.some((name) => name.endsWith('.deleted') || name.endsWith('.cleaned')));
    assert.ok(!names.includes('00000000000000000099.index'));
    await log.close();
  });
});

test('an interrupted replacement of segments by a compacted one is completed', async () => {
  await withDirectory(async (directory) => {
    const { bases } = await prepare(directory);
    // The new first segment holds what the first two held, but for the first batch.
    const first = readFileSync(`${directory}/${bases[0]}.log`);
    const merged = Buffer.concat([first.subarray(batchBytes(first, 0)), readFileSync(`${directory}/${bases[1]}.log`)]);
    writeFileSync(`${directory}/${bases[0]}.log.swap`, merged);
    for (const suffix of ['index', 'timeindex']) writeFileSync(`${directory}/${bases[0]}.${suffix}.swap`, '');
    const log = await reopen(directory, { cleanShutdown: true });
    assert.equal(log.segmentCount, bases.length - 1);
    assert.deepEqual(readAll(log, 0).subarray(0, merged.length), merged);
    const outcome = log.read(0, { maxBytes: 1000, minOneBatch: true, upTo: 40 });
    assert.ok(outcome.ok && outcome.startOffset === 1, 'the first record is gone: the next one answers');
    outcome.region?.release();
    await log.close();
  });
});

test('a log whose records all lie below its start offset starts empty there', async () => {
  await withDirectory(async (directory) => {
    await prepare(directory);
    const log = await reopen(directory, { startOffset: 100 });
    assert.equal(log.startOffset, 100);
    assert.equal(log.endOffset, 100);
    appendEach(log, ['x']);
    assert.equal(log.endOffset, 101);
    await log.close();
  });
});

test('a crash at every length of the last write leaves a prefix of whole batches', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    appendEach(log, ['a', 'b']);
    const keep = readAll(log, 0);
    appendEach(log, ['the last one']);
    const all = readAll(log, 0);
    log.abandon();
    for (let length = keep.length; length < all.length; length++) {
      writeFileSync(`${directory}/${SEGMENT}.log`, all.subarray(0, length));
      const again = await reopen(directory);
      assert.equal(again.endOffset, 2, `${length} bytes`);
      assert.deepEqual(readAll(again, 0), keep);
      again.abandon();
    }
  });
});

/** Appends, rolls, truncates and deletes; returns what was acknowledged and must be there after any crash. */
async function work(log: Log): Promise<Buffer[]> {
  const acknowledged: Buffer[] = [];
  const send = (value: string): void => {
    const bytes = buildRecords({ values: [value], producerId: 1, producerEpoch: 0, baseSequence: acknowledged.length });
    if (log.appendAsLeader(bytes, { leaderEpoch: acknowledged.length, origin: 'client' }).ok) acknowledged.push(bytes);
  };
  for (let index = 0; index < 8; index++) send(`value ${index} ${'x'.repeat(60)}`);
  try {
    await log.flush();
    if (log.truncateTo(5)) acknowledged.length = 5;
  } catch {
    // The disk is gone: whether the truncation happened is open, so only what lies below it is certain.
    acknowledged.length = Math.min(acknowledged.length, 5);
    return acknowledged;
  }
  for (let index = 5; index < 9; index++) send(`other ${index} ${'y'.repeat(60)}`);
  return acknowledged;
}

test('a crash after any operation of the disk loses no acknowledged batch and leaves no broken one', async () => {
  const config = { ...CONFIG, segmentBytes: 400, indexIntervalBytes: 100 };
  let operations = Number.POSITIVE_INFINITY;
  for (let lastsFor = 0; lastsFor <= operations; lastsFor++) {
    await withDirectory(async (directory) => {
      const failing = failingDisk();
      failing.lastsFor = lastsFor;
      let acknowledged: Buffer[] = [];
      let log: Log | undefined;
      try {
        log = newLog(directory, config, testDependencies({ fileSystem: failing.fileSystem }));
      } catch {
        // Not even its files could be created; the directory is there all the same.
      }
      if (log !== undefined) {
        acknowledged = await work(log);
        log.abandon();
        // What was begun in the background ends before the next process starts.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (lastsFor === 0) {
        const all = failingDisk();
        await withDirectory(async (other) => {
          const whole = newLog(other, config, testDependencies({ fileSystem: all.fileSystem }));
          await work(whole);
          whole.abandon();
        });
        operations = all.operations.length;
        assert.ok(operations > 30, `${operations} operations are too few to be all`);
      }
      const again = await reopen(directory, { config });
      const found = readAll(again, 0);
      const expected = Buffer.concat(acknowledged);
      assert.deepEqual(found.subarray(0, expected.length), expected, `crash after ${lastsFor} operations`);
      assert.ok(again.endOffset >= acknowledged.length);
      appendEach(again, ['life goes on']);
      await again.close();
    });
  }
});

test('what a clean stop made durable is not read again after a crash that follows', async () => {
  await withDirectory(async (directory) => {
    const first = newLog(directory);
    appendEach(first, ['a'.repeat(5000), 'b', 'c'.repeat(5000)], { timestamp: 1_700_000_009_000 });
    await first.close();
    const second = await reopen(directory, { config: defaultLogConfig, recoveryPoint: 3, cleanShutdown: true });
    appendEach(second, ['d', 'e']);
    second.abandon();
    const content = readFileSync(`${directory}/${SEGMENT}.log`);
    // Nothing looks at it: a bit that flipped after the clean stop is found by whoever reads the record.
    content[100]! ^= 1;
    writeFileSync(`${directory}/${SEGMENT}.log`, content);
    const log = await reopen(directory, { config: defaultLogConfig, recoveryPoint: 3 });
    assert.equal(log.endOffset, 5);
    assert.deepEqual(readAll(log, 0), content);
    assert.equal((await log.maxTimestampOffset())?.timestamp, 1_700_000_009_000);
    await log.close();
    const doubted = await reopen(directory, { config: defaultLogConfig, recoveryPoint: 0 });
    assert.equal(doubted.endOffset, 0, 'a recovery point below has everything checked');
    await doubted.close();
  });
});

test('a recovery checks the whole segment where an index cannot be true', async () => {
  await withDirectory(async (directory) => {
    const config = { ...defaultLogConfig, indexIntervalBytes: 10 };
    const first = newLog(directory, config);
    appendEach(first, ['a', 'b', 'c', 'd']);
    await first.close();
    const index = readFileSync(`${directory}/${SEGMENT}.index`);
    writeFileSync(`${directory}/${SEGMENT}.index`, Buffer.alloc(index.length));
    const log = await reopen(directory, { config, recoveryPoint: 4 });
    assert.equal(log.endOffset, 4);
    await log.close();
    assert.ok(
      readFileSync(`${directory}/${SEGMENT}.index`).some((byte) => byte !== 0),
      'it is built again',
    );
  });
});
