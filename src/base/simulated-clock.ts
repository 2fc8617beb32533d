/**
 * A clock that moves only when told, for simulation: timers fire in the order of their due times, and what waits for
 * the end of a turn runs when asked. The wall clock may be set apart from the monotonic one.
 */
import type { Clock, Timer } from './clock.ts';

interface Due {
  atMs: number;
  readonly order: number;
  readonly periodMs: number | undefined;
  readonly callback: () => void;
}

export class SimulatedClock implements Clock {
  #monotonicMs = 0;
  #wallAheadMs: number;
  readonly #timers = new Set<Due>();
  #turnEnds: (() => void)[] = [];
  #order = 0;

  constructor(wallMs = 1_700_000_000_000) {
    this.#wallAheadMs = wallMs;
  }

  wallMs(): number {
    return Math.floor(this.#monotonicMs + this.#wallAheadMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Somebody sets the host's clock. */
  jumpWall(ms: number): void {
    this.#wallAheadMs += ms;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#add(Math.max(0, delayMs), undefined, callback);
  }

  every(periodMs: number, callback: () => void): Timer {
    return this.#add(Math.max(1, periodMs), Math.max(1, periodMs), callback);
  }

  #add(delayMs: number, periodMs: number | undefined, callback: () => void): Timer {
    const due = { atMs: this.#monotonicMs + delayMs, order: this.#order++, periodMs, callback };
    this.#timers.add(due);
    return { cancel: () => void this.#timers.delete(due) };
  }

  afterTurn(callback: () => void): void {
    this.#turnEnds.push(callback);
  }

  /** Ends the turn: runs what waits for that, and says whether there was anything. */
  endTurn(): boolean {
    const callbacks = this.#turnEnds;
    this.#turnEnds = [];
    for (const callback of callbacks) callback();
    return callbacks.length > 0;
  }

  /** Lets time pass; fires what becomes due, in order. */
  advance(ms: number): void {
    const untilMs = this.#monotonicMs + ms;
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#monotonicMs = next.atMs;
      if (next.periodMs === undefined) this.#timers.delete(next);
      else next.atMs += next.periodMs;
      next.callback();
    }
    this.#monotonicMs = untilMs;
  }

  #next(untilMs: number): Due | undefined {
    let first: Due | undefined;
    for (const due of this.#timers) {
      if (due.atMs > untilMs) continue;
      if (first === undefined || due.atMs < first.atMs || (due.atMs === first.atMs && due.order < first.order)) {
        first = due;
      }
    }
    return first;
  }

  /** The process is gone: nothing of it fires any more. */
  forget(): void {
    this.#timers.clear();
    this.#turnEnds = [];
  }
}
