/**
 * Reads the field lists of Kafka's protocol (one JSON file a message) into one plain form, and brings our own
 * declarations into the same form. A yardstick for the checks; the product never reads these files.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ZERO_UUID } from '../src/base/uuid.ts';
import { type Field, type Fields, INT64_MAX, type MessageSchema, type StoredRecord } from '../src/protocol/schema.ts';
import { formatVersions, parseVersions, type VersionRange } from '../src/protocol/versions.ts';

/** What a file says of a field; versions as text. */
interface FieldFile {
  readonly name: string;
  readonly type: string;
  readonly versions?: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly flexibleVersions?: string;
  readonly tag?: number;
  readonly default?: unknown;
  readonly ignorable?: boolean;
  readonly fields?: readonly FieldFile[];
}

export interface MessageFile {
  readonly apiKey?: number;
  readonly type: string;
  readonly name: string;
  readonly validVersions: string;
  readonly flexibleVersions?: string;
  readonly fields?: readonly FieldFile[];
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly FieldFile[] }[];
}

/** A field in the form that both sides are compared in. */
export interface PlainField {
  /** `array of string` and the like. */
  readonly kind: string;
  readonly versions: VersionRange;
  readonly nullable: VersionRange;
  readonly tagged: VersionRange;
  readonly tag: number | undefined;
  readonly flexible: string;
  readonly default: string;
  readonly ignorable: boolean;
  readonly fields: ReadonlyMap<string, PlainField>;
}

export interface PlainMessage {
  readonly name: string;
  readonly key: number | undefined;
  readonly versions: VersionRange;
  readonly flexible: VersionRange;
  readonly fields: ReadonlyMap<string, PlainField>;
}

const SCALARS = /^(bool|u?int\d+|float64|uuid|string|bytes|records)$/;

/** All definitions under a folder and its folders, by message name. */
export function readDefinitions(folder: string): Map<string, MessageFile> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));
  const definitions = files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as MessageFile);
  return new Map(definitions.map((definition) => [definition.name, definition]));
}

export function plainDefinition(file: MessageFile): PlainMessage {
  return {
    name: file.name,
    key: file.apiKey,
    versions: parseVersions(file.validVersions),
    flexible: parseVersions(file.flexibleVersions ?? 'none'),
    fields: plainFieldsOf(file, file.fields ?? []),
  };
}

function plainFieldsOf(file: MessageFile, fields: readonly FieldFile[]): ReadonlyMap<string, PlainField> {
  return new Map(fields.map((field) => [fieldName(field.name), plainFieldOf(file, field)]));
}

/** `TopicData` is written `topicData` here. */
export function fieldName(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function plainFieldOf(file: MessageFile, field: FieldFile): PlainField {
  const { element, isArray, isStruct } = typeOf(field);
  const kind = isStruct ? 'struct' : element;
  const inner = isStruct ? structFields(file, field, element) : [];
  return {
    kind: isArray ? `array of ${kind}` : kind,
    versions: parseVersions(field.versions ?? field.taggedVersions ?? 'none'),
    nullable: parseVersions(field.nullableVersions ?? 'none'),
    tagged: parseVersions(field.taggedVersions ?? 'none'),
    tag: field.tag,
    flexible: field.flexibleVersions ?? 'as message',
    default: defaultText(isArray ? 'array' : kind, field.default),
    ignorable: field.ignorable ?? false,
    fields: plainFieldsOf(file, inner),
  };
}

export function typeOf(field: FieldFile): { element: string; isArray: boolean; isStruct: boolean } {
  const isArray = field.type.startsWith('[]');
  const element = isArray ? field.type.slice(2) : field.type;
  return { element, isArray, isStruct: !SCALARS.test(element) };
}

/** A struct's fields stand in the field itself or in the message's common structs. */
export function structFields(file: MessageFile, field: FieldFile, name: string): readonly FieldFile[] {
  return field.fields ?? file.commonStructs?.find((common) => common.name === name)?.fields ?? [];
}

/**
 * A default as text. Kafka's generator takes the text "null" for null, but a JSON null for no default at all; that
 * decides which bytes a nullable tagged field takes, so it is kept apart here.
 */
export function defaultText(kind: string, value: unknown): string {
  if (value === 'null') return 'null';
  if (value === undefined || value === null || value === '') return IMPLICIT[kind] ?? '0';
  if (kind === 'bool' || kind === 'string' || kind === 'uuid') return String(value);
  if (value === '9223372036854775807') return String(INT64_MAX);
  return String(Number(value));
}

const IMPLICIT: Readonly<Record<string, string>> = {
  bool: 'false',
  string: '',
  uuid: ZERO_UUID,
  bytes: 'empty',
  records: 'empty',
  array: 'empty',
  struct: 'defaults of its fields',
};

export function plainSchema(schema: MessageSchema, key?: number): PlainMessage {
  const type = (schema as StoredRecord).type as number | undefined;
  return {
    name: schema.name,
    key: key ?? type,
    versions: schema.versions,
    flexible: schema.flexible,
    fields: plainSchemaFields(schema.fields),
  };
}

function plainSchemaFields(fields: Fields): ReadonlyMap<string, PlainField> {
  return new Map(Object.entries(fields).map(([name, field]) => [name, plainSchemaField(field)]));
}

function plainSchemaField(field: Field): PlainField {
  const inner = field.element ?? field;
  return {
    kind: field.kind === 'array' ? `array of ${kafkaKind(inner)}` : kafkaKind(field),
    versions: field.versions,
    nullable: field.nullable,
    tagged: field.tagged,
    tag: field.tag,
    flexible: field.flexible === undefined ? 'as message' : formatVersions(field.flexible),
    default: schemaDefaultText(field),
    ignorable: field.ignorable,
    fields: plainSchemaFields(inner.fields ?? {}),
  };
}

/** What Kafka calls a field's kind: how a program holds 64 bits is its own affair. */
function kafkaKind({ kind }: Field): string {
  return kind === 'wideInt64' ? 'int64' : kind;
}

function schemaDefaultText(field: Field): string {
  if (field.defaultValue === null) return 'null';
  return IMPLICIT[field.kind] === undefined || field.kind === 'bool' || field.kind === 'string' || field.kind === 'uuid'
    ? String(field.defaultValue)
    : IMPLICIT[field.kind]!;
}
