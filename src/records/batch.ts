/**
 * Record batch v2 (magic 2) in place: reading and patching the header of a batch that lies at `at` in a buffer.
 * Nothing here allocates. Offsets in bytes from the start of the batch:
 *
 *    0 base offset       int64  \ outside the CRC: the broker patches
 *    8 length            int32   | these without touching the checksum
 *   12 leader epoch      int32   |
 *   16 magic             int8   /
 *   17 crc               uint32   CRC-32C of all that follows
 *   21 attributes        int16    0-2 codec, 3 append time, 4 transactional, 5 control, 6 delete horizon
 *   23 last offset delta int32
 *   27 base timestamp    int64    (the delete horizon where attribute 6 is set)
 *   35 max timestamp     int64
 *   43 producer id       int64
 *   51 producer epoch    int16
 *   53 base sequence     int32
 *   57 record count      int32
 *   61 records (compressed as one block)
 */
import { readInt64, writeInt64 } from '../base/int64.ts';
import type { LeaderEpoch, Offset, ProducerId, Timestamp } from '../base/units.ts';

/** Bytes before the part that `length` counts. */
export const LOG_OVERHEAD = 12;
export const BATCH_HEADER_BYTES = 61;
export const MAGIC_V2 = 2;
/** Where the CRC begins to count. */
export const CRC_FROM = 21;
export const NO_PRODUCER_ID: ProducerId = -1;
export const NO_SEQUENCE = -1;
export const NO_TIMESTAMP: Timestamp = -1;

const CODEC_MASK = 0x07;
const APPEND_TIME_BIT = 0x08;
const TRANSACTIONAL_BIT = 0x10;
const CONTROL_BIT = 0x20;
const DELETE_HORIZON_BIT = 0x40;

export const baseOffset = (bytes: Buffer, at: number): Offset => readInt64(bytes, at);
/** The length field: bytes of the batch after the first twelve. */
export const lengthField = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 8);
/** Whole size of the batch in bytes. */
export const batchBytes = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 8) + LOG_OVERHEAD;
export const leaderEpoch = (bytes: Buffer, at: number): LeaderEpoch => bytes.readInt32BE(at + 12);
export const magic = (bytes: Buffer, at: number): number => bytes.readInt8(at + 16);
export const storedCrc = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at + 17);
export const attributes = (bytes: Buffer, at: number): number => bytes.readInt16BE(at + 21);
export const lastOffsetDelta = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 23);
export const lastOffset = (bytes: Buffer, at: number): Offset => baseOffset(bytes, at) + lastOffsetDelta(bytes, at);
export const baseTimestamp = (bytes: Buffer, at: number): Timestamp => readInt64(bytes, at + 27);
export const maxTimestamp = (bytes: Buffer, at: number): Timestamp => readInt64(bytes, at + 35);
export const producerId = (bytes: Buffer, at: number): ProducerId => readInt64(bytes, at + 43);
export const producerEpoch = (bytes: Buffer, at: number): number => bytes.readInt16BE(at + 51);
export const baseSequence = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 53);
export const recordCount = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 57);

/** Codec number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
export const codecOf = (attributeBits: number): number => attributeBits & CODEC_MASK;
export const usesAppendTime = (attributeBits: number): boolean => (attributeBits & APPEND_TIME_BIT) !== 0;
export const isTransactional = (attributeBits: number): boolean => (attributeBits & TRANSACTIONAL_BIT) !== 0;
export const isControl = (attributeBits: number): boolean => (attributeBits & CONTROL_BIT) !== 0;
export const hasDeleteHorizon = (attributeBits: number): boolean => (attributeBits & DELETE_HORIZON_BIT) !== 0;

/** The attribute bits of a new batch. */
export function attributeBits(parts: {
  readonly codec: number;
  readonly appendTime?: boolean;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly deleteHorizon?: boolean;
}): number {
  return (
    parts.codec |
    (parts.appendTime ? APPEND_TIME_BIT : 0) |
    (parts.transactional ? TRANSACTIONAL_BIT : 0) |
    (parts.control ? CONTROL_BIT : 0) |
    (parts.deleteHorizon ? DELETE_HORIZON_BIT : 0)
  );
}

/** Gives a batch its place in the log. Leaves the CRC valid. */
export function patchPlace(bytes: Buffer, at: number, offset: Offset, epoch: LeaderEpoch): void {
  writeInt64(bytes, offset, at);
  bytes.writeInt32BE(epoch, at + LOG_OVERHEAD);
}
