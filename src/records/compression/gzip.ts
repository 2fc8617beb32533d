/** gzip blocks (RFC 1952), of one member or many. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { systemErrorCode } from '../../base/errors.ts';
import { CorruptRecords } from '../corrupt-records.ts';

/** zlib's own choice of level. */
const DEFAULT_LEVEL = -1;
const LEAST_CHUNK_BYTES = 4 * 1024;
const MOST_CHUNK_BYTES = 1024 * 1024;
/** Text and JSON shrink to about a quarter; a first guess that is right saves the copy that joins chunks. */
const LIKELY_RATIO = 4;

export function compressGzip(bytes: Buffer, level: number = DEFAULT_LEVEL): Buffer {
  return gzipSync(bytes, { level, chunkSize: chunkBytes(bytes.length) });
}

/** Undoes `compressGzip`; stops with CorruptRecords once more than `maxBytes` came out. */
export function decompressGzip(bytes: Buffer, maxBytes: number): Buffer {
  const chunkSize = chunkBytes(Math.min(bytes.length * LIKELY_RATIO, maxBytes));
  try {
    return gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes), chunkSize });
  } catch (error) {
    if (systemErrorCode(error) === 'ERR_BUFFER_TOO_LARGE') {
      throw new CorruptRecords(`a gzip block holds more than ${maxBytes} bytes`, { cause: error });
    }
    throw new CorruptRecords('a gzip block is broken', { cause: error });
  }
}

function chunkBytes(expected: number): number {
  return Math.min(MOST_CHUNK_BYTES, Math.max(LEAST_CHUNK_BYTES, expected));
}
