/** Tells what is in fetched bytes, batch by batch, so that two brokers' stored batches can be compared. */
import * as batch from '../../../../src/records/batch.ts';
import { crc32c } from '../../../../src/records/crc32c.ts';
import { readRecords } from '../../../../src/records/reader.ts';
import type { Comparable } from './compare.ts';

/** Appended within this time: then a timestamp is the broker's own. */
const LATELY_MS = 120_000;
const MOST_UNCOMPRESSED_BYTES = 64 * 2 ** 20;

/**
 * `bytes` compares every byte; `contents` leaves out what two implementations of a codec may do differently (length,
 * checksum, the compressed block) and takes timestamps of the broker's clock for equal.
 */
export type BatchView = 'bytes' | 'contents';

export function describeBatches(bytes: Buffer, view: BatchView): Comparable {
  const batches: Comparable[] = [];
  let at = 0;
  while (at + batch.LOG_OVERHEAD <= bytes.length && at + batch.batchBytes(bytes, at) <= bytes.length) {
    batches.push(view === 'bytes' ? exact(bytes, at) : contents(bytes, at));
    at += batch.batchBytes(bytes, at);
  }
  return at === bytes.length ? batches : [...batches, `${bytes.length - at} bytes of a cut batch`];
}

function exact(bytes: Buffer, at: number): Comparable {
  return { ...header(bytes, at), bytes: bytes.toString('hex', at, at + batch.batchBytes(bytes, at)) };
}

function header(bytes: Buffer, at: number): Record<string, Comparable> {
  return {
    offset: batch.baseOffset(bytes, at),
    epoch: batch.leaderEpoch(bytes, at),
    magic: batch.magic(bytes, at),
    attributes: batch.attributes(bytes, at),
    lastDelta: batch.lastOffsetDelta(bytes, at),
    baseTime: batch.baseTimestamp(bytes, at),
    maxTime: batch.maxTimestamp(bytes, at),
    producer: `${batch.producerId(bytes, at)}/${batch.producerEpoch(bytes, at)}/${batch.baseSequence(bytes, at)}`,
    count: batch.recordCount(bytes, at),
  };
}

function contents(bytes: Buffer, at: number): Comparable {
  const stamped = batch.usesAppendTime(batch.attributes(bytes, at));
  const time = (value: number): Comparable =>
    stamped && Math.abs(Date.now() - value) < LATELY_MS ? '<append time>' : value;
  const end = at + batch.batchBytes(bytes, at);
  const records = [...readRecords(bytes, at, { maxUncompressedBytes: MOST_UNCOMPRESSED_BYTES })];
  return {
    ...header(bytes, at),
    baseTime: time(batch.baseTimestamp(bytes, at)),
    maxTime: time(batch.maxTimestamp(bytes, at)),
    checksum: crc32c(bytes, at + batch.CRC_FROM, end) === batch.storedCrc(bytes, at) ? 'right' : 'wrong',
    records: records.map(({ offset, timestamp, key, value, headers }) => ({
      offset,
      timestamp: time(timestamp),
      key: key === null ? null : key.toString('hex'),
      value: value === null ? null : value.toString('hex'),
      headers: headers.map((each) => `${each.key}=${each.value === null ? null : each.value.toString('hex')}`),
    })),
  };
}
