import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProperties } from './properties-file.ts';

const values = (text: string): Record<string, string> =>
  Object.fromEntries(parseProperties(text).map(({ name, value }) => [name, value]));

test('names end at the first equals sign, colon or white space', () => {
  assert.deepEqual(values('a=1\nb: 2\nc 3\n  d\t=\t4 \ne'), { a: '1', b: '2', c: '3', d: '4 ', e: '' });
  assert.deepEqual(values('listeners=PLAINTEXT://:9092'), { listeners: 'PLAINTEXT://:9092' });
});

test('comments and empty lines count for nothing, and a later line wins', () => {
  assert.deepEqual(values('# one\n ! two\n\na=1\na=2'), { a: '2' });
});

test('a line that ends in an odd number of backslashes goes on in the next', () => {
  assert.deepEqual(values('a=x,\\\n   y\\\n  z\nb=c\\\\\nd=e'), { a: 'x,yz', b: 'c\\', d: 'e' });
  assert.deepEqual(values('a=x\\'), { a: 'x' });
});

test('escapes stand for characters, in names too', () => {
  assert.deepEqual(values('a\\ b=1\nc\\=d=2\ne=\\u00e9\\t\\q'), { 'a b': '1', 'c=d': '2', e: 'é\tq' });
});

test('each property knows the line on which it begins', () => {
  assert.deepEqual(
    parseProperties('\r\na=1\\\r\n2\r\nb=3').map(({ name, line }) => [name, line]),
    [
      ['a', 2],
      ['b', 4],
    ],
  );
});

test('any text is read without an error, and ends', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('\\', '=', ' ', '\n', 'a', 'u', '#', ':') }), (text) => {
      for (const { name, value } of parseProperties(text))
        assert.ok(typeof name === 'string' && typeof value === 'string');
    }),
  );
});
