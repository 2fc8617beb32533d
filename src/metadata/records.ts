/**
 * Metadata records: their kinds, and how one lies in the value of a log record (Kafka's ApiMessageAndVersion):
 *
 *    frame version  unsigned varint, always 1
 *    record type    unsigned varint
 *    version        unsigned varint
 *    fields         by the record's schema
 */
import { SluiceError } from '../base/errors.ts';
import { decodeWhole, encodeToBuffer, MalformedMessage } from '../protocol/codec.ts';
import type { Decoded, Encodable, MessageSchema, StoredRecord } from '../protocol/schema.ts';
import * as schemas from '../protocol/state/metadata-records.ts';
import { readUnsignedVarint, sizeOfUnsignedVarint, writeUnsignedVarint } from '../protocol/varint.ts';

/** Every kind that this program knows, by the name that code calls it. */
export const RECORD_KINDS = {
  registerBroker: schemas.registerBrokerRecord,
  unregisterBroker: schemas.unregisterBrokerRecord,
  topic: schemas.topicRecord,
  partition: schemas.partitionRecord,
  config: schemas.configRecord,
  partitionChange: schemas.partitionChangeRecord,
  fenceBroker: schemas.fenceBrokerRecord,
  unfenceBroker: schemas.unfenceBrokerRecord,
  removeTopic: schemas.removeTopicRecord,
  featureLevel: schemas.featureLevelRecord,
  producerIds: schemas.producerIdsRecord,
  brokerRegistrationChange: schemas.brokerRegistrationChangeRecord,
  noOp: schemas.noOpRecord,
  beginTransaction: schemas.beginTransactionRecord,
  endTransaction: schemas.endTransactionRecord,
  abortTransaction: schemas.abortTransactionRecord,
  clearElr: schemas.clearElrRecord,
} as const;

export type RecordKind = keyof typeof RECORD_KINDS;
type SchemaOf<K extends RecordKind> = (typeof RECORD_KINDS)[K];

/** A record with all its fields and the version it is written in. */
export type MetadataRecord =
  | {
      [K in RecordKind]: { readonly kind: K; readonly version: number; readonly value: Readonly<Decoded<SchemaOf<K>>> };
    }[RecordKind]
  | CarriedRecord;

/** A record of Kafka's that this program does not act on: written again as it was read. */
export interface CarriedRecord {
  readonly kind: 'carried';
  readonly version: number;
  readonly value: { readonly type: number; readonly fields: Buffer };
}

/**
 * Types of carried records, and whether a snapshot must hold them. They refer to nothing but each other, so that all in
 * the order in which they were written make the same state again.
 */
const CARRIED_TYPES: ReadonlyMap<number, { readonly name: string; readonly isState: boolean }> = new Map([
  [10, { name: 'DelegationTokenRecord', isState: true }],
  [11, { name: 'UserScramCredentialRecord', isState: true }],
  [14, { name: 'ClientQuotaRecord', isState: true }],
  [18, { name: 'AccessControlEntryRecord', isState: true }],
  [19, { name: 'RemoveAccessControlEntryRecord', isState: true }],
  [21, { name: 'ZkMigrationStateRecord', isState: false }],
  [22, { name: 'RemoveUserScramCredentialRecord', isState: true }],
  [26, { name: 'RemoveDelegationTokenRecord', isState: true }],
  // A controller registers anew with every start.
  [27, { name: 'RegisterControllerRecord', isState: false }],
]);
const CARRIED_VERSION = 0;

/** Whether a snapshot of the metadata must hold a carried record. */
export function isCarriedState({ value }: CarriedRecord): boolean {
  return CARRIED_TYPES.get(value.type)?.isState ?? true;
}

/** Kafka's name of a carried record's type. */
export function carriedName({ value }: CarriedRecord): string {
  return CARRIED_TYPES.get(value.type)?.name ?? String(value.type);
}

