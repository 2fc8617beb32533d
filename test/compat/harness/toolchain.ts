/**
 * Finds, and where the means are there fetches or builds once, the foreign clients that the suites drive. Every
 * finder answers with what was found or with the reason why not; in CI an absent client fails the suite.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { cacheDirectory, clientsDirectory } from './paths.ts';
import { runSuccessfully } from './program.ts';

export type Available<T> =
  | { readonly value: T; readonly reason?: undefined }
  | { readonly value?: undefined; readonly reason: string };

export const CONFLUENT_KAFKA_VERSION = '2.16.1';
const BUILD_TIMEOUT_MS = 300_000;

export function absent(reason: string): { readonly reason: string } {
  return { reason };
}

/** Skips the test with a clear line where the toolchain is absent; in CI that is a failure. */
export function requireToolchain<T>(context: TestContext, found: Available<T>): T | undefined {
  if (found.value !== undefined) return found.value;
  if (process.env['CI'] === 'true') throw new Error(`absent, and must not be in CI: ${found.reason}`);
  context.skip(`SKIPPED: ${found.reason}`);
  return undefined;
}

export async function commandExists(name: string): Promise<boolean> {
  return findCommand(name) !== undefined;
}

export function findCommand(...names: readonly string[]): string | undefined {
  for (const name of names) {
    for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
      const path = join(directory, name);
      if (directory !== '' && existsSync(path) && statSync(path).isFile()) return path;
    }
  }
  return undefined;
}

export async function findKcat(): Promise<Available<string>> {
  const command = findCommand('kcat', 'kafkacat');
  return command === undefined ? absent('no kcat') : { value: command };
}

export interface Invocation {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Python with confluent-kafka, installed by pip into the cache. */
export async function findPythonClient(): Promise<Available<Invocation>> {
  const python = findCommand('python3');
  if (python === undefined) return absent('no python3');
  const modules = join(cacheDirectory(), `confluent-kafka-${CONFLUENT_KAFKA_VERSION}`);
  try {
    await once(modules, (aside) =>
      runSuccessfully(
        python,
        ['-m', 'pip', 'install', '-q', '--target', aside, `confluent-kafka==${CONFLUENT_KAFKA_VERSION}`],
        { timeoutMs: BUILD_TIMEOUT_MS },
      ),
    );
  } catch (error) {
    return absent(`confluent-kafka cannot be installed: ${(error as Error).message}`);
  }
  return {
    value: {
      command: python,
      parameters: [join(clientsDirectory, 'python', 'client.py')],
      environment: { PYTHONPATH: modules },
    },
  };
}

/** The franz-go program, built into the cache; rebuilt when its sources change. */
export async function findFranzGo(): Promise<Available<Invocation>> {
  const go = findCommand('go');
  if (go === undefined) return absent('no go');
  const sources = join(clientsDirectory, 'franz-go');
  const directory = join(cacheDirectory(), `franz-go-${digestOf(sources)}`);
  try {
    await once(directory, (aside) =>
      runSuccessfully(go, ['build', '-o', join(aside, 'client'), '.'], {
        workingDirectory: sources,
        environment: { CGO_ENABLED: '0' },
        timeoutMs: BUILD_TIMEOUT_MS,
      }),
    );
  } catch (error) {
    return absent(`the franz-go client cannot be built: ${(error as Error).message}`);
  }
  return { value: { command: join(directory, 'client'), parameters: [] } };
}

/** The Java driver, compiled against Kafka's jars into the cache. */
export async function findJavaClient(classPath: Available<string>): Promise<Available<Invocation>> {
  if (classPath.value === undefined) return classPath;
  const javac = findCommand('javac');
  if (javac === undefined) return absent('no javac');
  const jars = classPath.value;
  const sources = join(clientsDirectory, 'java');
  const directory = join(cacheDirectory(), `java-${digestOf(sources)}`);
  const files = readdirSync(sources).filter((name) => name.endsWith('.java'));
  try {
    await once(directory, (aside) =>
      runSuccessfully(javac, ['-nowarn', '-cp', jars, '-d', aside, ...files.map((name) => join(sources, name))], {
        timeoutMs: BUILD_TIMEOUT_MS,
      }),
    );
  } catch (error) {
    return absent(`the Java client cannot be compiled: ${(error as Error).message}`);
  }
  // The first tier of the compiler alone: a driver lives for seconds.
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', '-Xmx512m'];
  const logging = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
  return {
    value: { command: 'java', parameters: [...flags, logging, '-cp', `${directory}${delimiter}${jars}`, 'Client'] },
  };
}

/** A Node client's program; its packages are installed by `npm ci` into the clients' own folder. */
export async function findNodeClient(name: 'kafkajs' | 'platformatic'): Promise<Available<Invocation>> {
  const directory = join(clientsDirectory, 'node');
  const packageName = name === 'kafkajs' ? 'kafkajs' : '@platformatic/kafka';
  if (!existsSync(join(directory, 'node_modules', packageName))) {
    return absent(`no ${packageName}: npm install --prefix test/compat/clients/node`);
  }
  return { value: { command: process.execPath, parameters: [join(directory, `${name}.js`)] } };
}

/** Builds `directory` at most once: aside first and then renamed, so that an interrupted build never looks done. */
async function once(directory: string, build: (aside: string) => Promise<unknown>): Promise<void> {
  if (existsSync(directory)) return;
  mkdirSync(cacheDirectory(), { recursive: true });
  const aside = mkdtempSync(`${directory}.`);
  try {
    await build(aside);
    if (!existsSync(directory)) renameSync(aside, directory);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory).sort()) {
    const path = join(directory, name);
    if (statSync(path).isFile()) hash.update(name).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}
