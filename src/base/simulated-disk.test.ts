import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileSystem } from './file-system.ts';
import { seededRandom } from './random.ts';
import { type CrashMode, SimulatedDisk, type SimulatedDiskOptions } from './simulated-disk.ts';

const SEEDS = 200;

function newDisk(
  seed: number,
  options: Partial<SimulatedDiskOptions> = {},
): { disk: SimulatedDisk; files: FileSystem } {
  const disk = new SimulatedDisk({ random: seededRandom(seed), ...options });
  const files = disk.boot();
  files.makeDirectory('/d');
  files.syncDirectory('/');
  return { disk, files };
}

function write(files: FileSystem, path: string, text: string, at = 0): void {
  const file = files.open(path);
  file.writeSync([Buffer.from(text)], at);
  file.close();
}

function sync(files: FileSystem, path: string): void {
  const file = files.open(path);
  file.syncNow();
  file.close();
}

const textOf = (files: FileSystem, path: string): string | undefined =>
  files.exists(path) ? files.readFile(path).toString('latin1') : undefined;

/** Every outcome of a power loss after `run`, over many seeds. */
function outcomes(
  mode: CrashMode,
  run: (files: FileSystem) => void,
  look: (files: FileSystem) => unknown,
): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = newDisk(seed, { mode });
    run(files);
    disk.losePower();
    seen.add(JSON.stringify(look(disk.boot()) ?? null));
  }
  return seen;
}

test('files behave like files: positions, lengths, names, directories', async () => {
  const { files } = newDisk(1);
  write(files, '/d/a', 'hello');
  write(files, '/d/a', 'XY', 7);
  assert.equal(textOf(files, '/d/a'), 'hello\0\0XY');
  assert.equal(files.sizeOf('/d/a'), 9);
  assert.equal(files.sizeOf('/d/none'), undefined);
  const file = files.open('/d/a');
  file.truncateSync(3);
  file.truncateSync(5);
  const target = Buffer.alloc(10, 0xff);
  assert.equal(file.readSync(target, 1), 4);
  assert.equal(target.subarray(0, 4).toString('latin1'), 'el\0\0');
  assert.throws(() => files.openReadOnly('/d/none'), { code: 'ENOENT' });
  assert.throws(() => files.open('/none/a'), { code: 'ENOENT' });
  files.rename('/d/a', '/d/b');
  assert.deepEqual(files.list('/d'), [{ name: 'b', directory: false }]);
  assert.equal(file.size(), 5, 'an open file survives its rename');
  await files.removeAsync('/d/b');
  await files.removeAsync('/d/b');
  files.remove('/d/b');
  assert.equal(file.size(), 5, 'and its removal');
  file.close();
  assert.throws(() => file.size(), { code: 'EBADF' });
});

test('a directory can be renamed and removed with all in it', async () => {
  const { files } = newDisk(1);
  files.makeDirectory('/d/p/q');
  write(files, '/d/p/q/f', 'x');
  files.rename('/d/p', '/d/r');
  assert.equal(textOf(files, '/d/r/q/f'), 'x');
  await files.removeTree('/d/r');
  assert.deepEqual(files.list('/d'), []);
});

for (const mode of ['journal', 'any'] as const) {
  test(`a power loss keeps what was synced, file and name (${mode})`, () => {
    const seen = outcomes(
      mode,
      (files) => {
        write(files, '/d/a', 'hello');
        sync(files, '/d/a');
        files.syncDirectory('/d');
      },
      (files) => textOf(files, '/d/a'),
    );
    assert.deepEqual([...seen], ['"hello"']);
  });

  test(`a power loss keeps, loses or tears what was not synced (${mode})`, () => {
    const seen = outcomes(
      mode,
      (files) => {
        write(files, '/d/a', 'base');
        sync(files, '/d/a');
        files.syncDirectory('/d');
        write(files, '/d/a', 'more', 4);
      },
      (files) => textOf(files, '/d/a'),
    );
    for (const text of ['base', 'basemore', 'basem', 'basemo', 'basemor']) assert.ok(seen.has(`"${text}"`), text);
    if (mode === 'journal') assert.equal(seen.size, 5);
    else assert.ok(seen.has(JSON.stringify('base\0\0\0\0')), 'the length without the bytes');
  });

  test(`a name is durable only after its directory was synced (${mode})`, () => {
    const seen = outcomes(
      mode,
      (files) => {
        write(files, '/d/a', 'x');
        sync(files, '/d/a');
      },
      (files) => textOf(files, '/d/a'),
    );
    assert.deepEqual([...seen].sort(), ['"x"', 'null']);
  });

  test(`a file is replaced whole or not at all (${mode})`, () => {
    for (let crashAt = 1; crashAt < 20; crashAt++) {
      const seen = outcomes(
        mode,
        (files) => {
          files.replaceFile('/d/a', Buffer.from('old'));
        },
        (files) => textOf(files, '/d/a'),
      );
      assert.deepEqual([...seen], ['"old"']);
      const { disk, files } = newDisk(crashAt, { mode });
      files.replaceFile('/d/a', Buffer.from('old'));
      disk.crashAt = disk.operations + crashAt;
      let done = true;
      try {
        files.replaceFile('/d/a', Buffer.from('new'));
      } catch {
        done = false;
      }
      disk.losePower();
      const text = textOf(disk.boot(), '/d/a');
      assert.ok(done ? text === 'new' : text === 'new' || text === 'old', `${text} after ${crashAt} operations`);
    }
  });
}

