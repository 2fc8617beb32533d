/**
 * Kafka's text checkpoints: version, number of entries, one entry a line. Two kinds: offsets of partitions
 * (`<topic> <partition> <offset>`) in a log directory, and leader epochs (`<epoch> <start offset>`) in a partition's.
 */
import { SluiceError } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import type { Offset } from '../base/units.ts';

const VERSION = 0;

/** The file's content for these lines. */
export function encodeCheckpoint(lines: readonly string[]): Buffer {
  return Buffer.from(`${[VERSION, lines.length, ...lines].join('\n')}\n`);
}

/** The entries' lines; none where the file is absent or empty. Throws SluiceError CORRUPT_CHECKPOINT. */
export function readCheckpoint(path: string, fileSystem: FileSystem): string[] {
  if (!fileSystem.exists(path)) return [];
  const text = fileSystem.readFile(path).toString('utf8');
  if (text === '') return [];
  const [version, count, ...lines] = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (Number(version) !== VERSION) throw corrupt(path, `version ${version} is not known`);
  if (count === undefined || Number(count) !== lines.length) {
    throw corrupt(path, `${lines.length} entries instead of ${count}`);
  }
  return lines;
}

function corrupt(path: string, what: string): SluiceError {
  return new SluiceError('CORRUPT_CHECKPOINT', `${path} is no checkpoint: ${what}`, {
    remedy: 'Remove the file; what it holds is found again by reading the logs.',
  });
}

/** Offsets by `<topic>-<partition>`, the key that the caller's logs have too. */
export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
}

export function encodeOffsets(entries: readonly PartitionOffset[]): Buffer {
  return encodeCheckpoint(entries.map(({ topic, partition, offset }) => `${topic} ${partition} ${offset}`));
}

/** Throws SluiceError CORRUPT_CHECKPOINT. */
export function readOffsets(path: string, fileSystem: FileSystem): PartitionOffset[] {
  return readCheckpoint(path, fileSystem).map((line) => {
    const match = /^(\S+)\s+(\d+)\s+(\d+)$/.exec(line);
    if (match === null) throw corrupt(path, `the line '${line}'`);
    return { topic: match[1]!, partition: Number(match[2]), offset: Number(match[3]) };
  });
}

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: Offset;
}

export function encodeEpochs(entries: readonly EpochStart[]): Buffer {
  return encodeCheckpoint(entries.map(({ epoch, startOffset }) => `${epoch} ${startOffset}`));
}

/** Throws SluiceError CORRUPT_CHECKPOINT. */
export function readEpochs(path: string, fileSystem: FileSystem): EpochStart[] {
  return readCheckpoint(path, fileSystem).map((line) => {
    const match = /^(\d+)\s+(\d+)$/.exec(line);
    if (match === null) throw corrupt(path, `the line '${line}'`);
    return { epoch: Number(match[1]), startOffset: Number(match[2]) };
  });
}
