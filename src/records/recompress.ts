import * as batch from './batch.ts';
import { compress, decompress, MOST_UNCOMPRESSED_BYTES } from './compression/codecs.ts';
import { crc32c } from './crc32c.ts';

/**
 * The batch at `at` with its records under another codec, for topics whose `compression.type` is not `producer`. The
 * header stays as it is but for codec, length and CRC; the records are not looked into. A batch that has the codec
 * already is returned as a view, whatever its level.
 *
 * @throws CorruptRecords where the batch cannot be decompressed
 */
export function recompress(
  bytes: Buffer,
  at: number,
  codec: number,
  level?: number,
  maxUncompressedBytes: number = MOST_UNCOMPRESSED_BYTES,
): Buffer {
  const to = at + batch.batchBytes(bytes, at);
  const bits = batch.attributes(bytes, at);
  const from = batch.codecOf(bits);
  if (from === codec) return bytes.subarray(at, to);
  const recordsAt = at + batch.BATCH_HEADER_BYTES;
  const plain = decompress(from, bytes.subarray(recordsAt, to), maxUncompressedBytes);
  const block = compress(codec, plain, level);
  const result = Buffer.allocUnsafe(batch.BATCH_HEADER_BYTES + block.length);
  bytes.copy(result, 0, at, recordsAt);
  block.copy(result, batch.BATCH_HEADER_BYTES);
  result.writeInt32BE(result.length - batch.LOG_OVERHEAD, 8);
  result.writeInt16BE((bits & ~from) | codec, 21);
  result.writeUInt32BE(crc32c(result, batch.CRC_FROM, result.length), 17);
  return result;
}
