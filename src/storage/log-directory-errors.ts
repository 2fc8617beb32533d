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

export function storageFailed(message: string, cause?: unknown): SluiceError {
  return new SluiceError('STORAGE_FAILED', message, { cause });
}
