// biome-ignore-all lint/suspicious/noTemplateCurlyInString: planted sources contain template literals
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFiles, checkRooms } from './check-layers.ts';
import { findFunctions, findImports, maskSource } from './source-scanner.ts';

function violations(path: string, text: string): string[] {
  return checkFiles([{ path, text }]).violations;
}

/** Asserts one violation that says `what`. */
function caught(path: string, text: string, what: RegExp): void {
  const found = violations(path, text);
  assert.equal(found.length, 1, `${path}: ${found.join('; ')}`);
  assert.match(found[0]!, what);
}

test('imports that go upward or sideways are caught in every form of import', () => {
  caught('src/storage/a.ts', "import { x } from '../broker/b.ts';", /storage imports broker/);
  caught('src/storage/a.ts', "import type { x } from '../network/b.ts';", /storage imports network/);
  caught('src/records/a.ts', "export * from '../security/b.ts';", /records imports security/);
  caught('src/base/a.ts', "const x = await import('../protocol/b.ts');", /base imports protocol/);
  caught('src/protocol/codec/a.ts', "import '../../config/b.ts';", /protocol imports config/);
  caught('src/client/a.ts', "import {\n  x,\n  y,\n} from '../storage/b.ts';", /client must not import storage/);
  caught('src/protocol/a.ts', "import net from 'node:net';", /protocol must not know node:net/);
  caught('src/broker/a.ts', "import { x } from '../../test/support/b.ts';", /no part of the product/);
  caught('src/broker/a.ts', "import { x } from '../index.ts';", /above all rooms/);
});

test('imports that go downward or stay in the room pass', () => {
  const text =
    "import { x } from '../base/a.ts';\nimport { y } from './b.ts';\nimport { z } from '../protocol/apis/c.ts';";
  assert.deepEqual(violations('src/storage/a.ts', text), []);
  assert.deepEqual(violations('src/index.ts', "export * from './broker/broker.ts';"), []);
  assert.deepEqual(violations('src/protocol/a.test.ts', "import { x } from '../../test/support/b.ts';"), []);
});

test('time, chance and files are caught outside base/ and allowed in it and in tests', () => {
  const planted = [
    'const t = Date.now();',
    'const t = new Date();',
    'setTimeout(f, 1);',
    'globalThis.setInterval(f, 1);',
    'const r = Math.random();',
    'const t = performance.now();',
    "import { readFileSync } from 'node:fs';",
    "import { open } from 'node:fs/promises';",
    "import { setTimeout as sleep } from 'fs';",
  ];
  for (const text of planted) {
    assert.ok(violations('src/storage/a.ts', text).length > 0, text);
    assert.deepEqual(violations('src/base/a.ts', text), []);
    assert.deepEqual(violations('src/storage/a.test.ts', text), []);
  }
});

test('what stands in comments and strings is no violation', () => {
  const text = [
    '// Date.now() and import x from "../broker/b.ts"',
    '/* setTimeout */',
    "const a = 'Date.now()';",
    'const b = `Math.random() ${"setInterval"} from \'../cli/x.ts\'`;',
    'const c = /Date.now/.test(a);',
  ].join('\n');
  assert.deepEqual(violations('src/storage/a.ts', text), []);
});

test('code inside a template is still seen', () => {
  caught('src/storage/a.ts', 'const a = `at ${Date.now()} ${{ b: `${1}` }.b}`;', /Date\.now/);
  caught('src/storage/a.ts', 'const a = `x ${`y ${1}`} }`; const b = Math.random();', /Math\.random/);
});

test('a function of more than 60 lines is caught however it is written', () => {
  const body = 'call();\n'.repeat(60);
  const heads = [
    'function f(a: number): void {',
    'export async function f<T>(a: T): Promise<Map<string, T[]>> {',
    'function f(): { a: number; b: string } {',
    'function f(a: { b: number }): a is { b: 1 } {',
    'const f = (a: number) => {',
    'const f = async (): Promise<void> => {',
    'class A {\n  method({ a, b }: B): C | undefined {',
    'class A {\n  constructor(a: number) {',
    'const o = {\n  method(a) {',
    "test('title', () => {",
  ];
  for (const head of heads) {
    const closing =
      head.startsWith('class') || head.startsWith('const o') ? '}\n}' : head.startsWith('test') ? '});' : '}';
    caught('src/base/a.ts', `${head}\n${body}${closing}`, /function of 62 lines/);
  }
});

test('long classes, objects, interfaces, blocks and describe are no functions', () => {
  const lines = '  a: 1,\n'.repeat(70);
  for (const text of [
    `function f(): void {\n}\nclass A extends B {\n${'  a = 1;\n'.repeat(70)}}`,
    `const table = {\n${lines}};`,
    `const table: Record<string, number> = {\n${lines}};`,
    `export interface A {\n${'  a: number;\n'.repeat(70)}}`,
    `call({\n${lines}});`,
    `if (f(x)) {\n${'  a();\n'.repeat(70)}} else {\n${'  b();\n'.repeat(70)}}`,
    `describe('all', () => {\n${'  test();\n'.repeat(70)}});`,
  ]) {
    assert.deepEqual(violations('src/base/a.ts', text), [], text.slice(0, 60));
  }
});

test('a function of 60 lines and a file of 600 pass, one line more does not', () => {
  assert.deepEqual(violations('src/base/a.ts', `function f() {\n${'a();\n'.repeat(58)}}`), []);
  assert.deepEqual(violations('src/base/a.ts', '\n'.repeat(600)), []);
  caught('src/base/a.ts', '\n'.repeat(601), /601 lines/);
});

test('a room needs a place in the plan and a README of at most 20 lines', () => {
  assert.deepEqual(checkRooms([{ name: 'storage', readme: 'line\n'.repeat(20) }]), []);
  assert.match(checkRooms([{ name: 'storage', readme: undefined }])[0]!, /no README/);
  assert.match(checkRooms([{ name: 'storage', readme: 'line\n'.repeat(21) }])[0]!, /more than 20/);
  assert.match(checkRooms([{ name: 'helpers', readme: '' }])[0]!, /no layer/);
});

test('the scanner keeps positions, and finds every import and function of a real text', () => {
  const text =
    "import a, { type b } from 'x';\nimport 'y';\nexport { c } from \"z\";\nconst f = () => {\n  return /[/'\"]{2}/;\n};\n";
  const masked = maskSource(text);
  assert.equal(masked.length, text.length);
  assert.deepEqual(
    findImports(text).map(({ specifier, line }) => [specifier, line]),
    [
      ['x', 1],
      ['y', 2],
      ['z', 3],
    ],
  );
  assert.deepEqual(
    findFunctions(text).map(({ line, lines }) => [line, lines]),
    [[4, 3]],
  );
});
