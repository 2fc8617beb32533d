/** The workload's programs, one a client library; those of franz-go and Java are built once into the cache. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { kafkaClassPath } from '../../compat/harness/kafka-jars.ts';
import { cacheDirectory, projectRoot } from '../../compat/harness/paths.ts';
import { runSuccessfully } from '../../compat/harness/program.ts';
import {
  type Available,
  absent,
  commandExists,
  findNodeClient,
  findPythonClient,
  type Invocation,
} from '../../compat/harness/toolchain.ts';

export const WORKLOAD_CLIENTS = ['confluent-kafka', 'franz-go', 'java', 'kafkajs'] as const;
export type WorkloadClient = (typeof WORKLOAD_CLIENTS)[number];

const sources = join(projectRoot, 'test', 'cluster', 'workload');
const BUILD_TIMEOUT_MS = 300_000;
const JVM_FLAGS = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', '-Xmx128m'];
const LOGGING = '-Dorg.slf4j.simpleLogger.defaultLogLevel=off';

export function findWorkloadClient(name: WorkloadClient): Promise<Available<Invocation>> {
  switch (name) {
    case 'confluent-kafka':
      return findPython();
    case 'franz-go':
      return findGo();
    case 'java':
      return findJava();
    case 'kafkajs':
      return findNode();
  }
}

async function findPython(): Promise<Available<Invocation>> {
  const found = await findPythonClient();
  if (found.value === undefined) return found;
  return { value: { ...found.value, parameters: [join(sources, 'python', 'workload.py')] } };
}

async function findNode(): Promise<Available<Invocation>> {
  const found = await findNodeClient('kafkajs');
  if (found.value === undefined) return found;
  return { value: { command: process.execPath, parameters: [join(sources, 'node', 'workload.js')] } };
}

async function findGo(): Promise<Available<Invocation>> {
  if (!(await commandExists('go'))) return absent('no go');
  const directory = join(sources, 'franz-go');
  const found = await built('workload-go', directory, (aside) =>
    runSuccessfully('go', ['build', '-o', join(aside, 'workload'), '.'], {
      workingDirectory: directory,
      environment: { CGO_ENABLED: '0' },
      timeoutMs: BUILD_TIMEOUT_MS,
    }),
  );
  return found.value === undefined ? found : { value: { command: join(found.value, 'workload'), parameters: [] } };
}

async function findJava(): Promise<Available<Invocation>> {
  const { value: classPath, reason } = await kafkaClassPath();
  if (classPath === undefined) return absent(reason ?? '');
  if (!(await commandExists('javac'))) return absent('no javac');
  const directory = join(sources, 'java');
  const found = await built('workload-java', directory, (aside) =>
    runSuccessfully('javac', ['-nowarn', '-cp', classPath, '-d', aside, join(directory, 'Workload.java')], {
      timeoutMs: BUILD_TIMEOUT_MS,
    }),
  );
  if (found.value === undefined) return found;
  const parameters = [...JVM_FLAGS, LOGGING, '-cp', `${found.value}${delimiter}${classPath}`, 'Workload'];
  return { value: { command: 'java', parameters } };
}

/** The directory of what `build` makes of the sources: made once, and again when they change. */
async function built(
  name: string,
  directory: string,
  build: (aside: string) => Promise<unknown>,
): Promise<Available<string>> {
  const hash = createHash('sha256');
  for (const file of readdirSync(directory).sort()) hash.update(file).update(readFileSync(join(directory, file)));
  const made = join(cacheDirectory(), `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(made)) return { value: made };
  const aside = mkdtempSync(`${made}.`);
  try {
    await build(aside);
    // Another run may have been first.
    if (!existsSync(made)) renameSync(aside, made);
    return { value: made };
  } catch (error) {
    return absent(`${name} cannot be built: ${(error as Error).message}`);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}
