/** Signed 64-bit big-endian integers as numbers. */

const HIGH_WORD = 0x1_0000_0000;

/** Reads 8 bytes; the result is exact only if it is a safe integer, which the caller checks where input is foreign. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * HIGH_WORD + bytes.readUInt32BE(at + 4);
}

/** Writes a safe integer. */
export function writeInt64(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / HIGH_WORD);
  bytes.writeInt32BE(high, at);
  bytes.writeUInt32BE(value - high * HIGH_WORD, at + 4);
}
