import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { formatCounted, progressLine } from './progress.ts';

const TEXT = '26,044 records/s, 25.4 MiB/s';
const line = (columns: number, total?: number): string =>
  stripVTControlCharacters(progressLine(50, total, { text: TEXT, columns }));

test('a progress line is shorter than the terminal is wide, and the bar gives way to the text', () => {
  assert.equal(line(80, 100), `${'━'.repeat(24)}  50 %  ${TEXT}`);
  assert.equal(line(40, 100), `━━━  50 %  ${TEXT}`);
  assert.equal(line(30, 100), ` 50 %  ${TEXT}`.slice(0, 29));
  for (const columns of [1, 5, 20, 36, 37, 38, 200]) {
    assert.ok(line(columns, 100).length < columns, String(columns));
    assert.ok(line(columns).length < columns, String(columns));
  }
});

test('one of a thing is told as one', () => {
  assert.equal(formatCounted(1, 'record'), '1 record');
  assert.equal(formatCounted(0, 'record'), '0 records');
  assert.equal(formatCounted(1234, 'record'), '1,234 records');
});
