/**
 * The log `__cluster_metadata-0` of a metadata directory: opening it, reading it back into an image, and the log's
 * configuration. Decides nothing about epochs or commits.
 */
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { SluiceError } from '../../base/errors.ts';
import type { Offset, Timestamp } from '../../base/units.ts';
import { partitionName } from '../../base/units.ts';
import { METADATA_TOPIC_UUID } from '../../base/uuid.ts';
import * as batch from '../../records/batch.ts';
import { wholeBatchBytes } from '../../records/bounds.ts';
import { type Log, type LogDependencies, openLog } from '../../storage/log.ts';
import { defaultLogConfig, type LogConfig } from '../../storage/log-config.ts';
import { applyRecords, type MetadataImage } from '../image.ts';
import type { MetadataRecord } from '../records.ts';
import { MAX_BATCH_BYTES, TransactionFilter, unpack } from './metadata-batches.ts';
import { refuseDamagedLog } from './metadata-damage.ts';
import { learnFacts, type QuorumFacts } from './quorum-facts.ts';

export const METADATA_TOPIC = '__cluster_metadata';
const READ_BYTES = 4 * 2 ** 20;
/** Records applied at once while the log is read back. */
const RECORDS_A_DRAFT = 20_000;

/** The directory of the log inside a metadata directory. */
export function metadataLogDirectory(metadataDirectory: string): string {
  return join(metadataDirectory, partitionName(METADATA_TOPIC, 0));
}

export interface MetadataLogOptions {
  /** `metadataLogDirectory` of it. */
  readonly directory: string;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  /** Everything below was durable when the newest snapshot was written. */
  readonly recoveryPoint: Offset;
}

/**
 * Opens the log, which begins at `startOffset` where there is none yet. A torn tail has been cut; rejects with SluiceError
 * METADATA_DAMAGED where more than that is wrong.
 */
export async function openMetadataLog(options: MetadataLogOptions, dependencies: LogDependencies): Promise<Log> {
  const { directory, segmentBytes, segmentMs, recoveryPoint } = options;
  const { fileSystem } = dependencies;
  refuseDamagedLog(directory, fileSystem);
  const begun = fileSystem.list(directory).some(({ name }) => name.endsWith('.log'));
  const log = await openLog(
    {
      directory,
      topic: METADATA_TOPIC,
      partition: 0,
      config: metadataLogConfig({ segmentBytes, segmentMs }),
      recoveryPoint,
      startOffset: begun ? 0 : recoveryPoint,
    },
    dependencies,
  );
  if (log.topicId === undefined) log.setTopicId(METADATA_TOPIC_UUID);
  return log;
}

/** Only snapshots make records superfluous: neither time nor size does. */
function metadataLogConfig(limits: { readonly segmentBytes: number; readonly segmentMs: number }): LogConfig {
  return {
    ...defaultLogConfig,
    ...limits,
    maxMessageBytes: 2 * MAX_BATCH_BYTES,
    retentionMs: -1,
    retentionBytes: -1,
  };
}

export interface Replayed {
  readonly image: MetadataImage;
  /** Of the last batch. */
  readonly timestamp: Timestamp;
  /** Bytes of log that were applied. */
  readonly bytes: number;
  /** The log ends inside a transaction. */
  readonly openTransaction: boolean;
  readonly facts: QuorumFacts;
}

/** Applies the whole log from the image's end on. Rejects with SluiceError CORRUPT_METADATA or UNSUPPORTED_METADATA. */
export async function replayLog(
  log: Log,
  from: { readonly image: MetadataImage; readonly timestamp: Timestamp; readonly facts: QuorumFacts },
): Promise<Replayed> {
  const filter = new TransactionFilter();
  let { image, timestamp, facts } = from;
  let pending: MetadataRecord[] = [];
  let epoch = image.epoch;
  let next = image.offset + 1;
  let appliedBytes = 0;
  const apply = (): void => {
    ({ image } = applyRecords(image, pending, next - 1, epoch));
    pending = [];
  };
  while (next < log.endOffset) {
    const bytes = await readSome(log, next);
    for (let at = 0; ; ) {
      const size = wholeBatchBytes(bytes, at);
      if (size <= 0) {
        assert(at > 0, 'a read of the log begins with a whole batch');
        break;
      }
      if (batch.lastOffset(bytes, at) >= next) {
        if (batch.isControl(batch.attributes(bytes, at))) facts = learnFacts(facts, bytes, at);
        else pending.push(...filter.pass(unpack(bytes, at)));
        next = batch.lastOffset(bytes, at) + 1;
        epoch = batch.leaderEpoch(bytes, at);
        timestamp = batch.maxTimestamp(bytes, at);
        appliedBytes += size;
      }
      at += size;
    }
    if (pending.length >= RECORDS_A_DRAFT) apply();
  }
  apply();
  return { image, timestamp, bytes: appliedBytes, openTransaction: filter.open, facts };
}

async function readSome(log: Log, offset: Offset): Promise<Buffer> {
  const outcome = log.read(offset, { maxBytes: READ_BYTES, minOneBatch: true, upTo: log.endOffset });
  if (!outcome.ok || outcome.region === undefined) {
    throw new SluiceError('CORRUPT_METADATA', `the metadata log cannot be read at offset ${offset}`);
  }
  const { region } = outcome;
  try {
    const bytes = Buffer.allocUnsafe(region.length);
    await region.file.read(bytes, region.position);
    return bytes;
  } finally {
    region.release();
  }
}
