/** What consumers get of a partition whose files were damaged, and that everything else is served as if nothing were. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { listOffsets } from '../../src/protocol/apis/list-offsets.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import * as batch from '../../src/records/batch.ts';
import { matchesChecksum } from '../../src/records/bounds.ts';
import { batchOf, fetchFrom, produceTo, readAll, valuesIn } from '../support/partition-io.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const TOPIC = 'damaged';
const RECORDS = 40;
const SEGMENT_BYTES = 1000;
const CONFIGS = { 'internal.segment.bytes': String(SEGMENT_BYTES), 'index.interval.bytes': '1' };
const FIRST_TIMESTAMP = 1_700_000_000_000;
const NAME_DIGITS = 20;
const ATTEMPTS = 20;

const recordValue = (offset: number): string => `${offset} ${'x'.repeat(150)}`;
const valuesFrom = (first: number, end = RECORDS): string[] =>
  Array.from({ length: end - first }, (_, index) => recordValue(first + index));

interface SegmentFile {
  readonly path: string;
  /** Of its first record, and after its last. */
  readonly from: number;
  readonly to: number;
}

/** Base offsets of the partition's segments, and where they lie. */
function segmentsOf(dataDirectory: string): SegmentFile[] {
  const directory = join(dataDirectory, `${TOPIC}-0`);
  const names = readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .sort();
  const bases = names.map((name) => Number.parseInt(name.slice(0, NAME_DIGITS), 10));
  return names.map((name, index) => ({
    path: join(directory, name),
    from: bases[index]!,
    to: bases[index + 1] ?? RECORDS,
  }));
}

/** Changes bytes of the batch of one record. */
function damageBatch({ path, from }: SegmentFile, offset: number, damage: (bytes: Buffer, at: number) => void): void {
  const bytes = readFileSync(path);
  let at = 0;
  for (let each = from; each < offset; each++) at += batch.batchBytes(bytes, at);
  damage(bytes, at);
  writeFileSync(path, bytes);
}

/** The brokers that the tests' ends stop, by directory. */
const running = new Map<string, TestBroker>();

/** Two partitions with a record a batch and a few of them a segment, written by a broker that stopped cleanly. */
async function stoppedBroker(context: TestContext): Promise<string> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'sluice-damaged-'));
  context.after(async () => {
    await running.get(dataDirectory)?.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  });
  const broker = await startTestBroker({ dataDirectory });
  const wire = broker.wire();
  await makeTopic(wire, TOPIC, { partitions: 2, configs: CONFIGS });
  for (const partition of [0, 1]) {
    for (let offset = 0; offset < RECORDS; offset++) {
      const records = [{ key: null, value: Buffer.from(recordValue(offset)), timestamp: FIRST_TIMESTAMP + offset }];
      const { errorCode } = await produceTo(wire, { topic: TOPIC, partition }, batchOf([], { records }));
      assert.equal(errorCode, 0);
    }
  }
  wire.close();
  await broker.close();
  return dataDirectory;
}

async function started(context: TestContext, dataDirectory: string) {
  const broker = await startTestBroker({ dataDirectory, config: { 'log.retention.ms': '-1' } });
  running.set(dataDirectory, broker);
  const wire = broker.wire();
  context.after(() => wire.close());
  return { broker, wire };
}

/** Everything from an offset on, as a consumer reads it that follows the offsets of what it gets. */
async function consume(wire: Wire, from: number): Promise<string[]> {
  const values: string[] = [];
  for (let offset = from; offset < RECORDS; ) {
    const { errorCode, records } = await fetchFrom(wire, { topic: TOPIC }, offset);
    assert.equal(errorCode, 0, `fetch from ${offset}`);
    values.push(...valuesIn(records).slice(Math.max(0, offset - Number(records.readBigInt64BE(0)))));
    for (let at = 0; at + batch.LOG_OVERHEAD <= records.length; at += batch.batchBytes(records, at)) {
      if (at + batch.batchBytes(records, at) <= records.length) offset = batch.lastOffset(records, at) + 1;
    }
  }
  return values;
}

const damageLines = ({ lines }: TestBroker) => lines.filter(({ message }) => message.includes('cannot be read'));

/** The other partition, and appending to the damaged one, go on; the log told of one damage, of this file. */
async function othersGoOn(broker: TestBroker, wire: Wire, file: string): Promise<void> {
  assert.deepEqual(await readAll(wire, { topic: TOPIC, partition: 1 }), valuesFrom(0));
  const { errorCode, baseOffset } = await produceTo(wire, { topic: TOPIC }, batchOf(['one more']));
  assert.deepEqual([errorCode, baseOffset], [0, RECORDS]);
  assert.deepEqual(valuesIn((await fetchFrom(wire, { topic: TOPIC }, RECORDS)).records), ['one more']);
  const lines = damageLines(broker);
  assert.equal(lines.length, 1, JSON.stringify(lines));
  assert.ok(String(lines[0]!.fields['damage']).includes(file), JSON.stringify(lines));
  assert.equal(lines[0]!.level, 'error');
  const others = broker.lines.filter((line) => line.level === 'error' && line !== lines[0]);
  assert.deepEqual(others, []);
}

