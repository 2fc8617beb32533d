/**
 * The move of one partition's log to another log directory while it is appended to and read (KIP-113): a copy catches up
 * in slices, is made durable, takes the rest in one turn, and takes the log's place in that same turn. Owns the copying;
 * the place in the log manager and the names of directories belong to `LogMoves` and its host.
 */
import { messageOf, SluiceError } from '../base/errors.ts';
import type { FileRegion } from '../base/file-region.ts';
import type { Logger } from '../base/logger.ts';
import type { Offset } from '../base/units.ts';
import type { Log } from './log.ts';

const SLICE_BYTES = 2 ** 20;
/** Copied bytes that may wait for the disk: more would make the flush at the end, and the page cache, suffer. */
const UNFLUSHED_BYTES = 64 * 2 ** 20;
/** The rest of a log that is copied in the turn of the switch, and what is synced there. */
const LAST_TURN_BYTES = 2 * 2 ** 20;
const LAST_SYNC_BYTES = 8 * 2 ** 20;

export interface LogMoveParts {
  readonly current: Log;
  /** An empty log in the other directory. */
  readonly future: Log;
  /** Resolves when so many more bytes may be copied; undefined: at once. */
  readonly spend: (bytes: number) => Promise<void> | undefined;
  readonly logger: Logger;
}

/** Offset that a copy of a log must begin with: that of the batch that holds the start offset. */
export function copyFrom(log: Log): Offset {
  const first = log.read(log.startOffset, { maxBytes: 1, minOneBatch: true, upTo: log.endOffset });
  if (!first.ok) throw notReadable(log, first.message);
  first.region?.release();
  return first.region === undefined ? log.endOffset : first.startOffset;
}

export class LogMove {
  readonly current: Log;
  readonly future: Log;
  readonly #spend: LogMoveParts['spend'];
  readonly #logger: Logger;
  readonly #buffer = Buffer.allocUnsafe(SLICE_BYTES);
  #truncations: number;
  #unflushedBytes = 0;
  #cancelled = false;
  #wake: () => void = () => undefined;
  readonly #cancellation = new Promise<void>((resolve) => {
    this.#wake = resolve;
  });

  constructor(parts: LogMoveParts) {
    this.current = parts.current;
    this.future = parts.future;
    this.#spend = parts.spend;
    this.#logger = parts.logger;
    this.#truncations = parts.current.truncations;
  }

  /** How many offsets the copy is behind. */
  get lag(): number {
    return Math.max(0, this.current.endOffset - this.future.endOffset);
  }

  /** Stops the copying; `run` resolves with false soon after. */
  cancel(): void {
    this.#cancelled = true;
    this.#wake();
  }

  /**
   * Copies until nothing is left, then calls `onCaughtUp` in the turn in which that is so. False where it was cancelled.
   * Rejects where one of the logs fails.
   */
  async run(onCaughtUp: () => void): Promise<boolean> {
    while (!this.#cancelled) {
      // A log under load is never copied to its last batch: a slice that is not full came near enough.
      while (!this.#cancelled && (await this.#copySlice()) >= SLICE_BYTES / 2);
      if (this.#cancelled) return false;
      if (this.#unflushedBytes > LAST_SYNC_BYTES) await this.#flush();
      else if (this.#copyRest()) {
        onCaughtUp();
        return true;
      }
    }
    return false;
  }

  async #flush(): Promise<void> {
    this.#unflushedBytes = 0;
    await this.future.flush();
  }

  /** Returns how many bytes there were to copy. */
  async #copySlice(): Promise<number> {
    this.#followStart();
    await this.current.warm(this.future.endOffset);
    if (this.#cancelled) return 0;
    const region = this.#next();
    if (region === undefined) return 0;
    const bytes = this.#bufferFor(region);
    try {
      await region.file.read(bytes, region.position);
    } finally {
      region.release();
    }
    if (this.#cancelled) return 0;
    // Cut while it was read: these bytes may be of what is gone.
    if (!this.#followStart()) this.#append(bytes);
    if (this.#unflushedBytes >= UNFLUSHED_BYTES) await this.#flush();
    const pause = this.#spend(bytes.length);
    if (pause !== undefined) await Promise.race([pause, this.#cancellation]);
    return bytes.length;
  }

  /** In this turn; false where too much was appended meanwhile. */
  #copyRest(): boolean {
    let left = LAST_TURN_BYTES;
    while (!this.#followStart() && this.lag > 0) {
      const region = this.#next();
      if (region === undefined || region.length > left) {
        region?.release();
        return false;
      }
      const bytes = this.#bufferFor(region);
      region.file.readSync(bytes, region.position);
      region.release();
      left -= bytes.length;
      this.#append(bytes);
    }
    if (this.lag > 0) return false;
    // What was acknowledged as durable, or is about to be, must be so here as well.
    if (this.future.endOffset > this.future.recoveryPoint) this.future.flushNow();
    return true;
  }

  #bufferFor(region: FileRegion): Buffer {
    return region.length <= SLICE_BYTES ? this.#buffer.subarray(0, region.length) : Buffer.allocUnsafe(region.length);
  }

  /** The next bytes to copy; undefined where there are none. */
  #next(): FileRegion | undefined {
    const { current, future } = this;
    const outcome = current.read(future.endOffset, {
      maxBytes: SLICE_BYTES,
      minOneBatch: true,
      upTo: current.endOffset,
    });
    if (!outcome.ok) throw notReadable(current, outcome.message);
    return outcome.region;
  }

  #append(bytes: Buffer): void {
    const outcome = this.future.appendAsFollower(bytes);
    if (!outcome.ok) throw new SluiceError('STORAGE_FAILED', `the copy was refused: ${outcome.message}`);
    this.#unflushedBytes += bytes.length;
  }

  /** Begins again where the log was truncated, or its start moved beyond the copy; says whether it did. */
  #followStart(): boolean {
    const { current, future } = this;
    const cut = current.truncations !== this.#truncations;
    if (!cut && future.endOffset >= current.startOffset) return false;
    this.#truncations = current.truncations;
    this.#logger.info('The copy of a moving log begins again', { log: current.directory, cut });
    future.truncateFullyAndStartAt(copyFrom(current));
    return true;
  }
}

function notReadable(log: Log, message: string): SluiceError {
  return new SluiceError('STORAGE_FAILED', `${log.directory} cannot be copied: ${message}`);
}

/** The sentence for a log line about a move that failed. */
export function whyItFailed(error: unknown): string {
  return error instanceof SluiceError && error.cause !== undefined
    ? `${error.message}: ${messageOf(error.cause)}`
    : messageOf(error);
}
