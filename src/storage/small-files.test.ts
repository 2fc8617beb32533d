import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { disk } from '../base/disk.ts';
import { encodeOffsets, readOffsets } from './checkpoint-file.ts';
import { takeCleanShutdown, writeCleanShutdown } from './clean-shutdown.ts';
import { withDirectory } from './log.test.support.ts';
import { asideDirectoryName, offsetFileName, offsetOfFileName, parsePartitionDirectory } from './log-files.ts';
import { encodeMetaProperties, readMetaProperties } from './meta-properties.ts';
import { encodePartitionMetadata, readPartitionMetadata } from './partition-metadata.ts';
import { ProducerEntry } from './producer-entry.ts';
import { decodeSnapshot, encodeSnapshot } from './producer-snapshot.ts';

test('file names carry the offset in 20 digits', () => {
  assert.equal(offsetFileName(42, '.log'), '00000000000000000042.log');
  assert.equal(offsetFileName(Number.MAX_SAFE_INTEGER, '.index'), '00009007199254740991.index');
  assert.equal(offsetOfFileName('00000000000000000042.log', '.log'), 42);
  assert.equal(offsetOfFileName('leader-epoch-checkpoint', '.log'), undefined);
  assert.equal(offsetOfFileName('00000000000000000042.log.deleted', '.log'), undefined);
});

test('directory names tell the partition and whether it is set aside', () => {
  assert.deepEqual(parsePartitionDirectory('my-topic-12'), {
    kind: 'live',
    partition: { topic: 'my-topic', partition: 12 },
    id: undefined,
  });
  assert.deepEqual(parsePartitionDirectory('my.topic-0.0123456789abcdef-delete'), {
    kind: 'deleted',
    partition: { topic: 'my.topic', partition: 0 },
    id: '0123456789abcdef',
  });
  assert.equal(parsePartitionDirectory('my.topic-0.0123-stray')?.kind, 'stray');
  assert.equal(parsePartitionDirectory('t-1.0123-future')?.kind, 'future');
  assert.equal(parsePartitionDirectory('lost+found'), undefined);
  assert.equal(parsePartitionDirectory('x-delete'), undefined);
});

test('the name of a deleted directory stays within 255 characters for the longest topic', () => {
  const id = 'f'.repeat(32);
  assert.equal(asideDirectoryName({ topic: 't', partition: 3 }, { kind: 'deleted', id }), `t-3.${id}-delete`);
  const long = asideDirectoryName({ topic: 'x'.repeat(249), partition: 99_999 }, { kind: 'deleted', id });
  assert.equal(long.length, 255);
  assert.ok(long.endsWith(`-99999.${id}-delete`));
  assert.equal(parsePartitionDirectory(long)?.kind, 'deleted');
});

test('a checkpoint is version, count and one line an entry', async () => {
  await withDirectory(async (directory) => {
    mkdirSync(directory);
    const path = `${directory}/checkpoint`;
    const entries = [
      { topic: 'a', partition: 0, offset: 17 },
      { topic: 'b-c', partition: 12, offset: 9_007_199_254_740_991 },
    ];
    const content = encodeOffsets(entries);
    assert.equal(content.toString(), '0\n2\na 0 17\nb-c 12 9007199254740991\n');
    assert.deepEqual(readOffsets(path, disk), [], 'an absent file has no entries');
    writeFileSync(path, content);
    assert.deepEqual(readOffsets(path, disk), entries);
    for (const broken of ['1\n0\n', '0\n2\na 0 1\n', '0\n1\na 0\n', 'x', '0\n1\na 0 -1\n']) {
      writeFileSync(path, broken);
      assert.throws(() => readOffsets(path, disk), { code: 'CORRUPT_CHECKPOINT' }, JSON.stringify(broken));
    }
  });
});

test('partition.metadata has the bytes that Kafka writes and is refused where it names no topic', async () => {
  await withDirectory(async (directory) => {
    mkdirSync(directory);
    const id = 'ckhF3xLEQsqTd6aJf9KTaQ';
    assert.equal(encodePartitionMetadata(id).toString(), `version: 0\ntopic_id: ${id}`);
    assert.equal(readPartitionMetadata(directory, disk), undefined);
    writeFileSync(`${directory}/partition.metadata`, encodePartitionMetadata(id));
    assert.equal(readPartitionMetadata(directory, disk), id);
    writeFileSync(`${directory}/partition.metadata`, 'version: 0\n');
    assert.throws(() => readPartitionMetadata(directory, disk), { code: 'CORRUPT_PARTITION_METADATA' });
  });
});

