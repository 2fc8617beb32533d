import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findTests } from './run-tests.ts';

const extension = extname(import.meta.filename);

/** A project folder with compiled and source files; removed after the test. */
function project(t: TestContext, compiled: readonly string[], sources: readonly string[]) {
  const source = mkdtempSync(join(tmpdir(), 'sluice-run-tests-'));
  t.after(() => rmSync(source, { recursive: true }));
  const code = join(source, 'dist');
  const paths = [
    ...compiled.map((file) => join(code, file + extension)),
    ...sources.map((file) => join(source, `${file}.ts`)),
  ];
  for (const path of paths) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
  }
  return { code, source };
}

function found(suite: string, roots: { code: string; source: string }): string[] {
  return findTests(suite, roots).map((file) => relative(roots.code, file).slice(0, -extension.length));
}

test('unit tests are found beside the sources in every depth, other suites in their folder', (t) => {
  const files = ['src/a/x.test', 'src/a/b/y.test', 'scripts/z.test', 'test/golden/g.test', 'src/a/x'];
  const roots = project(t, files, files);
  assert.deepEqual(found('unit', roots), ['scripts/z.test', 'src/a/b/y.test', 'src/a/x.test']);
  assert.deepEqual(found('golden', roots), ['test/golden/g.test']);
});

test('a compiled test whose source is gone is ignored', (t) => {
  const roots = project(t, ['src/a/old.test', 'src/a/new.test'], ['src/a/new.test']);
  assert.deepEqual(found('unit', roots), ['src/a/new.test']);
});

test('a suite without files yields none, so that running it fails', (t) => {
  assert.deepEqual(found('integration', project(t, ['src/a.test'], ['src/a.test'])), []);
});
