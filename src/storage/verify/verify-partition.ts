/** Checks the directory of one partition: segments in a row, producer snapshots, leader epochs, identity, leftovers. */
import { messageOf } from '../../base/errors.ts';
import type { FileSystem } from '../../base/file-system.ts';
import type { Offset } from '../../base/units.ts';
import { readEpochs } from '../checkpoint-file.ts';
import {
  CLEANED_SUFFIX,
  DELETED_SUFFIX,
  LEADER_EPOCH_FILE,
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  offsetFileName,
  offsetOfFileName,
  SNAPSHOT_SUFFIX,
  SWAP_SUFFIX,
  TIME_INDEX_SUFFIX,
  TRANSACTION_INDEX_SUFFIX,
} from '../log-files.ts';
import { readPartitionMetadata } from '../partition-metadata.ts';
import { NO_OFFSET, type ProducerEntry } from '../producer-entry.ts';
import { decodeSnapshot } from '../producer-snapshot.ts';
import { ProducerStates } from '../producer-state.ts';
import type { Findings } from './finding.ts';
import { type LogProgress, verifySegment } from './verify-segment.ts';

export interface PartitionContext {
  readonly directory: string;
  /** The last process said that everything is in order. */
  readonly cleanShutdown: boolean;
  readonly recoveryPoint: Offset;
  readonly onBytes: (bytes: number) => void;
}

/** What checkpoints are held against. */
export interface VerifiedLog {
  readonly firstOffset: Offset;
  readonly endOffset: Offset;
  readonly segments: number;
  readonly batches: number;
}

const INDEX_SUFFIXES = [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX];

export async function verifyPartition(
  context: PartitionContext,
  findings: Findings,
  fileSystem: FileSystem,
): Promise<VerifiedLog> {
  const { directory } = context;
  const names = fileSystem.list(directory).flatMap(({ name, directory: nested }) => (nested ? [] : [name]));
  const bases = offsetsIn(names, LOG_SUFFIX);
  const snapshots = new Set(offsetsIn(names, SNAPSHOT_SUFFIX));
  tellLeftovers(names, directory, findings);
  checkIdentity(directory, findings, fileSystem);
  const [first = 0] = bases;
  const log: LogProgress = {
    next: first,
    epoch: -1,
    gaps: first > 0,
    producers: new ProducerStates(),
    epochStarts: [],
    batches: 0,
  };
  const checkSnapshot = (offset: Offset): void => {
    if (!snapshots.delete(offset)) return;
    const path = `${directory}/${offsetFileName(offset, SNAPSHOT_SUFFIX)}`;
    const entries = readSnapshot(path, findings, fileSystem);
    if (entries === undefined) return;
    if (log.batches === 0) log.producers.reset(offset, entries);
    else compareProducers(path, entries, { log, first }, findings);
  };
  for (const [index, baseOffset] of bases.entries()) {
    const nextBase = bases[index + 1];
    checkSnapshot(baseOffset);
    const checkedAtStart = !context.cleanShutdown && (nextBase === undefined || nextBase > context.recoveryPoint);
    const { onBytes } = context;
    await verifySegment({ directory, baseOffset, nextBase, checkedAtStart, onBytes }, log, findings, fileSystem);
  }
  checkSnapshot(log.next);
  for (const offset of snapshots)
    tellStraySnapshot(`${directory}/${offsetFileName(offset, SNAPSHOT_SUFFIX)}`, findings);
  checkEpochs(directory, log, findings, fileSystem);
  findings.flush();
  return { firstOffset: first, endOffset: log.next, segments: bases.length, batches: log.batches };
}

function offsetsIn(names: readonly string[], suffix: string): Offset[] {
  return names.flatMap((name) => offsetOfFileName(name, suffix) ?? []).sort((left, right) => left - right);
}

function tellLeftovers(names: readonly string[], directory: string, findings: Findings): void {
  const present = new Set(names);
  for (const name of names) {
    const path = `${directory}/${name}`;
    const note = (problem: string, recovery: string): void => {
      findings.add({ severity: 'note', path, problem, recovery });
    };
    if (name.endsWith(DELETED_SUFFIX)) note('a deleted file waits for its removal', 'the next start removes it');
    if (name.endsWith(CLEANED_SUFFIX)) note('a compaction was interrupted', 'the next start removes it');
    if (name.endsWith(SWAP_SUFFIX)) note('a compaction was interrupted', 'the next start completes or undoes it');
    for (const suffix of INDEX_SUFFIXES) {
      const base = offsetOfFileName(name, suffix);
      if (base === undefined || present.has(offsetFileName(base, LOG_SUFFIX))) continue;
      findings.add({
        severity: 'warning',
        path,
        problem: 'an index without a segment',
        recovery: 'the next start removes it',
      });
    }
  }
}

