/** Latencies in an HDR histogram: three digits exact, whatever their size, in constant memory. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** An hour in microseconds: anything longer counts as that. */
const MOST_MICROSECONDS = 3_600_000_000;

export interface LatencySummary {
  readonly avg: number;
  readonly max: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
}

export class LatencyHistogram {
  readonly #histogram: RecordableHistogram = createHistogram({ lowest: 1, highest: MOST_MICROSECONDS, figures: 3 });

  get count(): number {
    return this.#histogram.count;
  }

  record(ms: number): void {
    this.#histogram.record(Math.min(MOST_MICROSECONDS, Math.max(1, Math.round(ms * 1000))));
  }

  /** Of what was recorded since the last call of `reset`, in milliseconds; all 0 where that is nothing. */
  summary(): LatencySummary {
    const histogram = this.#histogram;
    const isEmpty = histogram.count === 0;
    const at = (percentile: number): number => (isEmpty ? 0 : histogram.percentile(percentile) / 1000);
    return {
      avg: isEmpty ? 0 : histogram.mean / 1000,
      max: isEmpty ? 0 : histogram.max / 1000,
      p50: at(50),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      p999: at(99.9),
      p9999: at(99.99),
    };
  }

  reset(): void {
    this.#histogram.reset();
  }
}
