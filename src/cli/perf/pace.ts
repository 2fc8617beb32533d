/** When the next record is due, so that a rate is held evenly and a stall is not forgotten. */
import type { Clock } from '../../base/clock.ts';

/** A timer wakes no more exactly than this. */
const SLICE_MS = 2;

export class Pace {
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #intervalMs: number;

  /** `perSecond` Infinity: everything is due at once. */
  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    this.#intervalMs = 1000 / perSecond;
  }

  /** When the record of this number, from 0, is due; now where no rate is asked for. */
  dueMs(index: number): number {
    return this.#intervalMs === 0 ? this.#clock.monotonicMs() : this.#startedMs + index * this.#intervalMs;
  }

  /** Resolves when that record is due; undefined where it is due already. */
  wait(index: number): Promise<void> | undefined {
    if (this.#intervalMs === 0) return undefined;
    const leftMs = this.dueMs(index) - this.#clock.monotonicMs();
    if (leftMs <= 0) return undefined;
    return new Promise((resolve) => {
      this.#clock.after(Math.max(SLICE_MS, leftMs), resolve, { holdsProcess: true });
    });
  }
}
