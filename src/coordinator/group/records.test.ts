import assert from 'node:assert/strict';
import { it } from 'node:test';
import { seededRandom } from '../../base/random.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import { partitionOfGroup } from './partition-of-group.ts';
import { decodeGroupRecord, encodeGroupRecord, groupRecord, groupTombstone } from './records.ts';

const KEY = { group: 'g', topic: 't', partition: 3 };

it('an offset lies in the log as Kafka writes it', () => {
  const record = groupRecord('offsetCommit', KEY, { offset: 5, metadata: 'm', commitTimestamp: 7 });
  const { key, value } = encodeGroupRecord(record);
  assert.equal(key.toString('hex'), '0001' + '0001' + '67' + '0001' + '74' + '00000003');
  // Version 4: offset, leader epoch, metadata, commit timestamp, no tagged field for a topic id that is not known.
  assert.equal(value!.toString('hex'), '0004' + '0000000000000005' + 'ffffffff' + '026d' + '0000000000000007' + '00');
  assert.deepEqual(decodeGroupRecord(key, value), { ...record, version: 4 });
  const old = groupRecord('offsetCommit', KEY, { offset: 5, metadata: '', commitTimestamp: 7, expireTimestamp: 9 }, 1);
  const encoded = encodeGroupRecord(old);
  assert.equal(encoded.value!.readInt16BE(0), 1);
  assert.deepEqual(decodeGroupRecord(encoded.key, encoded.value), old);
});

it('a tombstone has a key alone', () => {
  const { key, value } = encodeGroupRecord(groupTombstone('groupMetadata', { group: 'g' }));
  assert.equal(value, null);
  assert.deepEqual(decodeGroupRecord(key, null), { kind: 'groupMetadata', key: { group: 'g' }, value: null });
});

it('kinds and versions of other programs are skipped; broken ones are told', () => {
  assert.equal(decodeGroupRecord(Buffer.from([0, 99]), Buffer.from([0, 0])), undefined);
  const { key } = encodeGroupRecord(groupTombstone('offsetCommit', KEY));
  assert.equal(decodeGroupRecord(key, Buffer.from([0, 9, 1])), undefined);
  for (const bytes of [Buffer.from([0]), Buffer.from([0, 4, 1])]) {
    assert.throws(() => decodeGroupRecord(key, bytes), CorruptRecords);
  }
  for (const bytes of [null, Buffer.from([0]), key.subarray(0, 6), Buffer.concat([key, Buffer.from([1])])]) {
    assert.throws(() => decodeGroupRecord(bytes, null), CorruptRecords);
  }
});

it('bytes of any kind are read or refused, never anything else', () => {
  const random = seededRandom(7);
  for (let round = 0; round < 5000; round++) {
    const key = Buffer.concat([Buffer.from([0, random.below(18)]), random.bytes(random.below(20))]);
    const value = Buffer.concat([Buffer.from([0, random.below(5)]), random.bytes(random.below(40))]);
    try {
      decodeGroupRecord(key, value);
    } catch (error) {
      assert.ok(error instanceof CorruptRecords, String(error));
    }
  }
});

it('a group lies in the partition that every Kafka broker takes it to be in', () => {
  // String.hashCode of Java; the third is the smallest number there is, which has no positive counterpart.
  assert.equal(partitionOfGroup('g', 50), 103 % 50);
  assert.equal(partitionOfGroup('polygenelubricants', 50), 0);
  assert.equal(partitionOfGroup('', 50), 0);
  assert.equal(partitionOfGroup('my-group', 50), 12);
  assert.equal(partitionOfGroup('grüppe-√', 50), 39);
});
