import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { Pace } from './pace.ts';
import { CONSUMER_HEADING, consumerLine, latencyLines, producerLine, producerWindowLine } from './perf-report.ts';

const latency = { avg: 1.239, max: 250.5, p50: 1.9, p90: 2, p95: 3.99, p99: 40.2, p999: 200.7, p9999: 250.5 };
const throughput = { records: 1_000_000, bytes: 1_048_576_000, seconds: 10 };

describe('the closing lines are those of Kafka', () => {
  it('of the producer', () => {
    assert.equal(
      producerLine(throughput, latency),
      '1000000 records sent, 100000.000000 records/sec (100.00 MB/sec), 1.24 ms avg latency, 250.50 ms max latency, ' +
        '1 ms 50th, 3 ms 95th, 40 ms 99th, 200 ms 99.9th.',
    );
    assert.equal(
      producerWindowLine({ ...throughput, records: 5 }, latency),
      '5 records sent, 0.5 records/sec (100.00 MB/sec), 1.2 ms avg latency, 250.5 ms max latency.',
    );
  });

  it('of the consumer', () => {
    const startedMs = Date.UTC(2026, 4, 1, 12, 0, 0, 250);
    const line = consumerLine({ ...throughput, startedMs, endedMs: startedMs + 10_000, joinMs: 2000 });
    assert.equal(
      line,
      '2026-05-01 12:00:00:250, 2026-05-01 12:00:10:250, 1000.0000, 100.0000, 1000000, 100000.0000, 2000, 8000, 125.0000, 125000.0000',
    );
    assert.equal(CONSUMER_HEADING.split(',').length, line.split(',').length);
  });

  it('of latency from end to end', () => {
    assert.deepEqual(latencyLines(latency), [
      'Avg latency: 1.2390 ms',
      'Percentiles: 50th = 1, 99th = 40, 99.9th = 200',
    ]);
  });
});

describe('a histogram of latencies', () => {
  it('tells percentiles to three digits, and nothing of nothing', () => {
    const histogram = new LatencyHistogram();
    assert.deepEqual([histogram.summary().avg, histogram.summary().p99], [0, 0]);
    for (let ms = 1; ms <= 1000; ms++) histogram.record(ms);
    const { avg, max, p50, p99 } = histogram.summary();
    for (const [found, exact] of [
      [avg, 500.5],
      [max, 1000],
      [p50, 500],
      [p99, 990],
    ] as const) {
      assert.ok(Math.abs(found - exact) <= exact / 500, `${found} instead of ${exact}`);
    }
    histogram.reset();
    histogram.record(0);
    assert.equal(histogram.summary().max, 0.001);
    histogram.record(1e12);
    assert.ok(histogram.summary().max >= 3_590_000);
  });
});

describe('a pace', () => {
  it('spreads records evenly, and makes up for what was held up', async () => {
    const clock = new SimulatedClock();
    const pace = new Pace(clock, 100);
    assert.equal(pace.wait(0), undefined);
    assert.equal(pace.dueMs(5) - pace.dueMs(0), 50);
    const waited = pace.wait(5);
    assert.ok(waited !== undefined);
    clock.advance(50);
    await waited;
    clock.advance(1000);
    assert.equal(pace.wait(105), undefined, 'a hundred are due at once');
    assert.ok(pace.wait(106) !== undefined);
  });

  it('without a rate has everything due at once', () => {
    const clock = new SimulatedClock();
    const pace = new Pace(clock, Number.POSITIVE_INFINITY);
    assert.equal(pace.wait(1_000_000), undefined);
    assert.equal(pace.dueMs(1_000_000), clock.monotonicMs());
  });
});
