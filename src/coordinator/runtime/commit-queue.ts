/**
 * Requests that wait until what they wrote, or what they saw, is committed: below the high watermark, and durable where
 * the topic asks for it. They are told in the order of their writes.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Offset } from '../../base/units.ts';
import { type ErrorCode as Code, ErrorCode } from '../../protocol/error-codes.ts';

/** Told once: NONE where all is committed. */
export type CommitListener = (errorCode: Code) => void;

interface Waiting {
  /** Everything below must be committed. */
  readonly end: Offset;
  durable: boolean;
  readonly listener: CommitListener;
  readonly timer: Timer;
}

export class CommitQueue {
  readonly #clock: Clock;
  readonly #timeoutMs: () => number;
  readonly #highWatermark: () => Offset;
  #waiting: Waiting[] = [];

  constructor(
    options: { readonly timeoutMs: () => number; readonly highWatermark: () => Offset },
    dependencies: { readonly clock: Clock },
  ) {
    this.#timeoutMs = options.timeoutMs;
    this.#highWatermark = options.highWatermark;
    this.#clock = dependencies.clock;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /**
   * Tells `listener` once all below `end` is committed and `durable` has resolved; in this turn where that is so already.
   * A rejected `durable` tells KAFKA_STORAGE_ERROR; too long a wait REQUEST_TIMED_OUT.
   */
  add(end: Offset, durable: Promise<void> | undefined, listener: CommitListener): void {
    if (this.#waiting.length === 0 && durable === undefined && this.#highWatermark() >= end) {
      listener(ErrorCode.NONE);
      return;
    }
    const entry: Waiting = {
      end,
      durable: durable === undefined,
      listener,
      timer: this.#clock.after(this.#timeoutMs(), () => this.#remove(entry, ErrorCode.REQUEST_TIMED_OUT)),
    };
    this.#waiting.push(entry);
    durable?.then(
      () => {
        entry.durable = true;
        this.advance();
      },
      () => this.#remove(entry, ErrorCode.KAFKA_STORAGE_ERROR),
    );
  }

  /** The high watermark may have moved. */
  advance(): void {
    const highWatermark = this.#highWatermark();
    let count = 0;
    while (count < this.#waiting.length && isCommitted(this.#waiting[count]!, highWatermark)) count++;
    if (count > 0) this.#tell(this.#waiting.splice(0, count), ErrorCode.NONE);
  }

  /** Nothing that waits will be committed here. */
  failAll(errorCode: Code): void {
    this.#tell(this.#waiting.splice(0), errorCode);
  }

  #remove(entry: Waiting, errorCode: Code): void {
    const at = this.#waiting.indexOf(entry);
    if (at < 0) return;
    this.#tell(this.#waiting.splice(at, 1), errorCode);
    this.advance();
  }

  #tell(entries: readonly Waiting[], errorCode: Code): void {
    for (const { timer, listener } of entries) {
      timer.cancel();
      listener(errorCode);
    }
  }
}

function isCommitted({ durable, end }: Waiting, highWatermark: Offset): boolean {
  return durable && end <= highWatermark;
}