async function offsetAt(wire: Wire, timestamp: number): Promise<{ errorCode: number; offset: number }> {
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }];
  const topics = [{ name: TOPIC, partitions }];
  const body = await wire.reply(listOffsets, 6, { replicaId: -1, isolationLevel: 0, topics });
  return (body['topics'] as { partitions: { errorCode: number; offset: number }[] }[])[0]!.partitions[0]!;
}

test('a record whose bytes changed is sent as it lies there, for its consumer to see that by the checksum', async (context) => {
  const dataDirectory = await stoppedBroker(context);
  const segment = segmentsOf(dataDirectory)[3]!;
  const spoilt = segment.from + 1;
  damageBatch(segment, spoilt, (bytes, at) => bytes.writeUInt8(bytes.readUInt8(at + 100) ^ 1, at + 100));
  const { broker, wire } = await started(context, dataDirectory);
  const { errorCode, records } = await fetchFrom(wire, { topic: TOPIC }, spoilt);
  assert.equal(errorCode, 0);
  assert.equal(Number(records.readBigInt64BE(0)), spoilt);
  assert.equal(matchesChecksum(records, 0), false);
  assert.equal(matchesChecksum(records, batch.batchBytes(records, 0)), true, 'the next one is whole');
  assert.deepEqual(await consume(wire, spoilt + 1), valuesFrom(spoilt + 1));
  assert.deepEqual(damageLines(broker), []);
});

test('bytes that are no batch are CORRUPT_MESSAGE to whoever gets there, and to nobody else', async (context) => {
  const dataDirectory = await stoppedBroker(context);
  const segment = segmentsOf(dataDirectory)[3]!;
  const spoilt = segment.from + 1;
  damageBatch(segment, spoilt, (bytes, at) => bytes.writeInt32BE(-7, at + 8));
  const { broker, wire } = await started(context, dataDirectory);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { errorCode, records } = await fetchFrom(wire, { topic: TOPIC }, spoilt);
    assert.deepEqual([errorCode, records.length], [ErrorCode.CORRUPT_MESSAGE, 0]);
  }
  const before = await fetchFrom(wire, { topic: TOPIC }, segment.from, { maxBytes: 200 });
  assert.deepEqual([before.errorCode, valuesIn(before.records)[0]], [0, recordValue(segment.from)]);
  assert.deepEqual(await consume(wire, spoilt + 2), valuesFrom(spoilt + 2));
  assert.equal((await offsetAt(wire, FIRST_TIMESTAMP + spoilt)).errorCode, ErrorCode.CORRUPT_MESSAGE);
  assert.equal((await offsetAt(wire, FIRST_TIMESTAMP + segment.to)).offset, segment.to);
  assert.equal((await offsetAt(wire, FIRST_TIMESTAMP + 1)).offset, 1);
  await othersGoOn(broker, wire, segment.path);
});

test('behind a segment that is missing at a start its consumers go on with the next one', async (context) => {
  const dataDirectory = await stoppedBroker(context);
  const segment = segmentsOf(dataDirectory)[3]!;
  rmSync(segment.path);
  const { broker, wire } = await started(context, dataDirectory);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { errorCode, records } = await fetchFrom(wire, { topic: TOPIC }, segment.from + 1);
    assert.deepEqual([errorCode, Number(records.readBigInt64BE(0))], [0, segment.to]);
  }
  assert.deepEqual(await consume(wire, 0), [...valuesFrom(0, segment.from), ...valuesFrom(segment.to)]);
  await othersGoOn(broker, wire, segmentsOf(dataDirectory)[3]!.path);
});

test('a segment that somebody takes away from a running broker is CORRUPT_MESSAGE, and no empty one takes its place', async (context) => {
  const dataDirectory = await stoppedBroker(context);
  const segment = segmentsOf(dataDirectory)[3]!;
  const { broker, wire } = await started(context, dataDirectory);
  rmSync(segment.path);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { errorCode, records } = await fetchFrom(wire, { topic: TOPIC }, segment.from + 1);
    assert.deepEqual([errorCode, records.length], [ErrorCode.CORRUPT_MESSAGE, 0]);
  }
  assert.equal(existsSync(segment.path), false);
  const before = await fetchFrom(wire, { topic: TOPIC }, 0);
  assert.deepEqual([before.errorCode, valuesIn(before.records)[0]], [0, recordValue(0)]);
  assert.deepEqual(await consume(wire, segment.to), valuesFrom(segment.to));
  await othersGoOn(broker, wire, segment.path);
});
