/**
 * Snappy blocks: raw, as librdkafka and most others send them, and in the framing of the Java library, which Kafka's own
 * clients and brokers write and which is therefore what is written here.
 */
import { CorruptRecords } from '../corrupt-records.ts';
import { nativeLibrary } from './native-library.ts';
import { isXerial, joinXerial, splitXerial } from './xerial.ts';

const native = nativeLibrary<typeof import('snappy')>('snappy');

/** Uncompressed bytes of one block in the framing: the Java library's default. */
const XERIAL_BLOCK_BYTES = 32 * 1024;
/** The densest element of the format: three bytes that stand for 64. */
const MOST_EXPANSION = 22;
/** Handing out the native library's memory as it is costs more than the copy. */
const COPIED = { copyOutputData: true } as const;

export function compressSnappy(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
    blocks.push(native().compressSync(bytes.subarray(at, at + XERIAL_BLOCK_BYTES), COPIED));
  }
  return joinXerial(blocks);
}

/** Undoes `compressSnappy` and raw snappy; CorruptRecords where more than `maxBytes` would come out. */
export function decompressSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!isXerial(bytes)) return decompressRaw(bytes, maxBytes);
  const blocks = splitXerial(bytes);
  if (blocks.length === 1) return decompressRaw(blocks[0]!, maxBytes);
  const plain: Buffer[] = [];
  let left = maxBytes;
  for (const block of blocks) {
    const part = decompressRaw(block, left);
    left -= part.length;
    plain.push(part);
  }
  return Buffer.concat(plain, maxBytes - left);
}

/** The block's own claim of its size is believed only where so few bytes could hold so many. */
function decompressRaw(block: Buffer, maxBytes: number): Buffer {
  const claimed = claimedBytes(block);
  if (claimed > maxBytes) throw new CorruptRecords('a snappy block holds more bytes than are accepted');
  if (claimed > block.length * MOST_EXPANSION) throw new CorruptRecords('a snappy block claims an impossible size');
  try {
    return native().uncompressSync(block, COPIED) as Buffer;
  } catch (error) {
    throw new CorruptRecords('a snappy block is broken', { cause: error });
  }
}

/** The varint in front of a raw block. */
function claimedBytes(block: Buffer): number {
  let value = 0;
  for (let at = 0; at < 5 && at < block.length; at++) {
    const byte = block[at]!;
    value += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return value;
  }
  throw new CorruptRecords('a snappy block has no size');
}
