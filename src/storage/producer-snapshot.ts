/**
 * The `.snapshot` file of a partition: its producers at one offset (Kafka's ProducerSnapshot, version 1), big endian:
 *
 *   0 version int16 = 1 | 2 CRC-32C of all that follows uint32 | 6 number of producers int32 | then for each:
 *   0 producer id int64 | 8 epoch int16 | 10 last sequence int32 | 14 last offset int64 | 22 offset delta int32
 *   26 timestamp int64 | 34 coordinator epoch int32 | 38 first offset of the open transaction int64, -1 for none
 */
import { readInt64, writeInt64 } from '../base/int64.ts';
import { crc32c } from '../records/crc32c.ts';
import { NO_OFFSET, ProducerEntry } from './producer-entry.ts';

const VERSION = 1;
const CRC_AT = 2;
const COUNT_AT = 6;
const ENTRIES_AT = 10;
const ENTRY_BYTES = 46;

export function encodeSnapshot(entries: ReadonlyMap<number, ProducerEntry>): Buffer {
  const bytes = Buffer.allocUnsafe(ENTRIES_AT + entries.size * ENTRY_BYTES);
  bytes.writeInt16BE(VERSION, 0);
  bytes.writeInt32BE(entries.size, COUNT_AT);
  let at = ENTRIES_AT;
  for (const entry of entries.values()) {
    encodeEntry(bytes, at, entry);
    at += ENTRY_BYTES;
  }
  bytes.writeUInt32BE(crc32c(bytes, COUNT_AT, bytes.length), CRC_AT);
  return bytes;
}

function encodeEntry(bytes: Buffer, at: number, entry: ProducerEntry): void {
  const last = entry.batches.at(-1);
  writeInt64(bytes, entry.producerId, at);
  bytes.writeInt16BE(entry.epoch, at + 8);
  bytes.writeInt32BE(entry.lastSequence, at + 10);
  writeInt64(bytes, last?.lastOffset ?? NO_OFFSET, at + 14);
  bytes.writeInt32BE(last?.offsetDelta ?? 0, at + 22);
  writeInt64(bytes, entry.lastTimestamp, at + 26);
  bytes.writeInt32BE(entry.coordinatorEpoch, at + 34);
  writeInt64(bytes, entry.transactionStart, at + 38);
}

/** The producers in a snapshot, or undefined where the bytes are no whole, unbroken snapshot of a known version. */
export function decodeSnapshot(bytes: Buffer): ProducerEntry[] | undefined {
  if (bytes.length < ENTRIES_AT || bytes.readInt16BE(0) !== VERSION) return undefined;
  const count = bytes.readInt32BE(COUNT_AT);
  if (bytes.length !== ENTRIES_AT + count * ENTRY_BYTES) return undefined;
  if (bytes.readUInt32BE(CRC_AT) !== crc32c(bytes, COUNT_AT, bytes.length)) return undefined;
  const entries: ProducerEntry[] = [];
  for (let at = ENTRIES_AT; at < bytes.length; at += ENTRY_BYTES) entries.push(decodeEntry(bytes, at));
  return entries;
}

function decodeEntry(bytes: Buffer, at: number): ProducerEntry {
  const entry = new ProducerEntry(readInt64(bytes, at));
  entry.epoch = bytes.readInt16BE(at + 8);
  entry.coordinatorEpoch = bytes.readInt32BE(at + 34);
  entry.transactionStart = readInt64(bytes, at + 38);
  const lastOffset = readInt64(bytes, at + 14);
  const timestamp = readInt64(bytes, at + 26);
  if (lastOffset >= 0) entry.remember(bytes.readInt32BE(at + 10), lastOffset, bytes.readInt32BE(at + 22), timestamp);
  entry.lastTimestamp = timestamp;
  return entry;
}
