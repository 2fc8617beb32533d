/**
 * A program on a simulated host: its clock, and the one door through which anything from outside calls it back. Stopped
 * (SIGSTOP) it hears nothing until it goes on; dead it hears nothing ever again.
 */
import type { Clock, Timer } from '../../src/base/clock.ts';
import type { SimulatedClock } from '../../src/base/simulated-clock.ts';
import type { NetworkProcess } from './network.ts';

export class SimulatedProcess implements NetworkProcess {
  readonly host: string;
  readonly clock: Clock;
  readonly #world: SimulatedClock;
  readonly #isUp: () => boolean;
  #dead = false;
  #stopped = false;
  /** What happened to it while it was stopped. */
  #queued: (() => void)[] = [];

  /** `isUp` may end it too: a host that lost its power in the middle of what the program did. */
  constructor(host: string, world: SimulatedClock, { isUp = (): boolean => true, wallAheadMs = (): number => 0 } = {}) {
    this.host = host;
    this.#world = world;
    this.#isUp = isUp;
    this.clock = {
      wallMs: () => world.wallMs() + wallAheadMs(),
      monotonicMs: () => world.monotonicMs(),
      after: (delayMs, callback) => world.after(delayMs, () => this.run(callback)),
      every: (periodMs, callback) => this.#every(periodMs, callback),
      afterTurn: (callback) => world.afterTurn(() => this.run(callback)),
    };
  }

  get alive(): boolean {
    return !this.#dead && this.#isUp();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  run(callback: () => void): void {
    if (!this.alive) return;
    if (this.#stopped || this.#queued.length > 0) this.#queued.push(callback);
    else callback();
  }

  /** One that comes due several times while the program is stopped fires once, as in Node. */
  #every(periodMs: number, callback: () => void): Timer {
    let timer: Timer;
    let cancelled = false;
    const arm = (): void => {
      timer = this.#world.after(periodMs, () =>
        this.run(() => {
          if (cancelled) return;
          arm();
          callback();
        }),
      );
    };
    arm();
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  stop(): void {
    this.#stopped = true;
  }

  resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#catchUp();
  }

  #catchUp(): void {
    this.#world.after(0, () => {
      if (!this.alive || this.#stopped) return;
      this.#queued.shift()?.();
      if (this.#queued.length > 0) this.#catchUp();
    });
  }

  die(): void {
    this.#dead = true;
    this.#queued = [];
  }
}
