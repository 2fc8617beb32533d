/**
 * Reads the files of a data directory entry by entry, without opening the log they belong to: a running broker is not
 * disturbed. Says at the end where a segment stops being valid. Never writes.
 */
import { basename, dirname } from 'node:path';
import { disk } from '../base/disk.ts';
import { SluiceError } from '../base/errors.ts';
import { readInt64 } from '../base/int64.ts';
import { carriedName, decodeRecord } from '../metadata/records.ts';
import * as batch from '../records/batch.ts';
import { matchesChecksum } from '../records/bounds.ts';
import { codecName } from '../records/compression/codecs.ts';
import { ControlType, controlTypeOf, coordinatorEpochOf } from '../records/control.ts';
import { type RecordView, readRecords } from '../records/reader.ts';
import { BatchCursor, nextBatchAsync } from '../storage/batch-cursor.ts';
import { readEpochs, readOffsets } from '../storage/checkpoint-file.ts';
import { HIGH_WATERMARK_FILE, RECOVERY_POINT_FILE, START_OFFSET_FILE } from '../storage/log-directory.ts';
import * as names from '../storage/log-files.ts';
import { META_PROPERTIES_FILE, readMetaProperties } from '../storage/meta-properties.ts';
import { OFFSET_ENTRY_BYTES } from '../storage/offset-index.ts';
import { readPartitionMetadata } from '../storage/partition-metadata.ts';
import { decodeSnapshot } from '../storage/producer-snapshot.ts';
import { TIME_ENTRY_BYTES } from '../storage/time-index.ts';
import { decodeAbortedTransaction, TRANSACTION_ENTRY_BYTES } from '../storage/transaction-index.ts';

/** One line of a dump; `type` says what it describes. */
export type DumpEntry = Readonly<Record<string, unknown>> & { readonly type: string };

const METADATA_DIRECTORY = /(^|\/)__cluster_metadata-0\/[^/]+$/;
const CLEANER_FILE = 'cleaner-offset-checkpoint';
const OFFSET_CHECKPOINTS = new Set([RECOVERY_POINT_FILE, START_OFFSET_FILE, HIGH_WATERMARK_FILE, CLEANER_FILE]);
const METADATA_SNAPSHOT_SUFFIX = '.checkpoint';

export async function* dumpFile(path: string, options: { readonly records: boolean }): AsyncGenerator<DumpEntry> {
  const name = basename(path).replace(names.DELETED_SUFFIX, '');
  if (!disk.exists(path)) throw new SluiceError('FILE_NOT_FOUND', `there is no file ${path}`);
  if (name.endsWith(names.LOG_SUFFIX) || name.endsWith(METADATA_SNAPSHOT_SUFFIX)) {
    yield* dumpSegment(path, { ...options, metadata: METADATA_DIRECTORY.test(path) });
  } else if (name.endsWith(names.OFFSET_INDEX_SUFFIX)) yield* dumpOffsetIndex(path, baseOffsetOf(name));
  else if (name.endsWith(names.TIME_INDEX_SUFFIX)) yield* dumpTimeIndex(path, baseOffsetOf(name));
  else if (name.endsWith(names.TRANSACTION_INDEX_SUFFIX)) yield* dumpTransactionIndex(path);
  else if (name.endsWith(names.SNAPSHOT_SUFFIX)) yield* dumpSnapshot(path);
  else if (OFFSET_CHECKPOINTS.has(name)) yield* dumpOffsets(path, name.replace(/-checkpoint$/, ''));
  else if (name === names.LEADER_EPOCH_FILE) yield* dumpEpochs(path);
  else if (name === META_PROPERTIES_FILE) yield { type: 'identity', ...readMetaProperties(dirname(path), disk) };
  else if (name === names.PARTITION_METADATA_FILE) {
    yield { type: 'partition', topicId: readPartitionMetadata(dirname(path), disk) };
  } else yield* dumpText(path);
}

function baseOffsetOf(name: string): number {
  const base = Number.parseInt(name, 10);
  if (Number.isNaN(base)) throw new SluiceError('NOT_A_SEGMENT', `${name} does not begin with an offset`);
  return base;
}

async function* dumpSegment(
  path: string,
  options: { readonly records: boolean; readonly metadata: boolean },
): AsyncGenerator<DumpEntry> {
  const file = disk.openReadOnly(path);
  try {
    const size = file.size();
    const cursor = new BatchCursor({ from: 0, to: size, need: batch.batchBytes });
    while (await nextBatchAsync(cursor, file)) {
      const { bytes, at } = cursor;
      yield batchEntry(bytes, at, cursor.position);
      if (!options.records) continue;
      for (const record of readRecords(bytes, at)) yield recordEntry(record, bytes, at, options.metadata);
    }
    if (cursor.position < size) yield { type: 'invalid', position: cursor.position, bytes: size - cursor.position };
  } finally {
    file.close();
  }
}

