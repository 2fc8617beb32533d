/** Waiting before the next attempt, and giving up in time. */
import type { Clock, Timer } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { type StopSignals, unlessAborted } from './abort.ts';
import { aborted, mayRetry } from './errors.ts';

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Spreads clients that failed together, so that they do not come back together. */
const JITTER = 0.2;

/** Time to wait after the given number of failures (1 or more): doubling, capped, spread by a fifth to either side. */
export function backoffMs({ firstMs, mostMs }: Backoff, failures: number, random: Random): number {
  const grown = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return grown * (1 - JITTER + 2 * JITTER * random.fraction());
}

/** Resolves after `delayMs`; rejects with ABORTED as soon as a signal fires. Keeps the process alive. */
export function sleep(clock: Clock, delayMs: number, signals: StopSignals = []): Promise<void> {
  let timer: Timer | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = clock.after(delayMs, resolve, { holdsProcess: true });
  });
  return unlessAborted(waited, signals).finally(() => timer?.cancel());
}

export interface RetryOptions {
  readonly timeoutMs: number;
  readonly backoff: Backoff;
  readonly signals?: StopSignals;
}

/** Runs `attempt` until it succeeds, fails for good, or `timeoutMs` have passed. */
export async function retry<T>(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  { timeoutMs, backoff, signals = [] }: RetryOptions,
  attempt: (failures: number) => Promise<T>,
): Promise<T> {
  const deadline = clock.monotonicMs() + timeoutMs;
  for (let failures = 0; ; failures++) {
    for (const signal of signals) if (signal?.aborted) throw aborted(signal);
    try {
      return await unlessAborted(attempt(failures), signals);
    } catch (error) {
      if (!mayRetry(error)) throw error;
      const delayMs = backoffMs(backoff, failures + 1, random);
      // The last failure says more than that time ran out.
      if (clock.monotonicMs() + delayMs >= deadline) throw error;
      await sleep(clock, delayMs, signals);
    }
  }
}
