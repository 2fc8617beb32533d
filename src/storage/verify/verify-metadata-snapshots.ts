/** Checks the snapshots of the metadata log as files of batches: whole, unharmed, begun and ended as they must be. */
import type { FileSystem } from '../../base/file-system.ts';
import * as batch from '../../records/batch.ts';
import { matchesChecksum, wholeBatchBytes } from '../../records/bounds.ts';
import { ControlType, controlTypeOf } from '../../records/control.ts';
import { readRecords } from '../../records/reader.ts';
import type { Findings } from './finding.ts';

const SUFFIX = '.checkpoint';

export function verifyMetadataSnapshots(directory: string, findings: Findings, fileSystem: FileSystem): void {
  for (const { name } of fileSystem.list(directory)) {
    if (!name.endsWith(SUFFIX)) continue;
    const path = `${directory}/${name}`;
    const problem = problemOf(fileSystem.readFile(path));
    if (problem === undefined) continue;
    const recovery = 'the next start sets it aside and begins with an older one, where there is one';
    findings.add({ severity: 'error', path, problem, recovery });
  }
}

function problemOf(bytes: Buffer): string | undefined {
  const types: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = wholeBatchBytes(bytes, at);
    if (size <= 0) return `no whole batch begins at byte ${at}`;
    if (!matchesChecksum(bytes, at)) return `the batch at byte ${at} does not match its checksum`;
    if (batch.isControl(batch.attributes(bytes, at))) {
      for (const { key } of readRecords(bytes, at)) types.push(controlTypeOf(key));
    }
    at += size;
  }
  if (types[0] !== ControlType.SNAPSHOT_HEADER) return 'the header is missing';
  return types.at(-1) === ControlType.SNAPSHOT_FOOTER ? undefined : 'the footer is missing';
}
