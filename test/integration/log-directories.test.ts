/**
 * Several log directories under one broker: one that fails goes offline alone, one that runs full heals, and partitions
 * move between them while they are written and read.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { SimulatedDisk } from '../../src/base/simulated-disk.ts';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { alterReplicaLogDirs } from '../../src/protocol/apis/alter-replica-log-dirs.ts';
import { deleteRecords } from '../../src/protocol/apis/delete-records.ts';
import { describeLogDirs } from '../../src/protocol/apis/describe-log-dirs.ts';
import { incrementalAlterConfigs } from '../../src/protocol/apis/incremental-alter-configs.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import { batchOf, produceTo, readAll } from '../support/partition-io.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const TOPIC = 'spread';
const PARTITIONS = 4;

interface DescribedPartition {
  readonly partitionIndex: number;
  readonly isFutureKey: boolean;
  readonly offsetLag: number;
}

interface DescribedDirectory {
  readonly errorCode: number;
  readonly logDir: string;
  readonly topics: readonly { readonly name: string; readonly partitions: readonly DescribedPartition[] }[];
}

async function directoriesOf(wire: Wire): Promise<DescribedDirectory[]> {
  const { results } = await wire.reply(describeLogDirs, 4, { topics: null });
  return results as DescribedDirectory[];
}

async function partitionsIn(wire: Wire, path: string): Promise<DescribedPartition[]> {
  const found = (await directoriesOf(wire)).find(({ logDir }) => logDir === path);
  return (found?.topics ?? []).filter(({ name }) => name === TOPIC).flatMap(({ partitions }) => partitions);
}

async function move(wire: Wire, path: string, partition: number): Promise<number> {
  const topics = [{ name: TOPIC, partitions: [partition] }];
  const { results } = await wire.reply(alterReplicaLogDirs, 2, { dirs: [{ path, topics }] });
  return (results as { partitions: { errorCode: number }[] }[])[0]!.partitions[0]!.errorCode;
}

async function arrived(wire: Wire, path: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const here = await partitionsIn(wire, path);
    if (here.some(({ isFutureKey }) => !isFutureKey)) return;
    assert.ok(attempt < 2000, `${TOPIC} arrives in ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A broker over two directories of a simulated disk. */
function startOn(disk: SimulatedDisk): Promise<TestBroker> {
  return startTestBroker({ dataDirectory: '/a,/b', config: { 'metadata.log.dir': '/m' }, fileSystem: disk.boot() });
}

for (const code of ['EIO', 'EROFS']) {
  test(`a directory that fails with ${code} goes offline alone, and is whole after it was healed`, async () => {
    const disk = new SimulatedDisk({ random: seededRandom(1) });
    let broker = await startOn(disk);
    let wire = broker.wire();
    await makeTopic(wire, TOPIC, { partitions: PARTITIONS });
    const acknowledged = Array.from({ length: PARTITIONS }, (): string[] => []);
    const send = async (partition: number): Promise<number> => {
      const value = `${partition}:${acknowledged[partition]!.length}`;
      const { errorCode } = await produceTo(wire, { topic: TOPIC, partition }, batchOf([value]));
      if (errorCode === 0) acknowledged[partition]!.push(value);
      return errorCode;
    };
    for (let round = 0; round < 5; round++) for (let each = 0; each < PARTITIONS; each++) await send(each);
    const failing = new Set((await partitionsIn(wire, '/b')).map(({ partitionIndex }) => partitionIndex));
    assert.equal(failing.size, PARTITIONS / 2);

    disk.failBelow('/b', code);
    for (let round = 0; round < 3; round++) {
      for (let each = 0; each < PARTITIONS; each++) {
        assert.equal(await send(each), failing.has(each) ? ErrorCode.KAFKA_STORAGE_ERROR : 0, `partition ${each}`);
      }
    }
    const described = await directoriesOf(wire);
    assert.deepEqual(
      described.map(({ logDir, errorCode }) => [logDir, errorCode]),
      [
        ['/a', 0],
        ['/b', ErrorCode.KAFKA_STORAGE_ERROR],
      ],
    );
    const lines = broker.lines.filter(({ message }) => message.includes('log directory is offline'));
    assert.equal(lines.length, 1, 'one line tells of the failure');
    for (let each = 0; each < PARTITIONS; each++) {
      if (!failing.has(each))
        assert.deepEqual(await readAll(wire, { topic: TOPIC, partition: each }), acknowledged[each]);
    }
    wire.close();
    await broker.close();

    disk.heal('/b');
    broker = await startOn(disk);
    wire = broker.wire();
    for (let each = 0; each < PARTITIONS; each++) {
      assert.deepEqual(await readAll(wire, { topic: TOPIC, partition: each }), acknowledged[each]);
      assert.equal(await send(each), 0);
    }
    wire.close();
    await broker.close();
  });
}

test('deleted records stay deleted over a power loss, once that was answered', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const disk = new SimulatedDisk({ random: seededRandom(seed), mode: 'any' });
    let broker = await startOn(disk);
    let wire = broker.wire();
    await makeTopic(wire, TOPIC, { configs: { 'flush.messages': '1' } });
    for (let index = 0; index < 10; index++) await produceTo(wire, { topic: TOPIC }, batchOf([`${index}`]));
    const topics = [{ name: TOPIC, partitions: [{ partitionIndex: 0, offset: 7 }] }];
    await wire.reply(deleteRecords, 2, { topics, timeoutMs: 1000 });
    disk.losePower();
    wire.close();
    await assert.rejects(broker.close(), { code: 'STORAGE_FAILED' });
    broker = await startOn(disk);
    wire = broker.wire();
    const again = await wire.reply(deleteRecords, 2, {
      topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, offset: 0 }] }],
      timeoutMs: 1000,
    });
    const [result] = (again['topics'] as { partitions: { lowWatermark: number }[] }[])[0]!.partitions;
    assert.equal(result?.lowWatermark, 7, `seed ${seed}`);
    wire.close();
    await broker.close();
  }
});

