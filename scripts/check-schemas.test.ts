import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, INT64_MAX, int32, int64, type MessageSchema, message, string } from '../src/protocol/schema.ts';
import { type Comparison, compareMessages, faultsOf } from './check-schemas.ts';
import { declarationOf } from './declare-api.ts';
import { type MessageFile, plainDefinition, plainSchema } from './schema-definitions.ts';

const kafka: MessageFile = {
  apiKey: 5,
  type: 'request',
  name: 'SampleRequest',
  validVersions: '0-3',
  flexibleVersions: '2+',
  fields: [
    { name: 'Name', type: 'string', versions: '0+', nullableVersions: '2+', default: 'null', ignorable: true },
    { name: 'Limit', type: 'int64', versions: '1+', default: '9223372036854775807' },
    {
      name: 'Parts',
      type: '[]Part',
      versions: '0+',
      fields: [
        { name: 'Index', type: 'int32', versions: '0+', default: '-1' },
        { name: 'Host', type: 'string', taggedVersions: '2+', versions: '2+', tag: 0 },
      ],
    },
  ],
};

const good = {
  name: string('0+', { nullable: '2+', default: null, ignorable: true }),
  limit: int64('1+', { default: INT64_MAX }),
  parts: array('0+', { index: int32('0+', { default: -1 }), host: string('2+', { tag: 0 }) }),
};

function differences(schema: MessageSchema, key = 5): string[] {
  const result: Comparison = { differences: [], messages: 0, versions: 0, fields: 0 };
  compareMessages(plainSchema(schema, key), plainDefinition(kafka), result);
  return result.differences;
}

test('a schema that says what Kafka says has no difference', () => {
  assert.deepEqual(differences(message('SampleRequest', '0-3', '2+', good)), []);
});

test('every aspect of a field that differs is found', () => {
  const { name, limit, parts } = good;
  const planted: [string, MessageSchema, number?][] = [
    ['key', message('SampleRequest', '0-3', '2+', good), 6],
    ['versions', message('SampleRequest', '0-4', '2+', good)],
    ['flexible in version 2', message('SampleRequest', '0-3', '3+', good)],
    ['limit: missing', message('SampleRequest', '0-3', '2+', { name, parts })],
    ['extra: unknown', message('SampleRequest', '0-3', '2+', { ...good, extra: int32('0+') })],
    ['order in version 1', message('SampleRequest', '0-3', '2+', { limit, name, parts })],
    ['limit: kind', message('SampleRequest', '0-3', '2+', { ...good, limit: int32('1+', { default: INT64_MAX }) })],
    ['limit: versions', message('SampleRequest', '0-3', '2+', { ...good, limit: int64('2+', { default: INT64_MAX }) })],
    ['limit: default', message('SampleRequest', '0-3', '2+', { ...good, limit: int64('1+') })],
    [
      'name: nullable',
      message('SampleRequest', '0-3', '2+', {
        ...good,
        name: string('0+', { nullable: '1+', default: null, ignorable: true }),
      }),
    ],
    [
      'name: ignorable',
      message('SampleRequest', '0-3', '2+', { ...good, name: string('0+', { nullable: '2+', default: null }) }),
    ],
    [
      'parts.host: tagged',
      message('SampleRequest', '0-3', '2+', {
        ...good,
        parts: array('0+', { index: int32('0+', { default: -1 }), host: string('2+') }),
      }),
    ],
    [
      'parts.host: tag',
      message('SampleRequest', '0-3', '2+', {
        ...good,
        parts: array('0+', { index: int32('0+', { default: -1 }), host: string('2+', { tag: 1 }) }),
      }),
    ],
    ['parts: kind', message('SampleRequest', '0-3', '2+', { ...good, parts: array('0+', int32('0+')) })],
  ];
  for (const [what, schema, key] of planted) {
    const found = differences(schema, key);
    assert.ok(
      found.some((difference) => difference.includes(what)),
      `${what}: ${found.join('; ')}`,
    );
  }
});

test('a meant difference is no fault while it is there, and is one once it is gone', () => {
  assert.deepEqual(faultsOf(['a: b'], { 'a: b': 'why' }), []);
  assert.deepEqual(faultsOf([], { 'a: b': 'why' }), ['no longer a difference: a: b']);
  assert.deepEqual(faultsOf(['c: d'], {}), ['c: d']);
});

test('the declaration of an API is written as one would write it', () => {
  const response: MessageFile = { ...kafka, type: 'response', name: 'SampleResponse', fields: [] };
  const text = declarationOf('Sample', new Map([kafka, response].map((file) => [file.name, file])));
  assert.ok(text?.includes("name: string('0+', { nullable: '2+', default: null, ignorable: true }),"), text);
  assert.ok(text?.includes("limit: int64('1+', { default: INT64_MAX }),"), text);
  assert.ok(text?.includes("host: string('2+', { tag: 0 }),"), text);
  assert.ok(text?.includes("export const sample = api({ key: 5, name: 'Sample', request, response });"), text);
});
