/**
 * Reads a coordinator's partition from start to end and hands out its records: off the event loop, in slices. Never
 * changes the log. Ends where nothing is left to read, not at an offset that must exist: compaction may have taken the
 * last ones away.
 */
import type { FileRegion } from '../../base/file-region.ts';
import type { Offset, ProducerId } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { PARTIAL, wholeBatchBytes } from '../../records/bounds.ts';
import { ControlType, controlTypeOf } from '../../records/control.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import { readRecords } from '../../records/reader.ts';
import type { Log } from '../../storage/log.ts';
import type { RecordPlace } from './shard-state.ts';

export interface LogVisitor {
  record(key: Buffer | null, value: Buffer | null, place: RecordPlace): void;
  endTransaction(producerId: ProducerId, committed: boolean): void;
}

export interface ReplayOptions {
  /** Bytes read at a time; a larger batch is read whole. */
  readonly chunkBytes: number;
  /** Asked between slices: whether somebody still wants the rest. */
  readonly wanted: () => boolean;
  /** Resolves once the events that are ready now have been handled. */
  readonly pause: () => Promise<void>;
}

/** Records handed out between two pauses: some milliseconds. */
const RECORDS_PER_SLICE = 1000;

/**
 * Hands out every record of `log`; the number of them, or undefined where it was not wanted any more. Rejects with
 * CorruptRecords, or the system's error.
 */
export async function replayLog(log: Log, visitor: LogVisitor, options: ReplayOptions): Promise<number | undefined> {
  let offset: Offset = log.startOffset;
  let records = 0;
  while (offset < log.endOffset) {
    await log.warm(offset);
    if (!options.wanted()) return undefined;
    const outcome = log.read(offset, { maxBytes: options.chunkBytes, minOneBatch: true, upTo: log.endOffset });
    if (!outcome.ok) throw new CorruptRecords(`cannot read at offset ${offset}: ${outcome.message}`);
    if (outcome.region === undefined) break;
    const chunk = await readRegion(outcome.region);
    for (let at = 0; at < chunk.length; ) {
      const size = wholeBatchBytes(chunk, at);
      // The last batch of a chunk may be cut; it begins the next chunk.
      if (size === PARTIAL && at > 0) break;
      if (size <= 0) throw new CorruptRecords(`no whole batch at offset ${offset}`);
      let inSlice = 0;
      for (const view of visitedRecords(chunk, at, offset, visitor)) {
        records += view;
        inSlice += view;
        if (inSlice % RECORDS_PER_SLICE !== 0) continue;
        await options.pause();
        if (!options.wanted()) return undefined;
      }
      offset = Math.max(offset, batch.lastOffset(chunk, at) + 1);
      at += size;
    }
    await options.pause();
    if (!options.wanted()) return undefined;
  }
  return records;
}

async function readRegion(region: FileRegion): Promise<Buffer> {
  try {
    const chunk = Buffer.allocUnsafe(region.length);
    const bytes = await region.file.read(chunk, region.position);
    return chunk.subarray(0, bytes);
  } finally {
    region.release();
  }
}

/** Hands out the records of one batch from `from` on; yields 1 for each. */
function* visitedRecords(bytes: Buffer, at: number, from: Offset, visitor: LogVisitor): Generator<1, void, void> {
  const bits = batch.attributes(bytes, at);
  const producerId = batch.isTransactional(bits) ? batch.producerId(bytes, at) : batch.NO_PRODUCER_ID;
  for (const { offset, key, value } of readRecords(bytes, at)) {
    // A read may begin inside a batch.
    if (offset < from) continue;
    if (batch.isControl(bits)) {
      const type = controlTypeOf(key);
      if (type === ControlType.COMMIT || type === ControlType.ABORT) {
        visitor.endTransaction(batch.producerId(bytes, at), type === ControlType.COMMIT);
      }
    } else {
      visitor.record(key, value, { offset, producerId });
    }
    yield 1;
  }
}