const parent = makeTemporaryDirectory('sluice-directories');
const small = join(parent, 'small');
mkdirSync(small);
const VOLUME_BYTES = 12 * 2 ** 20;
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${VOLUME_BYTES}`, 'tmpfs', small]).status === 0;

after(() => {
  if (mounted) spawnSync('umount', [small]);
  rmSync(parent, { recursive: true, force: true });
});

test('a directory that runs full refuses alone, stays online, and takes records again when there is room', {
  skip: !mounted && 'no volume can be mounted here: a full directory beside another was not tried',
}, async () => {
  const ballast = join(small, 'ballast');
  writeFileSync(ballast, Buffer.alloc(4 * 2 ** 20));
  const [roomy, tight] = [join(parent, 'roomy'), join(small, 'data')];
  const broker = await startTestBroker({ dataDirectory: `${roomy},${tight}` });
  const wire = broker.wire();
  await makeTopic(wire, TOPIC, { partitions: PARTITIONS, configs: { 'segment.bytes': '1048576' } });
  const tightOnes = new Set((await partitionsIn(wire, tight)).map(({ partitionIndex }) => partitionIndex));
  const counts = Array.from({ length: PARTITIONS }, () => 0);
  const send = async (partition: number): Promise<number> => {
    const { errorCode } = await produceTo(wire, { topic: TOPIC, partition }, batchOf(['x'.repeat(60_000)]));
    if (errorCode === 0) counts[partition]!++;
    return errorCode;
  };
  let refused = 0;
  for (let round = 0; refused < 20; round++) {
    assert.ok(round < 1000, 'the volume never ran full');
    for (let each = 0; each < PARTITIONS; each++) {
      const errorCode = await send(each);
      if (errorCode === 0) continue;
      assert.ok(tightOnes.has(each) && errorCode === ErrorCode.KAFKA_STORAGE_ERROR, `partition ${each}: ${errorCode}`);
      refused++;
    }
  }
  assert.ok(
    (await directoriesOf(wire)).every(({ errorCode }) => errorCode === 0),
    'no directory is offline',
  );
  rmSync(ballast);
  assert.ok(statfsSync(small).bavail > 0);
  for (let each = 0; each < PARTITIONS; each++) assert.equal(await send(each), 0, 'there is room again');
  for (let each = 0; each < PARTITIONS; each++) {
    assert.equal((await readAll(wire, { topic: TOPIC, partition: each })).length, counts[each]);
  }
  wire.close();
  await broker.close();
});

test('a partition moves between directories while it is written and read, over a restart as well', async () => {
  const [first, second] = [join(parent, 'first'), join(parent, 'second')];
  let broker = await startTestBroker({ dataDirectory: `${first},${second}` });
  let wire = broker.wire();
  await makeTopic(wire, TOPIC, { configs: { 'segment.bytes': '1048576', 'file.delete.delay.ms': '0' } });
  const sent: string[] = [];
  let writing = true;
  const writer = (async (): Promise<void> => {
    const own = broker.wire();
    while (writing) {
      const value = `${sent.length}:`.padEnd(30_000, 'x');
      const { errorCode, baseOffset } = await produceTo(own, { topic: TOPIC }, batchOf([value]));
      assert.equal(errorCode, 0, 'no append is refused because of a move');
      assert.equal(baseOffset, sent.push(value) - 1);
    }
    own.close();
  })();
  assert.equal(await move(wire, '/nowhere', 0), ErrorCode.LOG_DIR_NOT_FOUND);
  assert.equal(await move(wire, second, 9), ErrorCode.REPLICA_NOT_AVAILABLE);
  for (const path of [second, first, second, first]) {
    const before = sent.length;
    while (sent.length < before + 10) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(await move(wire, path, 0), 0);
    await arrived(wire, path);
    const read = await readAll(wire, { topic: TOPIC });
    assert.deepEqual(read, sent.slice(0, read.length));
  }
  writing = false;
  await writer;

  // A slow move is seen on its way, and goes on after a restart.
  const name = 'replica.alter.log.dirs.io.max.bytes.per.second';
  const limit = (value: string): Promise<unknown> =>
    wire.reply(incrementalAlterConfigs, 1, {
      resources: [{ resourceType: 4, resourceName: '1', configs: [{ name, configOperation: 0, value }] }],
      validateOnly: false,
    });
  await limit('1000');
  assert.equal(await move(wire, second, 0), 0);
  const [copy] = await partitionsIn(wire, second);
  assert.ok(copy?.isFutureKey === true && copy.offsetLag > 0, JSON.stringify(copy));
  wire.close();
  await broker.close();
  broker = await startTestBroker({ dataDirectory: `${first},${second}` });
  wire = broker.wire();
  await limit('1000000000');
  await arrived(wire, second);
  assert.deepEqual(await readAll(wire, { topic: TOPIC }), sent);
  wire.close();
  await broker.close();
  assert.ok(existsSync(join(second, `${TOPIC}-0`)));
  assert.ok(!readdirSync(first).includes(`${TOPIC}-0`));
});
