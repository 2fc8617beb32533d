/**
 * CRC-32C (Castagnoli, RFC 3720): the checksum of a record batch. The native routine does 4-7 GB/s, but a call into it
 * costs as much as a hundred bytes of table look-ups; short runs stay in JavaScript.
 */
import { crc32c as nativeCrc32c } from '@node-rs/crc32';

/** Reversed Castagnoli polynomial. */
const POLYNOMIAL = 0x82f63b78;
/** Runs shorter than this go through the tables; the two cost the same at about this length. */
const NATIVE_FROM_BYTES = 160;

const TABLES = buildTables();
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** Checksum of the bytes in `[from, to)`, unsigned. */
export function crc32c(bytes: Buffer, from: number, to: number): number {
  if (to - from >= NATIVE_FROM_BYTES) {
    return nativeCrc32c(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }
  return tableCrc32c(bytes, from, to);
}

/** Slicing by eight (Kounavis and Berry, 2005): eight table look-ups for eight bytes, without a dependency between them. */
export function tableCrc32c(bytes: Buffer, from: number, to: number): number {
  let crc = -1;
  let at = from;
  for (const lastWhole = to - 8; at <= lastWhole; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      T7[crc & 0xff]! ^
      T6[(crc >>> 8) & 0xff]! ^
      T5[(crc >>> 16) & 0xff]! ^
      T4[crc >>> 24]! ^
      T3[bytes[at + 4]!]! ^
      T2[bytes[at + 5]!]! ^
      T1[bytes[at + 6]!]! ^
      T0[bytes[at + 7]!]!;
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ T0[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

function buildTables(): Int32Array[] {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  const first = tables[0]!;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    first[byte] = crc;
  }
  for (let slice = 1; slice < 8; slice++) {
    const table = tables[slice]!;
    const previous = tables[slice - 1]!;
    for (let byte = 0; byte < 256; byte++) table[byte] = (previous[byte]! >>> 8) ^ first[previous[byte]! & 0xff]!;
  }
  return tables;
}
