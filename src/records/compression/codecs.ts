/** Compression of a batch's records as one block, both ways, in this turn of the event loop. */
import { CorruptRecords } from '../corrupt-records.ts';
import { CODECS } from './codec-numbers.ts';
import { compressGzip, decompressGzip } from './gzip.ts';
import { compressLz4, decompressLz4 } from './lz4.ts';
import { compressSnappy, decompressSnappy } from './snappy.ts';
import { compressZstd, decompressZstd } from './zstd.ts';

export { CODECS, type CodecName } from './codec-numbers.ts';

/** How far one block may unfold unless the caller sets a limit: a hundred times the largest default request. */
export const MOST_UNCOMPRESSED_BYTES = 128 * 1024 * 1024;

const NAMES: readonly string[] = Object.keys(CODECS);

/** The configuration's name of a codec number. */
export function codecName(codec: number): string {
  return NAMES[codec] ?? `unknown codec ${codec}`;
}

/**
 * Compresses as Kafka's Java clients do, so that every client can read it. `level` means what it means in
 * `compression.<codec>.level`; lz4 and snappy have one level here.
 */
export function compress(codec: number, bytes: Buffer, level?: number): Buffer {
  switch (codec) {
    case CODECS.none:
      return bytes;
    case CODECS.gzip:
      return compressGzip(bytes, level);
    case CODECS.snappy:
      return compressSnappy(bytes);
    case CODECS.lz4:
      return compressLz4(bytes);
    case CODECS.zstd:
      return compressZstd(bytes, level);
    default:
      throw new CorruptRecords(`there is no codec ${codec}`);
  }
}

/**
 * Undoes `compress` and every framing that Kafka clients are known to send. Throws CorruptRecords where the bytes are
 * broken, and as soon as it is certain that more than `maxBytes` would come out.
 */
export function decompress(codec: number, bytes: Buffer, maxBytes: number): Buffer {
  switch (codec) {
    case CODECS.none:
      return bytes;
    case CODECS.gzip:
      return decompressGzip(bytes, maxBytes);
    case CODECS.snappy:
      return decompressSnappy(bytes, maxBytes);
    case CODECS.lz4:
      return decompressLz4(bytes, maxBytes);
    case CODECS.zstd:
      return decompressZstd(bytes, maxBytes);
    default:
      throw new CorruptRecords(`there is no codec ${codec}`);
  }
}
