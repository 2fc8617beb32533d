import assert from 'node:assert/strict';
import { test } from 'node:test';
import { behindTheCommand } from './leading-options.ts';

const moved = (line: string): string => behindTheCommand(line.split(' ')).join(' ');

test('connection options may stand in front of the command', () => {
  assert.equal(moved('--brokers a:1 topics list'), 'topics list --brokers a:1');
  assert.equal(moved('-b a:1 --json topics list'), 'topics list -b a:1 --json');
  assert.equal(moved('--brokers=a:1,b:2 --timeout 5s consume x -e'), 'consume x -e --brokers=a:1,b:2 --timeout 5s');
  assert.equal(moved('--profile p produce x -- -file'), 'produce x --profile p -- -file');
});

test('everything else stays where it is', () => {
  for (const line of [
    'topics list --brokers a:1',
    '--help',
    '--version',
    '--brokers',
    '--brokers a:1',
    '--nonsense topics',
  ]) {
    assert.equal(moved(line), line);
  }
});
