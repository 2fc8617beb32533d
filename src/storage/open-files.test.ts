import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { disk } from '../base/disk.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { OpenFiles } from './open-files.ts';

function withFiles(limit: number, run: (files: OpenFiles, place: { path: string }) => void): void {
  const path = makeTemporaryDirectory('sluice-files');
  try {
    run(new OpenFiles({ limit }, { fileSystem: disk }), { path });
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

test('no more files are open than the limit allows, whatever is used', () => {
  withFiles(20, (files, place) => {
    const slots = Array.from({ length: 100 }, (_, index) => files.slot(place, `${index}`));
    for (let round = 0; round < 3; round++) {
      for (const [index, slot] of slots.entries()) {
        slot.use().writeSync([Buffer.from(`${index} ${round}`)], 0);
        assert.ok(files.count <= 20);
      }
    }
    assert.equal(readFileSync(`${place.path}/99`, 'utf8'), '99 2');
    for (const slot of slots) slot.retire();
    assert.equal(files.count, 0);
  });
});

test('borrowed files stay open, beyond the limit if need be', () => {
  withFiles(16, (files, place) => {
    const slots = Array.from({ length: 40 }, (_, index) => files.slot(place, `${index}`));
    const handles = slots.map((slot) => slot.borrow());
    assert.equal(files.count, 40);
    for (const handle of handles) assert.equal(handle.size(), 0);
    for (const slot of slots) slot.giveBack();
    files.slot(place, 'another').use();
    assert.ok(files.count <= 16);
    for (const slot of slots) slot.retire();
  });
});

test('a file that was used lately outlives one that was not', () => {
  withFiles(16, (files, place) => {
    const hot = files.slot(place, 'hot');
    const handle = hot.use();
    for (let index = 0; index < 200; index++) {
      files.slot(place, `${index}`).use();
      assert.equal(hot.use(), handle);
    }
  });
});

test('files follow their directory when it is renamed', () => {
  withFiles(16, (files, place) => {
    const slot = files.slot(place, 'x');
    slot.use().writeSync([Buffer.from('a')], 0);
    slot.close();
    disk.makeDirectory(`${place.path}/moved`);
    disk.rename(`${place.path}/x`, `${place.path}/moved/x`);
    const before = place.path;
    place.path = `${before}/moved`;
    assert.equal(slot.use().size(), 1);
    slot.retire();
    place.path = before;
  });
});

test('a retired file is closed with its last borrower and not opened again', () => {
  withFiles(16, (files, place) => {
    const slot = files.slot(place, 'x');
    const handle = slot.borrow();
    slot.retire();
    assert.equal(handle.size(), 0);
    slot.giveBack();
    assert.equal(files.count, 0);
    assert.throws(() => slot.use());
  });
});
