import { systemClock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';

/** What `ask` comes to, unless that takes too long: then REQUEST_TIMED_OUT, and its signal fires. */
export async function within<T>(patienceMs: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const tooLong = new AbortController();
  const timer = systemClock.after(patienceMs, () => tooLong.abort(), { holdsProcess: true });
  try {
    return await ask(tooLong.signal);
  } catch (error) {
    if (!tooLong.signal.aborted) throw error;
    throw new SluiceError('REQUEST_TIMED_OUT', `no answer within ${patienceMs} ms`, { retriable: true, cause: error });
  } finally {
    timer.cancel();
  }
}
