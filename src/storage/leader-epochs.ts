/**
 * Which leader epoch began at which offset (`leader-epoch-checkpoint`): what followers and consumers are cut back by
 * when they diverged (KIP-101, KIP-279). The file may lag behind, for the batches themselves tell their epoch and are
 * read again from the recovery point; so it must be durable before the recovery point moves on.
 */
import type { FileSystem } from '../base/file-system.ts';
import type { LeaderEpoch, Offset } from '../base/units.ts';
import { type EpochStart, encodeEpochs, readEpochs } from './checkpoint-file.ts';
import { LEADER_EPOCH_FILE } from './log-files.ts';
import type { Place } from './open-files.ts';

export const UNKNOWN_EPOCH: LeaderEpoch = -1;
export const UNKNOWN_OFFSET: Offset = -1;

export class LeaderEpochs {
  readonly #place: Place;
  readonly #fileSystem: FileSystem;
  /** Rising in both epoch and offset. */
  #entries: EpochStart[] = [];
  #dirty = false;
  /** What the file holds, or will once the write under way is done; undefined where that is not known. */
  #inFile: Buffer | undefined;
  /** What lies beside the file, waiting for its name. */
  #aside: Buffer | undefined;
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(place: Place, fileSystem: FileSystem) {
    this.#place = place;
    this.#fileSystem = fileSystem;
  }

  /** Reads the file. Throws SluiceError CORRUPT_CHECKPOINT; then the epochs are unknown until batches tell them. */
  load(): void {
    const read = readEpochs(this.#path, this.#fileSystem);
    for (const { epoch, startOffset } of read) this.assign(epoch, startOffset);
    this.#inFile = encodeEpochs(read);
    this.#dirty = false;
  }

  /** Instead of `load`, in a new directory: without a file there is nothing to write until there are epochs. */
  begin(): void {
    this.#inFile = encodeEpochs([]);
  }

  get entries(): readonly EpochStart[] {
    return this.#entries;
  }

  /** The newest epoch, or -1. */
  get latest(): LeaderEpoch {
    return this.#entries.at(-1)?.epoch ?? UNKNOWN_EPOCH;
  }

  /** Notes that `epoch` begins at `startOffset`; entries that contradict it go. False where it was known. */
  assign(epoch: LeaderEpoch, startOffset: Offset): boolean {
    const newest = this.#entries.at(-1);
    if (epoch < 0 || (newest !== undefined && newest.epoch === epoch && newest.startOffset <= startOffset))
      return false;
    this.#entries = this.#entries.filter((entry) => entry.epoch < epoch && entry.startOffset < startOffset);
    this.#entries.push({ epoch, startOffset });
    this.#dirty = true;
    return true;
  }

  /**
   * The last epoch up to `epoch` and where it ends: with the start of the next one, or of the log for the newest.
   * (-1, -1) where nothing is known of it, which includes epochs newer than all known ones.
   */
  endOffsetFor(epoch: LeaderEpoch, logEnd: Offset): { epoch: LeaderEpoch; endOffset: Offset } {
    if (epoch < 0) return { epoch: UNKNOWN_EPOCH, endOffset: UNKNOWN_OFFSET };
    if (epoch === this.latest) return { epoch, endOffset: logEnd };
    const above = this.#entries.findIndex((entry) => entry.epoch > epoch);
    if (above < 0) return { epoch: UNKNOWN_EPOCH, endOffset: UNKNOWN_OFFSET };
    // Older than all that is kept: it ended at the latest where the first kept one begins.
    const at = this.#entries[above - 1]?.epoch ?? epoch;
    return { epoch: at, endOffset: this.#entries[above]!.startOffset };
  }

  /** The epoch of the record at `offset`, or -1. */
  epochOf(offset: Offset): LeaderEpoch {
    return this.#entries.findLast((entry) => entry.startOffset <= offset)?.epoch ?? UNKNOWN_EPOCH;
  }

  /** The log ends at `end` now. */
  truncateFromEnd(end: Offset): void {
    const kept = this.#entries.filter((entry) => entry.startOffset < end);
    if (kept.length === this.#entries.length) return;
    this.#entries = kept;
    this.#dirty = true;
  }

  /** Epochs after `epoch` never were in this log. */
  forgetAbove(epoch: LeaderEpoch): void {
    const kept = this.#entries.filter((entry) => entry.epoch <= epoch);
    if (kept.length === this.#entries.length) return;
    this.#entries = kept;
    this.#dirty = true;
  }

  /** The log begins at `start` now: the epoch that it lies in begins there. */
  truncateFromStart(start: Offset): void {
    const covering = this.#entries.findLastIndex((entry) => entry.startOffset <= start);
    if (covering < 0 || (covering === 0 && this.#entries[0]!.startOffset === start)) return;
    const first = { epoch: this.#entries[covering]!.epoch, startOffset: start };
    this.#entries = [first, ...this.#entries.slice(covering + 1)];
    this.#dirty = true;
  }

  clear(): void {
    this.#dirty = this.#dirty || this.#entries.length > 0;
    this.#entries = [];
  }

  /** Whether the file lags behind. */
  get isDirty(): boolean {
    return this.#dirty;
  }

  /** Resolves when the file holds, durably, every epoch that has records; the log ends at `end`. */
  persist(end: Offset): Promise<void> {
    const content = this.#contentToWrite(end);
    if (content === undefined) return this.#lastWrite;
    this.#inFile = content;
    this.#lastWrite = this.#fileSystem.replaceFileAsync(this.#path, content).catch((error: unknown) => {
      this.#inFile = undefined;
      this.#dirty = true;
      throw error;
    });
    // Whoever needs durability awaits the promise itself; the copy kept here must not count as an unhandled rejection.
    this.#lastWrite.catch(() => undefined);
    return this.#lastWrite;
  }

  /**
   * Undefined where the file says it already. An epoch without records is left out: a start would drop it, and every
   * start of a leader begins one, in every log.
   */
  #contentToWrite(end: Offset): Buffer | undefined {
    if (!this.#dirty) return undefined;
    const told = this.#entries.filter(({ startOffset }) => startOffset < end);
    const content = encodeEpochs(told);
    this.#dirty = told.length < this.#entries.length;
    return this.#inFile?.equals(content) === true ? undefined : content;
  }

  /** The first half of `persist`, without waiting: call `takeName` once what was written is durable. */
  writeAside(end: Offset): void {
    const content = this.#contentToWrite(end);
    if (content === undefined) return;
    this.#dirty = true;
    this.#fileSystem.remove(this.#asidePath);
    const file = this.#fileSystem.open(this.#asidePath);
    try {
      file.writeSync([content], 0);
    } finally {
      file.close();
    }
    this.#aside = content;
  }

  get isAside(): boolean {
    return this.#aside !== undefined;
  }

  /** Throws the system's error. The name is durable once the directory is. */
  takeName(): void {
    if (this.#aside === undefined) return;
    this.#fileSystem.rename(this.#asidePath, this.#path);
    this.#inFile = this.#aside;
    this.#aside = undefined;
  }

  get #asidePath(): string {
    return `${this.#path}.tmp`;
  }

  get #path(): string {
    return `${this.#place.path}/${LEADER_EPOCH_FILE}`;
  }
}
