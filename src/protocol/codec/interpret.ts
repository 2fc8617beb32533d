/**
 * Decodes and encodes by walking the schema, field by field and version check by version check: slow, and the oracle
 * that tests hold the generated functions against. The product never calls it. It shares the primitives with them and
 * nothing else.
 */

import type { Reader } from '../reader.ts';
import type { Field, Fields, MessageSchema, RecordsSource, ScalarKind } from '../schema.ts';
import { includesVersion } from '../versions.ts';
import type { Writer } from '../writer.ts';

type Struct = Record<string, unknown>;

interface Walk {
  readonly version: number;
  readonly flexible: boolean;
}

export function interpretDecode(schema: MessageSchema, version: number, reader: Reader): unknown {
  return readStruct(walkOf(schema, version), schema.fields, reader);
}

export function interpretEncode(schema: MessageSchema, version: number, writer: Writer, value: unknown): void {
  writeStruct(walkOf(schema, version), schema.name, schema.fields, writer, value as Struct);
}

function walkOf(schema: MessageSchema, version: number): Walk {
  return { version, flexible: includesVersion(schema.flexible, version) };
}

/** What a field holds when a message does not carry it. */
export function defaultOf(field: Field): unknown {
  if (field.defaultValue === null) return null;
  if (field.kind === 'array') return [];
  if (field.kind !== 'struct') return field.defaultValue;
  return Object.fromEntries(Object.entries(field.fields!).map(([name, inner]) => [name, defaultOf(inner)]));
}

function isCompact(walk: Walk, field: Field): boolean {
  return field.flexible === undefined ? walk.flexible : includesVersion(field.flexible, walk.version);
}

function isTagged(walk: Walk, field: Field): boolean {
  return walk.flexible && includesVersion(field.versions, walk.version) && includesVersion(field.tagged, walk.version);
}

function isInline(walk: Walk, field: Field): boolean {
  return includesVersion(field.versions, walk.version) && !isTagged(walk, field);
}

function readStruct(walk: Walk, fields: Fields, reader: Reader): Struct {
  const value: Struct = {};
  for (const [name, field] of Object.entries(fields)) {
    value[name] = isInline(walk, field) ? readValue(walk, field, reader, false) : defaultOf(field);
  }
  if (!walk.flexible) return value;
  for (let left = reader.taggedCount(); left > 0; left--) {
    const tag = reader.unsignedVarint();
    const end = reader.taggedEnd();
    const known = Object.entries(fields).find(([, field]) => field.tag === tag && isTagged(walk, field));
    if (known === undefined) {
      reader.at = end;
    } else {
      value[known[0]] = readValue(walk, known[1], reader, true);
      reader.closeTagged(end);
    }
  }
  return value;
}

function readValue(walk: Walk, field: Field, reader: Reader, tagged: boolean): unknown {
  const nullable = includesVersion(field.nullable, walk.version);
  const compact = isCompact(walk, field);
  switch (field.kind) {
    case 'struct':
      if (nullable && !(tagged ? reader.unsignedVarint() > 0 : reader.int8() >= 0)) return null;
      return readStruct(walk, field.fields!, reader);
    case 'array':
      return readArray(walk, field, reader, { nullable, compact });
    case 'string':
    case 'bytes':
    case 'records':
      return readSized(field, reader, { nullable, compact });
    default:
      return reader[field.kind]();
  }
}

interface Form {
  readonly nullable: boolean;
  readonly compact: boolean;
}

function readSized(field: Field, reader: Reader, { nullable, compact }: Form): unknown {
  if (field.kind === 'string') {
    if (nullable) return compact ? reader.compactNullableString() : reader.nullableString();
    return compact ? reader.compactString() : reader.string();
  }
  if (nullable) return compact ? reader.compactNullableByteView() : reader.nullableByteView();
  return compact ? reader.compactByteView() : reader.byteView();
}

function readArray(walk: Walk, field: Field, reader: Reader, { nullable, compact }: Form): unknown {
  const least = leastOf(walk, { ...field.element!, flexible: field.flexible });
  const count = nullable
    ? compact
      ? reader.compactNullableCount(least)
      : reader.nullableCount(least)
    : compact
      ? reader.compactCount(least)
      : reader.count(least);
  if (count < 0) return null;
  const values: unknown[] = [];
  for (let index = 0; index < count; index++) values.push(readValue(walk, elementOf(field), reader, false));
  return values;
}

