import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../base/errors.ts';
import { fetch } from '../../protocol/apis/fetch.ts';
import { listOffsets } from '../../protocol/apis/list-offsets.ts';
import { buildBatch } from '../../records/builder.ts';
import { CODECS } from '../../records/compression/codecs.ts';
import { Cluster } from '../cluster.ts';
import { ScriptedBroker } from '../scripted-broker.test.support.ts';
import type { ReaderOptions } from './options.ts';
import { PartitionReader } from './reader.ts';

const TOPIC_ID = 'b8tRS7h4TJ2Vt43Dp85v2A';

/** Partitions of batches with three records each, values being offsets, that a scripted broker serves. */
class ScriptedRecords {
  readonly batches: Buffer[][];
  /** First offset that is still there. */
  start = 0;
  /** Code that the next fetch of a partition gets instead of records. */
  refusals: number[] = [];
  largestRequest = 0;

  constructor(broker: ScriptedBroker, partitions: number, batchesEach: number) {
    this.batches = Array.from({ length: partitions }, () => []);
    for (let partition = 0; partition < partitions; partition++) {
      for (let index = 0; index < batchesEach; index++) this.append(partition);
    }
    broker.topics = [{ name: 'orders', topicId: TOPIC_ID, leaders: this.batches.map(() => broker.nodeId) }];
    this.#serveOffsets(broker);
    this.#serveFetches(broker);
  }

  append(partition: number): void {
    const list = this.batches[partition]!;
    const baseOffset = list.length * 3;
    const records = [0, 1, 2].map((delta) => ({
      key: null,
      value: Buffer.from(String(baseOffset + delta)),
      timestamp: 1000 + baseOffset + delta,
    }));
    list.push(buildBatch({ baseOffset, leaderEpoch: 0, codec: list.length % 5, records }));
  }

  end(partition: number): number {
    return this.batches[partition]!.length * 3;
  }

  #serveOffsets(broker: ScriptedBroker): void {
    const offsetAt = (partition: number, timestamp: number): number => {
      if (timestamp === -2) return this.start;
      if (timestamp === -1) return this.end(partition);
      return timestamp - 1000 < this.end(partition) ? Math.max(0, timestamp - 1000) : -1;
    };
    broker.serve(listOffsets, ({ topics }) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => ({
          partitionIndex,
          errorCode: 0,
          timestamp: -1,
          offset: offsetAt(partitionIndex, timestamp),
        })),
      })),
    }));
  }

  #serveFetches(broker: ScriptedBroker): void {
    broker.serve(fetch, async ({ topics, maxWaitMs }) => {
      const responses = topics.map(({ topicId, partitions }) => ({
        topicId,
        topic: 'orders',
        partitions: partitions.map(({ partition, fetchOffset, partitionMaxBytes }) => {
          this.largestRequest = Math.max(this.largestRequest, partitions.length);
          return this.#answer(partition, fetchOffset, partitionMaxBytes);
        }),
      }));
      const empty = responses.every(({ partitions }) => partitions.every(({ records }) => records.length === 0));
      if (empty) await new Promise((resolve) => setTimeout(resolve, Math.min(maxWaitMs, 10)));
      return { errorCode: 0, sessionId: 0, responses };
    });
  }

  #answer(partitionIndex: number, offset: number, maxBytes: number) {
    const highWatermark = this.end(partitionIndex);
    const about = { partitionIndex, highWatermark, preferredReadReplica: -1, abortedTransactions: null };
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return { ...about, errorCode: refusal, records: Buffer.alloc(0) };
    if (offset < this.start || offset > highWatermark) return { ...about, errorCode: 1, records: Buffer.alloc(0) };
    const found: Buffer[] = [];
    let bytes = 0;
    for (const each of this.batches[partitionIndex]!.slice(Math.floor(offset / 3))) {
      if (bytes > 0 && bytes + each.length > maxBytes) break;
      found.push(each);
      bytes += each.length;
    }
    return { ...about, errorCode: 0, records: Buffer.concat(found) };
  }
}

interface Scene {
  readonly broker: ScriptedBroker;
  readonly records: ScriptedRecords;
  readonly open: (options?: Partial<ReaderOptions>) => Promise<PartitionReader>;
}

async function withRecords(partitions: number, batchesEach: number, play: (scene: Scene) => Promise<void>) {
  const broker = await ScriptedBroker.start();
  const records = new ScriptedRecords(broker, partitions, batchesEach);
  const cluster = new Cluster({ bootstrapServers: broker.address, retryBackoffMs: 1, retryBackoffMaxMs: 4 });
  try {
    await play({
      broker,
      records,
      open: (options) => PartitionReader.open(cluster, { partitions: ['orders'], until: 'end', ...options }),
    });
  } finally {
    await cluster.close();
    await broker.stop();
  }
}

async function offsetsOf(reader: PartitionReader, partition = 0): Promise<number[]> {
  const offsets: number[] = [];
  for await (const record of reader) {
    assert.equal(String(record.value), String(record.offset));
    if (record.partition === partition) offsets.push(record.offset);
  }
  return offsets;
}

const range = (from: number, before: number) => Array.from({ length: before - from }, (_, index) => from + index);
const failsWith = (code: string) => (error: unknown) => error instanceof SluiceError && error.code === code;

test('reads everything in order, under every codec, to the end', () =>
  withRecords(1, 20, async ({ open }) => {
    assert.deepEqual(await offsetsOf(await open()), range(0, 60));
  }));

