/**
 * The part of validation that looks at records, for topics whose settings ask about them: keys where the topic is
 * compacted, and the lowest timestamp where age is limited. Its cost is a walk over the batch, after decompression.
 */
import { ErrorCode } from '../protocol/error-codes.ts';
import { NO_TIMESTAMP } from './batch.ts';
import { CorruptRecords } from './corrupt-records.ts';
import { openRecords } from './reader.ts';
import type { RecordCursor } from './record-cursor.ts';
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
    return walk(openRecords(bytes, at, { maxUncompressedBytes: rules.maxUncompressedBytes }), rules);
  } catch (error) {
    if (!(error instanceof CorruptRecords)) throw error;
    return { errorCode: ErrorCode.INVALID_RECORD, message: `the records cannot be read: ${error.message}` };
  }
}

function walk(cursor: RecordCursor, rules: ValidationRules): BatchFault | undefined {
  const createTime = rules.timestampType === 'CreateTime';
  const fromClient = rules.origin === 'client';
  let errors: RecordError[] | undefined;
  let errorCode: ErrorCode = ErrorCode.INVALID_RECORD;
  for (let index = 0; cursor.next(); index++) {
    if (fromClient && cursor.offsetDelta !== index) throw new CorruptRecords('offsets inside the batch have gaps');
    let message: string | undefined;
    if (rules.compacted && cursor.keyLength < 0) message = 'a compacted topic takes no record without a key';
    else if (createTime && isOutOfRange(cursor.timestamp, rules)) {
      message = `timestamp ${cursor.timestamp} is outside the range that the topic accepts`;
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
  if (timestamp === NO_TIMESTAMP) return false;
  const age = rules.nowMs - timestamp;
  return (
    (rules.timestampBeforeMaxMs >= 0 && age > rules.timestampBeforeMaxMs) ||
    (rules.timestampAfterMaxMs >= 0 && -age > rules.timestampAfterMaxMs)
  );
}