function tellStraySnapshot(path: string, findings: Findings): void {
  const problem = 'a producer snapshot at an offset where neither a segment begins nor the log ends';
  findings.add({ severity: 'note', path, problem, recovery: 'the next start removes it, or begins with it' });
}

function checkIdentity(directory: string, findings: Findings, fileSystem: FileSystem): void {
  try {
    readPartitionMetadata(directory, fileSystem);
  } catch (error) {
    const recovery = 'no broker starts with it: write the topic id that the cluster has, or remove the file';
    findings.add({ severity: 'error', path: `${directory}/partition.metadata`, problem: messageOf(error), recovery });
  }
}

function readSnapshot(path: string, findings: Findings, fileSystem: FileSystem): ProducerEntry[] | undefined {
  const entries = decodeSnapshot(fileSystem.readFile(path));
  if (entries !== undefined) return entries;
  const problem = 'the producer snapshot is broken: its length, version or checksum is wrong';
  const recovery = 'the next start removes it and reads the batches behind an older one';
  findings.add({ severity: 'warning', path, problem, recovery });
  return undefined;
}

/** A snapshot may know less (idle producers were forgotten) and more (from before the log's start) than the batches. */
function compareProducers(
  path: string,
  entries: readonly ProducerEntry[],
  { log, first }: { readonly log: LogProgress; readonly first: Offset },
  findings: Findings,
): void {
  const recovery = 'the next start takes it at its word where it begins with it: remove the file, it is not needed';
  const tell = (problem: string): void => findings.add({ severity: 'error', path, problem, recovery });
  const stored = new Map(entries.map((entry) => [entry.producerId, entry]));
  for (const ours of log.producers.entries.values()) {
    const theirs = stored.get(ours.producerId);
    const last = ours.batches.at(-1);
    if (theirs === undefined) {
      if (ours.transactionStart !== NO_OFFSET) tell(`the open transaction of producer ${ours.producerId} is missing`);
    } else if (theirs.epoch !== ours.epoch || theirs.lastSequence !== ours.lastSequence) {
      const told = `epoch ${theirs.epoch} and sequence ${theirs.lastSequence}`;
      tell(`producer ${ours.producerId} has epoch ${ours.epoch} and sequence ${ours.lastSequence}, not ${told}`);
    } else if (last !== undefined && theirs.batches.at(-1)?.lastOffset !== last.lastOffset) {
      tell(`the last batch of producer ${ours.producerId} ends at offset ${last.lastOffset}, not where it says`);
    } else if (theirs.transactionStart !== ours.transactionStart && theirs.transactionStart >= first) {
      tell(
        `the transaction of producer ${ours.producerId} began at ${ours.transactionStart}, not ${theirs.transactionStart}`,
      );
    } else if (ours.transactionStart !== NO_OFFSET && theirs.transactionStart === NO_OFFSET) {
      tell(`the transaction of producer ${ours.producerId} from ${ours.transactionStart} is open`);
    }
  }
}

function checkEpochs(directory: string, log: LogProgress, findings: Findings, fileSystem: FileSystem): void {
  const path = `${directory}/${LEADER_EPOCH_FILE}`;
  const recovery = 'the next start reads the epochs from the batches where it cannot read the file: remove it';
  try {
    const entries = readEpochs(path, fileSystem);
    for (const [index, entry] of entries.entries()) {
      const before = entries[index - 1];
      if (before === undefined || (entry.epoch > before.epoch && entry.startOffset > before.startOffset)) continue;
      findings.add({ severity: 'warning', path, problem: `epoch ${entry.epoch} does not rise`, recovery });
    }
    for (const { epoch, offset } of log.epochStarts) {
      const known = entries.find((entry) => entry.epoch === epoch);
      // The first one moves up with the log's start.
      if (known !== undefined && (known.startOffset <= offset || known === entries[0])) continue;
      const told = known === undefined ? 'the file does not know it' : `the file says ${known.startOffset}`;
      findings.add({ severity: 'warning', path, problem: `epoch ${epoch} begins at ${offset}, ${told}`, recovery });
    }
    const last = entries.at(-1);
    if (last !== undefined && last.startOffset > log.next) {
      const problem = `epoch ${last.epoch} begins at ${last.startOffset}, behind the end of the log at ${log.next}`;
      findings.add({ severity: 'warning', path, problem, recovery: 'the next start cuts it off' });
    }
  } catch (error) {
    findings.add({ severity: 'warning', path, problem: messageOf(error), recovery });
  }
}
