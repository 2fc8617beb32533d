/**
 * Prints the declaration of an API (or of a stored record) in our schema language, made from Kafka's field lists: the
 * first step of adding one.
 *
 * usage: declare-api NAME [folder with Kafka's field lists]     e.g. declare-api OffsetCommit
 */
import { join, resolve } from 'node:path';
import { INT64_MAX } from '../src/protocol/schema.ts';
import { projectRoot } from '../test/support/declared-schemas.ts';
import {
  defaultText,
  fieldName,
  type MessageFile,
  readDefinitions,
  structFields,
  typeOf,
} from './schema-definitions.ts';

type FieldFile = NonNullable<MessageFile['fields']>[number];

/** The text of a file for src/protocol/apis, or of one record for src/protocol/state. */
export function declarationOf(name: string, definitions: ReadonlyMap<string, MessageFile>): string | undefined {
  const request = definitions.get(`${name}Request`);
  const response = definitions.get(`${name}Response`);
  const record = definitions.get(name);
  if (request !== undefined && response !== undefined) return apiText(name, request, response);
  return record === undefined ? undefined : recordText(record);
}

function apiText(name: string, request: MessageFile, response: MessageFile): string {
  const body = [
    `const request = ${messageText('message', request)}`,
    '',
    `const response = ${messageText('message', response)}`,
    '',
    `export const ${fieldName(name)} = api({ key: ${request.apiKey}, name: '${name}', request, response });`,
    '',
    `export type ${name}Request = Decoded<typeof request>;`,
    `export type ${name}Response = Encodable<typeof response>;`,
    '',
  ].join('\n');
  return `${importText(body, ['api', 'type Decoded', 'type Encodable'])}\n\n${body}`;
}

function recordText(record: MessageFile): string {
  const body = [
    `export const ${fieldName(record.name)} = ${messageText('storedRecord', record)}`,
    `export type ${record.name} = Decoded<typeof ${fieldName(record.name)}>;`,
    '',
  ].join('\n');
  return `${importText(body, ['type Decoded', 'storedRecord'])}\n\n${body}`;
}

function importText(body: string, always: readonly string[]): string {
  const used = new Set([...body.matchAll(/\b([a-z]\w*)\(|\b(INT64_MAX)\b/g)].map((match) => match[1] ?? match[2]!));
  for (const name of always) used.delete(name);
  const names = [...always, ...used].sort((left, right) =>
    left.replace('type ', '').localeCompare(right.replace('type ', ''), 'en', { numeric: true }),
  );
  return `import { ${names.join(', ')} } from '../schema.ts';`;
}

function messageText(maker: string, file: MessageFile): string {
  const type = maker === 'storedRecord' ? `${file.apiKey}, ` : '';
  const head = `'${file.name}', '${file.validVersions}', '${file.flexibleVersions ?? 'none'}'`;
  return `${maker}(${type}${head}, ${fieldsText(file, file.fields ?? [], 0)});`;
}

function fieldsText(file: MessageFile, fields: readonly FieldFile[], depth: number): string {
  const step = '  '.repeat(depth + 1);
  const lines = fields.map((field) => `${step}${fieldName(field.name)}: ${fieldText(file, field, depth + 1)},`);
  return ['{', ...lines, `${'  '.repeat(depth)}}`].join('\n');
}

function fieldText(file: MessageFile, field: FieldFile, depth: number): string {
  const { element, isArray, isStruct } = typeOf(field);
  const versions = field.versions ?? field.taggedVersions;
  const inner = isStruct ? fieldsText(file, structFields(file, field, element), depth) : `${element}('${versions}')`;
  const options = optionsText(field, isArray ? 'array' : isStruct ? 'struct' : element);
  if (isArray) return `array('${versions}', ${inner}${options})`;
  return isStruct ? `struct('${versions}', ${inner}${options})` : `${element}('${versions}'${options})`;
}

function optionsText(field: FieldFile, kind: string): string {
  const options: string[] = [];
  if (field.nullableVersions !== undefined) options.push(`nullable: '${field.nullableVersions}'`);
  if (field.tag !== undefined) options.push(`tag: ${field.tag}`);
  if (field.taggedVersions !== undefined && field.taggedVersions !== (field.versions ?? field.taggedVersions)) {
    options.push(`tagged: '${field.taggedVersions}'`);
  }
  if (field.flexibleVersions !== undefined) options.push(`flexible: '${field.flexibleVersions}'`);
  // A JSON null is no default: see defaultText.
  if (field.default !== undefined && field.default !== null) options.push(`default: ${literal(kind, field.default)}`);
  if (field.ignorable === true) options.push('ignorable: true');
  return options.length === 0 ? '' : `, { ${options.join(', ')} }`;
}

function literal(kind: string, value: unknown): string {
  const text = defaultText(kind, value);
  if (text === String(INT64_MAX)) return 'INT64_MAX';
  return kind === 'string' && text !== 'null' ? `'${text}'` : text;
}

function main(): number {
  const [, , name, folder] = process.argv;
  const definitions = readDefinitions(resolve(folder ?? join(projectRoot, '..', 'shared', 'protocol')));
  const text = name === undefined ? undefined : declarationOf(name, definitions);
  if (text === undefined) {
    console.error(`declare-api: no API or record called ${name ?? '(nothing)'}`);
    return 1;
  }
  console.log(text);
  return 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = main();
