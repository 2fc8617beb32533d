/**
 * The time that retention goes by. The host's clock may be set an hour ahead by mistake, and what is deleted stays
 * deleted; so a jump ahead counts only after it has lasted, and until then time passes at the pace of the monotonic
 * clock. A jump back counts at once: it deletes nothing.
 */
import type { Clock } from '../base/clock.ts';
import type { Timestamp } from '../base/units.ts';

/** A smaller difference is ordinary correction. */
const TOLERATED_MS = 60_000;
/** How long the clock must have been ahead before it is believed. */
const BELIEVED_AFTER_MS = 2 * 3_600_000;

export class RetentionClock {
  readonly #clock: Clock;
  #wallMs: number;
  #monotonicMs: number;
  #aheadSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wallMs = clock.wallMs();
    this.#monotonicMs = clock.monotonicMs();
  }

  now(): Timestamp {
    const wallMs = this.#clock.wallMs();
    const monotonicMs = this.#clock.monotonicMs();
    const expectedMs = this.#wallMs + (monotonicMs - this.#monotonicMs);
    if (wallMs - expectedMs > TOLERATED_MS) {
      this.#aheadSinceMs ??= monotonicMs;
      if (monotonicMs - this.#aheadSinceMs < BELIEVED_AFTER_MS) return Math.floor(expectedMs);
    }
    this.#aheadSinceMs = undefined;
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    return wallMs;
  }
}
