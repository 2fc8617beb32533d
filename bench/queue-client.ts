/** The Java program that sends to and reads from message queues (native/queues): its jars and its class, fetched and built once. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheDirectory } from '../test/compat/harness/paths.ts';
import { runSuccessfully } from '../test/compat/harness/program.ts';
import { nativeDirectory, numbersOf } from './native-program.ts';

const BUILD_TIMEOUT_MS = 300_000;
const JVM_FLAGS = ['-Xms512m', '-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];

export interface QueueLoad {
  readonly system: 'rabbitmq' | 'activemq';
  readonly action: 'produce' | 'consume';
  readonly port: number;
  readonly queue: string;
  readonly warmUpMessages: number;
  readonly messages: number;
  readonly messageBytes: number;
}

/** Messages a second. */
export async function runQueueClient(classPath: string, load: QueueLoad): Promise<number> {
  const { system, action, port, queue, warmUpMessages, messages, messageBytes } = load;
  const program = [...JVM_FLAGS, '-cp', classPath, 'Queues', system, action];
  const [count, seconds] = (await numbersOf('java', [
    ...[...program, port, queue],
    ...[warmUpMessages, messages, messageBytes],
  ])) as [number, number];
  return count / seconds;
}

/** Throws where java, javac or mvn is absent. */
export async function queueClassPath(): Promise<string> {
  const sources = join(nativeDirectory, 'queues');
  const program = join(sources, 'Queues.java');
  const pom = join(sources, 'pom.xml');
  const hash = createHash('sha256').update(readFileSync(program)).update(readFileSync(pom));
  const directory = join(cacheDirectory(), `queues-${hash.digest('hex').slice(0, 16)}`);
  if (!existsSync(directory)) {
    // Built aside and renamed, so that an interrupted build never looks complete.
    const aside = mkdtempSync(`${directory}.`);
    try {
      const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${aside}`];
      await runSuccessfully('mvn', ['-B', '-q', '-f', pom, ...copy], { timeoutMs: BUILD_TIMEOUT_MS });
      const compile = ['-nowarn', '-cp', join(aside, '*'), '-d', aside, program];
      await runSuccessfully('javac', compile, { timeoutMs: BUILD_TIMEOUT_MS });
      renameSync(aside, directory);
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  }
  return [directory, join(directory, '*')].join(delimiter);
}
