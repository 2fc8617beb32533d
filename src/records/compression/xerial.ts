/**
 * The stream framing of the Java snappy library (org.xerial.snappy): a header of 16 bytes, then raw snappy blocks, each
 * behind its length. All integers big-endian:
 *
 *   82 53 4e 41 50 50 59 00 | version int32 = 1 | least compatible version int32 = 1 | (length int32 | block)*
 */
import { CorruptRecords } from '../corrupt-records.ts';

const HEADER = Buffer.from('82534e41505059000000000100000001', 'hex');
const MAGIC_BYTES = 8;
/** A header in the place of a length begins the next of several streams that were put one after the other. */
const MAGIC_AS_LENGTH = HEADER.readInt32BE(0);

export function isXerial(bytes: Buffer): boolean {
  return bytes.length >= HEADER.length && HEADER.compare(bytes, 0, MAGIC_BYTES, 0, MAGIC_BYTES) === 0;
}

export function joinXerial(blocks: readonly Buffer[]): Buffer {
  let total = HEADER.length;
  for (const block of blocks) total += 4 + block.length;
  const joined = Buffer.allocUnsafe(total);
  let at = HEADER.copy(joined);
  for (const block of blocks) {
    at = joined.writeInt32BE(block.length, at);
    at += block.copy(joined, at);
  }
  return joined;
}

/** Views of the blocks of a framed stream. */
export function splitXerial(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  let at = HEADER.length;
  while (at < bytes.length) {
    if (bytes.length - at < 4) throw new CorruptRecords('a snappy stream ends inside a length');
    const length = bytes.readInt32BE(at);
    if (length === MAGIC_AS_LENGTH) {
      at += HEADER.length;
      continue;
    }
    at += 4;
    if (length < 0 || length > bytes.length - at) throw new CorruptRecords('a snappy stream ends inside a block');
    if (length > 0) blocks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return blocks;
}
