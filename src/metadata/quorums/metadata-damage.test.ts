import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { disk } from '../../base/disk.ts';
import { makeTemporaryDirectory } from '../../base/temporary-directory.ts';
import { buildBatch } from '../../records/builder.ts';
import { refuseDamagedLog } from './metadata-damage.ts';

const batches = [0, 1, 2, 3].map((baseOffset) =>
  buildBatch({ baseOffset, records: [{ key: null, value: Buffer.from(`record ${baseOffset}`), timestamp: 1 }] }),
);
const whole = Buffer.concat(batches);
const size = batches[0]!.length;

function check(...segments: readonly Buffer[]): void {
  const directory = makeTemporaryDirectory('metadata-damage');
  try {
    segments.forEach((bytes, index) => {
      writeFileSync(`${directory}/${String(index).padStart(20, '0')}.log`, bytes);
    });
    refuseDamagedLog(directory, disk);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function flipped(at: number): Buffer {
  const bytes = Buffer.from(whole);
  bytes[at]! ^= 0x40;
  return bytes;
}

test('a log that is whole, empty or absent passes', () => {
  check(whole, whole);
  check(Buffer.alloc(0));
  check();
});

test('a torn tail passes at every length: nobody was told of it', () => {
  for (let length = 0; length < whole.length; length++) check(whole.subarray(0, length));
});

test('a flipped bit in the last batch passes as a torn tail', () => {
  check(flipped(3 * size + 40));
});

test('a flipped bit before the last batch is refused, wherever it is', () => {
  // The base offset and the leader epoch lie outside of the checksum; a wrong epoch is no damage that bytes show.
  for (let at = 8; at < 3 * size; at++) {
    const within = at % size;
    if (within < 8 || (within >= 12 && within < 16)) continue;
    assert.throws(() => check(flipped(at)), { code: 'METADATA_DAMAGED' }, `byte ${at}`);
  }
});

test('a segment that ends early with another behind it is refused', () => {
  assert.throws(() => check(whole.subarray(0, 3 * size + 10), whole), { code: 'METADATA_DAMAGED' });
});
