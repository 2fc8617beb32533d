import type { Clock } from '../../base/clock.ts';

/** Unused time that may be caught up on. */
const BURST_MS = 100;

/** Keeps a rate of bytes a second on average by making whoever spends them wait. */
export class Throttle {
  readonly #clock: Clock;
  #paidUntilMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  /** Undefined where `bytes` may be used at once; otherwise resolves when enough time has passed. */
  spend(bytes: number, bytesPerSecond: number): Promise<void> | undefined {
    const now = this.#clock.monotonicMs();
    this.#paidUntilMs = Math.max(this.#paidUntilMs, now - BURST_MS) + (bytes * 1000) / bytesPerSecond;
    const waitMs = this.#paidUntilMs - now;
    if (!(waitMs > 0)) return undefined;
    return new Promise((resolve) => void this.#clock.after(waitMs, resolve));
  }
}
