/** Sends records and times each from when it was due to its acknowledgement. */
import { readWhole } from '../../base/byte-source.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { messageOf, SluiceError } from '../../base/errors.ts';
import { systemRandom } from '../../base/random.ts';
import { Producer } from '../../client/producer/producer.ts';
import { byteCount, wholeNumber } from '../arguments.ts';
import { openCluster } from '../open-cluster.ts';
import { waitForTopic } from '../open-topic.ts';
import { printJson, printLine, remark } from '../output.ts';
import type { PerfProduceOptions } from '../perf.ts';
import { formatCount, type Progress, startProgress } from '../progress.ts';
import { duration } from '../times.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { Pace } from './pace.ts';
import { percentilesLine, producerLine, producerWindowLine, rates } from './perf-report.ts';

const DEFAULT_RECORDS = 1_000_000;
const WINDOW_MS = 5000;
/** A loop that never waits gives the socket its turn after so many records. */
const RECORDS_A_TURN = 512;
const MAX_REQUEST_BYTES = 64 * 1024 * 1024;
/** Different values, so that a codec has something to do and the loop nothing. */
const RANDOM_VALUES = 256;

export async function perfProduce(topic: string, options: PerfProduceOptions): Promise<void> {
  const limit = limitOf(options);
  const values = await valuesOf(options);
  const keyCount = options.keys === undefined ? 0 : wholeNumber('--keys', options.keys, 1);
  const keys = Array.from({ length: keyCount }, (_, at) => Buffer.from(`key-${at}`));
  const rate = options.rate === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--rate', options.rate, 1);
  const partition = options.partition === undefined ? undefined : wholeNumber('--partition', options.partition);
  await using cluster = await openCluster(options, 'sluice-perf');
  await waitForTopic(cluster, topic, options);
  await using producer = new Producer(cluster, {
    acks: options.acks === 'all' ? 'all' : options.acks === '1' ? 1 : 0,
    compression: options.compression,
    lingerMs: duration('--linger', options.linger),
    batchBytes: byteCount('--batch-size', options.batchSize),
    maxRequestBytes: MAX_REQUEST_BYTES,
  });
  const meter = new ProduceMeter(systemClock, limit);
  const pace = new Pace(systemClock, rate);
  using _ = untilInterrupted(() => meter.stop());
  using __ = meter.stopInTime();
  for (let index = 0; index < limit.records && !meter.isOver; index++) {
    const due = pace.wait(index);
    if (due !== undefined) await due;
    else if (index % RECORDS_A_TURN === RECORDS_A_TURN - 1) await nextTurn();
    if (meter.isOver) break;
    const value = values[index % values.length]!;
    const key = keyCount === 0 ? null : keys[index % keyCount]!;
    const hasRoom = producer.write({ topic, partition, key, value }, meter.sent(pace.dueMs(index), value.length));
    if (!hasRoom) await producer.drained();
  }
  await producer.flush();
  meter.end();
  report(topic, meter, options);
}

interface Limit {
  readonly records: number;
  readonly durationMs: number;
}

function limitOf({ records, duration: time }: PerfProduceOptions): Limit {
  const durationMs = time === undefined ? Number.POSITIVE_INFINITY : duration('--duration', time);
  if (records !== undefined) return { records: wholeNumber('--records', records, 1), durationMs };
  return { records: time === undefined ? DEFAULT_RECORDS : Number.POSITIVE_INFINITY, durationMs };
}

async function valuesOf({ payloads, size }: PerfProduceOptions): Promise<Buffer[]> {
  if (payloads === undefined) {
    const bytes = byteCount('--size', size);
    return Array.from({ length: RANDOM_VALUES }, () => {
      const text = systemRandom.bytes(Math.ceil((bytes * 3) / 4)).toString('base64url');
      return Buffer.from(text.slice(0, bytes));
    });
  }
  let content: Buffer;
  try {
    content = await readWhole(payloads);
  } catch (error) {
    throw new SluiceError('FILE_UNREADABLE', `cannot read ${payloads}: ${messageOf(error)}`, { cause: error });
  }
  const lines = content.toString('latin1').split('\n').filter(Boolean);
  if (lines.length > 0) return lines.map((line) => Buffer.from(line, 'latin1'));
  throw new SluiceError('INVALID_ARGUMENT', `--payloads ${payloads}: there is no line in it`);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => systemClock.afterTurn(resolve));
}

