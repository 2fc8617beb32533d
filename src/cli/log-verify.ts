/** `sluice log verify`: checks data directories that no broker uses, and tells what is wrong and what becomes of it. */
import { dirname, resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { disk } from '../base/disk.ts';
import { messageOf, SluiceError, systemErrorCode } from '../base/errors.ts';
import type { DirectoryLock } from '../base/file-system.ts';
import { META_PROPERTIES_FILE } from '../storage/meta-properties.ts';
import { type Finding, type VerifySummary, verifyDirectory } from '../storage/verify.ts';
import { colours } from './colours.ts';
import { printLine, remark } from './output.ts';
import { formatBytes, formatCount, formatCounted, startProgress } from './progress.ts';

export interface LogVerifyOptions {
  readonly json: boolean;
  /** Look even while a broker uses the directory: what it is about to write looks like damage. */
  readonly force: boolean;
}

const COLOURS = { error: colours.red, warning: colours.yellow, note: colours.dim } as const;
/** File systems that cannot be written to have no broker on them. */
const READ_ONLY = new Set(['EROFS', 'EACCES', 'EPERM']);

/** Prints findings as they come and a summary; true where nothing is wrong. Throws a SluiceError for a directory in use. */
export async function verifyDirectories(directories: readonly string[], options: LogVerifyOptions): Promise<boolean> {
  let sound = true;
  for (const each of directories) {
    const directory = resolve(each);
    if (!disk.exists(directory)) throw new SluiceError('FILE_NOT_FOUND', `there is no directory ${each}`);
    assertDirectory(directory, each);
    const lock = options.force ? undefined : claim(directory);
    try {
      const summary = await verifyOne(directory, options);
      if (summary.findings.error + summary.findings.warning > 0) sound = false;
    } finally {
      lock?.release();
    }
  }
  return sound;
}

function assertDirectory(path: string, given: string): void {
  try {
    disk.list(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOTDIR') throw error;
    throw new SluiceError('NOT_A_DIRECTORY', `${given} is a file`, {
      remedy: 'Give its directory, or look into the file with sluice log dump.',
      cause: error,
    });
  }
}

/** Keeps brokers away for as long as it lasts. */
function claim(directory: string): DirectoryLock | undefined {
  const parent = dirname(directory);
  const owned = [directory, parent].find((path) => disk.exists(`${path}/${META_PROPERTIES_FILE}`));
  if (owned === undefined) return undefined;
  try {
    return disk.lock(owned);
  } catch (error) {
    if (READ_ONLY.has(systemErrorCode(error) ?? '')) return undefined;
    if (!(error instanceof SluiceError)) throw error;
    throw new SluiceError('DIRECTORY_IN_USE', `a broker uses ${owned}: ${messageOf(error)}`, {
      remedy: 'Stop it first, or look at a copy. --force looks anyway: what is being written then looks like damage.',
      cause: error,
    });
  }
}

async function verifyOne(directory: string, { json }: LogVerifyOptions): Promise<VerifySummary> {
  const startedMs = systemClock.monotonicMs();
  let progress: ReturnType<typeof startProgress> | undefined;
  const summary = await verifyDirectory(
    directory,
    {
      onFinding: (finding) => {
        progress?.end();
        printFinding(finding, json);
      },
      onProgress: ({ partition, doneBytes, totalBytes }) => {
        progress ??= startProgress(totalBytes, systemClock);
        progress.update(doneBytes, partition);
      },
    },
    disk,
  );
  progress?.end();
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  if (json) printLine(JSON.stringify({ type: 'summary', directory, ...summary, seconds }));
  else remark(summaryOf(directory, summary, seconds));
  return summary;
}

function printFinding({ severity, path, position, offset, problem, recovery }: Finding, json: boolean): void {
  if (json) {
    printLine(JSON.stringify({ type: 'finding', severity, path, position, offset, problem, recovery }));
    return;
  }
  const place = [
    path,
    position === undefined ? '' : `, byte ${position}`,
    offset === undefined ? '' : `, offset ${offset}`,
  ];
  printLine(`${COLOURS[severity](severity)} ${place.join('')}: ${problem}`);
  printLine(`  ${colours.dim('→')} ${recovery}`);
}

function summaryOf(directory: string, summary: VerifySummary, seconds: number): string {
  const { partitions, segments, batches, bytes, findings } = summary;
  const { error, warning } = findings;
  const checked = [
    formatCounted(partitions, 'partition'),
    formatCounted(segments, 'segment'),
    `${formatCount(batches)} batch${batches === 1 ? '' : 'es'}`,
    `${formatBytes(bytes)} in ${seconds.toFixed(1)} s`,
  ].join(', ');
  const verdict =
    error + warning === 0
      ? colours.green('nothing is wrong')
      : `${formatCounted(error, 'error')}, ${formatCounted(warning, 'warning')}`;
  return `${directory}: ${verdict} (${checked})`;
}
