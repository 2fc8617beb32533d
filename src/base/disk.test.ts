import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { disk, withoutFirst } from './disk.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

const directory = makeTemporaryDirectory('sluice-disk');
after(() => rmSync(directory, { recursive: true, force: true }));

test('a file is created by open and keeps what several buffers wrote at a position', () => {
  const file = disk.open(join(directory, 'a'));
  file.writeSync([Buffer.from('one'), Buffer.from('two'), Buffer.alloc(0), Buffer.from('three')], 5);
  file.writeSync([Buffer.from('start')], 0);
  file.writeSync([], 3);
  const target = Buffer.alloc(100);
  assert.equal(file.readSync(target, 0), 16);
  assert.equal(target.toString('latin1', 0, 16), 'startonetwothree');
  assert.equal(file.size(), 16);
  file.truncateSync(5);
  file.syncNow();
  file.close();
  const again = disk.open(join(directory, 'a'));
  assert.equal(again.size(), 5, 'open does not truncate');
  again.close();
});

test('more buffers than one writev takes all reach the file', () => {
  const file = disk.open(join(directory, 'vector'));
  const buffers = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index},`));
  file.writeSync(buffers, 0);
  assert.deepEqual(disk.readFile(join(directory, 'vector')), Buffer.concat(buffers));
  file.close();
});

test('the rest after a short write starts at the first byte that was not written', () => {
  const buffers = [Buffer.from('abc'), Buffer.alloc(0), Buffer.from('defg'), Buffer.from('h')];
  const all = Buffer.concat(buffers).toString();
  for (let count = 0; count <= all.length; count++) {
    assert.equal(Buffer.concat(withoutFirst(buffers, count)).toString(), all.slice(count));
  }
});

test('an asynchronous read returns fewer bytes only at the end of the file', async () => {
  const file = disk.open(join(directory, 'read'));
  file.writeSync([Buffer.from('0123456789')], 0);
  const target = Buffer.alloc(6);
  assert.equal(await file.read(target, 2), 6);
  assert.equal(target.toString(), '234567');
  assert.equal(await file.read(target, 8), 2);
  assert.equal(await file.read(target, 50), 0);
  await file.sync();
  file.close();
});

test('a read-only handle refuses to write and opening an absent file fails with ENOENT', () => {
  const path = join(directory, 'readonly');
  disk.replaceFile(path, Buffer.from('x'));
  const file = disk.openReadOnly(path);
  assert.throws(() => file.writeSync([Buffer.from('y')], 0), { code: 'EBADF' });
  file.close();
  assert.throws(() => disk.openReadOnly(join(directory, 'absent')), { code: 'ENOENT' });
});

test('replacing a file leaves the new content and no temporary file', async () => {
  const path = join(directory, 'replaced');
  disk.replaceFile(path, Buffer.from('first'));
  disk.replaceFile(path, Buffer.from('second'));
  assert.equal(disk.readFile(path).toString(), 'second');
  await disk.replaceFileAsync(path, Buffer.alloc(300_000, 7));
  assert.equal(disk.sizeOf(path), 300_000);
  assert.deepEqual(
    disk.list(directory).filter((entry) => entry.name.endsWith('.tmp')),
    [],
  );
});

test('of replacements under way together the one called last wins', async () => {
  const path = join(directory, 'ordered');
  const pending = Array.from({ length: 10 }, (_, index) => disk.replaceFileAsync(path, Buffer.from(`async ${index}`)));
  await Promise.all(pending);
  assert.equal(disk.readFile(path).toString(), 'async 9');
  const slow = disk.replaceFileAsync(path, Buffer.from('older'));
  disk.replaceFile(path, Buffer.from('newer'));
  await slow;
  assert.equal(disk.readFile(path).toString(), 'newer');
});

test('a failed asynchronous replacement rejects and the next one works', async () => {
  const path = join(directory, 'not-yet', 'file');
  await assert.rejects(disk.replaceFileAsync(path, Buffer.from('x')), { code: 'ENOENT' });
  disk.makeDirectory(join(directory, 'not-yet'));
  await disk.replaceFileAsync(path, Buffer.from('x'));
  assert.ok(disk.exists(path));
});

test('listing tells directories from files and follows symbolic links', () => {
  const parent = join(directory, 'listed');
  disk.makeDirectory(join(parent, 'deep', 'deeper'));
  disk.makeDirectory(join(parent, 'deep', 'deeper'));
  disk.replaceFile(join(parent, 'file'), Buffer.alloc(0));
  symlinkSync(join(parent, 'deep'), join(parent, 'link'));
  symlinkSync(join(parent, 'gone'), join(parent, 'dangling'));
  const entries = new Map(disk.list(parent).map((entry) => [entry.name, entry.directory]));
  assert.deepEqual(entries, new Map([...entries.keys()].map((name) => [name, name === 'deep' || name === 'link'])));
  assert.equal(entries.size, 4);
});

test('a removal on the thread pool that fails does not hold up the next', async () => {
  const parent = join(directory, 'removals');
  disk.makeDirectory(join(parent, 'not-a-file'));
  disk.replaceFile(join(parent, 'file'), Buffer.from('x'));
  const failing = disk.removeAsync(join(parent, 'not-a-file'));
  const next = disk.removeAsync(join(parent, 'file'));
  await assert.rejects(failing, { syscall: 'unlink' });
  await next;
  assert.deepEqual(
    disk.list(parent).map(({ name }) => name),
    ['not-a-file'],
  );
});

test('removing what is absent is no error and a tree goes with all in it', async () => {
  const parent = join(directory, 'tree');
  disk.makeDirectory(join(parent, 'a', 'b'));
  disk.replaceFile(join(parent, 'a', 'b', 'file'), Buffer.from('x'));
  disk.rename(join(parent, 'a'), join(parent, 'c'));
  disk.syncDirectory(parent);
  await disk.removeTree(parent);
  await disk.removeTree(parent);
  disk.remove(join(parent, 'file'));
  await disk.removeAsync(join(parent, 'file'));
  assert.equal(disk.exists(parent), false);
  assert.equal(disk.sizeOf(parent), undefined);
});

test('a volume has a size and the time of change is recent', async () => {
  const { totalBytes, usableBytes } = await disk.volume(directory);
  assert.ok(totalBytes > 0 && usableBytes > 0 && usableBytes <= totalBytes);
  disk.replaceFile(join(directory, 'fresh'), Buffer.from('x'));
  assert.ok(Math.abs(Date.now() - disk.modifiedMs(join(directory, 'fresh'))) < 60_000);
});
