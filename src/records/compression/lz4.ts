/**
 * LZ4 frames over the native library's blocks; its own frame functions are several times slower and know no limit.
 *
 *   magic | FLG | BD | [content size int64] | [dictionary id int32] | HC   header; HC is a hash of it
 *   (size int32 | block | [hash int32])*                                   bit 31 of a size: stored, not compressed
 *   0 int32 | [hash of all content int32]                                  end; all integers little-endian
 *
 * Written as Kafka's Java reader demands: independent blocks of at most 64 KiB, no content size. Read: any frame but
 * those that need a dictionary.
 */
import { CorruptRecords } from '../corrupt-records.ts';
import { nativeLibrary } from './native-library.ts';
import { xxhash32 } from './xxhash32.ts';

const native = nativeLibrary<typeof import('lz4-napi')>('lz4-napi');

const MAGIC = 0x184d2204;
const SKIPPABLE_MAGIC = 0x184d2a50;
const STORED_BIT = 0x8000_0000;
const BLOCK_BYTES = 64 * 1024;
/** Version 1, independent blocks; blocks of up to 64 KiB; the hash of these two bytes. */
const HEADER = Buffer.from('04224d18604082', 'hex');
const END_MARK = Buffer.alloc(4);
/** What a linked block may refer back to. */
const WINDOW_BYTES = 64 * 1024;
/** A byte of a compressed block stands for at most 255. */
const MOST_EXPANSION = 255;
/** The size that the native block format carries in front. */
const PREFIX_BYTES = 4;

export function compressLz4(bytes: Buffer): Buffer {
  const parts: Buffer[] = [HEADER];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const plain = bytes.subarray(at, at + BLOCK_BYTES);
    const block = native().compressSync(plain);
    const size = block.length - PREFIX_BYTES;
    if (size < plain.length) {
      // The native prefix lies just where the frame has the block's size.
      block.writeUInt32LE(size, 0);
      parts.push(block);
    } else {
      const mark = Buffer.allocUnsafe(4);
      mark.writeUInt32LE((plain.length | STORED_BIT) >>> 0, 0);
      parts.push(mark, plain);
    }
  }
  parts.push(END_MARK);
  return Buffer.concat(parts);
}

/** Undoes `compressLz4` and other writers' frames; stops with CorruptRecords once more than `maxBytes` came out. */
export function decompressLz4(bytes: Buffer, maxBytes: number): Buffer {
  const output: Output = { parts: [], total: 0, maxBytes };
  let at = 0;
  do at = readFrame(bytes, at, output);
  while (at < bytes.length);
  return output.parts.length === 1 ? output.parts[0]! : Buffer.concat(output.parts, output.total);
}

interface Output {
  readonly parts: Buffer[];
  total: number;
  readonly maxBytes: number;
}

interface FrameHeader {
  readonly independent: boolean;
  readonly blockHash: boolean;
  readonly contentHash: boolean;
  readonly mostBlockBytes: number;
  readonly end: number;
}

/** Decompresses the frame at `from`; returns where it ends. */
function readFrame(bytes: Buffer, from: number, output: Output): number {
  const magic = uint32(bytes, from);
  if ((magic & 0xffff_fff0) === SKIPPABLE_MAGIC) return within(bytes, from + 8 + uint32(bytes, from + 4));
  if (magic !== MAGIC) throw new CorruptRecords('there is no LZ4 frame where one should begin');
  const header = readHeader(bytes, from + 4);
  const firstPart = output.parts.length;
  let at = header.end;
  for (;;) {
    const mark = uint32(bytes, at);
    at += 4;
    if (mark === 0) break;
    const size = mark & ~STORED_BIT;
    const end = within(bytes, at + size);
    if (size > header.mostBlockBytes) throw new CorruptRecords('an LZ4 block is longer than its frame allows');
    if (header.blockHash && xxhash32(bytes, at, end) !== uint32(bytes, end)) {
      throw new CorruptRecords('an LZ4 block does not match its checksum');
    }
    const block = bytes.subarray(at, end);
    const stored = (mark & STORED_BIT) !== 0;
    add(output, stored ? block : inflate(block, header, header.independent ? undefined : window(output, firstPart)));
    at = header.blockHash ? end + 4 : end;
  }
  if (!header.contentHash) return at;
  const content = Buffer.concat(output.parts.slice(firstPart));
  if (xxhash32(content, 0, content.length) !== uint32(bytes, at)) {
    throw new CorruptRecords('an LZ4 frame does not match its checksum');
  }
  return at + 4;
}

function readHeader(bytes: Buffer, at: number): FrameHeader {
  const flags = byteAt(bytes, at);
  const descriptor = byteAt(bytes, at + 1);
  const sizeCode = (descriptor >>> 4) & 7;
  if (flags >>> 6 !== 1 || sizeCode < 4) throw new CorruptRecords('an LZ4 frame of an unknown version');
  if ((flags & 0x01) !== 0) throw new CorruptRecords('an LZ4 frame that needs a dictionary');
  const hashAt = at + 2 + ((flags & 0x08) === 0 ? 0 : 8);
  if (((xxhash32(bytes, at, within(bytes, hashAt)) >>> 8) & 0xff) !== byteAt(bytes, hashAt)) {
    throw new CorruptRecords('an LZ4 frame header does not match its checksum');
  }
  return {
    independent: (flags & 0x20) !== 0,
    blockHash: (flags & 0x10) !== 0,
    contentHash: (flags & 0x04) !== 0,
    mostBlockBytes: 2 ** (8 + 2 * sizeCode),
    end: hashAt + 1,
  };
}

function inflate(block: Buffer, header: FrameHeader, window: Buffer | undefined): Buffer {
  const prefixed = Buffer.allocUnsafe(PREFIX_BYTES + block.length);
  prefixed.writeUInt32LE(Math.min(header.mostBlockBytes, block.length * MOST_EXPANSION), 0);
  block.copy(prefixed, PREFIX_BYTES);
  try {
    return native().uncompressSync(prefixed, window);
  } catch (error) {
    throw new CorruptRecords('an LZ4 block is broken', { cause: error });
  }
}

/** The last 64 KiB that came out of this frame. */
function window(output: Output, firstPart: number): Buffer | undefined {
  let from = output.parts.length;
  for (let bytes = 0; from > firstPart && bytes < WINDOW_BYTES; ) bytes += output.parts[--from]!.length;
  if (from === output.parts.length) return undefined;
  const tail = output.parts.length - from === 1 ? output.parts[from]! : Buffer.concat(output.parts.slice(from));
  return tail.subarray(Math.max(0, tail.length - WINDOW_BYTES));
}

function add(output: Output, part: Buffer): void {
  output.total += part.length;
  if (output.total > output.maxBytes) throw new CorruptRecords('an LZ4 block holds more bytes than are accepted');
  output.parts.push(part);
}

function within(bytes: Buffer, at: number): number {
  if (at > bytes.length) throw new CorruptRecords('an LZ4 frame is cut short');
  return at;
}

function uint32(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(within(bytes, at + 4) - 4);
}

function byteAt(bytes: Buffer, at: number): number {
  return bytes[within(bytes, at + 1) - 1]!;
}
