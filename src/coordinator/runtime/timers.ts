import type { Clock, Timer } from '../../base/clock.ts';
import type { Result } from './result.ts';
import type { ShardTimers } from './shard-state.ts';

/** The timers of one shard, by key. `run` executes what became due as a request of the shard. */
export class KeyedTimers<Rec> implements ShardTimers<Rec> {
  readonly #clock: Clock;
  readonly #run: (operation: () => Result<unknown, Rec>) => void;
  readonly #timers = new Map<string, Timer>();

  constructor(clock: Clock, run: (operation: () => Result<unknown, Rec>) => void) {
    this.#clock = clock;
    this.#run = run;
  }

  get size(): number {
    return this.#timers.size;
  }

  schedule(key: string, delayMs: number, operation: () => Result<unknown, Rec>): void {
    this.#timers.get(key)?.cancel();
    const timer = this.#clock.after(delayMs, () => {
      // Cancelled and scheduled anew in the very turn in which it became due.
      if (this.#timers.get(key) !== timer) return;
      this.#timers.delete(key);
      this.#run(operation);
    });
    this.#timers.set(key, timer);
  }

  cancel(key: string): void {
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
  }

  has(key: string): boolean {
    return this.#timers.has(key);
  }

  cancelAll(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
