/**
 * How many bytes of requests may be in this process at once, over all connections (`queued.max.request.bytes`).
 * Bytes that arrived are always counted; a connection that finds the budget exhausted stops reading and waits here.
 * The overshoot is bounded: what one read brings (256 KiB) a connection, and one frame.
 */
import { assert } from '../base/assert.ts';

/** A connection that stopped reading. */
export interface BudgetWaiter {
  /**
   * Reading may go on. With `finishFrame` the budget is still exhausted but all of it is held by frames that wait:
   * this one must take all that its frame still needs, so that it ends and gives back.
   */
  onBudget(finishFrame: boolean): void;
}

export class MemoryBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;
  /** Waiters in order of arrival, with the bytes of the unfinished frame that each holds. */
  readonly #waiting = new Map<BudgetWaiter, number>();
  #heldByWaiting = 0;
  #resuming = false;

  /** `limitBytes` -1 means no limit. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes === -1 ? Number.POSITIVE_INFINITY : limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get exhausted(): boolean {
    return this.#usedBytes >= this.#limitBytes;
  }

  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    assert(this.#usedBytes >= 0, 'the budget gets back only what was taken');
    if (this.#waiting.size > 0) this.#resume();
  }

  /** Queues a connection; `heldBytes` of the used bytes belong to its unfinished frame and come back only after it. */
  wait(waiter: BudgetWaiter, heldBytes: number): void {
    assert(!this.#waiting.has(waiter), 'a connection waits once');
    this.#waiting.set(waiter, heldBytes);
    this.#heldByWaiting += heldBytes;
    this.#resume();
  }

  /** Forgets a waiter that was closed; its bytes are released apart. */
  leave(waiter: BudgetWaiter): void {
    this.#remove(waiter);
  }

  #remove(waiter: BudgetWaiter): void {
    const held = this.#waiting.get(waiter);
    if (held === undefined) return;
    this.#waiting.delete(waiter);
    this.#heldByWaiting -= held;
  }

  /**
   * First come, first resumed. Without the second reason unfinished frames could hold the whole budget and wait for
   * each other for ever.
   */
  #resume(): void {
    if (this.#resuming) return;
    this.#resuming = true;
    try {
      for (const waiter of this.#waiting.keys()) {
        const finishFrame = this.exhausted;
        if (finishFrame && this.#heldByWaiting < this.#usedBytes) break;
        this.#remove(waiter);
        waiter.onBudget(finishFrame);
      }
    } finally {
      this.#resuming = false;
    }
  }
}
