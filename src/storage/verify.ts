/**
 * Checks a data directory that no broker uses: every batch, index, snapshot, checkpoint and identity file in it. Tells
 * what is wrong and what the next start does about it; changes nothing. Memory: one batch, one window of each index.
 */
import { messageOf } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import { partitionName } from '../base/units.ts';
import { readOffsets } from './checkpoint-file.ts';
import { CLEAN_SHUTDOWN_FILE } from './clean-shutdown.ts';
import { HIGH_WATERMARK_FILE, RECOVERY_POINT_FILE, START_OFFSET_FILE } from './log-directory.ts';
import { LOG_SUFFIX, parsePartitionDirectory } from './log-files.ts';
import { META_PROPERTIES_FILE, readMetaProperties } from './meta-properties.ts';
import { type Finding, Findings, type Severity } from './verify/finding.ts';
import { verifyMetadataSnapshots } from './verify/verify-metadata-snapshots.ts';
import { type VerifiedLog, verifyPartition } from './verify/verify-partition.ts';

export type { Finding, Severity } from './verify/finding.ts';

export interface VerifyProgress {
  readonly partition: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface VerifyListeners {
  readonly onFinding: (finding: Finding) => void;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifySummary {
  readonly partitions: number;
  readonly segments: number;
  readonly batches: number;
  readonly bytes: number;
  readonly findings: Readonly<Record<Severity, number>>;
}

const CLEANER_FILE = 'cleaner-offset-checkpoint';
const CHECKPOINTS = [RECOVERY_POINT_FILE, START_OFFSET_FILE, HIGH_WATERMARK_FILE, CLEANER_FILE] as const;
const METADATA_TOPIC = '__cluster_metadata';

type Offsets = ReadonlyMap<string, number>;

/**
 * Checks `directory`, a log directory or a single partition's. The caller sees to it that no broker runs on it. Rejects
 * with the system's error where something cannot be read.
 */
export async function verifyDirectory(
  directory: string,
  listeners: VerifyListeners,
  fileSystem: FileSystem,
): Promise<VerifySummary> {
  const findings = new Findings(listeners.onFinding);
  const single = fileSystem.list(directory).some(({ name }) => name.endsWith(LOG_SUFFIX));
  const partitions = single ? [directory] : partitionsIn(directory, findings, fileSystem);
  const checkpoints = single ? NO_CHECKPOINTS : readCheckpoints(directory, findings, fileSystem);
  const cleanShutdown = !single && fileSystem.exists(`${directory}/${CLEAN_SHUTDOWN_FILE}`);
  if (!single) checkIdentity(directory, findings, fileSystem);
  const totalBytes = partitions.reduce((total, path) => total + segmentBytes(path, fileSystem), 0);
  const logs = new Map<string, VerifiedLog>();
  let doneBytes = 0;
  for (const path of partitions) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const onBytes = (bytes: number): void => {
      doneBytes += bytes;
      listeners.onProgress?.({ partition: name, doneBytes, totalBytes });
    };
    const recoveryPoint = checkpoints.get(RECOVERY_POINT_FILE)?.get(name) ?? 0;
    logs.set(
      name,
      await verifyPartition({ directory: path, cleanShutdown, recoveryPoint, onBytes }, findings, fileSystem),
    );
    if (name.startsWith(METADATA_TOPIC)) verifyMetadataSnapshots(path, findings, fileSystem);
  }
  compareCheckpoints(directory, checkpoints, logs, findings);
  findings.flush();
  const sum = (count: (log: VerifiedLog) => number): number => [...logs.values()].reduce((n, log) => n + count(log), 0);
  return {
    partitions: logs.size,
    segments: sum(({ segments }) => segments),
    batches: sum(({ batches }) => batches),
    bytes: totalBytes,
    findings: findings.counts,
  };
}

const NO_CHECKPOINTS: ReadonlyMap<string, Offsets> = new Map();

function partitionsIn(directory: string, findings: Findings, fileSystem: FileSystem): string[] {
  const paths: string[] = [];
  for (const { name, directory: isDirectory } of fileSystem.list(directory)) {
    if (!isDirectory) continue;
    const path = `${directory}/${name}`;
    const kind = parsePartitionDirectory(name)?.kind;
    if (kind === 'live') paths.push(path);
    else if (kind === 'deleted') {
      const problem = 'a deleted partition waits for its removal';
      findings.add({ severity: 'note', path, problem, recovery: 'the next start removes it' });
    } else {
      const problem = kind === undefined ? 'the directory is no partition' : 'the partition was set aside';
      findings.add({ severity: 'note', path, problem, recovery: 'a broker leaves it alone' });
    }
  }
  return paths.sort();
}

function segmentBytes(directory: string, fileSystem: FileSystem): number {
  let total = 0;
  for (const { name } of fileSystem.list(directory)) {
    if (name.endsWith(LOG_SUFFIX)) total += fileSystem.sizeOf(`${directory}/${name}`) ?? 0;
  }
  return total;
}

function readCheckpoints(directory: string, findings: Findings, fileSystem: FileSystem): ReadonlyMap<string, Offsets> {
  const checkpoints = new Map<string, Offsets>();
  for (const file of CHECKPOINTS) {
    const path = `${directory}/${file}`;
    try {
      const entries = readOffsets(path, fileSystem);
      checkpoints.set(file, new Map(entries.map((each) => [partitionName(each.topic, each.partition), each.offset])));
    } catch (error) {
      const recovery = 'the next start goes on without it, which costs time: it reads the logs';
      findings.add({ severity: 'warning', path, problem: messageOf(error), recovery });
    }
  }
  return checkpoints;
}

function checkIdentity(directory: string, findings: Findings, fileSystem: FileSystem): void {
  const path = `${directory}/${META_PROPERTIES_FILE}`;
  try {
    const properties = readMetaProperties(directory, fileSystem);
    if (properties !== undefined) return;
    const problem = 'the directory does not say which cluster and node it belongs to';
    findings.add({ severity: 'warning', path, problem, recovery: 'the next broker to start on it makes it its own' });
  } catch (error) {
    const recovery = 'no broker starts with it: restore it from another directory of the node';
    findings.add({ severity: 'error', path, problem: messageOf(error), recovery });
  }
}

function compareCheckpoints(
  directory: string,
  checkpoints: ReadonlyMap<string, Offsets>,
  logs: ReadonlyMap<string, VerifiedLog>,
  findings: Findings,
): void {
  for (const [file, offsets] of checkpoints) {
    const path = `${directory}/${file}`;
    for (const [name, offset] of offsets) {
      const log = logs.get(name);
      if (log === undefined) {
        const problem = `${name} is not in this directory`;
        findings.add({ severity: 'note', path, problem, recovery: 'the next start forgets it' });
      } else if (offset > log.endOffset) {
        const problem = `${name} is at ${offset}, behind the log's end at ${log.endOffset}`;
        const recovery = 'records were lost, or the file is of another time; the next start goes by the log';
        findings.add({ severity: file === CLEANER_FILE ? 'warning' : 'error', path, offset, problem, recovery });
      }
    }
  }
}
