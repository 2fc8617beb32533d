import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { decodeRecord, encodeRecord, newRecord } from './records.ts';

const TOPIC_ID = 'AQIDBAUGBwgJCgsMDQ4PEA';

test('a record is framed by version, type and schema version', () => {
  const bytes = encodeRecord(newRecord('topic', { name: 'ab', topicId: TOPIC_ID }));
  assert.equal(bytes.toString('hex'), `01020003${Buffer.from('ab').toString('hex')}0102030405060708090a0b0c0d0e0f1000`);
});

test('records come back as they were, with defaults where fields were left out', () => {
  const change = newRecord('partitionChange', { partitionId: 3, topicId: TOPIC_ID, leader: 1 });
  assert.equal(change.version, 2);
  assert.deepEqual(decodeRecord(encodeRecord(change)), change);
  assert.ok(change.kind === 'partitionChange' && change.value.isr === null);
  const none = newRecord('partitionChange', { partitionId: 3, topicId: TOPIC_ID });
  assert.ok(none.kind === 'partitionChange' && none.value.leader === -2 && none.value.leaderRecoveryState === -1);
});

test('what this program does not know, or cannot read, is refused, never skipped', () => {
  const refusal = (hex: string): string => {
    try {
      decodeRecord(Buffer.from(hex, 'hex'));
    } catch (error) {
      assert.ok(error instanceof SluiceError);
      return error.code;
    }
    return 'none';
  };
  assert.equal(refusal('017f0000'), 'UNSUPPORTED_METADATA', 'a type of the future');
  assert.equal(refusal('01020900'), 'UNSUPPORTED_METADATA', 'a version of the future');
  assert.equal(refusal('02020000'), 'UNSUPPORTED_METADATA', 'a frame of the future');
  assert.equal(refusal('010200ff'), 'CORRUPT_METADATA', 'cut off');
  assert.equal(refusal(''), 'CORRUPT_METADATA', 'nothing');
  assert.equal(refusal('0114000000'), 'CORRUPT_METADATA', 'bytes behind the record');
});
