/**
 * Runs test suites from the compiled output.
 *
 * usage: run-tests SUITE...   unit (beside the sources), or a folder of test/: golden, integration, simulation, compat, ...
 *
 * The suite `cluster` runs in a private world, where there can be one, and one file at a time.
 *
 * Compiled files whose source is gone are ignored. Fails where a suite has no file: a suite that runs nothing proves
 * nothing.
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { runCommand, runInSandbox } from '../test/cluster/harness/sandbox.ts';

/** Two test files at once: more would only make timings worse on a small machine. */
const CONCURRENCY = 2;
/** Measures of a cluster of many processes would not survive company. */
const ALONE: ReadonlySet<string> = new Set(['cluster']);

const extension = extname(import.meta.filename);
/** Where the compiled code is (or the sources, run as they are). */
const codeRoot = dirname(import.meta.dirname);
const sourceRoot =
  extension === '.js' && existsSync(join(codeRoot, '..', 'package.json')) ? dirname(codeRoot) : codeRoot;

/** The folders of a suite, relative to the root. */
export function foldersOf(suite: string): readonly string[] {
  return suite === 'unit' ? ['src', 'scripts'] : [join('test', suite)];
}

/** Test files of a suite that still have a source, in a fixed order. */
export function findTests(suite: string, roots: { readonly code: string; readonly source: string }): string[] {
  return foldersOf(suite)
    .map((folder) => join(roots.code, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith(`.test${extension}`))
        .map((file) => join(folder, file)),
    )
    .filter((file) => roots.source === roots.code || existsSync(sourceOf(file, roots)))
    .sort();
}

function sourceOf(file: string, roots: { readonly code: string; readonly source: string }): string {
  return join(roots.source, `${relative(roots.code, file).slice(0, -extension.length)}.ts`);
}

function runNode(files: readonly string[], alone: boolean): Promise<number> {
  const concurrency = `--test-concurrency=${alone ? 1 : CONCURRENCY}`;
  const command = [process.execPath, '--test', '--test-reporter=spec', concurrency, ...files];
  return alone ? runInSandbox(command, { cwd: sourceRoot }) : runCommand(command, { cwd: sourceRoot });
}

async function main(): Promise<number> {
  const suites = process.argv.slice(2);
  if (suites.length === 0) {
    console.error('usage: run-tests SUITE...   (unit, golden, integration, simulation, compat, cluster)');
    return 2;
  }
  const files: string[] = [];
  for (const suite of suites) {
    const found = findTests(suite, { code: codeRoot, source: sourceRoot });
    if (found.length === 0) {
      console.error(`run-tests: suite ${suite} has no test file below ${codeRoot}`);
      return 1;
    }
    console.log(`run-tests: ${suite}, ${found.length} files`);
    files.push(...found);
  }
  return runNode(
    files,
    suites.some((suite) => ALONE.has(suite)),
  );
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main();
