import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as batch from '../../../src/records/batch.ts';
import { matchesChecksum, wholeBatchBytes } from '../../../src/records/bounds.ts';
import { buildBatch, type NewRecord } from '../../../src/records/builder.ts';
import { CODECS, type CodecName } from '../../../src/records/compression/codecs.ts';
import {
  ControlType,
  controlKey,
  controlTypeOf,
  coordinatorEpochOf,
  endTransactionValue,
  quorumControlValue,
  readQuorumControl,
} from '../../../src/records/control.ts';
import { type RecordView, readRecords } from '../../../src/records/reader.ts';
import { type GoldenBatch, JAVA_BATCHES } from './java-client.ts';

function golden(name: string): GoldenBatch {
  const found = JAVA_BATCHES.find((each) => each.name === name);
  assert.ok(found, name);
  return found;
}

const bytesOf = (each: GoldenBatch): Buffer => Buffer.from(each.bytes, 'hex');

function plain(value: string | null): Buffer | null {
  if (value === null) return null;
  const repeated = /^repeat:(\d+):([0-9a-f]+)$/.exec(value);
  if (repeated === null) return Buffer.from(value, 'hex');
  return Buffer.alloc(Number(repeated[1]), Buffer.from(repeated[2]!, 'hex'));
}

for (const each of JAVA_BATCHES) {
  test(`reads what the Java client reads: ${each.name}`, () => {
    const bytes = bytesOf(each);
    assert.equal(wholeBatchBytes(bytes, 0), bytes.length);
    assert.ok(matchesChecksum(bytes, 0));
    assert.equal(batch.codecOf(batch.attributes(bytes, 0)), CODECS[each.codec as CodecName]);
    const expected = each.records.map((record) => ({
      offset: record.offset,
      timestamp: record.timestamp,
      key: plain(record.key),
      value: plain(record.value),
      headers: record.headers.map((header) => ({ key: header.key, value: plain(header.value) })),
    }));
    assert.deepEqual([...readRecords(bytes, 0)], expected);
  });
}

/** The records of a batch as a producer gave them. */
function asGiven(records: Iterable<RecordView>): NewRecord[] {
  return [...records].map(({ key, value, timestamp, headers }) => ({ key, value, timestamp, headers }));
}

test('writes an uncompressed batch to the byte as the Java client does', () => {
  const bytes = bytesOf(golden('records of every shape, none'));
  const built = buildBatch({ baseOffset: 7, leaderEpoch: 3, records: asGiven(readRecords(bytes, 0)) });
  assert.equal(built.toString('hex'), bytes.toString('hex'));
});

test('writes a transactional batch with the header of the Java client', () => {
  const bytes = bytesOf(golden('transactional batch of an idempotent producer'));
  const built = buildBatch({
    codec: CODECS.lz4,
    producerId: 4001,
    producerEpoch: 2,
    baseSequence: 17,
    transactional: true,
    records: asGiven(readRecords(bytes, 0)),
  });
  const withoutLengthAndCrc = (from: Buffer) => [from.subarray(0, 8), from.subarray(21, batch.BATCH_HEADER_BYTES)];
  assert.deepEqual(withoutLengthAndCrc(built), withoutLengthAndCrc(bytes));
});

for (const [name, type] of [
  ['commit marker', ControlType.COMMIT],
  ['abort marker', ControlType.ABORT],
] as const) {
  test(`writes a ${name} to the byte as Kafka does`, () => {
    const bytes = bytesOf(golden(name));
    const [marker] = [...readRecords(bytes, 0)];
    assert.equal(controlTypeOf(marker!.key), type);
    assert.equal(coordinatorEpochOf(marker!.value), 12);
    const built = buildBatch({
      baseOffset: batch.baseOffset(bytes, 0),
      leaderEpoch: 9,
      producerId: 4001,
      producerEpoch: batch.producerEpoch(bytes, 0),
      transactional: true,
      control: true,
      records: [{ key: controlKey(type), value: endTransactionValue(12), timestamp: 1700000000000 }],
    });
    assert.equal(built.toString('hex'), bytes.toString('hex'));
  });
}

test('writes the control records of the metadata log to the byte as Kafka does', () => {
  const cases = [
    [
      'leader change',
      ControlType.LEADER_CHANGE,
      quorumControlValue(ControlType.LEADER_CHANGE, {
        version: 0,
        leaderId: 1,
        voters: [{ voterId: 1 }, { voterId: 2 }],
        grantingVoters: [{ voterId: 1 }],
      }),
    ],
    [
      'snapshot header',
      ControlType.SNAPSHOT_HEADER,
      quorumControlValue(ControlType.SNAPSHOT_HEADER, { lastContainedLogTimestamp: 1699999999999 }),
    ],
    ['snapshot footer', ControlType.SNAPSHOT_FOOTER, quorumControlValue(ControlType.SNAPSHOT_FOOTER, { version: 0 })],
    ['kraft version', ControlType.KRAFT_VERSION, quorumControlValue(ControlType.KRAFT_VERSION, { kRaftVersion: 1 })],
  ] as const;
  for (const [name, type, value] of cases) {
    const [record] = [...readRecords(bytesOf(golden(name)), 0)];
    assert.equal(record!.key!.toString('hex'), controlKey(type).toString('hex'), name);
    assert.equal(record!.value!.toString('hex'), value.toString('hex'), name);
  }
});

test('reads the control records of the metadata log', () => {
  const quorumValue = (name: string) => [...readRecords(bytesOf(golden(name)), 0)][0]!.value;
  assert.equal(readQuorumControl(ControlType.LEADER_CHANGE, quorumValue('leader change')).leaderId, 1);
  const header = readQuorumControl(ControlType.SNAPSHOT_HEADER, quorumValue('snapshot header'));
  assert.equal(header.lastContainedLogTimestamp, 1699999999999);
});
