/**
 * Fetches and builds every foreign client that the suites drive, so that the suites themselves only run them. Says
 * what is there; with CI=true an absent one is a failure. Run: node dist/test/compat/prepare.js
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ClientName, findClient } from './harness/clients.ts';
import { kafkaClassPath } from './harness/kafka-jars.ts';
import { clientsDirectory } from './harness/paths.ts';
import { runSuccessfully } from './harness/program.ts';

const CLIENTS: readonly ClientName[] = ['kcat', 'confluent-kafka', 'franz-go', 'java', 'kafkajs', 'platformatic'];
const INSTALL_TIMEOUT_MS = 300_000;

async function installNodeClients(): Promise<void> {
  const directory = join(clientsDirectory, 'node');
  if (existsSync(join(directory, 'node_modules', 'kafkajs'))) return;
  // None of them needs a script of its own to be run. Not `npm ci`: it refuses a lock file that lacks the builds for
  // other platforms, which a partial registry leaves out.
  await runSuccessfully('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    workingDirectory: directory,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}

async function main(): Promise<number> {
  let absent = 0;
  const tell = (name: string, reason: string | undefined) => {
    if (reason !== undefined) absent++;
    console.log(`${name}: ${reason ?? 'ready'}`);
  };
  await installNodeClients().catch((error: Error) => console.log(`npm: ${error.message}`));
  tell('Apache Kafka', (await kafkaClassPath()).reason);
  for (const name of CLIENTS) tell(name, (await findClient(name)).reason);
  return absent > 0 && process.env['CI'] === 'true' ? 1 : 0;
}

process.exitCode = await main();
