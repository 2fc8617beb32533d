import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeUnsignedVarint } from '../protocol/varint.ts';
import { ControlType } from '../records/control.ts';
import { applyRecords, emptyImage } from './image.ts';
import { recordsOf } from './image-records.ts';
import { controlRecords } from './quorums/metadata-batches.ts';
import { factsInOrder, learnFacts, NO_FACTS } from './quorums/quorum-facts.ts';
import { decodeRecord, encodeRecord, newRecord } from './records.ts';

/** A record as Kafka frames it: frame version, type, version, fields. */
function framed(type: number, fields: string, version = 0): Buffer {
  const head = Buffer.alloc(8);
  let at = writeUnsignedVarint(head, 1, 0);
  at = writeUnsignedVarint(head, type, at);
  at = writeUnsignedVarint(head, version, at);
  return Buffer.concat([head.subarray(0, at), Buffer.from(fields)]);
}

const SCRAM = 11;
const QUOTA = 14;
const REMOVE_SCRAM = 22;
const REGISTER_CONTROLLER = 27;

test('records that are not acted on are written again as they were read, in their order', () => {
  const values = [framed(SCRAM, 'alice'), framed(QUOTA, 'bytes'), framed(REMOVE_SCRAM, 'alice'), framed(SCRAM, 'bob')];
  const first = applyRecords(emptyImage('c'), values.slice(0, 2).map(decodeRecord), 1, 0).image;
  const { image } = applyRecords(first, values.slice(2).map(decodeRecord), 3, 0);
  assert.deepEqual([...recordsOf(image)].map(encodeRecord), values);
});

test('what a controller says anew with every start is read and not kept', () => {
  const { image } = applyRecords(emptyImage('c'), [decodeRecord(framed(REGISTER_CONTROLLER, 'me'))], 0, 0);
  assert.deepEqual([...recordsOf(image)], []);
});

test('a record of an unknown type or a newer version is refused, for it would be missing', () => {
  for (const bytes of [framed(99, ''), framed(SCRAM, 'alice', 1)]) {
    assert.throws(() => decodeRecord(bytes), { code: 'UNSUPPORTED_METADATA' });
  }
});

test('eligible leaders are cleared, of one topic or of all', () => {
  const topic = (name: string, topicId: string) => [
    newRecord('topic', { name, topicId }),
    newRecord('partition', {
      topicId,
      partitionId: 0,
      replicas: [1],
      isr: [],
      removingReplicas: [],
      addingReplicas: [],
      leader: -1,
      directories: [],
      eligibleLeaderReplicas: [1],
      lastKnownElr: [2],
    }),
  ];
  const records = [...topic('a', '75rX1EzDRSu9_lw7dS6ASg'), ...topic('b', 'ckhF3xLEQsqTd6aJf9KTaQ')];
  const { image } = applyRecords(emptyImage('c'), records, 3, 0);
  const eligible = (topicName: string): string[] => {
    const cleared = applyRecords(image, [newRecord('clearElr', { topicName })], 4, 0).image;
    return [...cleared.topics.byName.values()]
      .filter(({ partitions }) => partitions[0]!.eligibleLeaderReplicas.length + partitions[0]!.lastKnownElr.length > 0)
      .map(({ name }) => name);
  };
  assert.deepEqual(eligible('a'), ['b']);
  assert.deepEqual(eligible(''), []);
});

test("the newest of the quorum's own records count, and come back in Kafka's order", () => {
  const place = { baseOffset: 0, epoch: 0, timestamp: 0 };
  const record = (type: ControlType, text: string) => ({ type, value: Buffer.from(text) });
  const bytes = controlRecords(
    [
      record(ControlType.KRAFT_VOTERS, 'one'),
      record(ControlType.KRAFT_VERSION, 'version'),
      record(ControlType.KRAFT_VOTERS, 'two'),
      record(ControlType.SNAPSHOT_FOOTER, 'end'),
    ],
    place,
  );
  assert.deepEqual(factsInOrder(learnFacts(NO_FACTS, bytes, 0)), [
    record(ControlType.KRAFT_VERSION, 'version'),
    record(ControlType.KRAFT_VOTERS, 'two'),
  ]);
});
