/** What a client sees of a topic that a whole broker compacts, and of changing how while it runs. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { incrementalAlterConfigs } from '../../src/protocol/apis/incremental-alter-configs.ts';
import { listOffsets } from '../../src/protocol/apis/list-offsets.ts';
import { batchBytes, codecOf, LOG_OVERHEAD } from '../../src/records/batch.ts';
import { buildBatch } from '../../src/records/builder.ts';
import { readRecords } from '../../src/records/reader.ts';
import { fetchFrom, produceTo } from '../support/partition-io.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const TOPIC_RESOURCE = 2;
const SET = 0;
const EARLIEST = -2;
const LATEST = -1;
const KEYS = 50;
/** Enough for some segments, which hold a MiB at least. */
const VALUE_BYTES = 4000;
/** Compaction gives way to whatever else the machine does. */
const PATIENCE_MS = 300_000;

interface Entry {
  readonly offset: number;
  readonly key: string;
  readonly value: string | undefined;
}

/** Every record from `from` on, following offsets as a consumer does. */
async function consume(wire: Wire, topic: string, from = 0): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let offset = from; ; ) {
    const { errorCode, highWatermark, records } = await fetchFrom(wire, { topic }, offset);
    assert.equal(errorCode, 0);
    if (offset >= highWatermark || records.length === 0) return entries;
    for (let at = 0; at + LOG_OVERHEAD <= records.length && at + batchBytes(records, at) <= records.length; ) {
      for (const record of readRecords(records, at)) {
        if (record.offset < offset) continue;
        entries.push({ offset: record.offset, key: String(record.key), value: record.value?.toString().slice(0, 12) });
      }
      offset = Number(records.readBigInt64BE(at)) + records.readInt32BE(at + 23) + 1;
      at += batchBytes(records, at);
    }
  }
}

async function offsetAt(wire: Wire, topic: string, timestamp: number): Promise<number> {
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }];
  const body = await wire.reply(listOffsets, 6, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions }],
  });
  return (body['topics'] as { partitions: { offset: number }[] }[])[0]!.partitions[0]!.offset;
}

/** Appends `count` records over the keys, in lz4 batches of ten. */
async function produceMany(wire: Wire, topic: string, from: number, count: number): Promise<void> {
  for (let number = from; number < from + count; number += 10) {
    const records = Array.from({ length: 10 }, (_, index) => ({
      key: Buffer.from(`k${(number + index) % KEYS}`),
      value: Buffer.from(`${number + index} ${randomBytes(VALUE_BYTES / 2).toString('hex')}`),
      timestamp: Date.now(),
    }));
    const { errorCode } = await produceTo(wire, { topic }, buildBatch({ codec: 3, records }));
    assert.equal(errorCode, 0);
  }
}

/** By the broker's word: to read the topic again and again would keep the broker busy, and compaction from going on. */
async function compactionOf({ lines }: TestBroker): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!lines.some(({ message }) => message === 'Compacted a log')) {
    assert.ok(performance.now() < end, `nothing was compacted: ${JSON.stringify(lines)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function brokerFor(context: TestContext) {
  const broker = await startTestBroker({ config: { 'log.cleaner.backoff.ms': '50' } });
  context.after(() => broker.close());
  const wire = broker.wire();
  context.after(() => wire.close());
  return { broker, wire };
}

test('a topic that becomes compacted keeps the last record of each key, at its offset, for consumers from any offset', async (context) => {
  const { broker, wire } = await brokerFor(context);
  const configs = { 'segment.bytes': '1048576', 'min.cleanable.dirty.ratio': '0.01', 'index.interval.bytes': '1000' };
  await makeTopic(wire, 'states', { configs });
  await produceMany(wire, 'states', 0, 5000);
  assert.equal((await consume(wire, 'states')).length, 5000);
  const alterations = [{ name: 'cleanup.policy', configOperation: SET, value: 'compact' }];
  const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: 'states', configs: alterations }];
  await wire.reply(incrementalAlterConfigs, 1, { resources, validateOnly: false });
  await compactionOf(broker);
  const compacted = await consume(wire, 'states');
  assert.ok(compacted.length < 1000, `${compacted.length} records are left`);
  const last = new Map(compacted.map(({ offset, key }) => [key, offset]));
  assert.deepEqual(
    [...last.values()].sort((left, right) => left - right),
    Array.from({ length: KEYS }, (_, index) => 5000 - KEYS + index),
  );
  for (const { offset, value } of compacted) assert.equal(value?.split(' ')[0], String(offset));
  assert.deepEqual(await consume(wire, 'states', compacted[0]!.offset + 1), compacted.slice(1));
  assert.equal(await offsetAt(wire, 'states', LATEST), 5000);
  assert.equal(await offsetAt(wire, 'states', EARLIEST), 0);
  const { records } = await fetchFrom(wire, { topic: 'states' }, 0);
  assert.equal(codecOf(records.readInt16BE(21)), 3, 'batches stay compressed');
  assert.deepEqual(
    broker.lines.filter(({ level }) => level === 'error'),
    [],
  );
});

test('producing and fetching go on while a topic is compacted', async (context) => {
  const { broker, wire } = await brokerFor(context);
  const configs = { 'cleanup.policy': 'compact', 'segment.bytes': '1048576', 'min.cleanable.dirty.ratio': '0.01' };
  await makeTopic(wire, 'busy', { configs });
  for (let round = 0; round < 10; round++) {
    await produceMany(wire, 'busy', round * 500, 500);
    const entries = await consume(wire, 'busy');
    const seen = new Map(entries.map(({ key, offset }) => [key, offset]));
    assert.equal(seen.size, KEYS);
    assert.equal(Math.min(...seen.values()), (round + 1) * 500 - KEYS, 'every last value is there');
  }
  await compactionOf(broker);
});
