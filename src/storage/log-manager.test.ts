import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { failingDisk } from './failing-file-system.test.support.ts';
import { appendEach, buildRecords, ManualClock, readAll, testDependencies } from './log.test.support.ts';
import { defaultLogConfig } from './log-config.ts';
import { LogManager, type LogManagerOptions } from './log-manager.ts';

const TOPIC_ID = 'ckhF3xLEQsqTd6aJf9KTaQ';
const OTHER_ID = 'dkhF3xLEQsqTd6aJf9KTaQ';
const T0 = { topic: 't', partition: 0 };

async function withDirectories(count: number, run: (paths: string[]) => Promise<void>): Promise<void> {
  const parent = makeTemporaryDirectory('sluice-logs');
  try {
    await run(Array.from({ length: count }, (_, index) => `${parent}/d${index}`));
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

function managerOf(
  directories: readonly string[],
  options: Partial<LogManagerOptions> = {},
  dependencies = testDependencies(),
): LogManager {
  return new LogManager({ directories, nodeId: 1, configOf: () => defaultLogConfig, ...options }, dependencies);
}

async function opened(...parts: Parameters<typeof managerOf>): Promise<LogManager> {
  const manager = managerOf(...parts);
  await manager.open();
  return manager;
}

test('logs come back after a clean stop without being read again', async () => {
  await withDirectories(1, async ([path]) => {
    const first = await opened([path!]);
    const { clusterId } = first;
    const log = first.getOrCreate(T0, TOPIC_ID, defaultLogConfig);
    assert.equal(first.getOrCreate(T0, TOPIC_ID, defaultLogConfig), log);
    appendEach(log, ['a', 'b', 'c']);
    log.updateHighWatermark(2);
    const bytes = readAll(log, 0);
    await first.close({ brokerEpoch: 12 });
    assert.equal(readFileSync(`${path}/recovery-point-offset-checkpoint`, 'utf8'), '0\n1\nt 0 3\n');
    assert.equal(readFileSync(`${path}/replication-offset-checkpoint`, 'utf8'), '0\n1\nt 0 2\n');
    assert.equal(readFileSync(`${path}/log-start-offset-checkpoint`, 'utf8'), '0\n0\n');
    assert.equal(readFileSync(`${path}/.kafka_cleanshutdown`, 'utf8'), '{"version":0,"brokerEpoch":12}');

    const second = await opened([path!]);
    assert.ok(!existsSync(`${path}/.kafka_cleanshutdown`), 'the marker is gone as soon as anything may be written');
    assert.equal(second.clusterId, clusterId);
    assert.equal(second.previousBrokerEpoch, 12);
    assert.equal(second.checkpointedHighWatermark(T0), 2);
    const again = second.get(T0);
    assert.ok(again !== undefined);
    assert.equal(again.topicId, TOPIC_ID);
    assert.equal(again.recoveryPoint, 3);
    assert.deepEqual(readAll(again, 0), bytes);
    await second.close();
  });
});

test('after a crash logs are recovered from their recovery points', async () => {
  await withDirectories(1, async ([path]) => {
    const first = await opened([path!]);
    const log = first.getOrCreate(T0, TOPIC_ID, defaultLogConfig);
    appendEach(log, ['a', 'b', 'c']);
    log.advanceStartOffset(1);
    await first.close();
    rmSync(`${path}/.kafka_cleanshutdown`);
    const second = await opened([path!]);
    assert.equal(second.get(T0)?.endOffset, 3);
    assert.equal(second.get(T0)?.startOffset, 1);
    assert.equal(second.previousBrokerEpoch, -1);
    await second.close();
  });
});

test('a directory in use by another broker is refused', async () => {
  await withDirectories(1, async ([path]) => {
    const first = await opened([path!]);
    await assert.rejects(managerOf([path!]).open(), { code: 'DIRECTORY_LOCKED' });
    await first.close();
    await (await opened([path!])).close();
  });
});

test('directories of another node or cluster, or copies of one another, are refused', async () => {
  await withDirectories(2, async ([a, b]) => {
    await (await opened([a!], { clusterId: 'one' })).close();
    await assert.rejects(managerOf([a!], { nodeId: 2 }).open(), { code: 'FOREIGN_LOG_DIRECTORY' });
    await assert.rejects(managerOf([a!], { clusterId: 'two' }).open(), { code: 'FOREIGN_LOG_DIRECTORY' });
    mkdirSync(b!);
    writeFileSync(`${b}/meta.properties`, readFileSync(`${a}/meta.properties`));
    await assert.rejects(managerOf([a!, b!]).open(), { code: 'FOREIGN_LOG_DIRECTORY' });
    rmSync(`${b}/meta.properties`);
    const manager = await opened([a!, b!]);
    assert.equal(manager.clusterId, 'one');
    assert.match(
      readFileSync(`${b}/meta.properties`, 'utf8'),
      /^#\nversion=1\ncluster.id=one\nnode.id=1\ndirectory.id=\S{22}\n$/,
    );
    await manager.close();
  });
});

test('new partitions go where there are fewest', async () => {
  await withDirectories(3, async (paths) => {
    const manager = await opened(paths);
    for (let partition = 0; partition < 9; partition++) {
      manager.getOrCreate({ topic: 't', partition }, TOPIC_ID, defaultLogConfig);
    }
    assert.deepEqual(
      manager.directories().map((directory) => directory.logs.length),
      [3, 3, 3],
    );
    await manager.close();
  });
});

test('a deleted log is gone at once, its name is free, and its files follow later', async () => {
  await withDirectories(1, async ([path]) => {
    const clock = new ManualClock();
    const manager = await opened([path!], {}, testDependencies({ clock }));
    const log = manager.getOrCreate(T0, TOPIC_ID, defaultLogConfig);
    appendEach(log, ['a']);
    const outcome = log.read(0, { maxBytes: 100, minOneBatch: true, upTo: 1 });
    assert.ok(outcome.ok && outcome.region !== undefined);
    assert.equal(manager.delete(T0), true);
    assert.equal(manager.delete(T0), false);
    assert.equal(manager.get(T0), undefined);
    const refused = log.appendAsLeader(buildRecords({ values: ['x'] }), { leaderEpoch: 0, origin: 'client' });
    assert.equal(refused.ok ? 0 : refused.errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
    const aside = readdirSync(path!).find((name) => name.endsWith('-delete'));
    assert.match(aside ?? '', /^t-0\.[0-9a-f]{32}-delete$/);
    const bytes = Buffer.alloc(outcome.bytes);
    assert.equal(outcome.region.file.readSync(bytes, outcome.region.position), bytes.length);
    outcome.region.release();
    const next = manager.getOrCreate(T0, OTHER_ID, defaultLogConfig);
    assert.equal(next.endOffset, 0);
    clock.advance(defaultLogConfig.fileDeleteDelayMs);
    const deadline = Date.now() + 10_000;
    while (existsSync(`${path}/${aside}`) && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(!existsSync(`${path}/${aside}`));
    await manager.close();
  });
});

test('directories whose deletion was cut short are removed at the next start', async () => {
  await withDirectories(1, async ([path]) => {
    const first = await opened([path!]);
    appendEach(first.getOrCreate(T0, TOPIC_ID, defaultLogConfig), ['a']);
    first.delete(T0);
    await first.close();
    assert.ok(readdirSync(path!).some((name) => name.endsWith('-delete')));
    const second = await opened([path!]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(!readdirSync(path!).some((name) => name.endsWith('-delete')));
    assert.equal(second.get(T0), undefined);
    await second.close();
  });
});

test('the log of a recreated topic never holds records of the old one', async () => {
  await withDirectories(1, async ([path]) => {
    const manager = await opened([path!]);
    appendEach(manager.getOrCreate(T0, TOPIC_ID, defaultLogConfig), ['old']);
    const log = manager.getOrCreate(T0, OTHER_ID, defaultLogConfig);
    assert.equal(log.topicId, OTHER_ID);
    assert.equal(log.endOffset, 0);
    assert.ok(
      readdirSync(path!).some((name) => name.endsWith('-stray')),
      'the old records are set aside',
    );
    await manager.close();
    const again = await opened([path!]);
    assert.equal(again.get(T0)?.topicId, OTHER_ID);
    await again.close();
  });
});

test('strays that the cluster knows nothing of are set aside at start', async () => {
  await withDirectories(1, async ([path]) => {
    const first = await opened([path!]);
    first.getOrCreate(T0, TOPIC_ID, defaultLogConfig);
    first.getOrCreate({ topic: 'u', partition: 1 }, OTHER_ID, defaultLogConfig);
    await first.close();
    const second = await opened([path!], { isStray: (log) => log.topicId === OTHER_ID });
    assert.ok(second.get(T0) !== undefined);
    assert.equal(second.get({ topic: 'u', partition: 1 }), undefined);
    assert.ok(readdirSync(path!).some((name) => /^u-1\..*-stray$/.test(name)));
    await second.close();
  });
});

test('a directory with an I/O error goes offline alone', async () => {
  await withDirectories(2, async (paths) => {
    const disk = failingDisk();
    const failed: string[] = [];
    const onDirectoryFailure = (path: string): void => void failed.push(path);
    const manager = await opened(paths, { onDirectoryFailure }, testDependencies({ fileSystem: disk.fileSystem }));
    const logs = [0, 1, 2, 3].map((partition) =>
      manager.getOrCreate({ topic: 't', partition }, TOPIC_ID, defaultLogConfig),
    );
    for (const log of logs) appendEach(log, ['a']);
    const broken = logs[0]!.directory.slice(0, -'/t-0'.length);
    disk.faults.push({ operation: 'write', suffix: 't-0/00000000000000000000.log', code: 'EIO' });
    logs[0]!.appendAsLeader(buildRecords({ values: ['x'] }), { leaderEpoch: 0, origin: 'client' });
    disk.faults.length = 0;
    assert.deepEqual(failed, [broken]);
    for (const log of logs) assert.equal(log.offline, log.directory.startsWith(`${broken}/`));
    assert.equal(manager.get(T0), logs[0], 'its logs are still known, and answer with the error');
    assert.equal(manager.directories().filter((directory) => directory.online).length, 1);
    const added = manager.getOrCreate({ topic: 't', partition: 9 }, TOPIC_ID, defaultLogConfig);
    assert.ok(!added.directory.startsWith(`${broken}/`));
    await manager.close();
    assert.ok(!existsSync(`${broken}/.kafka_cleanshutdown`));
    assert.equal(paths.filter((path) => existsSync(`${path}/.kafka_cleanshutdown`)).length, 1);
    const again = await opened(paths);
    assert.equal([...again.all()].length, 5);
    for (const log of again.all()) assert.ok(log.endOffset <= 1);
    await again.close();
  });
});

test('a directory that cannot be read at start is left out, and no known partition is created anew elsewhere', async () => {
  await withDirectories(2, async (paths) => {
    const disk = failingDisk();
    disk.faults.push({ operation: 'replace', suffix: `${paths[1]}/meta.properties`, code: 'EIO' });
    const manager = await opened(paths, {}, testDependencies({ fileSystem: disk.fileSystem }));
    assert.deepEqual(
      manager.directories().map((directory) => directory.online),
      [true, false],
    );
    await manager.close();
    disk.faults.length = 0;
    rmSync(paths[1]!, { recursive: true });
    writeFileSync(paths[1]!, 'no directory');
    const second = await opened(paths);
    assert.throws(() => second.getOrCreate(T0, TOPIC_ID, defaultLogConfig), { code: 'STORAGE_FAILED' });
    assert.ok(second.getOrCreate(T0, TOPIC_ID, defaultLogConfig, { isNew: true }) !== undefined);
    await second.close();
    const none = managerOf([paths[1]!]);
    await assert.rejects(none.open(), { code: 'NO_LOG_DIRECTORY' });
  });
});

test('one partition in two directories is refused', async () => {
  await withDirectories(2, async ([a, b]) => {
    const manager = await opened([a!, b!]);
    const log = manager.getOrCreate(T0, TOPIC_ID, defaultLogConfig);
    const other = log.directory.startsWith(`${a}/`) ? b! : a!;
    await manager.close();
    mkdirSync(`${other}/t-0`);
    await assert.rejects(managerOf([a!, b!]).open(), { code: 'DUPLICATE_PARTITION' });
  });
});

test('a broken checkpoint costs a longer start and nothing else', async () => {
  await withDirectories(1, async ([path]) => {
    const first = await opened([path!]);
    appendEach(first.getOrCreate(T0, TOPIC_ID, defaultLogConfig), ['a', 'b']);
    await first.close();
    for (const file of ['recovery-point', 'log-start', 'replication']) {
      writeFileSync(`${path}/${file}-offset-checkpoint`, 'garbage');
    }
    rmSync(`${path}/.kafka_cleanshutdown`);
    const second = await opened([path!]);
    assert.equal(second.get(T0)?.endOffset, 2);
    await second.close();
  });
});

test('retention, flushing and checkpoints happen by themselves', async () => {
  await withDirectories(1, async ([path]) => {
    const clock = new ManualClock();
    const manager = await opened([path!], {}, testDependencies({ clock }));
    const config = { ...defaultLogConfig, segmentBytes: 200, retentionMs: 1000, flushMs: 500, fileDeleteDelayMs: 10 };
    const log = manager.getOrCreate(T0, TOPIC_ID, config);
    appendEach(
      log,
      Array.from({ length: 10 }, () => 'x'.repeat(60)),
    );
    await log.flush();
    appendEach(log, ['y']);
    assert.equal(log.recoveryPoint, 10);
    clock.advance(1000);
    await log.flush();
    assert.equal(log.recoveryPoint, 11);
    clock.advance(300_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(log.startOffset, 11, 'the records were older than the retention time');
    assert.match(readFileSync(`${path}/recovery-point-offset-checkpoint`, 'utf8'), /t 0 11\n$/);
    await manager.close();
    clock.advance(1e9);
  });
});

test('a topic name of 249 characters can be created and deleted', async () => {
  await withDirectories(1, async ([path]) => {
    const manager = await opened([path!]);
    const id = { topic: 'x'.repeat(249), partition: 10 };
    appendEach(manager.getOrCreate(id, TOPIC_ID, defaultLogConfig), ['a']);
    manager.delete(id);
    assert.ok(readdirSync(path!).some((name) => name.length === 255 && name.endsWith('-delete')));
    await manager.close();
  });
});

test('a directory moved to another place keeps its logs', async () => {
  await withDirectories(2, async ([a, b]) => {
    const first = await opened([a!]);
    appendEach(first.getOrCreate(T0, TOPIC_ID, defaultLogConfig), ['a']);
    await first.close();
    renameSync(a!, b!);
    const second = await opened([b!]);
    assert.equal(second.get(T0)?.endOffset, 1);
    await second.close();
  });
});

test('many logs are made durable by syncing their volume, at a stop and after a crash', async (t) => {
  await withDirectories(1, async ([path]) => {
    const { fileSystem, operations } = failingDisk();
    if (!(await fileSystem.syncVolume('/'))) return t.skip('this system has no syncfs');
    const dependencies = testDependencies({ fileSystem });
    const start = () => opened([path!], { fewestInBulk: 2 }, dependencies);
    const first = await start();
    for (const partition of [0, 1, 2]) {
      const log = first.getOrCreate({ topic: 't', partition }, TOPIC_ID, defaultLogConfig);
      appendEach(log, ['a', 'b']);
      log.assignEpochStart(7, 2);
    }
    operations.length = 0;
    await first.close();
    const synced = () => operations.filter((operation) => /^(sync|replace) .*\/t-\d/.test(operation));
    assert.deepEqual(synced(), []);
    assert.equal(readFileSync(`${path}/t-1/leader-epoch-checkpoint`, 'utf8'), '0\n1\n0 0\n', 'epoch 7 has no records');
    rmSync(`${path}/.kafka_cleanshutdown`);
    const second = await start();
    assert.deepEqual(synced(), []);
    for (const partition of [0, 1, 2]) assert.equal(second.get({ topic: 't', partition })?.recoveryPoint, 2);
    await second.close();
  });
});

test('a volume that cannot be synced takes its directory offline', async () => {
  await withDirectories(1, async ([path]) => {
    const { fileSystem } = failingDisk();
    const failures: string[] = [];
    const broken = {
      ...fileSystem,
      syncVolume: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })),
    };
    const options = { fewestInBulk: 1, onDirectoryFailure: (directory: string) => void failures.push(directory) };
    const manager = await opened([path!], options, testDependencies({ fileSystem: broken }));
    appendEach(manager.getOrCreate(T0, TOPIC_ID, defaultLogConfig), ['a']);
    await manager.close();
    assert.deepEqual(failures, [path]);
    assert.ok(!existsSync(`${path}/.kafka_cleanshutdown`), 'the next start checks the logs');
  });
});

test('a partition whose metadata file is garbage is offline alone, and no other log takes its place', async () => {
  await withDirectories(2, async (paths) => {
    const first = await opened(paths);
    for (const partition of [0, 1]) {
      appendEach(first.getOrCreate({ topic: 't', partition }, TOPIC_ID, defaultLogConfig), ['a']);
    }
    const [broken] = paths.filter((path) => existsSync(`${path}/t-0`));
    await first.close();
    writeFileSync(`${broken}/t-0/partition.metadata`, 'garbage');
    const second = await opened(paths);
    assert.ok(second.directories().every(({ online }) => online));
    assert.equal(second.get(T0), undefined);
    assert.throws(() => second.getOrCreate(T0, TOPIC_ID, defaultLogConfig, { isNew: true }), {
      code: 'STORAGE_FAILED',
    });
    assert.equal(second.getOrCreate({ topic: 't', partition: 1 }, TOPIC_ID, defaultLogConfig).endOffset, 1);
    await second.close();
    rmSync(`${broken}/t-0/partition.metadata`);
    const third = await opened(paths);
    assert.equal(third.getOrCreate(T0, TOPIC_ID, defaultLogConfig).endOffset, 1, 'its records are there again');
    await third.close();
  });
});
