/** `partition.metadata`: the topic id that a partition's directory belongs to, so that a recreated topic is told apart. */
import { SluiceError } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import { type Uuid, uuidToBytes, ZERO_UUID } from '../base/uuid.ts';
import { PARTITION_METADATA_FILE } from './log-files.ts';

const VERSION = 0;

export function encodePartitionMetadata(topicId: Uuid): Buffer {
  return Buffer.from(`version: ${VERSION}\ntopic_id: ${topicId}`);
}

/** The topic id, or undefined where there is no file. Throws SluiceError CORRUPT_PARTITION_METADATA. */
export function readPartitionMetadata(directory: string, fileSystem: FileSystem): Uuid | undefined {
  const path = `${directory}/${PARTITION_METADATA_FILE}`;
  if (!fileSystem.exists(path)) return undefined;
  const match = /^version:\s+(\d+)\r?\ntopic_id:\s+(\S+)\s*$/.exec(fileSystem.readFile(path).toString('utf8'));
  const topicId = match?.[2];
  if (topicId === undefined || uuidToBytes(topicId) === undefined || topicId === ZERO_UUID) {
    throw new SluiceError('CORRUPT_PARTITION_METADATA', `${path} names no topic id`, {
      remedy: 'Write the topic id that the cluster has for this topic, or remove the file.',
    });
  }
  return topicId;
}

/** Writes the file at once, so that no record is ever in a directory without it; durability follows on the thread pool. */
export function writePartitionMetadata(directory: string, topicId: Uuid, fileSystem: FileSystem): void {
  const path = `${directory}/${PARTITION_METADATA_FILE}`;
  const temporary = `${path}.new`;
  fileSystem.remove(temporary);
  const file = fileSystem.open(temporary);
  try {
    file.writeSync([encodePartitionMetadata(topicId)], 0);
  } finally {
    file.close();
  }
  fileSystem.rename(temporary, path);
}

/** Makes its content durable; its name is so once the directory was synced. */
export async function syncPartitionMetadata(directory: string, fileSystem: FileSystem): Promise<void> {
  const file = fileSystem.open(`${directory}/${PARTITION_METADATA_FILE}`);
  try {
    await file.sync();
  } finally {
    file.close();
  }
}
