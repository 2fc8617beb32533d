/**
 * Time and timers as a dependency: a real clock in production, a simulated one in tests. `wallMs` may jump and is
 * only for timestamps that leave the process; every wait and age uses `monotonicMs`.
 */
import { performance } from 'node:perf_hooks';

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch, whole; may jump when the host's clock is set. */
  wallMs(): number;
  /** Milliseconds from an arbitrary start, fractional; never goes back. */
  monotonicMs(): number;
  /**
   * Runs `callback` once after `delayMs`. A pending timer does not keep the process alive unless it `holdsProcess`: a
   * client that waits before it tries again may have nothing else open, and must not end in silence.
   */
  after(delayMs: number, callback: () => void, options?: { readonly holdsProcess?: boolean }): Timer;
  /** Runs `callback` every `periodMs` until cancelled. A pending timer does not keep the process alive. */
  every(periodMs: number, callback: () => void): Timer;
  /** Runs `callback` once the events that are ready now have been handled: what many of them ask for is done once. */
  afterTurn(callback: () => void): void;
}

/** setTimeout turns a longer delay into 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback, options) => {
    const handle = setTimeout(callback, Math.min(Math.max(0, delayMs), LONGEST_DELAY_MS));
    if (options?.holdsProcess !== true) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  every: (periodMs, callback) => {
    const handle = setInterval(callback, Math.min(Math.max(1, periodMs), LONGEST_DELAY_MS));
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
  afterTurn: (callback) => {
    setImmediate(callback);
  },
};
