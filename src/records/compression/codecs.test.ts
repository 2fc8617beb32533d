import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { seededRandom } from '../../base/random.ts';
import { CorruptRecords } from '../corrupt-records.ts';
import { CODECS, type CodecName, codecName, compress, decompress } from './codecs.ts';

const COMPRESSED = ['gzip', 'snappy', 'lz4', 'zstd'] as const satisfies readonly CodecName[];
const SENTENCE = Buffer.from(`${'sluice '.repeat(12)}end`);
const ALPHABET = Buffer.alloc(144_000, '0123456789abcdef');
const LIMIT = 1024 * 1024;

/** Blocks that other programs wrote: python's lz4 4.4, zstandard 0.25, python-snappy 0.7 and gzip. */
const FOREIGN: readonly [name: string, codec: CodecName, hex: string, content: Buffer][] = [
  [
    'an LZ4 frame of linked blocks with a content checksum',
    'lz4',
    `04224d184c408032020000000000261b010000ff01303132333435363738396162636465661000${'ff'.repeat(256)}d8506263646566` +
      `0a0100000f1000${'ff'.repeat(256)}e85062636465663c0000000f1000${'ff'.repeat(50)}9a506263646566000000003a2471f4`,
    ALPHABET,
  ],
  [
    'an LZ4 frame with block checksums and a content size',
    'lz4',
    `04224d1878508032020000000000ee4f020000ff01303132333435363738396162636465661000${'ff'.repeat(564)}` +
      '8c506263646566fae69f0100000000',
    ALPHABET,
  ],
  [
    'an LZ4 frame of one block of up to 4 MiB',
    'lz4',
    `04224d186050fb4f020000ff01303132333435363738396162636465661000${'ff'.repeat(564)}8c50626364656600000000`,
    ALPHABET,
  ],
  [
    'two LZ4 frames',
    'lz4',
    '04224d18684057000000000000007f110000007f736c7569636520070038506520656e6400000000'.repeat(2),
    Buffer.concat([SENTENCE, SENTENCE]),
  ],
  [
    'a zstd frame with a content size and a checksum',
    'zstd',
    '28b52ffda480320200c4000080303132333435363738396162636465660100daff279f4b450000083001007c92074267a9ec7e',
    ALPHABET,
  ],
  [
    'a zstd frame without a content size',
    'zstd',
    '28b52ffd0058c4000080303132333435363738396162636465660100daff279f4b450000083001007c920742',
    ALPHABET,
  ],
  [
    'a zstd frame that was flushed midway',
    'zstd',
    '28b52ffd006874000040736c7569636520730100c20b175500002065656e640100984008',
    SENTENCE,
  ],
  [
    'two zstd frames',
    'zstd',
    '28b52ffd20578d000050736c7569636520656e6401002ab41801'.repeat(2),
    Buffer.concat([SENTENCE, SENTENCE]),
  ],
  [
    'a zstd frame behind one to be skipped',
    'zstd',
    '502a4d1803000000aabbcc28b52ffd20578d000050736c7569636520656e6401002ab41801',
    SENTENCE,
  ],
  ['a raw snappy block', 'snappy', '5718736c7569636520fe070032070008656e64', SENTENCE],
  [
    'two snappy streams of the Java library',
    'snappy',
    '82534e41505059000000000100000001000000135718736c7569636520fe070032070008656e64'.repeat(2),
    Buffer.concat([SENTENCE, SENTENCE]),
  ],
  [
    'two gzip members',
    'gzip',
    '1f8b08000000000002032bce29cd4c4e5528269e0200f9a2cff132000000' +
      '1f8b0800000000000203cb29cd4c4e5528cec14da5e6a50000434cc83325000000',
    SENTENCE,
  ],
];

for (const [name, codec, hex, content] of FOREIGN) {
  test(`reads ${name}`, () => {
    const bytes = Buffer.from(hex, 'hex');
    assert.ok(decompress(CODECS[codec], bytes, LIMIT).equals(content));
  });

  test(`stops at the limit in ${name}`, () => {
    const bytes = Buffer.from(hex, 'hex');
    assert.throws(() => decompress(CODECS[codec], bytes, content.length - 1), CorruptRecords);
  });
}