function batchEntry(bytes: Buffer, at: number, position: number): DumpEntry {
  const bits = batch.attributes(bytes, at);
  return {
    type: 'batch',
    baseOffset: batch.baseOffset(bytes, at),
    lastOffset: batch.lastOffset(bytes, at),
    count: batch.recordCount(bytes, at),
    position,
    bytes: batch.batchBytes(bytes, at),
    leaderEpoch: batch.leaderEpoch(bytes, at),
    codec: codecName(batch.codecOf(bits)),
    timestampType: batch.usesAppendTime(bits) ? 'LogAppendTime' : 'CreateTime',
    baseTimestamp: batch.baseTimestamp(bytes, at),
    maxTimestamp: batch.maxTimestamp(bytes, at),
    producerId: batch.producerId(bytes, at),
    producerEpoch: batch.producerEpoch(bytes, at),
    baseSequence: batch.baseSequence(bytes, at),
    transactional: batch.isTransactional(bits),
    control: batch.isControl(bits),
    crc: batch.storedCrc(bytes, at),
    valid: matchesChecksum(bytes, at),
  };
}

function recordEntry(record: RecordView, bytes: Buffer, at: number, metadata: boolean): DumpEntry {
  const place = { offset: record.offset, timestamp: record.timestamp };
  if (batch.isControl(batch.attributes(bytes, at))) return { type: 'control', ...place, ...controlFields(record) };
  if (metadata && record.value !== null) {
    const decoded = decodeRecord(record.value);
    const { version } = decoded;
    if (decoded.kind === 'carried') {
      const fields = decoded.value.fields.toString('hex');
      return { type: 'metadata', ...place, kind: carriedName(decoded), version, value: fields };
    }
    return { type: 'metadata', ...place, kind: decoded.kind, version, value: decoded.value };
  }
  const headers = record.headers.map(({ key, value }) => [key, textOf(value)]);
  return { type: 'record', ...place, key: textOf(record.key), value: textOf(record.value), headers };
}

function controlFields(record: RecordView): Readonly<Record<string, unknown>> {
  const type = controlTypeOf(record.key);
  const kind = Object.entries(ControlType).find(([, code]) => code === type)?.[0] ?? type;
  if (type !== ControlType.COMMIT && type !== ControlType.ABORT) return { kind };
  return { kind, coordinatorEpoch: coordinatorEpochOf(record.value) };
}

/** UTF-8 where the bytes are that, base64 behind a mark otherwise. */
function textOf(bytes: Buffer | null): string | null {
  if (bytes === null) return null;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : `base64:${bytes.toString('base64')}`;
}

function* dumpOffsetIndex(path: string, base: number): Generator<DumpEntry> {
  const bytes = disk.readFile(path);
  for (let at = 0; at + OFFSET_ENTRY_BYTES <= bytes.length; at += OFFSET_ENTRY_BYTES) {
    yield { type: 'offset', offset: base + bytes.readInt32BE(at), position: bytes.readInt32BE(at + 4) };
  }
}

function* dumpTimeIndex(path: string, base: number): Generator<DumpEntry> {
  const bytes = disk.readFile(path);
  for (let at = 0; at + TIME_ENTRY_BYTES <= bytes.length; at += TIME_ENTRY_BYTES) {
    yield { type: 'timestamp', timestamp: readInt64(bytes, at), offset: base + bytes.readInt32BE(at + 8) };
  }
}

function* dumpTransactionIndex(path: string): Generator<DumpEntry> {
  const bytes = disk.readFile(path);
  for (let at = 0; at + TRANSACTION_ENTRY_BYTES <= bytes.length; at += TRANSACTION_ENTRY_BYTES) {
    yield { type: 'aborted', ...decodeAbortedTransaction(bytes, at) };
  }
}

function* dumpOffsets(path: string, type: string): Generator<DumpEntry> {
  for (const entry of readOffsets(path, disk)) yield { type, ...entry };
}

function* dumpEpochs(path: string): Generator<DumpEntry> {
  for (const entry of readEpochs(path, disk)) yield { type: 'epoch', ...entry };
}

function* dumpSnapshot(path: string): Generator<DumpEntry> {
  const producers = decodeSnapshot(disk.readFile(path));
  if (producers === undefined) throw new SluiceError('CORRUPT_FILE', `${path} is no valid producer snapshot`);
  for (const {
    producerId,
    epoch,
    lastSequence,
    lastTimestamp,
    coordinatorEpoch,
    transactionStart,
    batches,
  } of producers) {
    const { lastOffset = -1, offsetDelta = 0 } = batches.at(-1) ?? {};
    yield {
      type: 'producer',
      producerId,
      epoch,
      lastSequence,
      lastOffset,
      offsetDelta,
      lastTimestamp,
      coordinatorEpoch,
      transactionStart,
    };
  }
}

function* dumpText(path: string): Generator<DumpEntry> {
  const lines = disk.readFile(path).toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const text of lines) yield { type: 'line', text };
}