/** Counts, times, and tells on the way. */
class ProduceMeter {
  readonly latency = new LatencyHistogram();
  records = 0;
  bytes = 0;
  seconds = 0;
  isOver = false;
  failure: SluiceError | undefined;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #limit: Limit;
  readonly #progress: Progress;
  readonly #window = new LatencyHistogram();
  #windowBytes = 0;
  #windowMs: number;
  #told = 0;

  constructor(clock: Clock, limit: Limit) {
    this.#clock = clock;
    this.#limit = limit;
    this.#startedMs = clock.monotonicMs();
    this.#windowMs = this.#startedMs;
    const isCounted = Number.isFinite(limit.records);
    const isTimed = Number.isFinite(limit.durationMs);
    this.#progress = startProgress(isCounted ? limit.records : isTimed ? limit.durationMs : undefined, clock);
  }

  stop(): void {
    this.isOver = true;
  }

  /** Ends sending when its time is over, whatever comes back from the brokers. */
  stopInTime(): Disposable {
    if (!Number.isFinite(this.#limit.durationMs)) return { [Symbol.dispose]: () => undefined };
    const timer = this.#clock.after(this.#limit.durationMs, () => this.stop());
    return { [Symbol.dispose]: () => timer.cancel() };
  }

  /** What to call when the record is acknowledged. */
  sent(dueMs: number, bytes: number): (error: SluiceError | undefined) => void {
    return (error) => {
      if (error !== undefined) {
        this.failure ??= error;
        this.stop();
        return;
      }
      const nowMs = this.#clock.monotonicMs();
      this.records++;
      this.bytes += bytes;
      this.#windowBytes += bytes;
      this.latency.record(nowMs - dueMs);
      this.#window.record(nowMs - dueMs);
      if (++this.#told % RECORDS_A_TURN === 0) this.#tell(nowMs);
    };
  }

  #tell(nowMs: number): void {
    const goneMs = nowMs - this.#startedMs;
    const { recordsPerSecond, mibPerSecond } = rates(this.#throughput(goneMs / 1000));
    const done = Number.isFinite(this.#limit.records) ? this.records : goneMs;
    this.#progress.update(done, `${formatCount(recordsPerSecond)} records/s, ${mibPerSecond.toFixed(1)} MiB/s`);
    if (process.stderr.isTTY || nowMs - this.#windowMs < WINDOW_MS) return;
    const window = { records: this.#window.count, bytes: this.#windowBytes, seconds: (nowMs - this.#windowMs) / 1000 };
    remark(producerWindowLine(window, this.#window.summary()));
    this.#window.reset();
    this.#windowBytes = 0;
    this.#windowMs = nowMs;
  }

  end(): void {
    this.seconds = (this.#clock.monotonicMs() - this.#startedMs) / 1000;
    this.#progress.end();
    if (this.failure !== undefined) throw this.failure;
  }

  #throughput(seconds: number) {
    return { records: this.records, bytes: this.bytes, seconds };
  }
}

function report(topic: string, meter: ProduceMeter, { json }: PerfProduceOptions): void {
  const { records, bytes, seconds } = meter;
  const latencyMs = meter.latency.summary();
  if (json) {
    printJson({ topic, records, bytes, seconds, ...rates({ records, bytes, seconds }), latencyMs });
    return;
  }
  remark(percentilesLine(latencyMs));
  printLine(producerLine({ records, bytes, seconds }, latencyMs));
}

/** Ends a measurement in order at Ctrl-C: what was measured so far is told. */
export function untilInterrupted(stop: () => void): Disposable {
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return {
    [Symbol.dispose]: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
