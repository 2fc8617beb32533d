import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../../base/random.ts';
import { ZooKeeperError } from './errors.ts';
import { JuteReader, JuteWriter, MalformedJute } from './jute.ts';
import { decodeConnectReply, readEvent, readMulti, readReplyHeader, readStat } from './messages.ts';

test('what is written is read', () => {
  const frame = new JuteWriter()
    .int(-7)
    .long(2 ** 40 + 3)
    .long(-5)
    .bigLong(-1n)
    .bool(true)
    .buffer(Buffer.from('data'))
    .string('täxt')
    .frame();
  assert.equal(frame.readInt32BE(0), frame.length - 4);
  const reader = new JuteReader(frame.subarray(4));
  assert.equal(reader.int(), -7);
  assert.equal(reader.long(), 2 ** 40 + 3);
  assert.equal(reader.long(), -5);
  assert.equal(reader.bigLong(), -1n);
  assert.equal(reader.bool(), true);
  assert.equal(reader.buffer().toString(), 'data');
  assert.equal(reader.string(), 'täxt');
  assert.equal(reader.left, 0);
  const grown = new JuteWriter().buffer(Buffer.alloc(5000, 1)).vector(['a', 'b'], (text) => text.length);
  assert.equal(grown.frame().length, 4 + 4 + 5000 + 4);
});

test('whatever bytes a server sends are read, or refused as malformed', () => {
  const random = seededRandom(7);
  const readers = [
    (reader: JuteReader) => decodeConnectReply(reader),
    (reader: JuteReader) => readReplyHeader(reader),
    (reader: JuteReader) => readStat(reader),
    (reader: JuteReader) => readMulti(reader, String),
    (reader: JuteReader) => readEvent(reader),
    (reader: JuteReader) => reader.vector(() => reader.string()),
  ];
  let refused = 0;
  for (let count = 0; count < 20_000; count++) {
    const bytes = random.bytes(random.below(120));
    // Small numbers, so that lengths now and then fit.
    for (let at = 0; at < bytes.length; at++) if (random.below(3) > 0) bytes[at] = 0;
    try {
      readers[count % readers.length]!(new JuteReader(bytes));
    } catch (error) {
      assert.ok(error instanceof MalformedJute || error instanceof ZooKeeperError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 1000 && refused < 20_000);
});