/** Elements are never null, whatever their declaration says. */
function elementOf(array: Field): Field {
  return { ...array.element!, nullable: { from: 0, to: -1 }, flexible: array.flexible };
}

function leastOf(walk: Walk, field: Field): number {
  switch (field.kind) {
    case 'bool':
    case 'int8':
      return 1;
    case 'int16':
    case 'uint16':
      return 2;
    case 'int32':
      return 4;
    case 'int64':
    case 'wideInt64':
    case 'float64':
      return 8;
    case 'uuid':
      return 16;
    case 'string':
      return isCompact(walk, field) ? 1 : 2;
    case 'struct':
      return Object.values(field.fields!)
        .filter((inner) => isInline(walk, inner))
        .map((inner) =>
          inner.kind === 'struct' && includesVersion(inner.nullable, walk.version) ? 1 : leastOf(walk, inner),
        )
        .reduce((sum, least) => sum + least, walk.flexible ? 1 : 0);
    default:
      return isCompact(walk, field) ? 1 : 4;
  }
}

function isDefault(field: Field, value: unknown): boolean {
  if (field.defaultValue === null || value === null) return field.defaultValue === null && value === null;
  if (field.kind === 'struct') {
    return Object.entries(field.fields!).every(([name, inner]) => isDefault(inner, memberOf(value, name, inner)));
  }
  if (field.kind === 'array' || field.kind === 'bytes' || field.kind === 'records') {
    return (value as { length: number }).length === 0;
  }
  return value === field.defaultValue;
}

function memberOf(value: unknown, name: string, field: Field): unknown {
  const member = (value as Struct)[name];
  return member === undefined ? defaultOf(field) : member;
}

function writeStruct(walk: Walk, owner: string, fields: Fields, writer: Writer, value: Struct): void {
  const tagged: [Field, unknown][] = [];
  for (const [name, field] of Object.entries(fields)) {
    const member = memberOf(value, name, field);
    if (isInline(walk, field)) writeValue(walk, field, writer, member, false);
    else if (isTagged(walk, field)) {
      if (!isDefault(field, member)) tagged.push([field, member]);
    } else if (!field.ignorable && !isDefault(field, member)) {
      writer.refuseField(`${owner}.${name}`, walk.version);
    }
  }
  if (!walk.flexible) return;
  writer.unsignedVarint(tagged.length);
  for (const [field, member] of tagged.sort(([left], [right]) => left.tag! - right.tag!)) {
    const mark = writer.openTagged(field.tag!);
    writeValue(walk, field, writer, member, true);
    writer.closeTagged(mark);
  }
}

function writeValue(walk: Walk, field: Field, writer: Writer, value: unknown, tagged: boolean): void {
  const nullable = includesVersion(field.nullable, walk.version);
  if (value === null) {
    if (!nullable) writer.refuse(null, `a ${field.kind}`);
    writeNull(walk, field, writer, tagged);
    return;
  }
  if (field.kind === 'struct') {
    if (nullable) tagged ? writer.unsignedVarint(1) : writer.int8(1);
    writeStruct(walk, field.kind, field.fields!, writer, value as Struct);
  } else if (field.kind === 'array') {
    const values = value as unknown[];
    isCompact(walk, field) ? writer.compactCount(values) : writer.count(values);
    for (const element of values) writeValue(walk, elementOf(field), writer, element, false);
  } else {
    writeScalar(field.kind, isCompact(walk, field), writer, value);
  }
}

function writeScalar(kind: ScalarKind, compact: boolean, writer: Writer, value: unknown): void {
  if (kind === 'string') {
    compact ? writer.compactString(value as string) : writer.string(value as string);
  } else if (kind === 'bytes') {
    compact ? writer.compactByteField(value as Uint8Array) : writer.byteField(value as Uint8Array);
  } else if (kind === 'records') {
    compact ? writer.compactRecords(value as RecordsSource) : writer.records(value as RecordsSource);
  } else {
    writer[kind](value as never);
  }
}

function writeNull(walk: Walk, field: Field, writer: Writer, tagged: boolean): void {
  if (field.kind === 'struct') tagged ? writer.unsignedVarint(0) : writer.int8(-1);
  else if (isCompact(walk, field)) writer.unsignedVarint(0);
  else if (field.kind === 'string') writer.int16(-1);
  else writer.int32(-1);
}
