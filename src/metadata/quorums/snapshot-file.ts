/**
 * Snapshots of the metadata in Kafka's format: `<offset, 20 digits>-<epoch, 10 digits>.checkpoint`, where the offset is
 * that of the first record not contained. A control batch with the header, batches of records, a control batch with the
 * footer; offsets inside count from 0. A file without its footer is none: it is written under another name, synced and
 * renamed.
 */
import { join } from 'node:path';
import { messageOf, SluiceError } from '../../base/errors.ts';
import type { FileSystem } from '../../base/file-system.ts';
import type { LeaderEpoch, Offset, Timestamp } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { matchesChecksum, wholeBatchBytes } from '../../records/bounds.ts';
import { ControlType, controlTypeOf, quorumControlValue, readQuorumControl } from '../../records/control.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import { readRecords } from '../../records/reader.ts';
import { applyRecords, emptyImage, type MetadataImage } from '../image.ts';
import { recordsOf } from '../image-records.ts';
import { encodeRecord } from '../records.ts';
import { controlBatch, controlRecords, pack, unpack } from './metadata-batches.ts';
import { factsInOrder, learnFacts, NO_FACTS, type QuorumFacts } from './quorum-facts.ts';

export interface SnapshotId {
  /** Offset of the first record that is not contained. */
  readonly offset: Offset;
  /** Epoch of the last record that is. */
  readonly epoch: LeaderEpoch;
}

const FILE_NAME = /^(\d{20})-(\d{10})\.checkpoint$/;
/** Records encoded between two looks at other work. */
const RECORDS_A_TURN = 2000;
const BATCH_BYTES = 2 ** 20;

export function snapshotFileName({ offset, epoch }: SnapshotId): string {
  return `${String(offset).padStart(20, '0')}-${String(epoch).padStart(10, '0')}.checkpoint`;
}

/** Snapshots in a directory, the newest first. */
export function listSnapshots(directory: string, fileSystem: FileSystem): SnapshotId[] {
  const ids: SnapshotId[] = [];
  for (const { name } of fileSystem.list(directory)) {
    const match = FILE_NAME.exec(name);
    if (match !== null) ids.push({ offset: Number(match[1]), epoch: Number(match[2]) });
  }
  return ids.sort((left, right) => right.offset - left.offset || right.epoch - left.epoch);
}

export function removeSnapshot(directory: string, id: SnapshotId, fileSystem: FileSystem): void {
  fileSystem.remove(join(directory, snapshotFileName(id)));
}

/** The content of a snapshot. Gives way (`pause`) now and then: the image does not change meanwhile. */
export async function encodeSnapshot(
  { image, facts }: { readonly image: MetadataImage; readonly facts: QuorumFacts },
  times: { readonly nowMs: Timestamp; readonly lastContainedMs: Timestamp },
  pause: () => Promise<void>,
): Promise<Buffer> {
  const place = { epoch: image.epoch, timestamp: times.nowMs };
  const header = quorumControlValue(ControlType.SNAPSHOT_HEADER, {
    version: 0,
    lastContainedLogTimestamp: times.lastContainedMs,
  });
  const opening = [{ type: ControlType.SNAPSHOT_HEADER, value: header }, ...factsInOrder(facts)];
  const parts = [controlRecords(opening, { ...place, baseOffset: 0 })];
  let offset = opening.length;
  let values: Buffer[] = [];
  const finishBatches = (): void => {
    const { bytes, records } = pack(values, { ...place, baseOffset: offset }, BATCH_BYTES);
    parts.push(bytes);
    offset += records;
    values = [];
  };
  for (const record of recordsOf(image)) {
    values.push(encodeRecord(record));
    if (values.length < RECORDS_A_TURN) continue;
    finishBatches();
    await pause();
  }
  finishBatches();
  parts.push(controlBatch(ControlType.SNAPSHOT_FOOTER, { version: 0 }, { ...place, baseOffset: offset }));
  return Buffer.concat(parts);
}

export interface LoadedSnapshot {
  readonly image: MetadataImage;
  readonly lastContainedMs: Timestamp;
  readonly facts: QuorumFacts;
}

/**
 * Reads a snapshot whole. Throws SluiceError CORRUPT_METADATA where it is not, UNSUPPORTED_METADATA where a newer
 * program wrote it.
 */
export function loadSnapshot(
  options: { readonly directory: string; readonly id: SnapshotId; readonly clusterId: string },
  fileSystem: FileSystem,
): LoadedSnapshot {
  const { directory, id, clusterId } = options;
  const path = join(directory, snapshotFileName(id));
  try {
    return decodeSnapshot(fileSystem.readFile(path), id, clusterId);
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'UNSUPPORTED_METADATA') throw error;
    throw new SluiceError('CORRUPT_METADATA', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** The state that the content of a snapshot tells. Throws CorruptRecords, or SluiceError as `loadSnapshot` does. */
export function decodeSnapshot(bytes: Buffer, id: SnapshotId, clusterId: string): LoadedSnapshot {
  const { records, lastContainedMs, facts } = readBatches(bytes);
  const { image } = applyRecords(emptyImage(clusterId), records, id.offset - 1, id.epoch);
  return { image, lastContainedMs, facts };
}

function readBatches(bytes: Buffer): {
  readonly records: ReturnType<typeof unpack>;
  readonly lastContainedMs: Timestamp;
  readonly facts: QuorumFacts;
} {
  const records: ReturnType<typeof unpack> = [];
  let lastContainedMs: Timestamp | undefined;
  let footer = false;
  let facts = NO_FACTS;
  for (let at = 0; at < bytes.length; ) {
    const size = wholeBatchBytes(bytes, at);
    if (size <= 0 || !matchesChecksum(bytes, at)) throw new CorruptRecords(`no whole batch at byte ${at}`);
    if (footer) throw new CorruptRecords('there are batches behind the footer');
    if (batch.isControl(batch.attributes(bytes, at))) {
      facts = learnFacts(facts, bytes, at);
      for (const { key, value } of readRecords(bytes, at)) {
        const type = controlTypeOf(key);
        if (type === ControlType.SNAPSHOT_FOOTER) footer = true;
        if (type === ControlType.SNAPSHOT_HEADER) {
          lastContainedMs = readQuorumControl(type, value).lastContainedLogTimestamp;
        }
      }
    } else records.push(...unpack(bytes, at));
    at += size;
  }
  if (lastContainedMs === undefined || !footer) throw new CorruptRecords('the header or the footer is missing');
  return { records, lastContainedMs, facts };
}
