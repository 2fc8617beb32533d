import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumedRecord } from '../client/consumer/fetched-batch.ts';
import { recordFormatter } from './record-format.ts';
import { recordUnpacker } from './record-unpack.ts';

const record: ConsumedRecord = {
  ...{ topic: 'orders', partition: 3, offset: 42, leaderEpoch: 7, timestamp: 1, headers: [] },
  key: Buffer.from('00000007', 'hex'),
  value: Buffer.from('0102fffe000000000000002a7461696c', 'hex'),
};

const shown = (unpack: readonly string[], format = '%k|%v', of = record): string =>
  Buffer.from(recordFormatter(format)(recordUnpacker(unpack)!(of), 0)).toString('latin1');

// What kcat 1.7.1 prints for the same record and -s, byte for byte.
test('packed numbers become text as in kcat', () => {
  assert.equal(shown(['key=i'], '%k'), '7');
  assert.equal(shown(['key=>i', 'value=bBhqs']), '7|12-242tail');
  assert.equal(shown(['value=b B h q s'], '%v'), '1 2 -2 42 tail');
  assert.equal(shown(['value=>bc'], '%v'), '1\x02');
  assert.equal(shown(['>H']), '0|258');
  assert.equal(shown(['key=i'], '%k %K %S'), '7 4 16');
});

test('the byte order may change on the way', () => {
  assert.equal(shown(['key=<i'], '%k'), String(0x07000000));
  assert.equal(shown(['value=<H>H'], '%v'), `${0x0201}${0xfffe}`);
});

test('what is null stays null, and JSON has the text', () => {
  assert.equal(shown(['i'], '%v{json}', { ...record, value: null }), 'null');
  assert.equal(JSON.parse(shown(['key=i'], 'json')).key, '7');
});

test('a record that is otherwise ends it, by its place', () => {
  assert.throws(
    () => shown(['key=q']),
    /the key of orders-3 at offset 42 is not as --unpack q says: q needs 8 bytes, and 4/,
  );
  assert.throws(() => shown(['value=bB$']), /14 bytes are left at the end/);
});

test('a format that makes no sense is refused', () => {
  for (const format of ['z', 'key=', 'key=avro', 'topic=i', '']) {
    assert.throws(() => recordUnpacker([format]), { code: 'INVALID_ARGUMENT' }, format);
  }
  assert.equal(recordUnpacker([]), undefined);
});
