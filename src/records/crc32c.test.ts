import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/random.ts';
import { crc32c, tableCrc32c } from './crc32c.ts';

test('gives the check value of CRC-32C and the vectors of RFC 3720', () => {
  const vectors: [Buffer, number][] = [
    [Buffer.from('123456789'), 0xe3069283],
    [Buffer.alloc(0), 0],
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    [Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
  ];
  for (const [bytes, expected] of vectors) assert.equal(crc32c(bytes, 0, bytes.length), expected);
});

test('the tables and the native routine agree at every length and place', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seededRandom(seed);
  const bytes = random.bytes(2048);
  for (let length = 0; length <= 1024; length++) {
    const from = random.below(1024);
    assert.equal(crc32c(bytes, from, from + length), tableCrc32c(bytes, from, from + length), `seed ${seed}`);
  }
});
