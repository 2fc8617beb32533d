/**
 * Makes a log durable: appends that wait at the same time share one fdatasync. The recovery point moves only after the
 * batches, the epochs and the snapshots below it are on disk. A failed sync fails the log: the kernel may have dropped
 * the pages, so a second one would report success for lost bytes.
 */
import { dirname } from 'node:path';
import type { LogCore } from './log-core.ts';

export class LogFlush {
  readonly #core: LogCore;
  /** Not begun yet: covers everything that is appended before it begins. */
  #waiting: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(core: LogCore) {
    this.#core = core;
  }

  /** Resolves when all that is appended now is durable; rejects with SluiceError STORAGE_FAILED. */
  flush(): Promise<void> {
    if (this.#waiting !== undefined) return this.#waiting;
    const begin = async (): Promise<void> => {
      this.#waiting = undefined;
      this.#busy = true;
      try {
        await this.#sync();
      } finally {
        this.#busy = false;
      }
    };
    // Whoever arrives while a sync runs waits for the next one anyway; otherwise the rest of this turn may join in.
    const turn = this.#busy ? this.#running : new Promise<void>((resolve) => this.#core.clock.afterTurn(resolve));
    this.#waiting = turn.then(begin, begin);
    this.#running = this.#waiting;
    // Background flushes have nobody who looks at the outcome; the failed log itself has told.
    this.#running.catch(() => undefined);
    return this.#waiting;
  }

  async #sync(): Promise<void> {
    const core = this.#core;
    if (core.failure !== undefined) throw core.unusableError();
    const { endOffset, truncations } = core;
    try {
      await this.#syncFiles();
    } catch (error) {
      // Deleted under us: nobody needs these bytes to be durable any more.
      if (core.closed) return;
      core.fail(error, 'make the log durable');
      throw core.unusableError();
    }
    core.lastFlushMs = core.clock.monotonicMs();
    if (truncations === core.truncations) core.recoveryPoint = Math.max(core.recoveryPoint, endOffset);
  }

  async #syncFiles(): Promise<void> {
    const core = this.#core;
    const first = Math.max(0, core.segmentIndexOf(core.recoveryPoint));
    for (const segment of core.segments.slice(first)) {
      // Deleted or truncated away while another file was synced.
      if (segment.file.isRetired) continue;
      // Nothing tells of a transaction index that lost entries: it is durable before the batches are taken to be.
      if (segment.transactionIndex.dirty) await segment.transactionIndex.sync();
      if (!segment.dirty || segment.file.isRetired) continue;
      segment.dirty = false;
      const file = segment.borrow();
      try {
        await file.sync();
      } finally {
        segment.file.giveBack();
      }
    }
    await core.metadataDurable;
    if (await core.snapshots.sync()) core.directoryDirty = true;
    await core.epochs.persist();
    if (!core.directoryDirty || core.closed) return;
    core.directoryDirty = false;
    core.fileSystem.syncDirectory(core.place.path);
    if (!core.directoryNew) return;
    core.directoryNew = false;
    core.fileSystem.syncDirectory(dirname(core.place.path));
  }
}
