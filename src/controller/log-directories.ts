/** Log directories as the controller knows them (KIP-858): where a replica goes, and whether where it lies is online. */
import type { BrokerId } from '../base/units.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { type MetadataImage, type PartitionImage, UNASSIGNED_DIRECTORY } from '../metadata/image.ts';

/** Kafka's DirectoryId.LOST: the directory is gone and nobody knows which it was. */
export const LOST_DIRECTORY: Uuid = 'AAAAAAAAAAAAAAAAAAAAAg';

/** A broker with one directory leaves no choice; one with several decides and tells later. */
export function defaultDirectory(image: MetadataImage, id: BrokerId): Uuid {
  const directories = image.brokers.get(id)?.logDirs;
  if (directories === undefined) return UNASSIGNED_DIRECTORY;
  if (directories.length === 0) return ZERO_UUID;
  return directories.length === 1 ? directories[0]! : UNASSIGNED_DIRECTORY;
}

/** Where a broker's replica of the partition lies, as far as it was told. */
export function directoryOf({ replicas, directories }: PartitionImage, id: BrokerId): Uuid {
  return directories[replicas.indexOf(id)] ?? ZERO_UUID;
}

/** Whether a replica in this directory can be served. What is not known counts as online. */
export function isOnlineDirectory(image: MetadataImage, id: BrokerId, directory: Uuid): boolean {
  if (directory === ZERO_UUID || directory === UNASSIGNED_DIRECTORY) return true;
  const online = image.brokers.get(id)?.logDirs;
  if (online === undefined || directory === LOST_DIRECTORY) return false;
  return online.length === 0 || online.includes(directory);
}
