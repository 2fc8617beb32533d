/** Says on standard error what a command is waiting for, once that lasts: silence looks like a command that hangs. */
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { remark } from './output.ts';

const PATIENCE_MS = 3000;
/** Between two remarks. */
const REPEAT_MS = 10_000;
/** Trouble that did not come again for so long was over. */
const QUIET_MS = 15_000;

/** For the failed attempts of one client. */
export function troubleRemarks(clock: Clock, say: (line: string) => void = remark): (error: unknown) => void {
  // The first attempt may have failed for as long as there has been one.
  let sinceMs = clock.monotonicMs();
  let lastMs: number | undefined;
  let toldMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    const nowMs = clock.monotonicMs();
    if (lastMs !== undefined && nowMs - lastMs > QUIET_MS) sinceMs = nowMs;
    lastMs = nowMs;
    if (nowMs - sinceMs < PATIENCE_MS || nowMs - toldMs < REPEAT_MS) return;
    toldMs = nowMs;
    say(`${messageOf(error)}; trying again`);
  };
}
