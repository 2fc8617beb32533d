/**
 * Reads the headers of zstd frames and their blocks (RFC 8878) without decompressing: where each frame ends, and how
 * many bytes at most come out of it. This is the limit against decompression bombs where the decoder has none.
 */
import { CorruptRecords } from '../corrupt-records.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MOST_BLOCK_BYTES = 128 * 1024;
const RLE_BLOCK = 1;
const COMPRESSED_BLOCK = 2;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;

export interface ZstdFrame {
  readonly end: number;
  /** No more than so many bytes come out; 0 for a frame to be skipped. */
  readonly mostBytes: number;
}

/** Bounds of the frame that begins at `from`. Throws CorruptRecords where none does, or where it is cut short. */
export function readZstdFrame(bytes: Buffer, from: number): ZstdFrame {
  need(bytes, from, 5);
  const magic = bytes.readUInt32LE(from);
  if ((magic & 0xffff_fff0) === SKIPPABLE_MAGIC) {
    const contentAt = need(bytes, from, 8);
    return { end: need(bytes, contentAt, bytes.readUInt32LE(from + 4)), mostBytes: 0 };
  }
  if (magic !== MAGIC) throw new CorruptRecords('there is no zstd frame where one should begin');
  const descriptor = bytes[from + 4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >>> 6;
  const sizeBytes = sizeCode === 0 ? (singleSegment ? 1 : 0) : 2 ** sizeCode;
  const windowBytes = singleSegment ? 0 : 1;
  const sizeAt = from + 5 + windowBytes + DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  const blocksAt = need(bytes, sizeAt + sizeBytes, 0);
  const window = singleSegment ? statedBytes(bytes, sizeAt, sizeBytes) : windowOf(bytes[from + 5]!);
  const blocks = readBlocks(bytes, blocksAt, Math.min(window, MOST_BLOCK_BYTES));
  return { end: need(bytes, blocks.end, (descriptor & 0x04) === 0 ? 0 : 4), mostBytes: blocks.mostBytes };
}

function readBlocks(bytes: Buffer, from: number, mostBlockBytes: number): ZstdFrame {
  let at = from;
  let mostBytes = 0;
  for (;;) {
    need(bytes, at, 3);
    const header = bytes.readUIntLE(at, 3);
    const size = header >>> 3;
    const kind = (header >>> 1) & 3;
    if (kind > COMPRESSED_BLOCK || size > MOST_BLOCK_BYTES) throw new CorruptRecords('a zstd block is broken');
    mostBytes += kind === COMPRESSED_BLOCK ? mostBlockBytes : size;
    at = need(bytes, at + 3, kind === RLE_BLOCK ? 1 : size);
    if ((header & 1) !== 0) return { end: at, mostBytes };
  }
}

/** The window descriptor: exponent in the upper five bits, eighths of the power of two in the lower three. */
function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** The frame content size field. It bounds the blocks only where it doubles as the window. */
function statedBytes(bytes: Buffer, at: number, length: number): number {
  if (length === 1) return bytes[at]!;
  if (length === 2) return bytes.readUInt16LE(at) + 256;
  return bytes.readUInt32LE(at) + (length === 8 ? bytes.readUInt32LE(at + 4) * 2 ** 32 : 0);
}

/** Asserts that `length` bytes are there at `at`; returns where they end. */
function need(bytes: Buffer, at: number, length: number): number {
  if (at + length > bytes.length) throw new CorruptRecords('a zstd frame is cut short');
  return at + length;
}
