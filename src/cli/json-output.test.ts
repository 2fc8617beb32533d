import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatShape, JSON_OUTPUT, mismatch, type Shape } from './json-output.ts';
import { commandsOf, createProgram, pathOf } from './program.ts';

const SHAPE: Shape = { name: 'string', size: 'number?', key: 'text', list: [{ on: 'boolean' }], 'more?': 'any' };

test('a value of the declared shape is taken', () => {
  const bare = { name: 'a', size: null, key: null, list: [] };
  assert.equal(mismatch(bare, SHAPE), undefined);
  assert.equal(mismatch({ ...bare, size: 1, key: 'k', list: [{ on: true }], more: [] }, SHAPE), undefined);
  assert.equal(mismatch({ ...bare, key: { base64: 'AA==' } }, SHAPE), undefined);
});

test('a value of another shape is told by the place where it differs', () => {
  const bare = { name: 'a', size: null, key: null, list: [] };
  for (const [found, where] of [
    [null, '$ is no object'],
    [[], '$ is no object'],
    [{ ...bare, name: undefined }, '$.name is no string'],
    [{ ...bare, size: 'x' }, '$.size is no number?'],
    [{ ...bare, key: { base64: 1 } }, '$.key is no text'],
    [{ ...bare, list: {} }, '$.list is no array'],
    [{ ...bare, list: [{ on: true }, { on: 1 }] }, '$.list[1].on is no boolean'],
    [{ ...bare, other: 1 }, '$.other is not declared'],
  ] as const) {
    assert.equal(mismatch(found, SHAPE), where);
  }
});

test('a shape is shown as people write it', () => {
  assert.equal(
    formatShape(SHAPE),
    '{name: string, size: number or null, key: string, null or {"base64": string}, list: [{on: boolean}], more?: any}',
  );
});

test('every command with --json has a declared shape, and every shape a command', () => {
  const commands = new Map(
    commandsOf(createProgram('0'))
      .filter((command) => command.options.some(({ long }) => long === '--json'))
      .map((command) => [pathOf(command).replace('sluice ', ''), command]),
  );
  const missing = [...commands.keys()].filter((name) => JSON_OUTPUT[name] === undefined);
  assert.deepEqual(missing, []);
  for (const name of Object.keys(JSON_OUTPUT)) {
    const [path, flag] = name.split(' --') as [string, string | undefined];
    const command = commands.get(path);
    assert.ok(command !== undefined, `there is no command ${path} with --json`);
    if (flag !== undefined)
      assert.ok(
        command.options.some(({ long }) => long === `--${flag}`),
        name,
      );
  }
});
