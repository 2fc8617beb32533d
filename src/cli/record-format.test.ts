import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConsumedRecord } from '../client/consumer/fetched-batch.ts';
import { recordFilter } from './record-filter.ts';
import { recordFormatter, TOKENS, unescaped, writtenAs } from './record-format.ts';

const record: ConsumedRecord = {
  topic: 'orders',
  partition: 3,
  offset: 42,
  leaderEpoch: 7,
  timestamp: Date.UTC(2026, 4, 1, 12, 0, 0, 250),
  key: Buffer.from('schlüssel'),
  value: Buffer.from([0xff, 0x00]),
  headers: [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: null },
  ],
};
const tombstone: ConsumedRecord = { ...record, key: null, value: null, headers: [], timestamp: -1 };

function formatted(format: string, of: ConsumedRecord = record, index = 0): string {
  return Buffer.from(recordFormatter(format)(of, index)).toString('latin1');
}

describe('the format of a record', () => {
  it('has a token for everything that it has', () => {
    for (const [format, text] of [
      ['%t[%p]@%o', 'orders[3]@42'],
      ['%K %S %V %H %e', '10 2 2 2 7'],
      ['%k{hex} %v{base64} %s{hex}', '7363686cc3bc7373656c /wA= ff00'],
      ['%v{json} %h', '{"base64":"/wA="} a=1,b='],
      ['%h{json}', '[{"key":"a","value":"1"},{"key":"b","value":null}]'],
      ['%T %T{s} %T{iso}', '1777636800250 1777636800 2026-05-01T12:00:00.250Z'],
      ['%i%%\\n', '10%\n'],
      ['%R', '\0\0\0\u0002'],
      ['\\x1f%o\\0\\t\\r\\\\\\q', '\x1f42\0\t\r\\\\q'],
    ] as const) {
      assert.equal(formatted(format, record, 9), text, format);
    }
  });

  it('shows what is not there as nothing, with a length of -1', () => {
    assert.equal(formatted('%k|%v|%K|%S|%h|%T{iso}', tombstone), '||-1|-1||-');
    assert.equal(formatted('%v{json}', tombstone), 'null');
    assert.equal(formatted('%R', tombstone), '\xff\xff\xff\xff');
  });

  it('keeps bytes as they are', () => {
    assert.equal(formatted('value'), '\xff\0\n');
    assert.equal(formatted('key-value'), `${Buffer.from('schlüssel').toString('latin1')}\t\xff\0\n`);
  });

  it('as JSON loses nothing', () => {
    const [line, bare] = [record, tombstone].map((each) =>
      JSON.parse(Buffer.from(recordFormatter('json')(each, 0)).toString()),
    );
    assert.deepEqual(line, {
      topic: 'orders',
      partition: 3,
      offset: 42,
      timestamp: record.timestamp,
      key: 'schlüssel',
      value: { base64: '/wA=' },
      headers: [
        { key: 'a', value: '1' },
        { key: 'b', value: null },
      ],
    });
    assert.deepEqual([bare.key, bare.value, bare.headers], [null, null, []]);
  });

  it('that nobody knows is refused with what there is', () => {
    for (const [format, why] of [
      ['%q', /%q is not known; allowed: %t %p %o/],
      ['%k{bin}', /%k\{bin\} is not known; allowed: %k %k\{hex\}/],
      ['%v %', /% is not known/],
      ['values', /give value, key-value, json, or a template/],
      ['%%', /template with % tokens/],
      ['%v\\xg', /two hexadecimal digits/],
    ] as const) {
      assert.throws(() => recordFormatter(format), why, format);
    }
  });

  it('takes every token that it tells of', () => {
    for (const [name, token] of Object.entries(TOKENS)) {
      for (const written of writtenAs(name, token)) assert.doesNotThrow(() => formatted(`%v${written}`), written);
    }
  });
});

describe('escapes', () => {
  it('stand for bytes', () => {
    assert.deepEqual([...unescaped('--delimiter', 'a\\n\\xfF\\0é')], [0x61, 0x0a, 0xff, 0, 0xc3, 0xa9]);
  });
});

describe('a filter of records', () => {
  const options = { invertMatch: false };

  it('looks at key and value, at one of them, or at both', () => {
    for (const [given, shown] of [
      [{ grep: 'schl' }, true],
      [{ grep: '^\\xff' }, true],
      [{ grep: 'none' }, false],
      [{ grepKey: 'ü' }, true],
      [{ grepKey: '\\xff' }, false],
      [{ grepValue: '\\xff\\0$' }, true],
      [{ grepKey: 'schl', grepValue: 'none' }, false],
    ] as const) {
      assert.equal(recordFilter({ ...options, ...given })!(record), shown, JSON.stringify(given));
      assert.equal(recordFilter({ ...given, invertMatch: true })!(record), !shown, `not ${JSON.stringify(given)}`);
    }
  });

  it('finds nothing in what is not there, and is none without a pattern', () => {
    assert.equal(recordFilter({ ...options, grep: '' })!(tombstone), false);
    assert.equal(recordFilter(options), undefined);
    assert.throws(() => recordFilter({ ...options, grep: '(' }), /--grep \(/);
  });
});
