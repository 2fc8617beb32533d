import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { completionOf } from './complete.ts';
import { SHELLS } from './completion.ts';
import { completionScript } from './completion-scripts.ts';
import { createProgram } from './program.ts';

const program = createProgram('0');

function words(...typed: readonly string[]): string[] {
  const { candidates, prefix } = completionOf(program, typed);
  return candidates.map(({ word }) => word).filter((word) => word.startsWith(prefix));
}

describe('a completion', () => {
  it('offers commands, and those below them', () => {
    assert.deepEqual(words('con'), ['consume', 'config']);
    assert.deepEqual(words('topics', 'de').sort(), ['delete', 'delete-records', 'describe']);
    assert.ok(words('').includes('produce'));
    assert.deepEqual(words('no-such', ''), words(''), 'a wrong word tells nothing');
  });

  it('offers options once, repeatable ones again', () => {
    assert.deepEqual(words('consume', 'orders', '--is'), ['--isolation']);
    assert.deepEqual(words('consume', 'orders', '--isolation', 'read_committed', '--is'), []);
    assert.deepEqual(words('produce', 'orders', '--header', 'a=b', '--hea'), ['--header']);
    assert.deepEqual(words('consume', 'orders', '--', '--is'), []);
  });

  it('offers values of options, also of short ones and behind an equals sign', () => {
    assert.deepEqual(words('produce', 'orders', '--compression', ''), ['none', 'gzip', 'snappy', 'lz4', 'zstd']);
    assert.deepEqual(words('produce', 'orders', '-z', 'l'), ['lz4']);
    assert.deepEqual(words('produce', 'orders', '--compression=z'), ['--compression=zstd']);
    assert.deepEqual(words('topics', 'create', 'orders', '--config', 'retention.m'), ['retention.ms=']);
    assert.deepEqual(words('topics', 'alter', 'orders', '--reset', 'retention.m'), ['retention.ms']);
    assert.deepEqual(words('config', 'alter', 'topic', 'orders', '--append', 'cleanup'), ['cleanup.policy=']);
    assert.deepEqual(words('config', 'describe', 'gr'), ['group']);
    assert.ok(words('config', 'describe', 'broker', '1', '--option', 'num.').includes('num.partitions'));
    assert.ok(words('start', '--set', 'log.retention.').includes('log.retention.hours='));
    assert.ok(words('consume', 'orders', '-o', '').includes('start'));
  });

  it('asks for names where a name is due, at the place that the line names', () => {
    const names = (...typed: readonly string[]) => completionOf(program, typed).names;
    assert.equal(names('consume', 'or'), 'topics');
    assert.equal(names('consume', 'orders', ''), 'topics', 'further topics');
    assert.equal(names('consume', 'orders', '--group', ''), 'groups');
    assert.equal(names('topics', 'create', ''), undefined, 'a new name');
    assert.equal(names('groups', 'reset-offsets', 'g', '--topic', ''), 'topics');
    assert.equal(names('groups', 'describe', 'one', ''), 'groups');
    assert.equal(names('cluster', 'drain', ''), 'brokers');
    assert.equal(names('config', 'describe', 'topic', ''), 'topics');
    assert.equal(names('config', 'alter', 'broker', ''), 'brokers');
    assert.equal(names('topics', 'list', '--profile', ''), 'profiles');
    assert.equal(names('profile', 'delete', ''), 'profiles');
    assert.deepEqual(completionOf(program, ['consume', '-b', 'a:1', '--profile', 'p', '']).connection, {
      brokers: 'a:1',
      profile: 'p',
    });
  });

  it('leaves paths to the shell', () => {
    for (const typed of [
      ['produce', 'orders', ''],
      ['log', 'dump', 'x'],
      ['groups', 'reset-offsets', 'g', '--from-file', ''],
      ['start', '--data-dir', ''],
    ]) {
      assert.equal(completionOf(program, typed).files, true, typed.join(' '));
    }
  });

  it('describes everything that it offers of commands and options', () => {
    const visit = (...typed: readonly string[]): void => {
      for (const { word, description } of completionOf(program, [...typed, '']).candidates) {
        if (typed.length < 2 && !word.startsWith('-')) assert.notEqual(description, '', [...typed, word].join(' '));
      }
    };
    visit();
    for (const noun of ['topics', 'groups', 'cluster', 'profile', 'log', 'completion']) visit(noun);
  });
});

describe('a completion script', () => {
  it('is for the name that the command has', () => {
    for (const shell of SHELLS) {
      const script = completionScript(shell, 'my-sluice');
      assert.match(script, /my-sluice/);
      assert.match(script, /__complete/);
      assert.doesNotMatch(script, /NAME|COMPLETE(?!_)(?!REPLY)/);
    }
    assert.throws(() => completionScript('bash', 'a; rm -rf'), { code: 'INVALID_ARGUMENT' });
  });
});
