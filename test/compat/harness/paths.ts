/**
 * Where the harness finds the sources of foreign-language clients and keeps what it downloads. It never writes
 * inside the repository.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MARKER = join('test', 'compat', 'clients', 'java', 'pom.xml');

/** The repository's root, found upwards from this file: it runs both from source and compiled, in dist/. */
export const projectRoot: string = findProjectRoot();
export const clientsDirectory: string = join(projectRoot, 'test', 'compat', 'clients');

function findProjectRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, MARKER))) return directory;
    if (directory === dirname(directory)) break;
  }
  const working = process.cwd();
  if (existsSync(join(working, MARKER))) return working;
  throw new Error(`no ${MARKER} above ${start} nor in ${working}: run from the repository's root`);
}

/** Downloads and builds that outlive a run: `SLUICE_TEST_CACHE`, else ~/.cache/sluice-test. */
export function cacheDirectory(): string {
  const directory = process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice-test');
  mkdirSync(directory, { recursive: true });
  return directory;
}