test('meta.properties survives a round trip and reads what Kafka wrote in both versions', async () => {
  await withDirectory(async (directory) => {
    mkdirSync(directory);
    const properties = { clusterId: 'a:b=c', nodeId: 7, directoryId: 'wJUNsFiBQZaT2Gzs0cUVjA' };
    const path = `${directory}/meta.properties`;
    assert.equal(readMetaProperties(directory, disk), undefined);
    writeFileSync(path, encodeMetaProperties(properties));
    assert.deepEqual(readMetaProperties(directory, disk), properties);
    const kafka =
      '#\n#Thu Jan 01 00:00:00 UTC 2026\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\ndirectory.id=wJUNsFiBQZaT2Gzs0cUVjA\n';
    writeFileSync(path, `${kafka}node.id=1\nversion=1\n`);
    assert.equal(readMetaProperties(directory, disk)?.nodeId, 1);
    writeFileSync(path, `${kafka}broker.id=5\nversion=0\n`);
    assert.equal(readMetaProperties(directory, disk)?.nodeId, 5);
    for (const broken of [`${kafka}version=1\n`, `${kafka}version=2\nnode.id=1\n`, `${kafka}version=1\nnode.id=x\n`]) {
      writeFileSync(path, broken);
      assert.throws(() => readMetaProperties(directory, disk), { code: 'CORRUPT_META_PROPERTIES' });
    }
  });
});

test("the clean-shutdown marker is Kafka's JSON and is gone once it was looked at", async () => {
  await withDirectory(async (directory) => {
    mkdirSync(directory);
    assert.equal(takeCleanShutdown(directory, disk), undefined);
    writeCleanShutdown(directory, -1, disk);
    assert.equal(readFileSync(`${directory}/.kafka_cleanshutdown`, 'utf8'), '{"version":0,"brokerEpoch":-1}');
    assert.equal(takeCleanShutdown(directory, disk), -1);
    assert.equal(takeCleanShutdown(directory, disk), undefined);
    writeCleanShutdown(directory, 81, disk);
    assert.equal(takeCleanShutdown(directory, disk), 81);
    writeFileSync(`${directory}/.kafka_cleanshutdown`, '');
    assert.equal(takeCleanShutdown(directory, disk), -1, 'older versions wrote an empty file');
  });
});

test('a producer snapshot has the layout that Kafka writes', () => {
  const entry = new ProducerEntry(4);
  entry.epoch = 2;
  entry.coordinatorEpoch = 6;
  entry.transactionStart = 19;
  entry.remember(9, 23, 4, 0x0123456789a);
  const bytes = encodeSnapshot(new Map([[4, entry]]));
  const body =
    '00000001' +
    '0000000000000004' +
    '0002' +
    '00000009' +
    '0000000000000017' +
    '00000004' +
    '000000123456789a' +
    '00000006' +
    '0000000000000013';
  assert.equal(bytes.toString('hex', 0, 2), '0001');
  assert.equal(bytes.toString('hex', 6), body);
  const [decoded] = decodeSnapshot(bytes) ?? [];
  assert.deepEqual(decoded, entry);
  assert.equal(encodeSnapshot(new Map()).length, 10);
  assert.deepEqual(decodeSnapshot(encodeSnapshot(new Map())), []);
});

test('a snapshot with any flipped bit or missing byte is not taken', () => {
  const entry = new ProducerEntry(4);
  entry.epoch = 0;
  entry.remember(9, 23, 4, 1000);
  const bytes = encodeSnapshot(new Map([[4, entry]]));
  for (let at = 0; at < bytes.length; at++) {
    const broken = Buffer.from(bytes);
    broken[at]! ^= 1 << (at % 8);
    assert.equal(decodeSnapshot(broken), undefined, `byte ${at}`);
    assert.equal(decodeSnapshot(bytes.subarray(0, at)), undefined, `${at} bytes`);
  }
});
