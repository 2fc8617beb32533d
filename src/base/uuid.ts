/**
 * Kafka's Uuid: 128 bits written as URL-safe base64 without padding (22 characters). In this program an id is that
 * string; the wire carries 16 bytes.
 */
import type { Random } from './random.ts';

export type Uuid = string;

/** The id that means "none" on the wire. */
export const ZERO_UUID: Uuid = 'AAAAAAAAAAAAAAAAAAAAAA';
/** Reserved for the metadata topic (org.apache.kafka.common.Uuid). */
export const METADATA_TOPIC_UUID: Uuid = 'AAAAAAAAAAAAAAAAAAAAAQ';
const UUID_BYTES = 16;
const RESERVED_BELOW = 100;

/** A new version 4 id that is not reserved and does not begin with a dash (so that tools can take it as an argument). */
export function newUuid(random: Random): Uuid {
  for (;;) {
    const bytes = random.bytes(UUID_BYTES);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const text = uuidFromBytes(bytes, 0);
    if (!text.startsWith('-')) return text;
  }
}

/** Reads 16 bytes at `position` as an id. */
export function uuidFromBytes(bytes: Buffer, position: number): Uuid {
  return bytes.toString('base64url', position, position + UUID_BYTES);
}

/** The 16 bytes of an id, or undefined where the text is not one. */
export function uuidToBytes(text: Uuid): Buffer | undefined {
  if (!/^[A-Za-z0-9_-]{22}$/.test(text)) return undefined;
  return Buffer.from(text, 'base64url');
}

/** Ids below 100 are reserved by Kafka for its own topics and directories. */
export function isReservedUuid(text: Uuid): boolean {
  const bytes = uuidToBytes(text);
  if (bytes === undefined) return false;
  return bytes.readBigUInt64BE(0) === 0n && bytes.readBigUInt64BE(8) < BigInt(RESERVED_BELOW);
}
