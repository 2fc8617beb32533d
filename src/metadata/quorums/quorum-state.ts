/**
 * The file `quorum-state`: who leads the metadata log in which epoch, as Kafka's raft writes it (QuorumStateData,
 * version 0). Read once at start; written before an epoch begins, so that no epoch is ever led twice.
 */
import { join } from 'node:path';
import { messageOf, SluiceError } from '../../base/errors.ts';
import type { FileSystem } from '../../base/file-system.ts';
import type { BrokerId, LeaderEpoch } from '../../base/units.ts';

const FILE_NAME = 'quorum-state';

export interface QuorumState {
  readonly leaderId: BrokerId;
  readonly leaderEpoch: LeaderEpoch;
}

/** Undefined where no epoch was ever led. Throws SluiceError CORRUPT_METADATA for a file that cannot be read. */
export function readQuorumState(directory: string, fileSystem: FileSystem): QuorumState | undefined {
  const path = join(directory, FILE_NAME);
  if (!fileSystem.exists(path)) return undefined;
  try {
    const { leaderId, leaderEpoch } = JSON.parse(fileSystem.readFile(path).toString('utf8')) as QuorumState;
    if (!Number.isSafeInteger(leaderId) || !Number.isSafeInteger(leaderEpoch)) throw new Error('fields are missing');
    return { leaderId, leaderEpoch };
  } catch (error) {
    throw new SluiceError('CORRUPT_METADATA', `${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
      remedy: 'Remove the file: the epoch is found in the metadata log too.',
    });
  }
}

/** Durable once this returns. Throws the system's error. */
export function writeQuorumState(
  directory: string,
  { leaderId, leaderEpoch }: QuorumState,
  fileSystem: FileSystem,
): void {
  const content = {
    clusterId: '',
    leaderId,
    leaderEpoch,
    votedId: -1,
    appliedOffset: 0,
    currentVoters: [{ voterId: leaderId }],
    data_version: 0,
  };
  fileSystem.replaceFile(join(directory, FILE_NAME), Buffer.from(JSON.stringify(content)));
}
