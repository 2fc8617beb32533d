/**
 * Runs test suites from the compiled output.
 *
 * usage: run-tests SUITE...   unit (beside the sources), or a folder of test/: golden, integration, simulation, compat, ...
 *
 * Compiled files whose source is gone are ignored. Fails where a suite has no file: a suite that runs nothing proves
 * nothing.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, extname, join, relative } from 'node:path';

/** Two test files at once: more would only make timings worse on a small machine. */
const CONCURRENCY = 2;

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

function runNode(files: readonly string[]): Promise<number> {
  const flags = ['--test', '--test-reporter=spec', `--test-concurrency=${CONCURRENCY}`];
  const child = spawn(process.execPath, [...flags, ...files], { stdio: 'inherit', cwd: sourceRoot });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
  });
}

async function main(): Promise<number> {
  const suites = process.argv.slice(2);
  if (suites.length === 0) {
    console.error('usage: run-tests SUITE...   (unit, golden, integration, simulation, compat)');
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
  return runNode(files);
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main();
