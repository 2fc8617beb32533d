/**
 * Makes many logs durable with one sync of the volume that they lie on: file by file, ten thousand of them take many
 * seconds. Only for logs that nobody appends to meanwhile: at start and at stop. What it leaves undone, because the
 * system has no such call or a disk is full, an ordinary flush of the log does.
 */
import type { Clock } from '../base/clock.ts';
import type { FileSystem } from '../base/file-system.ts';
import { isPassing, type LogCore } from './log-core.ts';

/** Below so many a flush for each is as fast, and does not wait for what others wrote to the same volume. */
export const FEWEST_IN_BULK = 64;
/** Logs that are visited before others get the event loop. */
const LOGS_A_TURN = 64;

/** One log's part. */
export class LogInBulk {
  readonly #core: LogCore;

  constructor(core: LogCore) {
    this.#core = core;
  }

  /** Writes what is in memory only, into the page cache. A full disk is left to the flush that follows. */
  write({ closing }: { readonly closing: boolean }): void {
    const core = this.#core;
    if (!core.isUsable) return;
    try {
      if (closing) core.finishForClose();
      core.epochs.writeAside(core.endOffset);
    } catch (error) {
      if (!isPassing(error)) core.fail(error, 'write what a log has in memory');
    }
  }

  /** Whether a flush would have to sync anything. */
  get isUnsynced(): boolean {
    const { isUsable, segments, metadataUnsynced, snapshots, directoryDirty, epochs } = this.#core;
    if (!isUsable) return false;
    if (metadataUnsynced || directoryDirty || snapshots.hasUnsynced || epochs.isAside) return true;
    return segments.some((segment) => segment.dirty || segment.hasDirtyIndexes || segment.transactionIndex.dirty);
  }

  /** What was written aside is durable: it takes its name. True where there was any. */
  takeNames(): boolean {
    const core = this.#core;
    if (!core.isUsable || !core.epochs.isAside) return false;
    try {
      core.epochs.takeName();
      return true;
    } catch (error) {
      core.fail(error, 'rename the leader epochs');
      return false;
    }
  }

  /** Everything that was written is on the disk. */
  synced(): void {
    const core = this.#core;
    for (const segment of core.segments) {
      segment.dirty = false;
      segment.offsetIndex.file.isDirty = false;
      segment.timeIndex.file.isDirty = false;
      segment.transactionIndex.dirty = false;
    }
    core.snapshots.noteSynced();
    core.metadataUnsynced = false;
    core.directoryDirty = false;
    core.directoryNew = false;
  }
}

/** Leaves to each log's own flush only what cannot be done together. Rejects with the system's error of a failed sync. */
export async function syncInBulk(
  logs: readonly LogInBulk[],
  options: { readonly path: string; readonly closing: boolean; readonly fewest: number },
  { fileSystem, clock }: { readonly fileSystem: FileSystem; readonly clock: Clock },
): Promise<void> {
  const { path, fewest } = options;
  if (logs.length < fewest) return;
  let unsynced = 0;
  await inTurns(logs, clock, (log) => {
    log.write(options);
    if (log.isUnsynced) unsynced++;
  });
  if (unsynced < fewest || !(await fileSystem.syncVolume(path))) return;
  let renamed = false;
  await inTurns(logs, clock, (log) => {
    if (log.takeNames()) renamed = true;
  });
  if (renamed && !(await fileSystem.syncVolume(path))) return;
  for (const log of logs) log.synced();
}

async function inTurns(logs: readonly LogInBulk[], clock: Clock, visit: (log: LogInBulk) => void): Promise<void> {
  for (const [visited, log] of logs.entries()) {
    visit(log);
    if (visited % LOGS_A_TURN === LOGS_A_TURN - 1) await new Promise<void>((resolve) => clock.afterTurn(resolve));
  }
}
