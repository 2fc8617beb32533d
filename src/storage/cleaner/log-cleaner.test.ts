import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { SluiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { makeTemporaryDirectory } from '../../base/temporary-directory.ts';
import { failingDisk } from '../failing-file-system.test.support.ts';
import { ManualClock, newLog, testDependencies } from '../log.test.support.ts';
import type { Log } from '../log.ts';
import { defaultLogConfig, type LogConfig } from '../log-config.ts';
import { LogManager } from '../log-manager.ts';
import { type CleaningEngine, InlineEngine } from './cleaning-engine.ts';
import { append, readEntries } from './compaction.test.support.ts';
import { type CleanerSettings, defaultCleanerSettings, LogCleaner } from './log-cleaner.ts';
import { Throttle } from './throttle.ts';
import { ENGINE_ENDED } from './worker-engine.ts';

const COMPACT: LogConfig = { ...defaultLogConfig, compactPolicy: true, deletePolicy: false, fileDeleteDelayMs: 1 };
const TOPIC_ID = 'ckhF3xLEQsqTd6aJf9KTaQ';

async function withTemporary(run: (path: string) => Promise<void>): Promise<void> {
  const path = makeTemporaryDirectory('sluice-cleaner');
  try {
    await run(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(condition(), 'what was waited for has happened');
}

/** Closed segments of ten values for one key each. */
function fill(log: Log, segments: number, key: string): void {
  for (let segment = 0; segment < segments; segment++) {
    for (let number = 0; number < 10; number++) append(log, [{ key, value: `${segment}.${number}` }]);
    log.roll();
  }
}

interface CleanerParts {
  readonly settings?: Partial<CleanerSettings>;
  readonly engine?: CleaningEngine;
}

function cleanerOf(logs: readonly Log[], clock: ManualClock, parts: CleanerParts = {}) {
  const cleaned: string[] = [];
  const lines: string[] = [];
  const note = (message: string): void => void lines.push(message);
  const logger: Logger = { debug: note, info: note, warn: note, error: note, with: () => logger };
  const cleaner = new LogCleaner(
    {
      settings: () => ({ ...defaultCleanerSettings, ...parts.settings }),
      logs: () => logs,
      engine: () => parts.engine ?? new InlineEngine({ clock }),
      onCleaned: async (log) => void cleaned.push(log.directory.split('/').at(-1)!),
    },
    { ...testDependencies({ clock }), logger },
  );
  return { cleaner, cleaned, lines };
}

test('the log with the largest share of dirty bytes comes first, others as long as they are dirty enough', async () => {
  await withTemporary(async (path) => {
    const clock = new ManualClock();
    const [half, whole, plain] = ['half', 'whole', 'plain'].map((name) =>
      newLog(`${path}/${name}`, name === 'plain' ? {} : COMPACT, testDependencies({ clock })),
    );
    fill(half!, 4, 'a');
    fill(whole!, 2, 'a');
    fill(plain!, 2, 'a');
    const first = cleanerOf([half!], clock);
    assert.equal(await first.cleaner.cleanAll(), 1);
    append(half!, [{ key: 'b', value: '.'.repeat(30) }]);
    half!.roll();
    const { cleaner, cleaned } = cleanerOf([plain!, half!, whole!], clock);
    assert.equal(await cleaner.cleanAll(), 2);
    assert.deepEqual(cleaned, ['whole', 'half']);
    const { passes, recordsRead, recordsKept, bytesRead, bytesWritten, uncleanable } = cleaner.counters;
    assert.deepEqual(
      { passes, recordsRead, recordsKept, uncleanable },
      { passes: 2, recordsRead: 22, recordsKept: 3, uncleanable: 0 },
    );
    assert.ok(bytesWritten > 0 && bytesRead > bytesWritten);
    assert.equal(readEntries(plain!).length, 20);
    append(half!, [{ key: 'c', value: '' }]);
    half!.roll();
    assert.equal(await cleaner.cleanAll(), 0, 'less than half of it is dirty');
    half!.setConfig({ ...half!.config, minCleanableRatio: 0.01 });
    assert.equal(await cleaner.cleanAll(), 1, 'a changed setting counts at once');
    for (const log of [half!, whole!, plain!]) await log.close();
  });
});

test('a log that cannot be compacted is said so once and left alone; the others go on', async () => {
  await withTemporary(async (path) => {
    const clock = new ManualClock();
    const [broken, good] = ['broken', 'good'].map((name) =>
      newLog(`${path}/${name}`, COMPACT, testDependencies({ clock })),
    );
    fill(broken!, 3, 'a');
    fill(good!, 1, 'a');
    const segment = `${path}/broken/00000000000000000000.log`;
    const bytes = readFileSync(segment);
    bytes.writeInt8(1, 16);
    writeFileSync(segment, bytes);
    const { cleaner, cleaned, lines } = cleanerOf([broken!, good!], clock);
    await cleaner.cleanAll();
    await cleaner.cleanAll();
    assert.deepEqual(cleaned, ['good']);
    assert.equal(lines.filter((line) => line.includes('cannot be compacted')).length, 1);
    assert.equal(broken!.offline, false);
    for (const log of [broken!, good!]) await log.close();
  });
});

test('a compaction thread that ends leaves the log as it was, and the next one goes on', async () => {
  await withTemporary(async (path) => {
    const clock = new ManualClock();
    const log = newLog(`${path}/t-0`, COMPACT, testDependencies({ clock }));
    fill(log, 2, 'a');
    const engine = new InlineEngine({ clock });
    const { filter } = engine;
    engine.filter = () => Promise.reject(new SluiceError(ENGINE_ENDED, 'out of memory'));
    const { cleaner, cleaned } = cleanerOf([log], clock, { engine });
    assert.equal(await cleaner.cleanAll(), 0);
    assert.equal(log.offline, false);
    assert.equal(readEntries(log).length, 20);
    engine.filter = filter;
    await cleaner.cleanAll();
    assert.deepEqual(cleaned, ['t-0']);
    assert.deepEqual(readEntries(log), ['19:a=1.9']);
    await log.close();
  });
});

test('a full disk ends a pass without a trace, and the next one succeeds', async () => {
  await withTemporary(async (path) => {
    const clock = new ManualClock();
    const disk = failingDisk();
    const log = newLog(`${path}/t-0`, COMPACT, testDependencies({ clock, fileSystem: disk.fileSystem }));
    fill(log, 2, 'a');
    const { cleaner, cleaned } = cleanerOf([log], clock);
    disk.faults.push({ operation: 'write', suffix: '.log.cleaned', code: 'ENOSPC', shortBytes: 20 });
    assert.equal(await cleaner.cleanAll(), 0);
    assert.equal(readEntries(log).length, 20);
    assert.ok(!existsSync(`${path}/t-0/00000000000000000000.log.cleaned`));
    disk.faults.length = 0;
    disk.faults.push({ operation: 'rename', suffix: '.timeindex.cleaned', code: 'ENOSPC' });
    assert.equal(await cleaner.cleanAll(), 0);
    assert.ok(!existsSync(`${path}/t-0/00000000000000000000.log.swap`));
    disk.faults.length = 0;
    await cleaner.cleanAll();
    assert.deepEqual(cleaned, ['t-0']);
    assert.deepEqual(readEntries(log), ['19:a=1.9']);
    await log.close();
  });
});

test('a disk that fails while segments are replaced takes the log offline', async () => {
  await withTemporary(async (path) => {
    const clock = new ManualClock();
    const disk = failingDisk();
    const log = newLog(`${path}/t-0`, COMPACT, testDependencies({ clock, fileSystem: disk.fileSystem }));
    fill(log, 2, 'a');
    disk.faults.push({ operation: 'rename', suffix: '.log', code: 'EIO' });
    const { cleaner } = cleanerOf([log], clock);
    await cleaner.cleanAll();
    assert.equal(log.offline, true);
    log.abandon();
  });
});

test('the cleaner looks for dirty logs after log.cleaner.backoff.ms, and writes down how far it came', async () => {
  await withTemporary(async (path) => {
    const clock = new ManualClock();
    const open = async (): Promise<LogManager> => {
      const manager = new LogManager(
        {
          directories: [path],
          nodeId: 1,
          configOf: () => COMPACT,
          cleaner: () => ({ ...defaultCleanerSettings, backoffMs: 500 }),
        },
        testDependencies({ clock }),
      );
      await manager.open();
      return manager;
    };
    const first = await open();
    const log = first.getOrCreate({ topic: 't', partition: 0 }, TOPIC_ID, COMPACT);
    fill(log, 2, 'a');
    clock.advance(499);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(log.cleanedTo, undefined);
    clock.advance(1);
    const file = `${path}/cleaner-offset-checkpoint`;
    await until(() => existsSync(file));
    assert.equal(readFileSync(file, 'utf8'), '0\n1\nt 0 20\n');
    assert.deepEqual(readEntries(log), ['19:a=1.9']);
    await first.close();
    const second = await open();
    const again = second.get({ topic: 't', partition: 0 })!;
    assert.equal(again.cleanedTo, 20);
    assert.equal(again.truncateTo(5), true);
    await until(() => readFileSync(file, 'utf8') === '0\n1\nt 0 0\n');
    second.delete({ topic: 't', partition: 0 });
    await until(() => readFileSync(file, 'utf8') === '0\n0\n');
    await second.close();
  });
});

test('nothing is compacted where log.cleaner.enable is false', async () => {
  await withTemporary(async (path) => {
    const clock = new ManualClock();
    const log = newLog(`${path}/t-0`, COMPACT, testDependencies({ clock }));
    fill(log, 2, 'a');
    const { cleaner } = cleanerOf([log], clock, { settings: { enabled: false } });
    assert.equal(await cleaner.cleanAll(), 0);
    await log.close();
  });
});

test('closing ends a pass that waits for its share of the disk', async () => {
  await withTemporary(async (path) => {
    const clock = new ManualClock();
    const log = newLog(`${path}/t-0`, COMPACT, testDependencies({ clock }));
    fill(log, 2, 'a');
    const { cleaner, cleaned } = cleanerOf([log], clock, { settings: { maxBytesPerSecond: 1 } });
    const pass = cleaner.cleanAll();
    await new Promise((resolve) => setImmediate(resolve));
    await cleaner.close();
    await pass;
    assert.deepEqual(cleaned, []);
    assert.equal(readEntries(log).length, 20);
    await log.close();
  });
});

test('the throttle lets a rate of bytes through on average', async () => {
  const clock = new ManualClock();
  const throttle = new Throttle({ clock });
  assert.equal(throttle.spend(100, Number.MAX_VALUE), undefined);
  assert.equal(throttle.spend(100, 1000), undefined, 'a tenth of a second may be caught up on');
  const wait = throttle.spend(500, 1000);
  let done = false;
  void wait?.then(() => {
    done = true;
  });
  clock.advance(499);
  await Promise.resolve();
  assert.equal(done, false);
  clock.advance(1);
  await wait;
  assert.equal(done, true);
});
