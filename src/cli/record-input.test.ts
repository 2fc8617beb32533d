import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type InputOptions, type InputRecord, recordInput } from './record-input.ts';

function read(options: InputOptions, piece: string | Buffer): Record<string, unknown> {
  return textOf(recordInput(options).read(Buffer.from(piece)));
}

function textOf({ key, value, ...rest }: InputRecord): Record<string, unknown> {
  return { ...(key === undefined ? {} : { key: key?.toString() ?? null }), value: value?.toString() ?? null, ...rest };
}

describe('input', () => {
  it('is a value, or a key and a value', () => {
    assert.deepEqual(read({}, 'a:b'), { value: 'a:b' });
    assert.deepEqual(read({ keySeparator: ':' }, 'a:b:c'), { key: 'a', value: 'b:c' });
    assert.deepEqual(read({ keySeparator: '\\t' }, 'a\tb'), { key: 'a', value: 'b' });
    assert.throws(() => read({ keySeparator: ':' }, 'ab'), /a line has no ":": ab/);
  });

  it('is what a template says', () => {
    const format = '%t/%p %T [%k]=%v;\\n';
    assert.equal(recordInput({ format }).delimiter.toString(), ';\n');
    assert.deepEqual(read({ format }, 'orders/2 1777636800000 [a]=b=c'), {
      topic: 'orders',
      partition: 2,
      timestamp: 1_777_636_800_000,
      key: 'a',
      value: 'b=c',
    });
    assert.deepEqual(read({ format: '%v' }, 'x'), { key: null, value: 'x' });
    assert.equal(recordInput({ format: '%v', delimiter: '\\0' }).delimiter.toString(), '\0');
    assert.throws(() => read({ format: '%k=%v' }, 'ab'), /a record is not as --format %k=%v says: ab/);
    assert.throws(() => read({ format: '%p %v' }, 'x y'), /%p: "x" is no partition/);
  });

  it('may be what consume prints as JSON', () => {
    const line = {
      topic: 'orders',
      partition: 1,
      offset: 9,
      timestamp: 5,
      key: { base64: '/wA=' },
      value: null,
      headers: [{ key: 'h', value: 'x' }],
    };
    const record = recordInput({ format: 'json' }).read(Buffer.from(JSON.stringify(line)));
    assert.deepEqual(record, {
      topic: 'orders',
      partition: 1,
      timestamp: 5,
      key: Buffer.from([0xff, 0]),
      value: null,
      headers: [{ key: 'h', value: Buffer.from('x') }],
    });
    assert.deepEqual(read({ format: 'json' }, '{"value":{"a":[1]}}'), { key: null, value: '{"a":[1]}' });
    for (const bad of ['', '[]', '{}', '"x"', '{"value":1', '{"value":"x","headers":[{}]}']) {
      assert.throws(() => read({ format: 'json' }, bad), { code: 'BAD_INPUT' }, bad);
    }
  });

  it('that cannot be told apart is refused before anything is sent', () => {
    for (const [options, why] of [
      [{ format: '%k%v' }, /text between/],
      [{ format: '%k' }, /template with %v/],
      [{ format: '%k=%v %q' }, /%q is not known; allowed: %k %v/],
      [{ format: '%v', keySeparator: ':' }, /one of --format and --key-separator/],
      [{ keySeparator: '' }, /at least one character/],
      [{ delimiter: '' }, /at least one character/],
    ] as const) {
      assert.throws(() => recordInput(options), why);
    }
  });
});
