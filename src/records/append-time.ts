import { writeInt64 } from '../base/int64.ts';
import type { Timestamp } from '../base/units.ts';
import * as batch from './batch.ts';
import { crc32c } from './crc32c.ts';

/**
 * Gives all records of the batch at `at` the time of the append, in place. The records keep their own deltas; readers
 * go by the header. Renews the CRC, which covers both changed fields.
 */
export function stampAppendTime(bytes: Buffer, at: number, nowMs: Timestamp): void {
  const bits = batch.attributes(bytes, at) | batch.attributeBits({ codec: 0, appendTime: true });
  bytes.writeInt16BE(bits, at + 21);
  writeInt64(bytes, nowMs, at + 35);
  bytes.writeUInt32BE(crc32c(bytes, at + batch.CRC_FROM, at + batch.batchBytes(bytes, at)), at + 17);
}
