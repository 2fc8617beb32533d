import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { disk } from '../../base/disk.ts';
import { SluiceError } from '../../base/errors.ts';
import type { FileHandle, FileSystem } from '../../base/file-system.ts';
import { silentLogger } from '../../base/logger.ts';
import { seededRandom } from '../../base/random.ts';
import { makeTemporaryDirectory } from '../../base/temporary-directory.ts';
import { newUuid } from '../../base/uuid.ts';
import { type MetadataRecord, newRecord } from '../records.ts';
import { LocalQuorum, type LocalQuorumOptions } from './local.ts';

const random = seededRandom(11);

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = makeTemporaryDirectory('sluice-metadata');
  try {
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function open(
  directory: string,
  options: Partial<LocalQuorumOptions> = {},
  fileSystem: FileSystem = disk,
): Promise<LocalQuorum> {
  const quorum = new LocalQuorum(
    { directory, nodeId: 1, clusterId: 'cluster', ...options },
    { fileSystem, clock: systemClock, logger: silentLogger, random },
  );
  await quorum.start();
  return quorum;
}

const config = (name: string, value: string): MetadataRecord =>
  newRecord('config', { resourceType: 4, resourceName: '', name, value });
const topic = (name: string): MetadataRecord => newRecord('topic', { name, topicId: newUuid(random) });
const names = (quorum: LocalQuorum): string[] => [...quorum.image().topics.byName.keys()].sort();
const logDirectory = (directory: string): string => join(directory, '__cluster_metadata-0');

function logFiles(directory: string, suffix: string): string[] {
  return readdirSync(logDirectory(directory))
    .filter((name) => name.endsWith(suffix))
    .sort();
}

test('a new log begins with an epoch, a leader and the features that are finalized', async () => {
  await withDirectory(async (directory) => {
    const quorum = await open(directory);
    assert.equal(quorum.controllerId(), 1);
    assert.equal(quorum.isActiveController(), true);
    assert.deepEqual(
      [...quorum.image().features],
      [
        ['metadata.version', 30],
        ['group.version', 1],
      ],
    );
    assert.deepEqual([quorum.image().offset, quorum.image().epoch], [2, 1]);
    await quorum.close();
    const state = JSON.parse(readFileSync(join(logDirectory(directory), 'quorum-state'), 'utf8'));
    assert.deepEqual([state.leaderId, state.leaderEpoch, state.data_version], [1, 1, 0]);
  });
});

test('what was appended is there after a restart, in a later epoch', async () => {
  await withDirectory(async (directory) => {
    let quorum = await open(directory);
    const offset = await quorum.append([topic('a'), config('message.max.bytes', '1')]);
    assert.equal(offset, 4);
    assert.deepEqual(names(quorum), ['a'], 'applied before it resolves');
    await quorum.close();
    assert.equal(quorum.isActiveController(), false);
    await assert.rejects(quorum.append([topic('b')]), { code: 'NOT_CONTROLLER' });
    quorum = await open(directory);
    assert.deepEqual(names(quorum), ['a']);
    assert.deepEqual([quorum.image().offset, quorum.image().epoch], [5, 2]);
    await quorum.close();
  });
});

test('overlapping appends commit in order, each told to listeners before it resolves', async () => {
  await withDirectory(async (directory) => {
    const quorum = await open(directory);
    const heard: string[] = [];
    const unsubscribe = quorum.subscribe((delta, image) => {
      const [created] = delta.createdTopics;
      heard.push(created!.name);
      assert.equal(image.topics.byName.get(created!.name), created);
    });
    const wanted = Array.from({ length: 50 }, (_, index) => `t${index}`);
    const offsets = await Promise.all(
      wanted.map(async (name) => {
        const offset = await quorum.append([topic(name)]);
        assert.ok(heard.includes(name));
        return offset;
      }),
    );
    assert.deepEqual(heard, wanted);
    assert.deepEqual(
      offsets,
      wanted.map((_, index) => index + 3),
    );
    unsubscribe();
    await quorum.append([topic('last')]);
    assert.equal(heard.length, 50);
    await quorum.close();
  });
});

test('a torn batch at the end of the log is cut, as a whole', async () => {
  await withDirectory(async (directory) => {
    let quorum = await open(directory);
    await quorum.append([topic('whole')]);
    const path = join(logDirectory(directory), logFiles(directory, '.log')[0]!);
    const before = readFileSync(path).length;
    await quorum.append([topic('torn-1'), topic('torn-2'), topic('torn-3')]);
    await quorum.close();
    const after = readFileSync(path).length;
    for (const length of [after - 1, before + 70, before + 1]) {
      truncateSync(path, length);
      quorum = await open(directory);
      assert.deepEqual(names(quorum), ['whole'], `cut to ${length}`);
      await quorum.close();
      truncateSync(path, before);
      appendFileSync(path, Buffer.alloc(after - before));
    }
    quorum = await open(directory);
    await quorum.append([topic('next')]);
    assert.deepEqual(names(quorum), ['next', 'whole']);
    await quorum.close();
  });
});

test('a group larger than a batch counts only with its end, and is given up where that is missing', async () => {
  await withDirectory(async (directory) => {
    const options = { maxBatchBytes: 300 };
    let quorum = await open(directory, options);
    await quorum.append([topic('small')]);
    const path = join(logDirectory(directory), logFiles(directory, '.log')[0]!);
    const before = readFileSync(path).length;
    const group = Array.from({ length: 20 }, (_, index) => topic(`large-${String(index).padStart(2, '0')}`));
    await quorum.append(group);
    assert.equal(quorum.image().topics.byName.size, 21);
    const content = readFileSync(path);
    await quorum.close();
    for (const cutBytes of [1, 200, content.length - before - 250]) {
      writeFileSync(path, content.subarray(0, content.length - cutBytes));
      quorum = await open(directory, options);
      assert.deepEqual(names(quorum), ['small'], `${cutBytes} bytes cut off`);
      await quorum.append([topic('after')]);
      await quorum.close();
      quorum = await open(directory, options);
      assert.deepEqual(names(quorum), ['after', 'small'], 'the group that was given up stays away');
      await quorum.close();
    }
    writeFileSync(path, content);
    quorum = await open(directory, options);
    assert.equal(quorum.image().topics.byName.size, 21);
    await quorum.close();
  });
});

/** Waits until the directory has a snapshot at or after an offset. */
async function snapshotFrom(directory: string, offset: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (logFiles(directory, '.checkpoint').some((name) => Number(name.slice(0, 20)) >= offset)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail('no snapshot was written');
}

async function fillWithSnapshots(directory: string, rounds: number): Promise<void> {
  const quorum = await open(directory, { snapshotAfterBytes: 100 });
  for (let round = 0; round < rounds; round++) {
    const offset = await quorum.append(Array.from({ length: 20 }, (_, index) => topic(`r${round}-${index}`)));
    await snapshotFrom(directory, offset + 1);
  }
  await quorum.close();
}

test('snapshots take the place of the log before them; two are kept', async () => {
  await withDirectory(async (directory) => {
    await fillWithSnapshots(directory, 4);
    assert.equal(logFiles(directory, '.checkpoint').length, 2);
    const first = Number(logFiles(directory, '.log')[0]!.slice(0, 20));
    assert.ok(first > 0, 'the first segments are gone');
    const quorum = await open(directory);
    assert.equal(quorum.image().topics.byName.size, 80);
    await quorum.append([topic('more')]);
    await quorum.close();
  });
});

test('a damaged snapshot is left aside for the one before it', async () => {
  await withDirectory(async (directory) => {
    await fillWithSnapshots(directory, 3);
    const newest = join(logDirectory(directory), logFiles(directory, '.checkpoint').at(-1)!);
    const content = readFileSync(newest);
    content[content.length >> 1]! ^= 1;
    writeFileSync(newest, content);
    const quorum = await open(directory);
    assert.equal(quorum.image().topics.byName.size, 60);
    await quorum.close();
    assert.equal(logFiles(directory, '.damaged').length, 1);
  });
});

test('a lost log goes on from the snapshot', async () => {
  await withDirectory(async (directory) => {
    await fillWithSnapshots(directory, 2);
    for (const name of logFiles(directory, '.log')) rmSync(join(logDirectory(directory), name));
    let quorum = await open(directory);
    assert.equal(quorum.image().topics.byName.size, 40);
    await quorum.append([topic('more')]);
    await quorum.close();
    quorum = await open(directory);
    assert.equal(quorum.image().topics.byName.size, 41);
    await quorum.close();
  });
});

test('a log whose beginning is lost is not taken for an empty cluster', async () => {
  await withDirectory(async (directory) => {
    await fillWithSnapshots(directory, 4);
    for (const name of logFiles(directory, '.checkpoint')) rmSync(join(logDirectory(directory), name));
    await assert.rejects(open(directory), { code: 'CORRUPT_METADATA' });
  });
});

/** A disk whose writes or syncs of the metadata log fail on demand. */
function failingDisk(): { fileSystem: FileSystem; fail: { write?: string; sync?: string } } {
  const fail: { write?: string; sync?: string } = {};
  const broken = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });
  const wrap = (handle: FileHandle): FileHandle => ({
    path: handle.path,
    fd: handle.fd,
    size: () => handle.size(),
    readSync: (target, position) => handle.readSync(target, position),
    read: (target, position) => handle.read(target, position),
    truncateSync: (length) => handle.truncateSync(length),
    syncNow: () => handle.syncNow(),
    close: () => handle.close(),
    writeSync: (buffers, position) => {
      if (fail.write !== undefined && handle.path.endsWith('.log')) throw broken(fail.write);
      handle.writeSync(buffers, position);
    },
    sync: async () => {
      if (fail.sync !== undefined && handle.path.endsWith('.log')) throw broken(fail.sync);
      await handle.sync();
    },
  });
  const fileSystem: FileSystem = {
    ...disk,
    open: (path) => wrap(disk.open(path)),
    openExisting: (path) => wrap(disk.openExisting(path)),
  };
  return { fileSystem, fail };
}

