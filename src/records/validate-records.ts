/**
 * The part of validation that looks at records, for topics whose settings ask about them: keys where the topic is
 * compacted, and the lowest timestamp where age is limited. Its cost is a walk over the batch, after decompression.
 */
import { ErrorCode } from '../protocol/error-codes.ts';
import * as batch from './batch.ts';
import { decompress, MOST_UNCOMPRESSED_BYTES } from './compression/codecs.ts';
import { CorruptRecords } from './corrupt-records.ts';
import { RecordCursor } from './record-cursor.ts';
import type { BatchFault, ValidationRules } from './validate.ts';

/** One record that made its batch fail; travels in the produce response. */
export interface RecordError {
  /** Place of the record in its batch, from 0. */
  readonly index: number;
  readonly message: string;
}

/** A response names at most so many records. */
const MOST_RECORD_ERRORS = 1000;

/** Why the records of the batch at `at` are refused, with the ones at fault. */
export function recordFault(bytes: Buffer, at: number, rules: ValidationRules): BatchFault | undefined {
  try {
    return walk(openBatch(bytes, at, rules), bytes, at, rules);
  } catch (error) {
    if (!(error instanceof CorruptRecords)) throw error;
    return { errorCode: ErrorCode.INVALID_RECORD, message: `the records cannot be read: ${error.message}` };
  }
}

function openBatch(bytes: Buffer, at: number, rules: ValidationRules): RecordCursor {
  const codec = batch.codecOf(batch.attributes(bytes, at));
  const count = batch.recordCount(bytes, at);
  const from = at + batch.BATCH_HEADER_BYTES;
  const to = at + batch.batchBytes(bytes, at);
  if (codec === 0) return new RecordCursor(bytes, { from, to, count });
  const plain = decompress(codec, bytes.subarray(from, to), rules.maxUncompressedBytes ?? MOST_UNCOMPRESSED_BYTES);
  return new RecordCursor(plain, { from: 0, to: plain.length, count });
}

function walk(cursor: RecordCursor, bytes: Buffer, at: number, rules: ValidationRules): BatchFault | undefined {
  const base = batch.baseTimestamp(bytes, at);
  const createTime = rules.timestampType === 'CreateTime';
  const fromClient = rules.origin === 'client';
  let errors: RecordError[] | undefined;
  let errorCode: ErrorCode = ErrorCode.INVALID_RECORD;
  for (let index = 0; cursor.next(); index++) {
    if (fromClient && cursor.offsetDelta !== index) throw new CorruptRecords('offsets inside the batch have gaps');
    let message: string | undefined;
    if (rules.compacted && cursor.keyLength < 0) message = 'a compacted topic takes no record without a key';
    else if (createTime && isOutOfRange(base + cursor.timestampDelta, rules)) {
      message = `timestamp ${base + cursor.timestampDelta} is outside the range that the topic accepts`;
      errorCode = ErrorCode.INVALID_TIMESTAMP;
    }
    if (message === undefined) continue;
    errors ??= [];
    if (errors.length < MOST_RECORD_ERRORS) errors.push({ index, message });
  }
  if (errors === undefined) return undefined;
  return { errorCode, message: errors[0]!.message, recordErrors: errors };
}

function isOutOfRange(timestamp: number, rules: ValidationRules): boolean {
  if (timestamp === batch.NO_TIMESTAMP) return false;
  const age = rules.nowMs - timestamp;
  return (
    (rules.timestampBeforeMaxMs >= 0 && age > rules.timestampBeforeMaxMs) ||
    (rules.timestampAfterMaxMs >= 0 && -age > rules.timestampAfterMaxMs)
  );
}
