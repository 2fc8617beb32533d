/**
 * Control records: what their keys and values mean. They lie in batches of their own, with the control bit set, and
 * never reach a consumer. Transaction markers carry a version in front of their fields; the metadata log's control
 * records carry it as their first field.
 */
import { decodeMessage, encodeToBuffer, MalformedMessage } from '../protocol/codec.ts';
import { array, type Decoded, type Encodable, int16, int32, int64, message } from '../protocol/schema.ts';
import { CorruptRecords } from './corrupt-records.ts';

/** Kinds of control records by the number in their key. */
export const ControlType = {
  ABORT: 0,
  COMMIT: 1,
  LEADER_CHANGE: 2,
  SNAPSHOT_HEADER: 3,
  SNAPSHOT_FOOTER: 4,
  KRAFT_VERSION: 5,
  KRAFT_VOTERS: 6,
} as const;
export type ControlType = (typeof ControlType)[keyof typeof ControlType];

const KEY_VERSION = 0;
const KEY_BYTES = 4;
const MARKER_VERSION = 0;
const MARKER_BYTES = 6;
const QUORUM_RECORD_VERSION = 0;

export const leaderChangeMessage = message('LeaderChangeMessage', '0', '0+', {
  version: int16('0+'),
  leaderId: int32('0+'),
  voters: array('0+', { voterId: int32('0+') }),
  grantingVoters: array('0+', { voterId: int32('0+') }),
});
export const snapshotHeader = message('SnapshotHeaderRecord', '0', '0+', {
  version: int16('0+'),
  lastContainedLogTimestamp: int64('0+'),
});
export const snapshotFooter = message('SnapshotFooterRecord', '0', '0+', { version: int16('0+') });
export const kraftVersion = message('KRaftVersionRecord', '0', '0+', {
  version: int16('0+'),
  kRaftVersion: int16('0+'),
});

/** The schemas of the metadata log's control records by type. */
const QUORUM_SCHEMAS = {
  [ControlType.LEADER_CHANGE]: leaderChangeMessage,
  [ControlType.SNAPSHOT_HEADER]: snapshotHeader,
  [ControlType.SNAPSHOT_FOOTER]: snapshotFooter,
  [ControlType.KRAFT_VERSION]: kraftVersion,
} as const;
export type QuorumControlType = keyof typeof QUORUM_SCHEMAS;

/** The key of a control record. */
export function controlKey(type: ControlType): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeInt16BE(KEY_VERSION, 0);
  key.writeInt16BE(type, 2);
  return key;
}

/**
 * The type in a control record's key. A type that this program does not know is returned as it is: it must be skipped,
 * not refused. Throws CorruptRecords where there is no such key.
 */
export function controlTypeOf(key: Buffer | null): number {
  if (key === null || key.length < KEY_BYTES) throw new CorruptRecords('a control record without a type');
  if (key.readInt16BE(0) < KEY_VERSION) throw new CorruptRecords('a control record of an impossible version');
  return key.readInt16BE(2);
}

/** The value of a transaction marker (commit or abort). */
export function endTransactionValue(coordinatorEpoch: number): Buffer {
  const value = Buffer.allocUnsafe(MARKER_BYTES);
  value.writeInt16BE(MARKER_VERSION, 0);
  value.writeInt32BE(coordinatorEpoch, 2);
  return value;
}

/** The coordinator epoch in a transaction marker's value. Throws CorruptRecords. */
export function coordinatorEpochOf(value: Buffer | null): number {
  if (value === null || value.length < MARKER_BYTES || value.readInt16BE(0) < MARKER_VERSION) {
    throw new CorruptRecords('a transaction marker without a coordinator epoch');
  }
  return value.readInt32BE(2);
}

/** The value of a control record of the metadata log. */
export function quorumControlValue<T extends QuorumControlType>(
  type: T,
  value: Encodable<(typeof QUORUM_SCHEMAS)[T]>,
): Buffer {
  return encodeToBuffer<(typeof QUORUM_SCHEMAS)[T]>(QUORUM_SCHEMAS[type], QUORUM_RECORD_VERSION, value);
}

/** The fields of a metadata log control record's value. Throws CorruptRecords. */
export function readQuorumControl<T extends QuorumControlType>(
  type: T,
  value: Buffer | null,
): Decoded<(typeof QUORUM_SCHEMAS)[T]> {
  if (value === null) throw new CorruptRecords('a control record without a value');
  try {
    return decodeMessage<(typeof QUORUM_SCHEMAS)[T]>(QUORUM_SCHEMAS[type], QUORUM_RECORD_VERSION, value);
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    throw new CorruptRecords('a control record with a broken value', { cause: error });
  }
}
