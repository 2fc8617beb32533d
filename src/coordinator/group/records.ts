/**
 * Records of `__consumer_offsets`: their kinds, and how one lies in the key and value of a log record. A key begins with
 * an int16 that tells the kind (for offsets and groups of the first protocol historically a version: 0 and 1 are both
 * offsets), a value with an int16 that tells its version.
 */
import { decodeWhole, encodeToBuffer, MalformedMessage } from '../../protocol/codec.ts';
import type { Decoded, Encodable, MessageSchema, StoredRecord } from '../../protocol/schema.ts';
import * as schemas from '../../protocol/state/group-records.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { Result } from '../runtime/result.ts';

/** Every kind that this program knows, by the name that code calls it, in the order of their numbers. */
export const GROUP_RECORD_KINDS = {
  legacyOffsetCommit: { key: schemas.legacyOffsetCommitKey, value: schemas.legacyOffsetCommitValue },
  offsetCommit: { key: schemas.offsetCommitKey, value: schemas.offsetCommitValue },
  groupMetadata: { key: schemas.groupMetadataKey, value: schemas.groupMetadataValue },
  consumerGroupMetadata: { key: schemas.consumerGroupMetadataKey, value: schemas.consumerGroupMetadataValue },
  consumerGroupPartitionMetadata: {
    key: schemas.consumerGroupPartitionMetadataKey,
    value: schemas.consumerGroupPartitionMetadataValue,
  },
  consumerGroupMemberMetadata: {
    key: schemas.consumerGroupMemberMetadataKey,
    value: schemas.consumerGroupMemberMetadataValue,
  },
  consumerGroupTargetAssignmentMetadata: {
    key: schemas.consumerGroupTargetAssignmentMetadataKey,
    value: schemas.consumerGroupTargetAssignmentMetadataValue,
  },
  consumerGroupTargetAssignmentMember: {
    key: schemas.consumerGroupTargetAssignmentMemberKey,
    value: schemas.consumerGroupTargetAssignmentMemberValue,
  },
  consumerGroupCurrentMemberAssignment: {
    key: schemas.consumerGroupCurrentMemberAssignmentKey,
    value: schemas.consumerGroupCurrentMemberAssignmentValue,
  },
  consumerGroupRegularExpression: {
    key: schemas.consumerGroupRegularExpressionKey,
    value: schemas.consumerGroupRegularExpressionValue,
  },
} as const;

type Kinds = typeof GROUP_RECORD_KINDS;
export type GroupRecordKind = keyof Kinds;
type KeyOf<K extends GroupRecordKind> = Decoded<Kinds[K]['key']>;
type ValueOf<K extends GroupRecordKind> = Decoded<Kinds[K]['value']>;

/** One record of the given kind; a null value is a tombstone. */
export type GroupRecordOf<K extends GroupRecordKind> = {
  readonly kind: K;
  readonly key: Readonly<KeyOf<K>>;
  readonly value: Readonly<ValueOf<K>> | null;
  /** Version to write the value in; the one of `WRITTEN_VERSIONS` where left out. */
  readonly version?: number;
};
export type GroupRecord = { [K in GroupRecordKind]: GroupRecordOf<K> }[GroupRecordKind];

/** What a request to the group coordinator comes to. */
export type GroupResult<Reply> = Result<Reply, GroupRecord>;

/** Versions of values that Kafka 4.3 writes; 0 for all other kinds. */
const WRITTEN_VERSIONS: Partial<Record<GroupRecordKind, number>> = { offsetCommit: 4, groupMetadata: 3 };

const KEY_VERSION = 0;
const TAG_BYTES = 2;
const KIND_BY_NUMBER = new Map<number, GroupRecordKind>(
  Object.entries(GROUP_RECORD_KINDS).map(([kind, { key }]) => [(key as StoredRecord).type, kind as GroupRecordKind]),
);

/** A record with a value; fields that are left out have their defaults. */
export function groupRecord<K extends GroupRecordKind>(
  kind: K,
  key: KeyOf<K>,
  value: Encodable<Kinds[K]['value']>,
  version?: number,
): GroupRecord {
  const { fields } = GROUP_RECORD_KINDS[kind].value as MessageSchema;
  const complete: Record<string, unknown> = { ...value };
  for (const [name, field] of Object.entries(fields)) {
    if (complete[name] === undefined) complete[name] = field.defaultValue;
  }
  return { kind, key, value: complete, version } as unknown as GroupRecord;
}

/** A record that deletes what an earlier one with the same key said. */
export function groupTombstone<K extends GroupRecordKind>(kind: K, key: KeyOf<K>): GroupRecord {
  return { kind, key, value: null } as unknown as GroupRecord;
}

/** Key and value of the log record that holds `record`. */
export function encodeGroupRecord(record: GroupRecord): { readonly key: Buffer; readonly value: Buffer | null } {
  const { key: keySchema, value: valueSchema } = GROUP_RECORD_KINDS[record.kind];
  const key = tagged(keySchema.type, keySchema, KEY_VERSION, record.key);
  if (record.value === null) return { key, value: null };
  const version = record.version ?? WRITTEN_VERSIONS[record.kind] ?? 0;
  return { key, value: tagged(version, valueSchema, version, record.value) };
}

/**
 * Reads a log record's key and value; undefined for a kind or version of another program, which is skipped. Buffers in
 * the result are views. Throws CorruptRecords where the bytes are none of what they claim to be.
 */
export function decodeGroupRecord(key: Buffer | null, value: Buffer | null): GroupRecord | undefined {
  if (key === null || key.length < TAG_BYTES) throw new CorruptRecords('a group record without a kind');
  const kind = KIND_BY_NUMBER.get(key.readInt16BE(0));
  if (kind === undefined) return undefined;
  const schemasOfKind: { readonly key: StoredRecord; readonly value: StoredRecord } = GROUP_RECORD_KINDS[kind];
  try {
    const decodedKey = decodeWhole(schemasOfKind.key, KEY_VERSION, key, TAG_BYTES);
    if (value === null) return { kind, key: decodedKey, value: null } as unknown as GroupRecord;
    if (value.length < TAG_BYTES) throw new CorruptRecords(`a ${kind} record without a version`);
    const version = value.readInt16BE(0);
    if (version < 0 || version > schemasOfKind.value.versions.to) return undefined;
    const decodedValue = decodeWhole(schemasOfKind.value, version, value, TAG_BYTES);
    return { kind, key: decodedKey, value: decodedValue, version } as unknown as GroupRecord;
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    throw new CorruptRecords(`a broken ${kind} record: ${error.message}`, { cause: error });
  }
}

function tagged(tag: number, schema: StoredRecord, version: number, fields: object): Buffer {
  const body = encodeToBuffer(schema, version, fields as Encodable<StoredRecord>);
  const bytes = Buffer.allocUnsafe(TAG_BYTES + body.length);
  bytes.writeInt16BE(tag, 0);
  body.copy(bytes, TAG_BYTES);
  return bytes;
}
