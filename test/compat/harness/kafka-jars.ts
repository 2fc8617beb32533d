/**
 * Apache Kafka 4.3, broker and tools, as jars from the Maven repository that the machine is configured for. Copied
 * once into the cache directory.
 */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, clientsDirectory } from './paths.ts';
import { runSuccessfully } from './program.ts';
import { type Available, absent, commandExists } from './toolchain.ts';

export const KAFKA_VERSION = '4.3.0';
const COPY_TIMEOUT_MS = 300_000;

/** The class path of all jars, or why there is none. */
export async function kafkaClassPath(): Promise<Available<string>> {
  if (!(await commandExists('java'))) return absent('no java');
  const directory = join(cacheDirectory(), `kafka-${KAFKA_VERSION}`);
  if (!isComplete(directory)) {
    if (!(await commandExists('mvn'))) return absent('no mvn to fetch Apache Kafka with');
    try {
      await copyJars(directory);
    } catch (error) {
      return absent(`Apache Kafka's jars cannot be fetched: ${(error as Error).message}`);
    }
  }
  return { value: join(directory, '*') };
}

function isComplete(directory: string): boolean {
  if (!existsSync(directory)) return false;
  const files = readdirSync(directory);
  return [`kafka_2.13-${KAFKA_VERSION}.jar`, `kafka-tools-${KAFKA_VERSION}.jar`].every((name) => files.includes(name));
}

async function copyJars(directory: string): Promise<void> {
  // Copied aside and renamed, so that an interrupted copy never looks complete.
  const aside = mkdtempSync(`${directory}.`);
  const pom = join(clientsDirectory, 'java', 'pom.xml');
  await runSuccessfully(
    'mvn',
    ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${aside}`],
    { timeoutMs: COPY_TIMEOUT_MS },
  );
  rmSync(directory, { recursive: true, force: true });
  renameSync(aside, directory);
}
