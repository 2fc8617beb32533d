import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/logger.ts';
import { seededRandom } from '../base/random.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { SimulatedDisk } from '../base/simulated-disk.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { appendEach, buildRecords, readAll } from './log.test.support.ts';
import type { Log } from './log.ts';
import { defaultLogConfig } from './log-config.ts';
import { LogManager, type LogManagerOptions } from './log-manager.ts';

const TOPIC_ID = 'ckhF3xLEQsqTd6aJf9KTaQ';
const T0 = { topic: 't', partition: 0 };
const CONFIG = { ...defaultLogConfig, segmentBytes: 2000, fileDeleteDelayMs: 1000 };

interface World {
  readonly disk: SimulatedDisk;
  readonly clock: SimulatedClock;
  manager: LogManager;
}

async function start(disk: SimulatedDisk, options: Partial<LogManagerOptions> = {}): Promise<World> {
  const clock = new SimulatedClock();
  const manager = new LogManager(
    { directories: ['/a', '/b'], nodeId: 1, configOf: () => CONFIG, producerIdExpirationMs: 2 ** 50, ...options },
    { fileSystem: disk.boot(), clock, logger: silentLogger, random: seededRandom(3) },
  );
  const world = { disk, clock, manager };
  await until(world, manager.open());
  return world;
}

/** Lets turns pass until a promise settles. */
async function until<Result>(
  { clock, disk }: Pick<World, 'clock' | 'disk'>,
  promise: Promise<Result>,
): Promise<Result> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  for (let turn = 0; !settled; turn++) {
    assert.ok(turn < 10_000, 'it comes to an end');
    await pass({ clock, disk });
  }
  return promise;
}

async function pass({ clock, disk }: Pick<World, 'clock' | 'disk'>): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  clock.endTurn();
  disk.letGo();
}

async function moved(world: World, path = '/b'): Promise<void> {
  for (let turn = 0; world.manager.directoryOf(T0) !== path; turn++) {
    assert.ok(turn < 10_000, 'the move comes to an end');
    await pass(world);
  }
}

function send(log: Log, sequence: number, value = 'x'.repeat(150)): void {
  const bytes = buildRecords({ values: [value], producerId: 7, producerEpoch: 0, baseSequence: sequence });
  assert.ok(log.appendAsLeader(bytes, { leaderEpoch: 3, origin: 'client' }).ok);
}

const newDisk = (seed = 1): SimulatedDisk => new SimulatedDisk({ random: seededRandom(seed), mode: 'any' });

test('a log moves to another directory while it is appended to, with all that is known of it', async () => {
  const heard: Log[] = [];
  const world = await start(newDisk(), { onMoved: (log) => heard.push(log) });
  const { manager } = world;
  const log = manager.getOrCreate(T0, TOPIC_ID, CONFIG);
  assert.equal(manager.directoryOf(T0), '/a');
  for (let sequence = 0; sequence < 60; sequence++) send(log, sequence);
  log.assignEpochStart(3, 0);
  log.updateHighWatermark(60);
  log.advanceStartOffset(13);
  assert.equal(manager.move(T0, '/b'), ErrorCode.NONE);
  assert.equal(manager.directories()[1]!.futures[0]!.lag, 60 - 13);
  let sequence = 60;
  let bytes = readAll(log, 13);
  for (let turn = 0; manager.get(T0) === log; turn++) {
    assert.ok(turn < 10_000);
    if (sequence < 90) send(log, sequence++);
    log.updateHighWatermark(log.endOffset);
    bytes = readAll(log, 13);
    await pass(world);
  }
  const now = manager.get(T0)!;
  assert.deepEqual(readAll(now, 13), bytes);
  assert.deepEqual(heard, [now]);
  assert.equal(now.directory, '/b/t-0');
  assert.equal(now.topicId, TOPIC_ID);
  assert.deepEqual([now.startOffset, now.endOffset, now.highWatermark], [13, sequence, sequence]);
  assert.equal(now.latestEpoch, 3);
  assert.equal(now.producers()[0]?.lastSequence, sequence - 1);
  send(now, sequence++);
  assert.deepEqual(
    manager.directories().map(({ logs }) => logs.length),
    [0, 1],
  );
  for (let turn = 0; turn < 20; turn++) await pass(world);
  world.clock.advance(1000);
  for (let turn = 0; turn < 20; turn++) await pass(world);
  const fileSystem = world.disk;
  assert.equal(fileSystem.find('/a/t-0'), undefined);
  const names = (path: string): string[] => [
    ...(fileSystem.find(path) as { entries: Map<string, unknown> }).entries.keys(),
  ];
  assert.ok(!names('/a').some((name) => name.includes('delete')), 'the old files are gone after the delay');
  await until(world, manager.close());
});

