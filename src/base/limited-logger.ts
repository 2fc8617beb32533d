/**
 * Keeps one event that repeats from burying all others: of each warning or error text a burst passes, the rest of the
 * period is counted and told with the next line. Strangers can cause such lines at will, and a full disk causes one
 * for every request.
 */
import type { Clock } from './clock.ts';
import type { LogFields, Logger } from './logger.ts';

export interface LineLimit {
  /** Lines of one text that pass in a period. */
  readonly burst: number;
  readonly periodMs: number;
}

const DEFAULT_LIMIT: LineLimit = { burst: 20, periodMs: 10_000 };
/** Texts are constants of this program; should one carry a value all the same, memory stays bounded. */
const MOST_TEXTS = 1000;

interface Tally {
  startedMs: number;
  lines: number;
  leftOut: number;
}

export function limitLines(logger: Logger, clock: Clock, limit: LineLimit = DEFAULT_LIMIT): Logger {
  return wrap(logger, new Map(), (tallies, text) => pass(tallies, text, clock.monotonicMs(), limit));
}

type Tallies = Map<string, Tally>;
/** Lines left out before this one, or undefined where this one is left out too. */
type Pass = (tallies: Tallies, text: string) => number | undefined;

function pass(tallies: Tallies, text: string, nowMs: number, limit: LineLimit): number | undefined {
  let tally = tallies.get(text);
  if (tally === undefined || nowMs - tally.startedMs >= limit.periodMs) {
    const leftOut = tally?.leftOut ?? 0;
    if (tallies.size >= MOST_TEXTS) tallies.clear();
    tally = { startedMs: nowMs, lines: 1, leftOut: 0 };
    tallies.set(text, tally);
    return leftOut;
  }
  tally.lines++;
  if (tally.lines <= limit.burst) return 0;
  tally.leftOut++;
  return undefined;
}

function wrap(logger: Logger, tallies: Tallies, passes: Pass): Logger {
  const limited =
    (write: (message: string, fields?: LogFields) => void) =>
    (message: string, fields?: LogFields): void => {
      const leftOut = passes(tallies, message);
      if (leftOut === undefined) return;
      write(message, leftOut === 0 ? fields : { ...fields, linesLeftOut: leftOut });
    };
  return {
    debug: logger.debug,
    info: logger.info,
    warn: limited(logger.warn),
    error: limited(logger.error),
    with: (fields) => wrap(logger.with(fields), tallies, passes),
  };
}
