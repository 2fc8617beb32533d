import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { type LogFields, type Logger, silentLogger } from '../base/logger.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { type FailingDisk, failingDisk } from './failing-file-system.test.support.ts';
import { appendEach, buildRecords, newLog, readAll, testDependencies, withDirectory } from './log.test.support.ts';
import { type Log, openLog } from './log.ts';
import type { LogConfig } from './log-config.ts';

async function withFailingLog(
  config: Partial<LogConfig>,
  run: (parts: { log: Log; disk: FailingDisk; directory: string }) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const disk = failingDisk();
    const log = newLog(directory, config, testDependencies({ fileSystem: disk.fileSystem }));
    await run({ log, disk, directory });
    disk.faults.length = 0;
    log.abandon();
  });
}

const append = (log: Log, value = 'x') =>
  log.appendAsLeader(buildRecords({ values: [value] }), { leaderEpoch: 0, origin: 'client' });

test('a full disk refuses the append, leaves whole batches only, and takes appends again when there is room', async () => {
  await withFailingLog({}, async ({ log, disk, directory }) => {
    appendEach(log, ['a', 'b']);
    const before = readAll(log, 0);
    disk.faults.push({ operation: 'write', suffix: '.log', code: 'ENOSPC', shortBytes: 30 });
    const outcome = append(log);
    assert.equal(outcome.ok ? 0 : outcome.errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
    assert.equal(statSync(`${directory}/00000000000000000000.log`).size, before.length);
    assert.deepEqual(readAll(log, 0), before);
    assert.equal(log.endOffset, 2);
    assert.equal(log.offline, false);
    disk.faults.length = 0;
    assert.ok(append(log).ok);
    assert.equal(log.endOffset, 3);
  });
});

test('a full disk where a truncation is noted down refuses the next append and no more, until there is room', async () => {
  await withFailingLog({}, async ({ log }) => {
    appendEach(log, ['a', 'b', 'c']);
    let hasRoom = false;
    log.listeners.onStartLowered = () => {
      if (!hasRoom) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    };
    log.truncateTo(1);
    const outcome = append(log);
    assert.equal(outcome.ok ? 0 : outcome.errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
    assert.equal(log.offline, false);
    hasRoom = true;
    assert.ok(append(log).ok);
    assert.equal(log.endOffset, 2);
  });
});

test('a full disk is told once a minute, with the directory and what to do, and when it ended', async () => {
  await withDirectory(async (directory) => {
    const disk = failingDisk();
    const clock = new SimulatedClock();
    const lines: string[] = [];
    const note = (message: string, fields: LogFields = {}): void =>
      void lines.push(`${message} ${JSON.stringify(fields)}`);
    const logger: Logger = { ...silentLogger, warn: note, info: note, with: () => logger };
    const log = newLog(directory, {}, { ...testDependencies({ fileSystem: disk.fileSystem }), clock, logger });
    disk.faults.push({ operation: 'write', suffix: '.log', code: 'ENOSPC' });
    for (let each = 0; each < 50; each++) assert.equal(append(log).ok, false);
    assert.equal(lines.length, 1);
    assert.ok(lines[0]!.includes(directory) && lines[0]!.includes('Make room'), lines[0]);
    clock.advance(60_000);
    append(log);
    assert.equal(lines.length, 2);
    disk.faults.length = 0;
    assert.ok(append(log).ok && append(log).ok);
    assert.equal(lines.length, 3);
    assert.match(lines[2]!, /can be written again.*"forMs":60000/);
    log.abandon();
  });
});

test('a refused append leaves the producer where it was', async () => {
  await withFailingLog({}, async ({ log, disk }) => {
    const send = (sequence: number) =>
      log.appendAsLeader(buildRecords({ values: ['x'], producerId: 1, producerEpoch: 0, baseSequence: sequence }), {
        leaderEpoch: 4,
        origin: 'client',
      });
    assert.ok(send(0).ok);
    disk.faults.push({ operation: 'write', suffix: '.log', code: 'ENOSPC' });
    assert.equal(send(1).ok, false);
    disk.faults.length = 0;
    const again = send(1);
    assert.ok(again.ok && !again.duplicate);
    assert.equal(again.firstOffset, 1);
  });
});

test('after an I/O error nothing is appended or read any more', async () => {
  await withFailingLog({}, async ({ log, disk }) => {
    appendEach(log, ['a']);
    const failures: Error[] = [];
    log.listeners.onFailure = (error) => failures.push(error);
    disk.faults.push({ operation: 'write', suffix: '.log', code: 'EIO' });
    assert.equal(append(log).ok, false);
    disk.faults.length = 0;
    const outcome = append(log);
    assert.equal(outcome.ok ? 0 : outcome.errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
    const read = log.read(0, { maxBytes: 100, minOneBatch: true, upTo: 1 });
    assert.equal(read.ok ? 0 : read.errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
    assert.equal(failures.length, 1);
    assert.equal(log.offline, true);
    await assert.rejects(log.flush(), { code: 'STORAGE_FAILED' });
    await assert.rejects(log.offsetForTimestamp(0, 1), { code: 'STORAGE_FAILED' });
  });
});

test('a torn write that cannot be taken back fails the log, and recovery cuts it', async () => {
  await withDirectory(async (directory) => {
    const disk = failingDisk();
    const log = newLog(directory, {}, testDependencies({ fileSystem: disk.fileSystem }));
    appendEach(log, ['a', 'b']);
    const before = readAll(log, 0);
    disk.faults.push({ operation: 'write', suffix: '.log', code: 'ENOSPC', shortBytes: 40 });
    disk.faults.push({ operation: 'truncate', suffix: '.log', code: 'EIO' });
    assert.equal(append(log).ok, false);
    assert.equal(log.offline, true);
    log.abandon();
    assert.equal(statSync(`${directory}/00000000000000000000.log`).size, before.length + 40);
    const again = await openLog({ directory, topic: 't', partition: 0, config: log.config }, testDependencies());
    assert.deepEqual(readAll(again, 0), before);
    assert.ok(append(again).ok);
    await again.close();
  });
});

test('a full disk at a roll refuses the append and leaves the log as it was', async () => {
  for (const fault of [
    { operation: 'open', suffix: '.log', code: 'ENOSPC' },
    { operation: 'open', suffix: '.timeindex', code: 'ENOSPC' },
    { operation: 'write', suffix: '.snapshot', code: 'ENOSPC' },
    { operation: 'write', suffix: '.timeindex', code: 'ENOSPC' },
    { operation: 'open', suffix: '.log', code: 'EMFILE' },
  ] as const) {
    await withFailingLog({ segmentBytes: 300, indexIntervalBytes: 1 }, async ({ log, disk }) => {
      appendEach(log, ['a', 'b', 'c', 'd']);
      disk.faults.push(fault);
      assert.equal(append(log).ok, false, `${fault.operation} ${fault.suffix}`);
      assert.equal(log.offline, false);
      assert.equal(log.segmentCount, 1);
      disk.faults.length = 0;
      assert.ok(append(log).ok);
      assert.equal(log.segmentCount, 2);
      assert.equal(log.endOffset, 5);
      assert.ok(readAll(log, 0).length > 0);
      await log.flush();
    });
  }
});

test('an index that cannot be written does not fail appends, and is complete when it can', async () => {
  await withFailingLog({ indexIntervalBytes: 1 }, async ({ log, disk, directory }) => {
    disk.faults.push({ operation: 'write', suffix: 'index', code: 'ENOSPC' });
    appendEach(
      log,
      Array.from({ length: 400 }, (_, index) => `${index}`),
    );
    disk.faults.length = 0;
    const { config } = log;
    await log.close();
    assert.equal(statSync(`${directory}/00000000000000000000.index`).size, 399 * 8);
    const again = await openLog(
      { directory, topic: 't', partition: 0, config, cleanShutdown: true },
      testDependencies(),
    );
    assert.equal(again.endOffset, 400);
    assert.ok(readAll(again, 390).length > 0);
    await again.close();
  });
});

test('a failed sync fails the log at once and is never tried again', async () => {
  await withFailingLog({ flushMessages: 1 }, async ({ log, disk }) => {
    disk.faults.push({ operation: 'sync', suffix: '.log', code: 'EIO' });
    const outcome = append(log);
    assert.ok(outcome.ok && outcome.durable !== undefined);
    await assert.rejects(outcome.durable, { code: 'STORAGE_FAILED' });
    assert.equal(log.offline, true);
    assert.equal(log.recoveryPoint, 0);
    const syncs = disk.operations.filter((operation) => operation.startsWith('sync')).length;
    disk.faults.length = 0;
    await assert.rejects(log.flush(), { code: 'STORAGE_FAILED' });
    await assert.rejects(log.close(), { code: 'STORAGE_FAILED' });
    assert.equal(disk.operations.filter((operation) => operation.startsWith('sync')).length, syncs);
  });
});

test('appends that wait at the same time share one sync', async () => {
  await withFailingLog({ flushMessages: 1 }, async ({ log, disk }) => {
    const waits: Promise<void>[] = [];
    for (let index = 0; index < 50; index++) {
      const outcome = append(log);
      assert.ok(outcome.ok && outcome.durable !== undefined);
      waits.push(outcome.durable);
    }
    await Promise.all(waits);
    assert.equal(log.recoveryPoint, 50);
    assert.equal(disk.operations.filter((operation) => /^sync .*\.log$/.test(operation)).length, 1);
  });
});

test('a repeated batch is acknowledged no earlier than the one it repeats', async () => {
  await withFailingLog({ flushMessages: 1 }, async ({ log }) => {
    const send = () =>
      log.appendAsLeader(buildRecords({ values: ['a'], producerId: 7, producerEpoch: 0, baseSequence: 0 }), {
        leaderEpoch: 0,
        origin: 'client',
      });
    const first = send();
    const again = send();
    assert.ok(first.ok && again.ok && again.duplicate);
    assert.ok(again.durable !== undefined, 'the first is not durable yet');
    await again.durable;
    assert.equal(log.recoveryPoint, 1);
    const late = send();
    assert.equal(late.ok && late.durable, undefined);
  });
});

test('the recovery point does not pass what was appended while a sync ran', async () => {
  await withFailingLog({}, async ({ log }) => {
    appendEach(log, ['a']);
    const first = log.flush();
    await new Promise((resolve) => setImmediate(resolve));
    appendEach(log, ['b']);
    await first;
    assert.equal(log.recoveryPoint, 1);
    await log.flush();
    assert.equal(log.recoveryPoint, 2);
  });
});

test('the recovery point waits for the leader epochs to be on disk', async () => {
  await withFailingLog({}, async ({ log, disk }) => {
    appendEach(log, ['a']);
    disk.faults.push({ operation: 'replace', suffix: 'leader-epoch-checkpoint', code: 'EIO' });
    await assert.rejects(log.flush(), { code: 'STORAGE_FAILED' });
    assert.equal(log.recoveryPoint, 0);
  });
});
