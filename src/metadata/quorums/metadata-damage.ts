/**
 * Tells a damaged metadata log from one whose last write was torn. A torn tail was never acknowledged and is cut by the
 * log's recovery; a bad batch with good ones behind it lost something that the cluster was told, and cutting there would
 * quietly take every later topic along.
 */
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.ts';
import type { FileSystem } from '../../base/file-system.ts';
import type { Offset } from '../../base/units.ts';
import * as batch from '../../records/batch.ts';
import { matchesChecksum, wholeBatchBytes } from '../../records/bounds.ts';
import { LOG_SUFFIX } from '../../storage/log-files.ts';

/** Throws SluiceError METADATA_DAMAGED. Reads every segment; there are few, since snapshots make old ones superfluous. */
export function refuseDamagedLog(directory: string, fileSystem: FileSystem): void {
  const segments = fileSystem
    .list(directory)
    .map(({ name }) => name)
    .filter((name) => name.endsWith(LOG_SUFFIX))
    .sort();
  segments.forEach((name, index) => {
    const path = join(directory, name);
    const bytes = fileSystem.readFile(path);
    const { position, lastOffset } = validPart(bytes);
    if (position === bytes.length) return;
    const isLast = index === segments.length - 1;
    if (!isLast || hasBatchBehind(bytes, position + 1, lastOffset)) throw damaged(path, position);
  });
}

function validPart(bytes: Buffer): { readonly position: number; readonly lastOffset: Offset } {
  let position = 0;
  let lastOffset = -1;
  while (isBatch(bytes, position)) {
    lastOffset = batch.lastOffset(bytes, position);
    position += batch.batchBytes(bytes, position);
  }
  return { position, lastOffset };
}

function isBatch(bytes: Buffer, at: number): boolean {
  if (bytes.length - at < batch.BATCH_HEADER_BYTES || batch.magic(bytes, at) !== batch.MAGIC_V2) return false;
  return wholeBatchBytes(bytes, at) > 0 && matchesChecksum(bytes, at);
}

/** Looks at every byte: the length of the bad batch may be what is bad about it. */
function hasBatchBehind(bytes: Buffer, from: number, lastOffset: Offset): boolean {
  for (let at = from; at + batch.BATCH_HEADER_BYTES <= bytes.length; at++) {
    if (isBatch(bytes, at) && batch.baseOffset(bytes, at) > lastOffset) return true;
  }
  return false;
}

function damaged(path: string, position: number): SluiceError {
  return new SluiceError(
    'METADATA_DAMAGED',
    `the metadata log ${path} is damaged at byte ${position}, and there is more behind it`,
    {
      remedy:
        'Put the file back from a copy. To go on without what the damaged batch said (topics may be missing then), ' +
        `cut the file there: truncate -s ${position} ${path}`,
    },
  );
}
