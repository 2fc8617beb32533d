/**
 * What a struct looks like in one version: which fields are there, how they travel, and the least bytes it takes.
 * The two code generators work from this; the interpreter deliberately does not.
 */
import type { Field, Fields, MessageSchema } from '../schema.ts';
import { includesVersion } from '../versions.ts';

export interface FieldLayout {
  readonly name: string;
  readonly field: Field;
  readonly place: 'inline' | 'tagged' | 'absent';
  /** Compact lengths. */
  readonly compact: boolean;
  readonly nullable: boolean;
}

export interface StructLayout {
  readonly version: number;
  /** Whether a section of tagged fields ends the struct. */
  readonly flexible: boolean;
  readonly fields: readonly FieldLayout[];
  /** The tagged fields of this version in the order of their tags. */
  readonly tagged: readonly FieldLayout[];
}

export function layoutOf(schema: MessageSchema, fields: Fields, version: number): StructLayout {
  const flexible = includesVersion(schema.flexible, version);
  const layouts = Object.entries(fields).map(([name, field]) => layoutOfField(name, field, version, flexible));
  const tagged = layouts.filter((layout) => layout.place === 'tagged');
  tagged.sort((left, right) => left.field.tag! - right.field.tag!);
  return { version, flexible, fields: layouts, tagged };
}

function layoutOfField(name: string, field: Field, version: number, flexible: boolean): FieldLayout {
  const present = includesVersion(field.versions, version);
  const tagged = present && flexible && includesVersion(field.tagged, version);
  const place = tagged ? 'tagged' : present ? 'inline' : 'absent';
  const compact = field.flexible === undefined ? flexible : includesVersion(field.flexible, version);
  return { name, field, place, compact, nullable: includesVersion(field.nullable, version) };
}

/** The layout of an array's elements: they are never null. */
export function elementLayout(array: FieldLayout): FieldLayout {
  return { ...array, field: array.field.element!, place: 'inline', nullable: false };
}

const FIXED_BYTES = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  int64: 8,
  wideInt64: 8,
  float64: 8,
  uuid: 16,
} as const;

/** The least bytes that a field takes inline. */
export function leastBytes(schema: MessageSchema, layout: FieldLayout, version: number): number {
  const { kind } = layout.field;
  switch (kind) {
    case 'string':
      return layout.compact ? 1 : 2;
    case 'bytes':
    case 'records':
    case 'array':
      return layout.compact ? 1 : 4;
    case 'struct':
      return layout.nullable ? 1 : leastStructBytes(schema, layoutOf(schema, layout.field.fields!, version));
    default:
      return FIXED_BYTES[kind];
  }
}

function leastStructBytes(schema: MessageSchema, layout: StructLayout): number {
  let total = layout.flexible ? 1 : 0;
  for (const field of layout.fields) {
    if (field.place === 'inline') total += leastBytes(schema, field, layout.version);
  }
  return total;
}
