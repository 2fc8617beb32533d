/**
 * Keeps clients waiting for a moment while a broker starts, so that who comes a little early is served and who comes far
 * too early is sent to other brokers; and sends all away while a broker must not serve. What brokers ask of each other's
 * controller does not wait here.
 */
import type { Clock } from '../base/clock.ts';

/** Recovery may take minutes: a client had better try another broker. */
const HOLD_MS = 2000;

export class ServingGate {
  readonly #clock: Clock;
  readonly #waiting = new Set<(served: boolean) => void>();
  #isOpen = false;
  #wasShut = false;

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    this.#wasShut = false;
    for (const settle of [...this.#waiting]) settle(true);
  }

  /** Nobody need wait: it is not known for how long. */
  shut(): void {
    this.#isOpen = false;
    this.#wasShut = true;
    for (const settle of [...this.#waiting]) settle(false);
  }

  /** Resolves with whether the broker serves by now; false where that takes longer than a client should wait. */
  pass(): Promise<boolean> {
    if (this.#isOpen || this.#wasShut) return Promise.resolve(this.#isOpen);
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
