/**
 * Makes a log durable: appends that wait at the same time share one fdatasync. The recovery point moves only after the
 * batches, the epochs and the snapshots below it are on disk. A failed sync fails the log: the kernel may have dropped
 * the pages, so a second one would report success for lost bytes.
 */
import { dirname } from 'node:path';
import { messageOf, SluiceError } from '../base/errors.ts';
import type { Offset } from '../base/units.ts';
import { isPassing, type LogCore } from './log-core.ts';
import { syncPartitionMetadata } from './partition-metadata.ts';

/** Something small could not be written that must be durable before the recovery point moves. Nothing is lost by that. */
class NoRoom extends Error {}

function throwNoRoom(error: unknown): never {
  throw isPassing(error) ? new NoRoom(messageOf(error), { cause: error }) : error;
}

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
    if (core.superseded) return;
    if (core.failure !== undefined) throw core.unusableError();
    const { endOffset, truncations } = core;
    try {
      await this.#syncFiles();
    } catch (error) {
      if (core.superseded) return;
      // Deleted under us, or closed without having become durable: no failure of the disk.
      if (core.closed) throw core.unusableError();
      if (error instanceof NoRoom) throw this.#refused(error);
      core.fail(error, 'make the log durable');
      throw core.unusableError();
    }
    core.lastFlushMs = core.clock.monotonicMs();
    if (truncations !== core.truncations) return;
    core.recoveryPoint = Math.max(core.recoveryPoint, Math.min(endOffset, this.#unsyncedFrom()));
    core.cutUnsynced = false;
    // A segment was closed meanwhile: whoever waits for the recovery point must not wait for the next flush.
    if (core.recoveryPoint < endOffset && !core.closed) await this.#sync();
  }

  /** The batches are on the disk, but not what goes with them: the recovery point stays, and the next flush tries again. */
  #refused(cause: NoRoom): SluiceError {
    const { topic, partition, logger } = this.#core;
    logger.warn('Cannot make the log durable', { error: cause.message });
    const message = `${topic}-${partition} cannot be made durable: ${cause.message}`;
    return new SluiceError('STORAGE_FAILED', message, { retriable: true, cause });
  }

  /** Base of the first segment that was closed during the sync, so that its indexes are not on the disk. */
  #unsyncedFrom(): Offset {
    const { active, segments, recoveryPoint } = this.#core;
    for (let index = Math.max(0, this.#core.segmentIndexOf(recoveryPoint)); index < segments.length; index++) {
      const segment = segments[index]!;
      if (segment !== active && segment.hasDirtyIndexes) return segment.baseOffset;
    }
    return Number.POSITIVE_INFINITY;
  }

  async #syncFiles(): Promise<void> {
    const core = this.#core;
    const first = Math.max(0, core.segmentIndexOf(core.recoveryPoint));
    for (const segment of core.segments.slice(first)) {
      // Deleted or truncated away while another file was synced.
      if (segment.file.isRetired) continue;
      // Nothing tells of a transaction index that lost entries: it is durable before the batches are taken to be.
      if (segment.transactionIndex.dirty) await segment.transactionIndex.sync();
      if (segment !== core.active || core.closing) await segment.syncIndexes();
      if (!segment.dirty || segment.file.isRetired) continue;
      segment.dirty = false;
      const file = segment.borrow();
      try {
        await file.sync();
      } finally {
        segment.file.giveBack();
      }
    }
    if (core.metadataUnsynced) {
      core.metadataUnsynced = false;
      await syncPartitionMetadata(core.place.path, core.fileSystem);
    }
    if (await core.snapshots.sync()) core.directoryDirty = true;
    // The epochs on disk begin at the log's start: were that to go back, those before it would not be known. It may move
    // again while it is saved, and nothing may come between the last look and the write.
    while (core.startUnsaved && core.listeners.onStartOffsetAsked !== undefined) await this.#saveStart();
    await core.epochs.persist(core.endOffset).catch(throwNoRoom);
    if (core.closed) throw core.unusableError();
    if (!core.directoryDirty) return;
    const { nameChanges } = core;
    await core.fileSystem.syncDirectoryAsync(core.place.path);
    if (core.directoryNew) await core.fileSystem.syncDirectoryAsync(dirname(core.place.path));
    core.directoryNew = false;
    core.namesSynced(nameChanges);
  }

  async #saveStart(): Promise<void> {
    const core = this.#core;
    const { truncations } = core;
    core.startUnsaved = false;
    if (!(await core.listeners.onStartOffsetAsked?.())) {
      core.startUnsaved = true;
      throw new NoRoom('the start offset could not be written');
    }
    if (truncations === core.truncations) core.startLowered = false;
  }
}