for (const name of COMPRESSED) {
  const codec = CODECS[name];

  test(`${name} gives back what went in, whatever it was`, () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    for (const length of [0, 1, 31, 32_767, 32_768, 32_769, 65_536, 65_537, 300_000]) {
      const noise = random.bytes(length);
      const text = Buffer.alloc(length, 'a line of text that repeats itself, and again, ');
      for (const content of [noise, text]) {
        const back = decompress(codec, compress(codec, content), Math.max(1, length));
        assert.ok(back.equals(content), `${length} bytes, seed ${seed}`);
      }
    }
  });

  test(`${name} refuses a block that unfolds into a thousand times its size, without unfolding it`, () => {
    const bomb = compress(codec, Buffer.alloc(64 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    assert.throws(() => decompress(codec, bomb, LIMIT), CorruptRecords);
    assert.ok(process.memoryUsage().rss - before < 48 * 1024 * 1024);
  });

  test(`${name} refuses broken bytes and nothing else happens`, () => {
    const valid = compress(codec, Buffer.concat([SENTENCE, ALPHABET, SENTENCE]));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(valid.length),
        fc.boolean(),
        (changes, cut, cuts) => {
          const bytes = Buffer.from(cuts ? valid.subarray(0, cut) : valid);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          try {
            assert.ok(decompress(codec, bytes, LIMIT).length <= LIMIT);
          } catch (error) {
            assert.ok(error instanceof CorruptRecords, String(error));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test(`${name} refuses arbitrary bytes`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (content) => {
        try {
          assert.ok(decompress(codec, Buffer.from(content), LIMIT).length <= LIMIT);
        } catch (error) {
          assert.ok(error instanceof CorruptRecords, String(error));
        }
      }),
    );
  });

  test(`${name} refuses every cut of a block`, () => {
    const valid = compress(codec, SENTENCE);
    for (let length = 0; length < valid.length; length++) {
      let content: Buffer | undefined;
      try {
        content = decompress(codec, valid.subarray(0, length), LIMIT);
      } catch (error) {
        assert.ok(error instanceof CorruptRecords, String(error));
      }
      // The Java framing ends wherever a block ends.
      if (content !== undefined) assert.deepEqual([name, content.length], ['snappy', 0]);
    }
  });
}

test('gzip and zstd honour a level', () => {
  const random = seededRandom(7);
  const words = Array.from({ length: 400 }, () => random.bytes(2 + random.below(6)).toString('hex'));
  const content = Buffer.from(Array.from({ length: 20_000 }, () => words[random.below(400)]).join(' '));
  for (const [codec, best] of [
    [CODECS.gzip, 9],
    [CODECS.zstd, 19],
  ] as const) {
    const small = compress(codec, content, best);
    assert.ok(small.length < compress(codec, content, 1).length);
    assert.ok(decompress(codec, small, LIMIT).equals(content));
  }
});

test('snappy refuses a size that the block cannot hold', () => {
  // 16 MiB claimed by seven bytes.
  const block = Buffer.from('80808008020000', 'hex');
  assert.throws(() => decompress(CODECS.snappy, block, 1024 * LIMIT), /impossible size/);
});

test('LZ4 frames that are written have independent blocks of 64 KiB and no content size', () => {
  const frame = compress(CODECS.lz4, ALPHABET);
  assert.equal(frame.subarray(0, 7).toString('hex'), '04224d18604082');
});

test('gzip stops at the limit across members', () => {
  const member = gzipSync(Buffer.alloc(LIMIT / 2 + 1));
  assert.throws(() => decompress(CODECS.gzip, Buffer.concat([member, member]), LIMIT), CorruptRecords);
});

test('a codec number that Kafka does not know is refused', () => {
  assert.throws(() => decompress(5, SENTENCE, LIMIT), CorruptRecords);
  assert.throws(() => compress(7, SENTENCE), CorruptRecords);
  assert.equal(codecName(5), 'unknown codec 5');
  assert.equal(codecName(4), 'zstd');
});
