import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '../../base/assert.ts';
import { seededRandom } from '../../base/random.ts';
import { KEY_ENTRY_BYTES, KeyMap, NO_KEY } from './key-map.ts';

const secret = Uint32Array.of(1, 2, 3, 4);

test('the map knows the last offset of every key up to its capacity', () => {
  const random = seededRandom(3);
  const map = new KeyMap({ slots: 5000, loadFactor: 0.9, secret });
  const model = new Map<string, number>();
  for (let offset = 0; !map.isFull; offset++) {
    const key = Buffer.from(`key ${random.below(6000)}`);
    map.put(key, 0, key.length, offset);
    model.set(key.toString(), offset);
  }
  assert.equal(map.size, model.size);
  assert.equal(map.capacity, 4500);
  for (let number = 0; number < 6000; number++) {
    const key = Buffer.from(`key ${number}`);
    assert.equal(map.get(key, 0, key.length), model.get(key.toString()) ?? NO_KEY);
  }
});

test('a key is its bytes: an empty one, and a part of a buffer', () => {
  const map = new KeyMap({ slots: 10, loadFactor: 0.9, secret });
  const bytes = Buffer.from('abcabc');
  map.put(bytes, 0, 3, 5);
  map.put(bytes, 0, 0, 6);
  assert.equal(map.get(bytes, 3, 3), 5);
  assert.equal(map.get(bytes, 6, 0), 6);
  assert.equal(map.get(bytes, 1, 3), NO_KEY);
  map.put(bytes, 3, 3, 0);
  assert.equal(map.get(bytes, 0, 3), 0, 'offset 0 is an offset');
  assert.equal(map.size, 2);
});

test('a full map refuses a key', () => {
  const map = new KeyMap({ slots: 4, loadFactor: 0.9, secret });
  const bytes = Buffer.from('abcdef');
  for (let at = 0; !map.isFull; at++) map.put(bytes, at, 1, at);
  assert.throws(() => map.put(bytes, 5, 1, 5), AssertionError);
  assert.ok(KEY_ENTRY_BYTES === 24);
});
