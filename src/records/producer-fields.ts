import { writeInt64 } from '../base/int64.ts';
import type { ProducerId } from '../base/units.ts';
import * as batch from './batch.ts';
import { crc32c } from './crc32c.ts';

/** Gives the finished batch at `at` another producer and sequence, in place, and renews its CRC. */
export function stampProducer(
  bytes: Buffer,
  at: number,
  producer: { readonly id: ProducerId; readonly epoch: number; readonly baseSequence: number },
): void {
  writeInt64(bytes, producer.id, at + 43);
  bytes.writeInt16BE(producer.epoch, at + 51);
  bytes.writeInt32BE(producer.baseSequence, at + 53);
  bytes.writeUInt32BE(crc32c(bytes, at + batch.CRC_FROM, at + batch.batchBytes(bytes, at)), at + 17);
}
