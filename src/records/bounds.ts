/** Finds where a batch ends in bytes that nobody has looked at yet, and whether it is whole and unharmed. */
import * as batch from './batch.ts';
import { crc32c } from './crc32c.ts';

/** The length field of the smallest record that any format knew. */
const LEAST_LENGTH_FIELD = 14;
const MAGIC_AT = 16;

/** In place of a size: the batch goes on after the bytes at hand. */
export const PARTIAL = 0;
/** In place of a size: no batch begins here. */
export const BROKEN = -1;

/**
 * Size of the batch that begins at `at` and lies whole before `to`, or PARTIAL, or BROKEN. Batches of the formats 0 and 1
 * have a size too, so that a reader can say what it met; of a batch of format 2 at least the header is there.
 */
export function wholeBatchBytes(bytes: Buffer, at: number, to: number = bytes.length): number {
  const present = to - at;
  if (present < batch.LOG_OVERHEAD) return PARTIAL;
  if (batch.lengthField(bytes, at) < LEAST_LENGTH_FIELD) return BROKEN;
  if (present <= MAGIC_AT) return PARTIAL;
  const magic = batch.magic(bytes, at);
  if (magic < 0 || magic > batch.MAGIC_V2) return BROKEN;
  const size = batch.batchBytes(bytes, at);
  if (magic === batch.MAGIC_V2 && size < batch.BATCH_HEADER_BYTES) return BROKEN;
  return present < size ? PARTIAL : size;
}

/** Whether the whole batch of format 2 at `at` matches its checksum. */
export function matchesChecksum(bytes: Buffer, at: number): boolean {
  return crc32c(bytes, at + batch.CRC_FROM, at + batch.batchBytes(bytes, at)) === batch.storedCrc(bytes, at);
}
