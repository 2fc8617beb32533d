import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { disk } from './disk.ts';
import { Errno, libc, openLibc } from './libc.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

const directory = makeTemporaryDirectory('sluice-libc');
after(() => rmSync(directory, { recursive: true, force: true }));
const skip = libc === undefined ? 'koffi is not available' : false;

test('without FFI there is no libc', () => {
  assert.equal(openLibc({ ffi: false }), undefined);
});

test('a failing call answers with a negative errno and does not throw', { skip }, () => {
  const file = disk.open(join(directory, 'errno'));
  assert.equal(libc!.sendfile(-1, file.fd, 0, 10), -Errno.EBADF);
  assert.equal(libc!.lockFile(-1), -Errno.EBADF);
  file.close();
});

test('sendfile copies from a position beyond 4 GiB', { skip }, () => {
  const source = disk.open(join(directory, 'sparse'));
  const target = disk.open(join(directory, 'target'));
  const position = 5 * 2 ** 30 + 123;
  source.writeSync([Buffer.from('far away')], position);
  assert.equal(libc!.sendfile(target.fd, source.fd, position + 4, 100), 4);
  assert.equal(disk.readFile(target.path).toString(), 'away');
  source.close();
  target.close();
});

test('a range is resident after it was written and not after its pages were dropped', { skip }, async (context) => {
  const file = disk.open(join(directory, 'cache'));
  const length = 8 * 1024 * 1024;
  file.writeSync([Buffer.alloc(length, 1)], 0);
  assert.equal(libc!.isResident(file.fd, 0, length), true);
  assert.equal(libc!.isResident(file.fd, 0, 0), true);
  await file.sync();
  libc!.dropCache(file.fd, 0, length);
  if (libc!.isResident(file.fd, 0, length)) context.skip('this file system does not drop pages');
  else {
    await file.read(Buffer.alloc(length), 0);
    assert.equal(libc!.isResident(file.fd, 0, length), true);
  }
  file.close();
});
