/**
 * Compares every declared schema with Kafka's field lists: field by field, version by version. Fails on any difference
 * that the table below does not name, and on an entry of the table that names no difference any more.
 *
 * usage: check-schemas [folder with Kafka's field lists]
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Api } from '../src/protocol/schema.ts';
import { formatVersions, includesVersion, type VersionRange } from '../src/protocol/versions.ts';
import { type Declared, declaredSchemas, projectRoot } from '../test/support/declared-schemas.ts';
import {
  type PlainField,
  type PlainMessage,
  plainDefinition,
  plainSchema,
  readDefinitions,
} from './schema-definitions.ts';

/** Differences that are meant, each with its reason. */
export const DELIBERATE: Readonly<Record<string, string>> = {
  'InitProducerIdRequest: versions 0-5, Kafka 0-6': 'version 6 (two-phase commit, KIP-939) is unstable in Kafka 4.3',
  'InitProducerIdResponse: versions 0-5, Kafka 0-6': 'goes with its request',
  'Produce: advertises 0-13, serves 3-13': 'librdkafka turns compression off unless the range starts at 0',
};

const MIN_MESSAGES = 30;
const MIN_FIELDS = 300;

export interface Comparison {
  readonly differences: string[];
  messages: number;
  versions: number;
  fields: number;
}

/** Compares one message in all versions that it declares. */
export function compareMessages(ours: PlainMessage, kafka: PlainMessage, result: Comparison): void {
  const { name } = ours;
  if (ours.key !== undefined && ours.key !== kafka.key) {
    result.differences.push(`${name}: key ${ours.key}, Kafka ${kafka.key}`);
  }
  if (formatVersions(ours.versions) !== formatVersions(kafka.versions)) {
    result.differences.push(
      `${name}: versions ${formatVersions(ours.versions)}, Kafka ${formatVersions(kafka.versions)}`,
    );
  }
  result.messages++;
  compareFields(name, ours.fields, kafka.fields, ours.versions, result);
  for (let version = ours.versions.from; version <= ours.versions.to; version++) {
    result.versions++;
    if (includesVersion(ours.flexible, version) !== includesVersion(kafka.flexible, version)) {
      result.differences.push(`${name}: flexible in version ${version} on one side only`);
    }
    compareOrder(name, ours.fields, kafka.fields, version, result);
  }
}

type PlainFields = ReadonlyMap<string, PlainField>;

function compareFields(
  path: string,
  ours: PlainFields,
  kafka: PlainFields,
  versions: VersionRange,
  result: Comparison,
): void {
  for (const name of kafka.keys()) {
    // A field that went away before the first version served needs no declaration.
    if (!ours.has(name) && overlaps(kafka.get(name)!.versions, versions)) {
      result.differences.push(`${path}.${name}: missing`);
    }
  }
  for (const [name, field] of ours) {
    const theirs = kafka.get(name);
    if (theirs === undefined) result.differences.push(`${path}.${name}: unknown to Kafka`);
    else compareField(`${path}.${name}`, field, theirs, versions, result);
  }
}

function compareField(
  path: string,
  ours: PlainField,
  kafka: PlainField,
  versions: VersionRange,
  result: Comparison,
): void {
  result.fields++;
  for (const aspect of ['kind', 'tag', 'flexible', 'default', 'ignorable'] as const) {
    if (ours[aspect] !== kafka[aspect]) {
      result.differences.push(`${path}: ${aspect} ${ours[aspect]}, Kafka ${kafka[aspect]}`);
    }
  }
  for (const aspect of ['versions', 'nullable', 'tagged'] as const) {
    for (let version = versions.from; version <= versions.to; version++) {
      const there = includesVersion(ours.versions, version) || includesVersion(kafka.versions, version);
      if (there && includesVersion(ours[aspect], version) !== includesVersion(kafka[aspect], version)) {
        const [left, right] = [formatVersions(ours[aspect]), formatVersions(kafka[aspect])];
        result.differences.push(`${path}: ${aspect} ${left}, Kafka ${right}`);
        break;
      }
    }
  }
  compareFields(path, ours.fields, kafka.fields, versions, result);
}

/** The order of the fields is the order of the wire. */
function compareOrder(path: string, ours: PlainFields, kafka: PlainFields, version: number, result: Comparison): void {
  const [left, right] = [inlineNames(ours, version), inlineNames(kafka, version)];
  if (left.join() !== right.join()) {
    result.differences.push(`${path}: order in version ${version} is ${left.join()}, Kafka ${right.join()}`);
  }
  for (const [name, field] of ours) {
    const theirs = kafka.get(name);
    if (theirs !== undefined) compareOrder(`${path}.${name}`, field.fields, theirs.fields, version, result);
  }
}

function inlineNames(fields: PlainFields, version: number): string[] {
  return [...fields]
    .filter(([, field]) => includesVersion(field.versions, version) && !includesVersion(field.tagged, version))
    .map(([name]) => name);
}

function overlaps(left: VersionRange, right: VersionRange): boolean {
  return Math.max(left.from, right.from) <= Math.min(left.to, right.to);
}

function compareAll(declared: Declared, folder: string): Comparison {
  const definitions = readDefinitions(folder);
  const result: Comparison = { differences: [], messages: 0, versions: 0, fields: 0 };
  const keys = new Map(declared.apis.flatMap((api) => [api.request, api.response].map((schema) => [schema, api.key])));
  for (const schema of declared.messages) {
    const definition = definitions.get(schema.name);
    if (definition === undefined) result.differences.push(`${schema.name}: unknown to Kafka`);
    else compareMessages(plainSchema(schema, keys.get(schema)), plainDefinition(definition), result);
  }
  for (const api of declared.apis) compareApi(api, result);
  return result;
}

function compareApi(api: Api, result: Comparison): void {
  const served = formatVersions(api.request.versions);
  if (api.request.name !== `${api.name}Request` || api.response.name !== `${api.name}Response`) {
    result.differences.push(`${api.name}: is made of ${api.request.name} and ${api.response.name}`);
  }
  if (formatVersions(api.response.versions) !== served) {
    result.differences.push(`${api.name}: answers ${formatVersions(api.response.versions)}, serves ${served}`);
  }
  if (formatVersions(api.advertised) !== served) {
    result.differences.push(`${api.name}: advertises ${formatVersions(api.advertised)}, serves ${served}`);
  }
}

/** What is wrong: differences that nobody meant, and meant ones that are gone. */
export function faultsOf(differences: readonly string[], deliberate: Readonly<Record<string, string>>): string[] {
  const unknown = differences.filter((difference) => deliberate[difference] === undefined);
  const gone = Object.keys(deliberate).filter((difference) => !differences.includes(difference));
  return [...unknown, ...gone.map((difference) => `no longer a difference: ${difference}`)];
}

async function main(): Promise<number> {
  const folder = resolve(process.argv[2] ?? join(projectRoot, '..', 'shared', 'protocol'));
  if (!existsSync(folder)) {
    console.log(`check-schemas: skipped, Kafka's field lists are not at ${folder}`);
    return 0;
  }
  const declared = await declaredSchemas();
  const result = compareAll(declared, folder);
  const faults = faultsOf(result.differences, DELIBERATE);
  if (result.messages < MIN_MESSAGES || result.fields < MIN_FIELDS)
    faults.push('fewer schemas were read than there are');
  for (const fault of faults) console.error(`check-schemas: ${fault}`);
  const { messages, versions, fields } = result;
  console.log(
    `check-schemas: ${messages} messages in ${declared.files} files, ${versions} versions, ${fields} fields, ${faults.length} faults`,
  );
  return faults.length === 0 ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main();
