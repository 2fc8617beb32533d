/** Offsets by timestamp, for ListOffsets: the time index, then batch headers, then the records of one batch. */
import type { LeaderEpoch, Offset, Timestamp } from '../base/units.ts';
import { BATCH_HEADER_BYTES, batchBytes, leaderEpoch, maxTimestamp } from '../records/batch.ts';
import { CorruptRecords } from '../records/corrupt-records.ts';
import { openRecords } from '../records/reader.ts';
import { BatchCursor, nextBatchAsync } from './batch-cursor.ts';
import type { LogCore } from './log-core.ts';
import { noBatchAt, type Segment } from './segment.ts';

export interface TimestampedOffset {
  readonly offset: Offset;
  readonly timestamp: Timestamp;
  /** -1 where the record's batch has none. */
  readonly leaderEpoch: LeaderEpoch;
}

/**
 * The first record at or after the log's start whose timestamp is not below `timestamp`; undefined where there is none
 * below `upTo`. Rejects with the system's error, or CorruptRecords.
 */
export async function offsetForTimestamp(
  core: LogCore,
  timestamp: Timestamp,
  upTo: Offset,
): Promise<TimestampedOffset | undefined> {
  for (const segment of [...core.segments]) {
    if (segment.file.isRetired) continue;
    await segment.learnLargest();
    if (segment.retentionTimestamp() < timestamp) continue;
    const hit = await firstAtLeast(segment, timestamp, core.startOffset);
    if (hit !== undefined) return hit.offset < upTo ? hit : undefined;
  }
  return undefined;
}

/** The first record with the largest timestamp of the log; undefined where no record has one. */
export async function maxTimestampOffset(core: LogCore): Promise<TimestampedOffset | undefined> {
  let best: Segment | undefined;
  for (const segment of [...core.segments]) {
    if (segment.file.isRetired) continue;
    await segment.learnLargest();
    if (best === undefined || segment.largest().timestamp > best.largest().timestamp) best = segment;
  }
  if (best === undefined || best.file.isRetired) return undefined;
  const { timestamp } = best.largest();
  return timestamp < 0 ? undefined : firstAtLeast(best, timestamp, core.startOffset);
}

async function firstAtLeast(
  segment: Segment,
  timestamp: Timestamp,
  startOffset: Offset,
): Promise<TimestampedOffset | undefined> {
  await Promise.all([segment.offsetIndex.file.loadAsync(), segment.timeIndex.file.loadAsync()]);
  segment.check();
  segment.checkTimes();
  const from = segment.offsetIndex.positionFor(Math.max(segment.timeIndex.offsetFor(timestamp), startOffset));
  const need = (bytes: Buffer, at: number): number =>
    maxTimestamp(bytes, at) >= timestamp ? batchBytes(bytes, at) : BATCH_HEADER_BYTES;
  const to = segment.size;
  const cursor = new BatchCursor({ from, to, need });
  const file = segment.borrow();
  try {
    while (await nextBatchAsync(cursor, file)) {
      if (maxTimestamp(cursor.bytes, cursor.at) < timestamp) continue;
      const records = openRecords(cursor.bytes, cursor.at);
      while (records.next()) {
        if (records.timestamp < timestamp || records.offset < startOffset) continue;
        const epoch = leaderEpoch(cursor.bytes, cursor.at);
        return { offset: records.offset, timestamp: records.timestamp, leaderEpoch: epoch };
      }
    }
  } catch (error) {
    if (!(error instanceof CorruptRecords)) throw error;
    throw new CorruptRecords(`${segment.file.path}, position ${cursor.position}: ${error.message}`, { cause: error });
  } finally {
    segment.file.giveBack();
  }
  // Cut meanwhile is not broken.
  if (cursor.position < Math.min(segment.size, to) && !segment.file.isRetired) {
    throw new CorruptRecords(noBatchAt(segment, cursor.position));
  }
  return undefined;
}
