/**
 * zstd frames, with or without a content size. Node's own binding where there is one (22.15 and later), else a native
 * library that has no limit on what comes out: there the block headers, read first, bound it.
 */
import zlib from 'node:zlib';
import { systemErrorCode } from '../../base/errors.ts';
import { CorruptRecords } from '../corrupt-records.ts';
import { nativeLibrary } from './native-library.ts';
import { readZstdFrame } from './zstd-frames.ts';

const DEFAULT_LEVEL = 3;
/**
 * The bound from block headers counts every compressed block as full. A frame whose bound lies a little above the limit
 * is unfolded all the same, so that the limit itself stays exact.
 */
const OVERSHOOT_BYTES = 1024 * 1024;

/** Compresses to one frame; undoes exactly one frame of which at most `maxBytes` may come out. */
interface ZstdEngine {
  compress(bytes: Buffer, level: number): Buffer;
  decompress(frame: Buffer, maxBytes: number): Buffer;
  /** Whether `decompress` itself stops at `maxBytes`. */
  readonly stopsAtLimit: boolean;
}

export function compressZstd(bytes: Buffer, level: number = DEFAULT_LEVEL): Buffer {
  return theEngine().compress(bytes, level);
}

/** Undoes `compressZstd`, one frame or several; CorruptRecords where more than `maxBytes` would come out. */
export function decompressZstd(bytes: Buffer, maxBytes: number): Buffer {
  return decompressZstdWith(theEngine(), bytes, maxBytes);
}

function decompressZstdWith(using: ZstdEngine, bytes: Buffer, maxBytes: number): Buffer {
  const parts: Buffer[] = [];
  let total = 0;
  let at = 0;
  do {
    const frame = readZstdFrame(bytes, at);
    if (frame.mostBytes > 0) {
      const left = maxBytes - total;
      if (!using.stopsAtLimit && frame.mostBytes > left + OVERSHOOT_BYTES) throw tooLarge(maxBytes);
      const part = decompressFrame(using, bytes.subarray(at, frame.end), left);
      total += part.length;
      if (total > maxBytes) throw tooLarge(maxBytes);
      parts.push(part);
    }
    at = frame.end;
  } while (at < bytes.length);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, total);
}

function decompressFrame(using: ZstdEngine, frame: Buffer, maxBytes: number): Buffer {
  try {
    return using.decompress(frame, maxBytes);
  } catch (error) {
    if (systemErrorCode(error) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes, error);
    throw new CorruptRecords('a zstd frame is broken', { cause: error });
  }
}

function tooLarge(maxBytes: number, cause?: unknown): CorruptRecords {
  return new CorruptRecords(`a zstd frame may hold more than ${maxBytes} bytes`, { cause });
}

/** What `node:zlib` has from 22.15 on; the types of Node 20 do not know it. */
interface NodeZstd {
  zstdCompressSync(bytes: Buffer, options: { params: Record<number, number> }): Buffer;
  zstdDecompressSync(frame: Buffer, options: { maxOutputLength: number }): Buffer;
}

/** ZSTD_c_compressionLevel of the zstd library. */
const LEVEL_PARAMETER = 100;

function nodeEngine(node: NodeZstd): ZstdEngine {
  return {
    compress: (bytes, level) => node.zstdCompressSync(bytes, { params: { [LEVEL_PARAMETER]: level } }),
    decompress: (frame, maxBytes) => node.zstdDecompressSync(frame, { maxOutputLength: Math.max(1, maxBytes) }),
    stopsAtLimit: true,
  };
}

function nativeEngine(): ZstdEngine {
  const native = nativeLibrary<typeof import('@toondepauw/node-zstd')>('@toondepauw/node-zstd')();
  const decoder = new native.Decoder();
  const encoders = new Map<number, import('@toondepauw/node-zstd').Encoder>();
  return {
    compress: (bytes, level) => {
      let encoder = encoders.get(level);
      if (encoder === undefined) {
        encoder = new native.Encoder(level);
        encoders.set(level, encoder);
      }
      return encoder.encodeSync(bytes);
    },
    decompress: (frame) => decoder.decodeSync(frame),
    stopsAtLimit: false,
  };
}

let engine: ZstdEngine | undefined;

/** A Node that has zstd of its own does not depend on the package's binaries. */
function theEngine(): ZstdEngine {
  engine ??= 'zstdDecompressSync' in zlib ? nodeEngine(zlib as unknown as NodeZstd) : nativeEngine();
  return engine;
}