test('a move follows a truncation and a start that moves beyond the copy', async () => {
  const world = await start(newDisk(), { moveBytesPerSecond: () => 1000 });
  const { manager } = world;
  const log = manager.getOrCreate(T0, TOPIC_ID, CONFIG);
  for (let sequence = 0; sequence < 40; sequence++) send(log, sequence);
  manager.move(T0, '/b');
  for (let turn = 0; turn < 5; turn++) await pass(world);
  log.truncateTo(20);
  appendEach(log, ['other 20', 'other 21', 'other 22'], {});
  log.advanceStartOffset(21);
  const bytes = readAll(log, 21);
  for (let turn = 0; manager.get(T0) === log; turn++) {
    assert.ok(turn < 10_000);
    world.clock.advance(1000);
    await pass(world);
  }
  const now = manager.get(T0)!;
  assert.deepEqual([now.startOffset, now.endOffset], [21, 23]);
  assert.deepEqual(readAll(now, 21), bytes);
  await until(world, manager.close());
});

test('where a move cannot go, nothing changes, and the answer says why', async () => {
  const world = await start(newDisk());
  const { manager } = world;
  assert.equal(manager.move(T0, '/c'), ErrorCode.LOG_DIR_NOT_FOUND);
  assert.equal(manager.move(T0, '/b'), ErrorCode.REPLICA_NOT_AVAILABLE);
  const log = manager.getOrCreate(T0, TOPIC_ID, CONFIG);
  assert.equal(manager.directoryOf(T0), '/b', 'the directory was remembered');
  assert.equal(manager.move(T0, '/b'), ErrorCode.NONE);
  assert.deepEqual(manager.directories()[0]!.futures, []);
  appendEach(log, ['a', 'b']);
  world.disk.failBelow('/a', 'ENOSPC');
  assert.equal(manager.move(T0, '/a'), ErrorCode.KAFKA_STORAGE_ERROR);
  world.disk.heal('/a');
  assert.equal(manager.move(T0, '/a'), ErrorCode.NONE);
  world.disk.failBelow('/a', 'EIO');
  for (let turn = 0; turn < 50; turn++) await pass(world);
  assert.deepEqual(
    manager.directories().map(({ online }) => online),
    [false, true],
  );
  assert.deepEqual(manager.directories()[0]!.futures, []);
  assert.equal(manager.move(T0, '/a'), ErrorCode.KAFKA_STORAGE_ERROR);
  appendEach(log, ['c']);
  assert.equal(log.endOffset, 3);
  await until(world, manager.close());
});

test('a move can be given up, and ends with its topic', async () => {
  const world = await start(newDisk(), { moveBytesPerSecond: () => 1 });
  const { manager } = world;
  const log = manager.getOrCreate(T0, TOPIC_ID, CONFIG);
  for (let sequence = 0; sequence < 40; sequence++) send(log, sequence);
  const copies = (): number => manager.directories()[1]!.futures.length;
  manager.move(T0, '/b');
  await pass(world);
  assert.equal(copies(), 1);
  assert.equal(manager.move(T0, '/a'), ErrorCode.NONE);
  assert.equal(copies(), 0);
  manager.move(T0, '/b');
  assert.ok(manager.delete(T0));
  assert.equal(copies(), 0);
  world.clock.advance(2000);
  for (let turn = 0; turn < 50; turn++) await pass(world);
  const left = [...(world.disk.find('/b') as { entries: Map<string, unknown> }).entries.keys()];
  assert.ok(!left.some((name) => name.startsWith('t-')), left.join(' '));
  await until(world, manager.close());
});

test('a crash at any operation of a move leaves the log whole, in one directory', async () => {
  const outcomes = new Set<string | undefined>();
  let crashed = true;
  for (let crashAt = 1; crashed; crashAt += 1) {
    crashed = false;
    for (let seed = 0; seed < 4; seed++) {
      const disk = newDisk(seed * 1000 + crashAt);
      const world = await start(disk);
      const log = world.manager.getOrCreate(T0, TOPIC_ID, CONFIG);
      for (let sequence = 0; sequence < 30; sequence++) send(log, sequence);
      await until(world, log.flush());
      const bytes = readAll(log, 0);
      disk.crashAt = disk.operations + crashAt;
      world.manager.move(T0, '/b');
      for (let turn = 0; disk.isUp && turn < 60; turn++) await pass(world);
      if (disk.isUp) continue;
      crashed = true;
      disk.losePower();
      const after = await start(disk);
      const found = after.manager.get(T0);
      assert.ok(found !== undefined, `crash at ${crashAt}, seed ${seed}: the log is there`);
      assert.deepEqual(readAll(found, 0), bytes);
      assert.equal(found.producers()[0]?.lastSequence, 29);
      outcomes.add(after.manager.directoryOf(T0));
      send(found, 30);
      // A move that was interrupted comes to its end by itself.
      if (after.manager.directories()[1]!.futures.length > 0) await moved(after);
      await until(after, after.manager.close());
    }
  }
  assert.deepEqual([...outcomes].sort(), ['/a', '/b']);
});
