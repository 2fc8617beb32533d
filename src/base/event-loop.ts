/** How busy this thread's event loop is. */
import { performance } from 'node:perf_hooks';

/** Shorter spans say more about one request than about the load. */
const SPAN_MS = 100;

/** A function that tells which share of a recent tenth of a second the event loop was not idle: 0 to 1. */
export function eventLoopLoad(): () => number {
  let before = performance.eventLoopUtilization();
  let share = 0;
  return () => {
    const now = performance.eventLoopUtilization();
    const { idle, active, utilization } = performance.eventLoopUtilization(now, before);
    if (idle + active >= SPAN_MS) {
      share = utilization;
      before = now;
    }
    return share;
  };
}
