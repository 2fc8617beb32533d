/**
 * Kafka's variable-length integers: seven bits a byte, least significant first, the high bit telling that more follow.
 * Signed ones are zigzag-encoded. Varints hold 32 bits (at most 5 bytes), varlongs 64 bits (at most 10 bytes; only
 * safe integers pass).
 */
import { MalformedMessage } from './malformed.ts';

/** A place in bytes that reading moves forward; reading at or past `end` is malformed. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
}

const MAX_VARINT_BYTES = 5;
const MAX_VARLONG_BYTES = 10;

/** Reads an unsigned 32-bit integer. */
export function readUnsignedVarint(cursor: Cursor): number {
  const { bytes, at } = cursor;
  if (at < cursor.end) {
    const first = bytes[at]!;
    if (first < 0x80) {
      cursor.at = at + 1;
      return first;
    }
  }
  return readLongerVarint(cursor);
}

function readLongerVarint(cursor: Cursor): number {
  const { bytes } = cursor;
  let at = cursor.at;
  let value = 0;
  for (let shift = 0; shift < 7 * MAX_VARINT_BYTES; shift += 7) {
    if (at >= cursor.end) throw new MalformedMessage(`truncated inside a varint at byte ${at}`);
    const byte = bytes[at++]!;
    if (byte < 0x80) {
      if (shift === 28 && byte > 0x0f) break;
      cursor.at = at;
      return (value | (byte << shift)) >>> 0;
    }
    value |= (byte & 0x7f) << shift;
  }
  throw new MalformedMessage(`varint longer than 32 bits before byte ${at}`);
}

/** Reads a zigzag-encoded signed 32-bit integer. */
export function readVarint(cursor: Cursor): number {
  const raw = readUnsignedVarint(cursor);
  return (raw >>> 1) ^ -(raw & 1);
}

/** Reads a zigzag-encoded signed 64-bit integer that is a safe integer. */
export function readVarlong(cursor: Cursor): number {
  const { bytes } = cursor;
  let at = cursor.at;
  let low = 0;
  let high = 0;
  for (let index = 0; index < MAX_VARLONG_BYTES; index++) {
    if (at >= cursor.end) throw new MalformedMessage(`truncated inside a varlong at byte ${at}`);
    const byte = bytes[at++]!;
    // The first four bytes (28 bits) fit in an integer; the others are summed as doubles.
    if (index < 4) low |= (byte & 0x7f) << (7 * index);
    else high += (byte & 0x7f) * 2 ** (7 * (index - 4));
    if (byte >= 0x80) continue;
    cursor.at = at;
    const half = high * 2 ** 27 + (low >>> 1);
    const value = (low & 1) === 0 ? half : -half - 1;
    if (Number.isSafeInteger(value)) return value;
    throw new MalformedMessage(`varlong before byte ${at} is beyond 53 bits`);
  }
  throw new MalformedMessage(`varlong longer than ${MAX_VARLONG_BYTES} bytes before byte ${at}`);
}

/** Writes an unsigned 32-bit integer; returns the position after it. */
export function writeUnsignedVarint(bytes: Uint8Array, value: number, at: number): number {
  let rest = value;
  let position = at;
  while (rest > 0x7f) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[position++] = rest;
  return position;
}

/** Writes a signed 32-bit integer zigzag-encoded; returns the position after it. */
export function writeVarint(bytes: Uint8Array, value: number, at: number): number {
  return writeUnsignedVarint(bytes, zigzag(value), at);
}

/** Writes a safe integer zigzag-encoded; returns the position after it. */
export function writeVarlong(bytes: Uint8Array, value: number, at: number): number {
  if (isInt32(value)) return writeVarint(bytes, value, at);
  // 27 bits of the magnitude and the sign bit go first, so that no step exceeds what a double holds exactly.
  const magnitude = value < 0 ? -value - 1 : value;
  let low = ((magnitude % 2 ** 27) << 1) | (value < 0 ? 1 : 0);
  let high = Math.floor(magnitude / 2 ** 27);
  let position = at;
  for (let index = 0; index < 4; index++) {
    bytes[position++] = (low & 0x7f) | 0x80;
    low >>>= 7;
  }
  while (high > 0x7f) {
    bytes[position++] = (high % 0x80) | 0x80;
    high = Math.floor(high / 0x80);
  }
  bytes[position++] = high;
  return position;
}

export function sizeOfUnsignedVarint(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

export function sizeOfVarint(value: number): number {
  return sizeOfUnsignedVarint(zigzag(value));
}

export function sizeOfVarlong(value: number): number {
  if (isInt32(value)) return sizeOfVarint(value);
  let high = Math.floor((value < 0 ? -value - 1 : value) / 2 ** 27);
  let size = 5;
  while (high > 0x7f) {
    high = Math.floor(high / 0x80);
    size++;
  }
  return size;
}

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

function isInt32(value: number): boolean {
  return (value | 0) === value;
}
