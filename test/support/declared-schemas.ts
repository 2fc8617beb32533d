/**
 * Every API, message and stored record that the project declares, found by reading the folders. For tests and
 * scripts: the product names what it serves one by one.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { requestHeader, responseHeader } from '../../src/protocol/frames.ts';
import type { Api, MessageSchema, StoredRecord } from '../../src/protocol/schema.ts';

const here = fileURLToPath(import.meta.url);
/** '.ts' when run from source, '.js' when compiled. */
const extension = extname(here);
const codeRoot = dirname(dirname(dirname(here)));
/** The folder with package.json: the code's own, or the one above when compiled into dist. */
export const projectRoot = findProjectRoot(codeRoot);

export interface Declared {
  readonly apis: readonly Api[];
  readonly records: readonly StoredRecord[];
  /** Every message once: headers, requests, responses, stored records and what else the state folder declares. */
  readonly messages: readonly MessageSchema[];
  /** How many files were read. */
  readonly files: number;
}

export async function declaredSchemas(): Promise<Declared> {
  const apiExports = await exportsOf('src/protocol/apis');
  const stateExports = await exportsOf('src/protocol/state');
  const apis = apiExports.values.filter(isApi).sort((left, right) => left.key - right.key);
  const stored = stateExports.values.filter(isMessage);
  const messages = [
    requestHeader,
    responseHeader,
    ...apis.flatMap(({ request, response }) => [request, response]),
    ...stored,
  ];
  return { apis, records: stored.filter(isStoredRecord), messages, files: apiExports.files + stateExports.files };
}

/** A compiled file whose source was deleted is left out; compiled elsewhere than in the project, nothing is known of sources. */
function hasSource(folder: string, file: string): boolean {
  return projectRoot === codeRoot || existsSync(join(projectRoot, folder, `${basename(file, '.js')}.ts`));
}

async function exportsOf(folder: string): Promise<{ values: unknown[]; files: number }> {
  const directory = join(codeRoot, folder);
  const files = readdirSync(directory)
    .filter((file) => file.endsWith(extension) && !file.endsWith('.d.ts') && !file.includes('.test.'))
    .filter((file) => hasSource(folder, file))
    .sort();
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(join(directory, file)).href)));
  return { values: modules.flatMap((module) => Object.values(module as object)), files: files.length };
}

function findProjectRoot(from: string): string {
  for (let directory = from; directory !== dirname(directory); directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json')) && existsSync(join(directory, 'tsconfig.json'))) return directory;
  }
  return from;
}

function isMessage(value: unknown): value is MessageSchema {
  return typeof value === 'object' && value !== null && 'fields' in value && 'flexible' in value && 'name' in value;
}

function isApi(value: unknown): value is Api {
  return typeof value === 'object' && value !== null && 'request' in value && 'response' in value && 'key' in value;
}

function isStoredRecord(value: MessageSchema): value is StoredRecord {
  return 'type' in value;
}
