import type { Clock } from '../../base/clock.ts';

/** Up to this share of its time the event loop is not slowed down by what happens beside it. */
const UNHURRIED = 0.5;
/** Rest for each millisecond of work where the event loop has no time left: compaction goes on at a quarter of its speed. */
const MOST_REST = 3;
/**
 * A piece of work takes a few milliseconds. Where it took longer it waited for a processor or a disk that others use:
 * resting for that as well would give way twice, and hold compaction up the more, the longer it had waited.
 */
const LONGEST_WORK_MS = 25;

/**
 * Makes background work rest the more, the busier the broker is. Processor time alone is no measure: what is read and
 * written also takes its share of memory and of the disk, whatever priority it has.
 */
export class Pacing {
  readonly #clock: Clock;
  readonly #busyShare: () => number;
  #workedFromMs: number;

  constructor(options: { readonly busyShare: () => number }, dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
    this.#busyShare = options.busyShare;
    this.#workedFromMs = this.#clock.monotonicMs();
  }

  /** After a piece of work: undefined where the next one may begin at once; otherwise resolves when it may. */
  rest(): Promise<void> | undefined {
    const now = this.#clock.monotonicMs();
    const workedMs = Math.min(LONGEST_WORK_MS, now - this.#workedFromMs);
    this.#workedFromMs = now;
    const hurry = Math.max(0, this.#busyShare() - UNHURRIED) / (1 - UNHURRIED);
    const restMs = workedMs * hurry * MOST_REST;
    if (restMs < 1) return undefined;
    return new Promise((resolve) => {
      this.#clock.after(restMs, () => {
        this.#workedFromMs = this.#clock.monotonicMs();
        resolve();
      });
    });
  }
}
