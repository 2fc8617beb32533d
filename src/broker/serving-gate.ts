/**
 * Keeps clients waiting for a moment while a broker starts, so that who comes a little early is served and who comes far
 * too early is sent to other brokers. What brokers ask of each other's controller does not wait here.
 */
import type { Clock } from '../base/clock.ts';

/** Recovery may take minutes: a client had better try another broker. */
const HOLD_MS = 2000;

export class ServingGate {
  readonly #clock: Clock;
  readonly #waiting = new Set<(served: boolean) => void>();
  #isOpen = false;

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    for (const settle of [...this.#waiting]) settle(true);
  }

  /** Resolves with whether the broker serves by now; false where that takes longer than a client should wait. */
  pass(): Promise<boolean> {
    if (this.#isOpen) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (served: boolean): void => {
        timer.cancel();
        this.#waiting.delete(settle);
        resolve(served);
      };
      const timer = this.#clock.after(HOLD_MS, () => settle(false));
      this.#waiting.add(settle);
    });
  }
}
