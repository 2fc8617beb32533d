import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../base/random.ts';
import { hashKey } from './key-hash.ts';

const MASK = 2n ** 64n - 1n;
const rotate = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & MASK;

/** SipHash-c-d with 128 bits of result, as its paper and reference code define it. */
function sipHash(key: Buffer, data: Buffer, rounds: number, finalRounds: number): string {
  const k0 = key.readBigUInt64LE(0);
  const k1 = key.readBigUInt64LE(8);
  let v0 = k0 ^ 0x736f6d6570736575n;
  let v1 = k1 ^ 0x646f72616e646f6dn ^ 0xeen;
  let v2 = k0 ^ 0x6c7967656e657261n;
  let v3 = k1 ^ 0x7465646279746573n;
  const round = (): void => {
    v0 = (v0 + v1) & MASK;
    v1 = rotate(v1, 13n) ^ v0;
    v0 = rotate(v0, 32n);
    v2 = (v2 + v3) & MASK;
    v3 = rotate(v3, 16n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotate(v3, 21n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotate(v1, 17n) ^ v2;
    v2 = rotate(v2, 32n);
  };
  const padded = Buffer.alloc(Math.floor(data.length / 8) * 8 + 8);
  data.copy(padded);
  padded[padded.length - 1] = data.length & 0xff;
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at);
    v3 ^= word;
    for (let index = 0; index < rounds; index++) round();
    v0 ^= word;
  }
  const out = Buffer.alloc(16);
  v2 ^= 0xeen;
  for (let index = 0; index < finalRounds; index++) round();
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 0);
  v1 ^= 0xddn;
  for (let index = 0; index < finalRounds; index++) round();
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 8);
  return out.toString('hex');
}

test('the oracle of these tests knows the published vectors of SipHash-2-4', () => {
  const key = Buffer.from(Array.from({ length: 16 }, (_, index) => index));
  assert.equal(sipHash(key, Buffer.alloc(0), 2, 4), 'a3817f04ba25a8e66df67214c7550293');
  assert.equal(sipHash(key, Buffer.from([0]), 2, 4), 'da87c1d86b99af44347659119b22fc45');
  assert.equal(sipHash(key, Buffer.from([0, 1]), 2, 4), '8177228da4a45dc7fca38bdef60affe4');
});

test('a key of any length and place hashes as SipHash-1-3 says', () => {
  const random = seededRandom(7);
  for (let length = 0; length < 300; length++) {
    const key = random.bytes(16);
    const bytes = random.bytes(length + 20);
    const from = random.below(20);
    const secret = Uint32Array.from([0, 4, 8, 12], (at) => key.readUInt32LE(at));
    const words = new Uint32Array(4);
    hashKey(secret, bytes, from, length, words);
    const hex = Buffer.from(words.buffer).toString('hex');
    assert.equal(hex, sipHash(key, bytes.subarray(from, from + length), 1, 3), `length ${length}`);
  }
});