test('reads all partitions of a topic, many in one request', () =>
  withRecords(4, 5, async ({ open, records }) => {
    for (let partition = 0; partition < 4; partition++) {
      assert.deepEqual(await offsetsOf(await open(), partition), range(0, 15));
    }
    assert.equal(records.largestRequest, 4);
  }));

test('begins where it is told to', () =>
  withRecords(1, 10, async ({ open }) => {
    assert.deepEqual(await offsetsOf(await open({ from: { offset: 13 } })), range(13, 30));
    assert.deepEqual(await offsetsOf(await open({ from: { last: 4 } })), range(26, 30));
    assert.deepEqual(await offsetsOf(await open({ from: { last: 99 } })), range(0, 30));
    assert.deepEqual(await offsetsOf(await open({ from: { timestamp: 1020 } })), range(20, 30));
    assert.deepEqual(await offsetsOf(await open({ from: { timestamp: 9999 } })), []);
    assert.deepEqual(await offsetsOf(await open({ from: 'latest' })), []);
    assert.deepEqual(await offsetsOf(await open({ from: ({ partition }) => ({ offset: 28 + partition }) })), [28, 29]);
  }));

test('stops at what was the end when it began', () =>
  withRecords(1, 3, async ({ open, records }) => {
    const reader = await open();
    for (let more = 0; more < 5; more++) records.append(0);
    assert.deepEqual(await offsetsOf(reader), range(0, 9));
  }));

test('waits for records that come later', () =>
  withRecords(1, 1, async ({ open, records }) => {
    const reader = await open({ until: 'forever', from: 'latest' });
    setTimeout(() => records.append(0), 30);
    for await (const record of reader) {
      assert.equal(record.offset, 3);
      break;
    }
  }));

test('goes on after a new leader, a lost connection and a topic id that is not known yet', () =>
  withRecords(1, 30, async ({ open, records, broker }) => {
    records.refusals = [6, 74, 100, 9];
    const reader = await open({ partitionMaxBytes: 200 });
    setTimeout(() => broker.disconnect(), 5);
    assert.deepEqual(await offsetsOf(reader), range(0, 90));
  }));

test('an offset that is not there fails, or leads to an end of the log, as the reader wishes', () =>
  withRecords(1, 10, async ({ open, records }) => {
    records.start = 12;
    const gone = { from: { offset: 2 } };
    await assert.rejects(offsetsOf(await open(gone)), failsWith('OFFSET_OUT_OF_RANGE'));
    assert.deepEqual(await offsetsOf(await open({ ...gone, whenOutOfRange: 'earliest' })), range(12, 30));
    assert.deepEqual(await offsetsOf(await open({ ...gone, whenOutOfRange: 'latest' })), []);
  }));

test('a broken batch ends reading, after the whole ones before it', () =>
  withRecords(1, 5, async ({ open, records }) => {
    const broken = records.batches[0]![3]!;
    broken[broken.length - 1]! ^= 0x40;
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { offset } of await open({ partitionMaxBytes: 1 })) seen.push(offset);
    })();
    await assert.rejects(reading, failsWith('CORRUPT_RECORDS'));
    assert.deepEqual(seen, range(0, 9));
  }));

test('a refusal that trying again does not mend ends reading', () =>
  withRecords(1, 5, async ({ open, records }) => {
    records.refusals = [29];
    await assert.rejects(offsetsOf(await open()), failsWith('TOPIC_AUTHORIZATION_FAILED'));
  }));

test('fetches no further ahead than allowed while nobody reads', () =>
  withRecords(1, 500, async ({ open, broker }) => {
    const reader = await open({ prefetchBytes: 1000, partitionMaxBytes: 300 });
    const batches = reader.batches();
    await batches.next();
    await new Promise((resolve) => setTimeout(resolve, 80));
    assert.ok(broker.count('Fetch') <= 8, `${broker.count('Fetch')} fetches`);
    let count = 1;
    for await (const _ of batches) count++;
    assert.equal(count, 500);
  }));

test('an aborted reader ends with ABORTED, a closed one as if all were read', () =>
  withRecords(1, 1, async ({ open }) => {
    const controller = new AbortController();
    const waiting = offsetsOf(await open({ until: 'forever', signal: controller.signal }));
    setTimeout(() => controller.abort(), 20);
    await assert.rejects(waiting, failsWith('ABORTED'));
    const reader = await open({ until: 'forever' });
    setTimeout(() => void reader.close(), 20);
    assert.deepEqual(await offsetsOf(reader), range(0, 3));
  }));

test('reports how far it is', () =>
  withRecords(1, 4, async ({ open }) => {
    const reader = await open();
    assert.deepEqual(reader.progress(), [{ topic: 'orders', partition: 0, next: 0, highWatermark: -1 }]);
    await offsetsOf(reader);
    assert.deepEqual(reader.progress(), [{ topic: 'orders', partition: 0, next: 12, highWatermark: 12 }]);
  }));

test('tells the codec of a batch', () =>
  withRecords(1, 5, async ({ open }) => {
    const codecs: number[] = [];
    for await (const each of (await open()).batches()) codecs.push(each.codec);
    assert.deepEqual(codecs, Object.values(CODECS));
  }));

test('nothing named is nothing to read', () =>
  withRecords(1, 1, async ({ open }) => {
    await assert.rejects(open({ partitions: [] }), failsWith('NOTHING_TO_READ'));
    await assert.rejects(open({ partitions: ['nowhere'] }), failsWith('UNKNOWN_TOPIC_OR_PARTITION'));
  }));
