/** Record batches that are wrong, too large, or grow when they are looked into; names that cannot be. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTopics } from '../../src/protocol/apis/create-topics.ts';
import { listOffsets } from '../../src/protocol/apis/list-offsets.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import { BATCH_HEADER_BYTES } from '../../src/records/batch.ts';
import { CODECS, compress } from '../../src/records/compression/codecs.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { batchOf, fetchFrom, produceTo, readAll } from '../support/partition-io.ts';
import { answers, makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

let broker: TestBroker;
let wire: Wire;

before(async () => {
  broker = await startTestBroker();
  wire = broker.wire();
});

after(async () => {
  wire.close();
  await broker.close();
});

/** A batch of `codec` around any bytes in place of records. */
function batchAround(block: Buffer, codec: number): Buffer {
  const header = batchOf(['x']).subarray(0, BATCH_HEADER_BYTES);
  const bytes = Buffer.concat([header, block]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt16BE(codec, 21);
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17);
  return bytes;
}

test('a decompression bomb is refused where a topic asks for a look into its records, and costs a bounded heap', async () => {
  await makeTopic(wire, 'bomb-compact', { configs: { 'cleanup.policy': 'compact' } });
  await makeTopic(wire, 'bomb-codec', { configs: { 'compression.type': 'lz4' } });
  const zeros = Buffer.alloc(512 * 2 ** 20);
  const bombs = [
    batchAround(compress(CODECS.zstd, zeros), CODECS.zstd),
    batchAround(compress(CODECS.gzip, zeros), CODECS.gzip),
  ];
  const before = process.memoryUsage().rss;
  for (const topic of ['bomb-compact', 'bomb-codec']) {
    for (const bomb of bombs) {
      assert.ok(bomb.length < 1_000_000, `a small request: ${bomb.length} bytes`);
      const startedAt = performance.now();
      const { errorCode } = await produceTo(wire, { topic }, bomb);
      assert.equal(errorCode, ErrorCode.INVALID_RECORD);
      assert.ok(performance.now() - startedAt < 3000, 'refused within seconds');
    }
    assert.equal((await fetchFrom(wire, { topic }, 0)).highWatermark, 0, 'nothing was written');
  }
  const growth = process.memoryUsage().rss - before;
  assert.ok(growth < 300 * 2 ** 20, `grew by ${Math.round(growth / 2 ** 20)} MiB`);
  assert.ok(await answers(wire));
});

test('records that nobody can read fail the question for their timestamp and nothing else', async () => {
  await makeTopic(wire, 'unreadable');
  const target = { topic: 'unreadable' };
  await produceTo(wire, target, batchOf(['a']));
  const garbage = batchAround(Buffer.from('no gzip at all'), CODECS.gzip);
  assert.equal((await produceTo(wire, target, garbage)).errorCode, ErrorCode.NONE, 'its checksum is right');
  await produceTo(wire, target, batchOf(['c']));
  for (const timestamp of [-3, Date.now() - 500, Date.now() + 60_000]) {
    const partitions = [{ partitionIndex: 0, timestamp }];
    const answer = await wire.ask(listOffsets, 7, { replicaId: -1, topics: [{ name: 'unreadable', partitions }] });
    assert.equal(answer.kind, 'reply', `timestamp ${timestamp}`);
  }
  const { errorCode, highWatermark } = await fetchFrom(wire, target, 1);
  assert.deepEqual({ errorCode, highWatermark }, { errorCode: 0, highWatermark: 3 });
});

test('records above the limits of topic and segment are refused and leave nothing', async () => {
  await makeTopic(wire, 'small', { configs: { 'max.message.bytes': '1000' } });
  await makeTopic(wire, 'segment', { configs: { 'segment.bytes': '1048576', 'max.message.bytes': '3000000' } });
  const large = (bytes: number): Buffer => batchOf(['x'.repeat(bytes)]);
  assert.equal((await produceTo(wire, { topic: 'small' }, large(1000))).errorCode, ErrorCode.MESSAGE_TOO_LARGE);
  assert.equal(
    (await produceTo(wire, { topic: 'segment' }, large(1_100_000))).errorCode,
    ErrorCode.RECORD_LIST_TOO_LARGE,
  );
  assert.equal((await produceTo(wire, { topic: 'small' }, large(100))).baseOffset, 0);
  assert.deepEqual(await readAll(wire, { topic: 'segment' }), []);
});

test('names that would leave the data directory or collide in it make no topic', async () => {
  const names = ['../up', '..', '.', 'a/b', 'a\\b', 'a\0b', '', 'x'.repeat(250), '__cluster_metadata', 'a b', 'ä'];
  for (const name of names) {
    const topics = [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
    const { topics: results } = await wire.reply(createTopics, 7, { topics, timeoutMs: 1000 });
    const [{ errorCode }] = results as [{ errorCode: number }];
    assert.ok(
      [ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.INVALID_REQUEST].includes(errorCode as 17 | 42),
      JSON.stringify(name),
    );
  }
  await makeTopic(wire, 'with.dots');
  await assert.rejects(makeTopic(wire, 'with_dots'), /collides/);
});
