/** What is wrong with log directories, as errors that say what to do about it. */
import { SluiceError } from '../base/errors.ts';

export function foreignDirectory(path: string, theirs: string, ours: string): SluiceError {
  return new SluiceError('FOREIGN_LOG_DIRECTORY', `${path} belongs to ${theirs}, not to ${ours}`, {
    remedy: 'Check log.dirs, node.id and which disk is mounted where.',
  });
}

export function duplicatePartition(name: string, first: string, second: string): SluiceError {
  return new SluiceError('DUPLICATE_PARTITION', `${name} lies in both ${first} and ${second}`, {
    remedy: 'Move the older one of the two out of its log directory.',
  });
}

const SEGMENT_MISSING = 'SEGMENT_MISSING';

/** Somebody took a segment's file away: its records are lost, and nothing else is. */
export function segmentMissing(path: string, cause: unknown): SluiceError {
  return new SluiceError(SEGMENT_MISSING, `${path} is not there any more`, {
    remedy: 'Put the file back, or restart the broker: consumers then go on behind its records.',
    cause,
  });
}

export function isSegmentMissing(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.code === SEGMENT_MISSING;
}

export function storageFailed(message: string, cause?: unknown): SluiceError {
  return new SluiceError('STORAGE_FAILED', message, { cause });
}
