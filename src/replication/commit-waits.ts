/** Who waits until records of one partition are committed: below the high watermark, on enough replicas. */
import type { Offset } from '../base/units.ts';
import type { ErrorCode } from '../protocol/error-codes.ts';

export interface CommitWait {
  /** The high watermark must reach this. */
  readonly requiredOffset: Offset;
  /** Called once, unless it was taken back. */
  settle(errorCode: ErrorCode): void;
}

export class CommitWaits {
  /** By rising offset. */
  #waiting: CommitWait[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(wait: CommitWait): void {
    // Nearly always the newest is the last; only a repeated batch waits for an earlier one.
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.requiredOffset > wait.requiredOffset) at--;
    if (at === this.#waiting.length) this.#waiting.push(wait);
    else this.#waiting.splice(at, 0, wait);
  }

  remove(wait: CommitWait): void {
    const at = this.#waiting.indexOf(wait);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** The high watermark is at `highWatermark` now. */
  reached(highWatermark: Offset, errorCode: ErrorCode): void {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.requiredOffset <= highWatermark) count++;
    if (count > 0) for (const wait of this.#waiting.splice(0, count)) wait.settle(errorCode);
  }

  /** Nothing that waits will be committed here. */
  failAll(errorCode: ErrorCode): void {
    for (const wait of this.#waiting.splice(0)) wait.settle(errorCode);
  }
}
