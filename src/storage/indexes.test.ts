import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { disk } from '../base/disk.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { IndexMemory } from './index-memory.ts';
import { OffsetIndex } from './offset-index.ts';
import { OpenFiles } from './open-files.ts';
import { TimeIndex } from './time-index.ts';

const BASE = 1000;

function withIndexes(
  run: (parts: { directory: string; offsets: () => OffsetIndex; times: () => TimeIndex; memory: IndexMemory }) => void,
  limitBytes = 2 ** 20,
): void {
  const directory = makeTemporaryDirectory('sluice-index');
  const files = new OpenFiles({ limit: 16 }, { fileSystem: disk });
  const memory = new IndexMemory({ limitBytes });
  const options = (name: string) => ({
    slot: files.slot({ path: directory }, name),
    baseOffset: BASE,
    fileBytes: disk.sizeOf(`${directory}/${name}`) ?? 0,
  });
  try {
    run({
      directory,
      memory,
      offsets: () => new OffsetIndex(options('x.index'), memory),
      times: () => new TimeIndex(options('x.timeindex'), memory),
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('an offset index entry is the relative offset and the position, four bytes each', () => {
  withIndexes(({ directory, offsets }) => {
    const index = offsets();
    index.append(BASE + 5, 0x0102);
    index.append(BASE + 0x7fffffff, 0x7ffffffe);
    index.file.flush();
    assert.equal(readFileSync(`${directory}/x.index`).toString('hex'), '00000005000001027fffffff7ffffffe');
  });
});

test('a time index entry is the timestamp in eight bytes and the relative offset in four', () => {
  withIndexes(({ directory, times }) => {
    const index = times();
    index.append(0x0123456789a, BASE + 7);
    index.append(0x0123456789a, BASE + 9);
    index.append(0x0123456789b, BASE + 10);
    index.file.flush();
    assert.equal(
      readFileSync(`${directory}/x.timeindex`).toString('hex'),
      '000000123456789a00000007000000123456789b0000000a',
    );
  });
});

test('an index answers the same from memory, from its file and after eviction', () => {
  withIndexes(({ offsets, memory }) => {
    const index = offsets();
    for (let entry = 0; entry < 500; entry++) index.append(BASE + entry * 10, entry * 100);
    const check = (tested: OffsetIndex): void => {
      assert.equal(tested.count, 500);
      assert.equal(tested.positionFor(BASE - 1), 0);
      assert.equal(tested.positionFor(BASE + 9), 0);
      assert.equal(tested.positionFor(BASE + 10), 100);
      assert.equal(tested.positionFor(BASE + 4987), 49_800);
      assert.equal(tested.positionFor(BASE + 1e6), 49_900);
      assert.equal(tested.boundaryAtMost(149), 100);
      assert.equal(tested.boundaryAtMost(49_899), 49_800);
    };
    check(index);
    index.file.flush();
    check(index);
    index.file.evict();
    assert.equal(memory.totalBytes, 0);
    check(index);
    const reopened = offsets();
    assert.equal(reopened.lastPosition(), 49_900);
    assert.equal(reopened.file.inMemory, false, 'the last entry does not need the others');
    check(reopened);
    assert.ok(memory.totalBytes >= 500 * 8);
  });
});

test('truncating an index drops the entries at and above the offset, in the file too', () => {
  withIndexes(({ directory, offsets, times }) => {
    for (const flushed of [0, 50, 200]) {
      const index = offsets();
      index.file.truncate(0);
      const times1 = times();
      times1.truncateTo(BASE);
      for (let entry = 0; entry < 200; entry++) {
        index.append(BASE + entry * 10 + 5, entry * 100);
        times1.append(5000 + entry, BASE + entry * 10 + 5);
        if (entry + 1 === flushed) {
          index.file.flush();
          times1.file.flush();
        }
      }
      index.truncateTo(BASE + 305);
      times1.truncateTo(BASE + 305);
      assert.equal(index.count, 30);
      assert.equal(times1.count, 30);
      assert.equal(times1.lastTimestamp(), 5029);
      index.append(BASE + 305, 7777);
      index.file.flush();
      assert.equal(readFileSync(`${directory}/x.index`).length, 31 * 8);
      assert.equal(index.positionFor(BASE + 305), 7777);
    }
  });
});

test('loaded indexes stay within the memory limit together', () => {
  withIndexes(({ directory, memory }) => {
    const files = new OpenFiles({ limit: 16 }, { fileSystem: disk });
    const indexes: OffsetIndex[] = [];
    for (let number = 0; number < 20; number++) {
      const content = Buffer.alloc(800);
      for (let entry = 0; entry < 100; entry++) {
        content.writeInt32BE(entry + 1, entry * 8);
        content.writeInt32BE(entry * 10, entry * 8 + 4);
      }
      writeFileSync(`${directory}/${number}.index`, content);
      const slot = files.slot({ path: directory }, `${number}.index`);
      indexes.push(new OffsetIndex({ slot, baseOffset: 0, fileBytes: 800 }, memory));
    }
    for (let round = 0; round < 3; round++) {
      for (const index of indexes) {
        assert.equal(index.positionFor(50), 490);
        assert.ok(memory.totalBytes <= 4000, `${memory.totalBytes} bytes are held`);
      }
    }
  }, 4000);
});

test('entries that do not rise are not trusted', () => {
  withIndexes(({ directory, offsets, times }) => {
    writeFileSync(`${directory}/x.index`, Buffer.from('00000005000001020000000500000200', 'hex'));
    assert.equal(offsets().isPlausible(10_000), false);
    writeFileSync(`${directory}/x.index`, Buffer.from('00000005000001020000000600000200', 'hex'));
    assert.equal(offsets().isPlausible(10_000), true);
    assert.equal(offsets().isPlausible(0x200), false, 'a position outside of the segment');
    writeFileSync(`${directory}/x.index`, Buffer.alloc(80));
    assert.equal(offsets().isPlausible(10_000), false, 'zeros that a crash left');
    writeFileSync(`${directory}/x.timeindex`, Buffer.from('000000123456789a00000007000000123456789a00000009', 'hex'));
    assert.equal(times().isPlausible(), false);
  });
});

test('the time index finds the offset from which to search for a timestamp', () => {
  withIndexes(({ times }) => {
    const index = times();
    index.append(100, BASE + 5);
    index.append(200, BASE + 15);
    assert.equal(index.offsetFor(99), BASE);
    assert.equal(index.offsetFor(100), BASE + 5);
    assert.equal(index.offsetFor(199), BASE + 5);
    assert.equal(index.offsetFor(200), BASE + 15);
    assert.equal(index.lastTimestamp(), 200);
  });
});
