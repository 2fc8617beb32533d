/** Random values of a schema: valid ones, and the bytes of frames that claim as much as they can. */
import type { Random } from '../../src/base/random.ts';
import { ZERO_UUID } from '../../src/base/uuid.ts';
import { defaultOf } from '../../src/protocol/codec/interpret.ts';
import { type Field, type Fields, INT64_MAX, type MessageSchema } from '../../src/protocol/schema.ts';
import { includesVersion } from '../../src/protocol/versions.ts';

const MAX_DEPTH_ELEMENTS = 3;
const TEXTS = ['', 'a', 'orders', 'grüße', '主题', '😀', 'x'.repeat(65), 'é'.repeat(40), 'long '.repeat(60)];
const EDGES: Partial<Record<Field['kind'], readonly number[]>> = {
  int8: [0, 1, -1, -128, 127],
  int16: [0, 1, -1, -32768, 32767],
  uint16: [0, 1, 32768, 65535],
  int32: [0, 1, -1, -2147483648, 2147483647],
  int64: [0, 1, -1, 2 ** 32, -(2 ** 32), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, INT64_MAX],
  float64: [0, 1.5, -1e300, Number.POSITIVE_INFINITY],
};

/** A value in which the fields that `version` has are random and all others have their default. */
export function randomValue(schema: MessageSchema, version: number, random: Random): Record<string, unknown> {
  return randomStruct(schema.fields, version, random);
}

function randomStruct(fields: Fields, version: number, random: Random): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      name,
      includesVersion(field.versions, version) ? randomField(field, version, random) : defaultOf(field),
    ]),
  );
}

function randomField(field: Field, version: number, random: Random): unknown {
  const choice = random.below(8);
  // A tagged field of a version that is not flexible yet travels nowhere; none is declared so.
  if (choice === 0) return defaultOf(field);
  if (choice === 1 && includesVersion(field.nullable, version)) return null;
  switch (field.kind) {
    case 'array':
      return Array.from({ length: random.below(MAX_DEPTH_ELEMENTS + 1) }, () =>
        randomElement(field.element!, version, random),
      );
    case 'struct':
      return randomStruct(field.fields!, version, random);
    default:
      return randomScalar(field, random);
  }
}

function randomElement(element: Field, version: number, random: Random): unknown {
  return element.kind === 'struct' ? randomStruct(element.fields!, version, random) : randomScalar(element, random);
}

function randomScalar(field: Field, random: Random): unknown {
  switch (field.kind) {
    case 'bool':
      return random.below(2) === 1;
    case 'string':
      return TEXTS[random.below(TEXTS.length)];
    case 'bytes':
    case 'records':
      return random.bytes(random.below(4) === 0 ? 3000 : random.below(40));
    case 'wideInt64':
      return random.bytes(8).readBigInt64BE(0);
    case 'uuid':
      return random.below(3) === 0 ? ZERO_UUID : random.bytes(16).toString('base64url');
    default: {
      const edges = EDGES[field.kind]!;
      return random.below(2) === 0 ? edges[random.below(edges.length)] : random.below(100);
    }
  }
}