test('a full disk refuses an append and all that were decided in sight of it; later ones pass', async () => {
  await withDirectory(async (directory) => {
    const { fileSystem, fail } = failingDisk();
    const quorum = await open(directory, {}, fileSystem);
    const before = quorum.append([topic('before')]);
    fail.write = 'ENOSPC';
    const during = quorum.append([topic('during')]);
    delete fail.write;
    const inSight = quorum.append([topic('in-sight')]);
    await before;
    await assert.rejects(during, { code: 'METADATA_WRITE_FAILED' });
    await assert.rejects(inSight, { code: 'METADATA_WRITE_FAILED' });
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(quorum.isActiveController(), true);
    await quorum.append([topic('after')]);
    assert.deepEqual(names(quorum), ['after', 'before']);
    await quorum.close();
    const again = await open(directory);
    assert.deepEqual(names(again), ['after', 'before']);
    await again.close();
  });
});

test('a sync that fails ends the quorum: nothing unsure is acknowledged or applied', async () => {
  await withDirectory(async (directory) => {
    const { fileSystem, fail } = failingDisk();
    const failures: Error[] = [];
    const quorum = await open(directory, { onFailure: (error) => failures.push(error) }, fileSystem);
    fail.sync = 'EIO';
    const outcomes = await Promise.allSettled([quorum.append([topic('a')]), quorum.append([topic('b')])]);
    assert.ok(outcomes.every(({ status }) => status === 'rejected'));
    delete fail.sync;
    await assert.rejects(quorum.append([topic('c')]), { code: 'METADATA_WRITE_FAILED' });
    assert.deepEqual(names(quorum), []);
    assert.equal(quorum.isActiveController(), false);
    assert.equal(failures.length, 1);
    await quorum.close();
  });
});

test('a listener that throws ends the quorum', async () => {
  await withDirectory(async (directory) => {
    const failures: Error[] = [];
    const quorum = await open(directory, { onFailure: (error) => failures.push(error) });
    quorum.subscribe(() => {
      throw new TypeError('a bug');
    });
    await assert.rejects(quorum.append([topic('a')]), /a bug/);
    assert.ok(failures[0] instanceof SluiceError);
    await quorum.close();
  });
});

test('a vote file that cannot be read is told, not overwritten', async () => {
  await withDirectory(async (directory) => {
    await (await open(directory)).close();
    writeFileSync(join(logDirectory(directory), 'quorum-state'), '{');
    await assert.rejects(open(directory), { code: 'CORRUPT_METADATA' });
  });
});
