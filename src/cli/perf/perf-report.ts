/** The lines that Kafka's performance tools end with, to the letter: scripts that read those read these. */
import type { LatencySummary } from './latency-histogram.ts';

export const MIB = 1024 * 1024;

export interface Throughput {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
}

export function rates({ records, bytes, seconds }: Throughput): { recordsPerSecond: number; mibPerSecond: number } {
  return {
    recordsPerSecond: seconds > 0 ? records / seconds : 0,
    mibPerSecond: seconds > 0 ? bytes / seconds / MIB : 0,
  };
}

/** The closing line of kafka-producer-perf-test. */
export function producerLine(throughput: Throughput, { avg, max, p50, p95, p99, p999 }: LatencySummary): string {
  const { recordsPerSecond, mibPerSecond } = rates(throughput);
  const whole = (ms: number): string => String(Math.trunc(ms));
  return (
    `${throughput.records} records sent, ${recordsPerSecond.toFixed(6)} records/sec (${mibPerSecond.toFixed(2)} MB/sec), ` +
    `${avg.toFixed(2)} ms avg latency, ${max.toFixed(2)} ms max latency, ${whole(p50)} ms 50th, ${whole(p95)} ms 95th, ` +
    `${whole(p99)} ms 99th, ${whole(p999)} ms 99.9th.`
  );
}

/** What kafka-producer-perf-test says now and then on the way. */
export function producerWindowLine(throughput: Throughput, { avg, max }: LatencySummary): string {
  const { recordsPerSecond, mibPerSecond } = rates(throughput);
  return (
    `${throughput.records} records sent, ${recordsPerSecond.toFixed(1)} records/sec (${mibPerSecond.toFixed(2)} MB/sec), ` +
    `${avg.toFixed(1)} ms avg latency, ${max.toFixed(1)} ms max latency.`
  );
}

export interface ConsumerTimes extends Throughput {
  readonly startedMs: number;
  readonly endedMs: number;
  /** Until partitions were there to be read. */
  readonly joinMs: number;
}

export const CONSUMER_HEADING =
  'start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, ' +
  'rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec';

/** The closing line of kafka-consumer-perf-test. */
export function consumerLine({ records, bytes, seconds, startedMs, endedMs, joinMs }: ConsumerTimes): string {
  const { recordsPerSecond, mibPerSecond } = rates({ records, bytes, seconds });
  const fetchMs = Math.max(0, Math.round(seconds * 1000 - joinMs));
  const fetch = rates({ records, bytes, seconds: fetchMs / 1000 });
  return [
    ...[stamp(startedMs), stamp(endedMs), (bytes / MIB).toFixed(4), mibPerSecond.toFixed(4), records],
    ...[recordsPerSecond.toFixed(4), Math.round(joinMs), fetchMs, fetch.mibPerSecond.toFixed(4)],
    fetch.recordsPerSecond.toFixed(4),
  ].join(', ');
}

/** `2026-05-01 12:00:00:250`, in UTC. */
function stamp(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('T', ' ').replace('.', ':').replace('Z', '');
}

/** The closing lines of kafka-e2e-latency. */
export function latencyLines({ avg, p50, p99, p999 }: LatencySummary): readonly [string, string] {
  const whole = (ms: number): number => Math.trunc(ms);
  return [
    `Avg latency: ${avg.toFixed(4)} ms`,
    `Percentiles: 50th = ${whole(p50)}, 99th = ${whole(p99)}, 99.9th = ${whole(p999)}`,
  ];
}

/** Percentiles with their fractions, for people. */
export function percentilesLine({ p50, p90, p95, p99, p999, p9999, max }: LatencySummary): string {
  const ms = (value: number): string => value.toFixed(value < 10 ? 3 : value < 100 ? 2 : 1);
  return `latency ms: 50th ${ms(p50)}, 90th ${ms(p90)}, 95th ${ms(p95)}, 99th ${ms(p99)}, 99.9th ${ms(p999)}, 99.99th ${ms(p9999)}, max ${ms(max)}`;
}