test('changes in one directory keep their order; those of others keep it in a journal only', () => {
  const run = (files: FileSystem): void => {
    files.makeDirectory('/e');
    files.syncDirectory('/');
    for (const path of ['/d/a', '/d/b', '/e/c']) write(files, path, '');
  };
  const look = (files: FileSystem): unknown => [...files.list('/d'), ...files.list('/e')].map(({ name }) => name);
  assert.deepEqual([...outcomes('journal', run, look)].sort(), ['["a","b","c"]', '["a","b"]', '["a"]', '[]']);
  const any = ['["a","b","c"]', '["a","b"]', '["a","c"]', '["a"]', '["c"]', '[]'];
  assert.deepEqual([...outcomes('any', run, look)].sort(), any);
});

test('changes of one name keep their order in every mode', () => {
  for (const mode of ['journal', 'any'] as const) {
    const seen = outcomes(
      mode,
      (files) => {
        write(files, '/d/a', '');
        files.rename('/d/a', '/d/b');
        files.rename('/d/b', '/d/c');
      },
      (files) => files.list('/d').map(({ name }) => name),
    );
    assert.deepEqual([...seen].sort(), ['["a"]', '["b"]', '["c"]', '[]']);
  }
});

test('a killed process leaves everything it wrote, unsynced as it was', () => {
  const lost = new Set<boolean>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = newDisk(seed);
    write(files, '/d/a', 'x');
    disk.kill();
    assert.throws(() => files.open('/d/a'), { code: 'EIO' });
    assert.equal(textOf(disk.boot(), '/d/a'), 'x');
    disk.losePower();
    lost.add(textOf(disk.boot(), '/d/a') === undefined);
  }
  assert.equal(lost.size, 2);
});

test('the power fails at any chosen operation, and nothing happens after it', () => {
  for (let crashAt = 1; crashAt <= 4; crashAt++) {
    const { disk, files } = newDisk(3);
    disk.crashAt = disk.operations + crashAt;
    let done = 0;
    try {
      for (; done < 4; done++) write(files, `/d/${done}`, '');
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'EIO');
    }
    assert.equal(disk.isUp, false);
    disk.kill();
    assert.ok(disk.boot().list('/d').length <= crashAt);
  }
});

test('a full disk takes what fits, fails with ENOSPC, and takes more when something was removed', () => {
  const { disk, files } = newDisk(1, { capacityBytes: 10 });
  write(files, '/d/a', '12345678');
  assert.throws(() => write(files, '/d/b', 'abcd'), { code: 'ENOSPC' });
  assert.equal(textOf(files, '/d/b'), 'ab');
  write(files, '/d/a', 'x', 3);
  assert.throws(() => files.open('/d/c'), { code: 'ENOSPC' });
  files.remove('/d/a');
  write(files, '/d/c', '1234');
  assert.equal(disk.usedBytes, 6);
});

test('a failed sync may lose the bytes for good although they can still be read', async () => {
  let lost = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = newDisk(seed);
    write(files, '/d/a', 'x');
    files.syncDirectory('/d');
    disk.fault = (operation) => (operation === 'sync' ? { code: 'EIO' } : undefined);
    const file = files.open('/d/a');
    await assert.rejects(file.sync(), { code: 'EIO' });
    disk.fault = undefined;
    await file.sync();
    assert.equal(textOf(files, '/d/a'), 'x');
    disk.losePower();
    if (textOf(disk.boot(), '/d/a') === '') lost++;
  }
  assert.ok(lost > SEEDS / 4 && lost < SEEDS, `${lost} of ${SEEDS}`);
});

test('one directory fails alone, wholly or for writing', () => {
  const { disk, files } = newDisk(1);
  files.makeDirectory('/e');
  write(files, '/d/a', 'x');
  disk.failBelow('/d', 'EROFS');
  assert.equal(textOf(files, '/d/a'), 'x');
  assert.throws(() => write(files, '/d/a', 'y'), { code: 'EROFS' });
  disk.failBelow('/d', 'EIO');
  assert.throws(() => files.readFile('/d/a'), { code: 'EIO' });
  write(files, '/e/a', 'y');
  disk.heal('/d');
  assert.equal(textOf(files, '/d/a'), 'x');
});

test('a sync covers what was written before it began', async () => {
  const seen = new Set<string | undefined>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = newDisk(seed, { holdsAsync: true });
    const file = files.open('/d/a');
    files.syncDirectory('/d');
    file.writeSync([Buffer.from('a')], 0);
    const done = file.sync();
    file.writeSync([Buffer.from('b')], 1);
    assert.equal(disk.waiting, 1);
    disk.letGo();
    await done;
    disk.losePower();
    seen.add(textOf(disk.boot(), '/d/a'));
  }
  assert.deepEqual([...seen].sort(), ['a', 'ab']);
});

test('a slow replacement does not undo a later one', async () => {
  const { disk, files } = newDisk(5, { holdsAsync: true });
  const slow = files.replaceFileAsync('/d/a', Buffer.from('old'));
  await Promise.resolve();
  files.replaceFile('/d/a', Buffer.from('new'));
  while (disk.waiting > 0) {
    disk.letGo(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await slow;
  assert.equal(textOf(files, '/d/a'), 'new');
});

test('the same seed gives the same disk', () => {
  const run = (seed: number): string => {
    const { disk, files } = newDisk(seed, { mode: 'any' });
    for (let index = 0; index < 50; index++) write(files, `/d/${index % 7}`, `value ${index}`, index);
    files.syncDirectory('/d');
    disk.losePower();
    const after = disk.boot();
    return JSON.stringify(after.list('/d').map(({ name }) => [name, textOf(after, `/d/${name}`)]));
  };
  assert.equal(run(7), run(7));
  assert.notEqual(run(7), run(8));
});
