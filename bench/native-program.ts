/** The programs in native/: compiled by cc when first wanted and when a source has changed, then run or started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheDirectory, projectRoot } from '../test/compat/harness/paths.ts';
import { endChild, endWithThisProcess, runSuccessfully } from '../test/compat/harness/program.ts';

const RUN_TIMEOUT_MS = 300_000;
const START_TIMEOUT_MS = 10_000;

export const nativeDirectory: string = join(projectRoot, 'bench', 'native');

/** The path of the executable; throws where there is no compiler or a library is missing. */
export async function compiled(name: string, libraries: readonly string[] = []): Promise<string> {
  const source = join(nativeDirectory, `${name}.c`);
  const headers = readdirSync(nativeDirectory).filter((file) => file.endsWith('.h'));
  const newest = Math.max(...[source, ...headers.map((file) => join(nativeDirectory, file))].map(modified));
  const directory = join(cacheDirectory(), 'bench');
  const program = join(directory, name);
  if (!existsSync(program) || modified(program) < newest) {
    mkdirSync(directory, { recursive: true });
    await runSuccessfully('cc', ['-O2', '-o', program, source, ...libraries]);
  }
  return program;
}

const modified = (path: string): number => statSync(path).mtimeMs;

/** The numbers that the program prints. */
export async function numbersOf(program: string, parameters: readonly (string | number)[]): Promise<number[]> {
  const { stdout } = await runSuccessfully(program, parameters.map(String), { timeoutMs: RUN_TIMEOUT_MS });
  return stdout.toString().trim().split(/\s+/).map(Number);
}

export interface NativeServer {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a program that prints the port it listens on and runs until it is stopped. */
export async function startServer(program: string, parameters: readonly string[]): Promise<NativeServer> {
  const child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'inherit'] });
  endWithThisProcess(child);
  const port = Number(await firstLine(child));
  return { pid: child.pid!, port, stop: () => endChild(child, START_TIMEOUT_MS) };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the program told no port')), START_TIMEOUT_MS);
    createInterface({ input: child.stdout! }).once('line', (line) => {
      clearTimeout(timer);
      resolve(line);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the program ended with ${code} before it listened`)));
  });
}
