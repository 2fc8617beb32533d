import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { RecordWriter } from './record-writer.ts';

const home = makeTemporaryDirectory('sluice-writer');
after(() => {
  rmSync(home, { recursive: true, force: true });
});

function turn(): Promise<void> {
  return new Promise((resolve) => systemClock.afterTurn(resolve));
}

test('what is written is in the file when the writer is closed, in order', async () => {
  const path = join(home, 'out');
  const writer = new RecordWriter(path);
  const expected: string[] = [];
  for (let at = 0; at < 5000; at++) {
    const line = `${at} ${'x'.repeat(at % 90)}\n`;
    expected.push(line);
    await writer.write(Buffer.from(line));
    if (at % 100 === 0) await turn();
  }
  await writer.close();
  assert.equal(readFileSync(path, 'utf8'), expected.join(''));
});

test('a file that cannot be written is told to whoever writes on, and to whoever closes', async () => {
  const writer = new RecordWriter(join(home, 'none', 'out'));
  await assert.rejects(
    async () => {
      for (const deadlineMs = systemClock.monotonicMs() + 10_000; systemClock.monotonicMs() < deadlineMs; ) {
        await writer.write(Buffer.from('x'));
        await turn();
      }
    },
    { code: 'OUTPUT_FAILED' },
  );
  await assert.rejects(async () => writer.close(), { code: 'OUTPUT_FAILED' });
});
