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
  cancelled: boolean;
}

export class SimulatedClock implements Clock {
  #monotonicMs = 0;
  #wallAheadMs: number;
  /** A binary heap, the next one first; those that were cancelled leave it when they get there. */
  readonly #timers: Due[] = [];
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
    const due = { atMs: this.#monotonicMs + delayMs, order: this.#order++, periodMs, callback, cancelled: false };
    this.#push(due);
    return {
      cancel: () => {
        due.cancelled = true;
      },
    };
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
    while (this.fireNext(untilMs));
    this.#monotonicMs = untilMs;
  }

  /** When the next timer is due; undefined where there is none. */
  get nextMs(): number | undefined {
    while (this.#timers[0]?.cancelled === true) this.#pop();
    return this.#timers[0]?.atMs;
  }

  /** Lets time pass up to the next timer, if that is due by `untilMs`, and fires it alone; says whether there was one. */
  fireNext(untilMs = Number.POSITIVE_INFINITY): boolean {
    const atMs = this.nextMs;
    if (atMs === undefined || atMs > untilMs) return false;
    const next = this.#pop();
    this.#monotonicMs = atMs;
    if (next.periodMs !== undefined) {
      next.atMs += next.periodMs;
      this.#push(next);
    }
    next.callback();
    return true;
  }

  /** The process is gone: nothing of it fires any more. */
  forget(): void {
    this.#timers.length = 0;
    this.#turnEnds = [];
  }

  #push(due: Due): void {
    const heap = this.#timers;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(due, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = due;
  }

  #pop(): Due {
    const heap = this.#timers;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(left: Due, right: Due): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