/** Level of the feature `metadata.version` that these records belong to: 4.3-IV0. */
export const METADATA_VERSION_LEVEL = 30;
export const METADATA_VERSION_FEATURE = 'metadata.version';
/** Level 1: the broker-driven protocol of consumer groups (KIP-848). */
export const GROUP_VERSION_LEVEL = 1;
export const GROUP_VERSION_FEATURE = 'group.version';

/** Versions that Kafka writes at that level (MetadataVersion.java); 0 for all other kinds. */
const WRITTEN_VERSIONS: Partial<Record<RecordKind, number>> = {
  registerBroker: 4,
  partition: 2,
  partitionChange: 2,
  brokerRegistrationChange: 3,
};

/** A new record; fields that are left out have their defaults. */
export function newRecord<K extends RecordKind>(kind: K, value: Encodable<SchemaOf<K>>): MetadataRecord {
  const { fields } = RECORD_KINDS[kind] as MessageSchema;
  const complete: Record<string, unknown> = { ...value };
  for (const [name, field] of Object.entries(fields)) {
    if (complete[name] === undefined) complete[name] = field.defaultValue;
  }
  return { kind, version: WRITTEN_VERSIONS[kind] ?? 0, value: complete } as MetadataRecord;
}

const FRAME_VERSION = 1;
const KIND_BY_TYPE = new Map<number, RecordKind>(
  Object.entries(RECORD_KINDS).map(([kind, schema]) => [(schema as StoredRecord).type, kind as RecordKind]),
);

/** The value of the log record that holds `record`. */
export function encodeRecord(record: MetadataRecord): Buffer {
  if (record.kind === 'carried') return frame(record.value.type, record.version, record.value.fields);
  const schema = RECORD_KINDS[record.kind] as StoredRecord;
  const fields = encodeToBuffer(schema, record.version, record.value as Encodable<StoredRecord>);
  return frame(schema.type, record.version, fields);
}

function frame(type: number, version: number, fields: Buffer): Buffer {
  const headBytes = sizeOfUnsignedVarint(FRAME_VERSION) + sizeOfUnsignedVarint(type) + sizeOfUnsignedVarint(version);
  const bytes = Buffer.allocUnsafe(headBytes + fields.length);
  let at = writeUnsignedVarint(bytes, FRAME_VERSION, 0);
  at = writeUnsignedVarint(bytes, type, at);
  at = writeUnsignedVarint(bytes, version, at);
  fields.copy(bytes, at);
  return bytes;
}

/**
 * Reads the value of a log record. What cannot be read would be missing from the image, so it is no record to skip:
 * SluiceError UNSUPPORTED_METADATA for a type or version of a newer program, CORRUPT_METADATA for bytes that are none.
 */
export function decodeRecord(bytes: Buffer): MetadataRecord {
  try {
    const cursor = { bytes, at: 0, end: bytes.length };
    const frameVersion = readUnsignedVarint(cursor);
    const type = readUnsignedVarint(cursor);
    const version = readUnsignedVarint(cursor);
    if (frameVersion === FRAME_VERSION && CARRIED_TYPES.has(type) && version === CARRIED_VERSION) {
      return { kind: 'carried', version, value: { type, fields: Buffer.from(bytes.subarray(cursor.at)) } };
    }
    const kind = KIND_BY_TYPE.get(type);
    const schema: MessageSchema | undefined = kind === undefined ? undefined : RECORD_KINDS[kind];
    if (frameVersion !== FRAME_VERSION || schema === undefined || version > schema.versions.to) {
      throw new SluiceError(
        'UNSUPPORTED_METADATA',
        `metadata record of type ${type}, version ${version} is not known`,
        {
          remedy: 'Start the newer program that wrote this data directory.',
        },
      );
    }
    return { kind, version, value: decodeWhole(schema, version, bytes, cursor.at) } as MetadataRecord;
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    throw new SluiceError('CORRUPT_METADATA', `a metadata record cannot be read: ${error.message}`, { cause: error });
  }
}
