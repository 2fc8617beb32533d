/** Sends a record, waits for a consumer to get it, and only then sends the next one. */
import { systemClock } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import { systemRandom } from '../../base/random.ts';
import { Admin } from '../../client/admin/admin.ts';
import type { Cluster } from '../../client/cluster.ts';
import { PartitionReader } from '../../client/consumer/reader.ts';
import { Producer } from '../../client/producer/producer.ts';
import { byteCount, wholeNumber } from '../arguments.ts';
import { openCluster } from '../open-cluster.ts';
import { printJson, printLine, remark } from '../output.ts';
import type { PerfLatencyOptions } from '../perf.ts';
import { startProgress } from '../progress.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { Pace } from './pace.ts';
import { untilInterrupted } from './perf-produce.ts';
import { latencyLines, percentilesLine } from './perf-report.ts';

const PARTITION = 0;
/** A record that takes longer got lost. */
const PATIENCE_MS = 30_000;
/** Connections, code and caches get warm first; those do not count. */
const WARM_UP = 100;

export async function perfLatency(topic: string, options: PerfLatencyOptions): Promise<void> {
  const records = wholeNumber('--records', options.records, 1);
  const bytes = byteCount('--size', options.size);
  const rate = options.rate === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--rate', options.rate, 1);
  await using cluster = await openCluster(options, 'sluice-perf');
  await ensureTopic(cluster, topic);
  await using producer = new Producer(cluster, {
    acks: options.acks === 'all' ? 'all' : options.acks === '1' ? 1 : 0,
    lingerMs: 0,
  });
  await using reader = await PartitionReader.open(cluster, {
    partitions: [{ topic, partition: PARTITION }],
    from: 'latest',
  });
  const arrivals = reader[Symbol.asyncIterator]();
  const histogram = new LatencyHistogram();
  const progress = startProgress(records, systemClock);
  let isOver = false;
  using _ = untilInterrupted(() => {
    isOver = true;
  });
  let pace = new Pace(systemClock, rate);
  for (let index = -WARM_UP; index < records && !isOver; index++) {
    if (index === 0) pace = new Pace(systemClock, rate);
    if (index >= 0) await pace.wait(index);
    const value = systemRandom.bytes(bytes);
    const sentMs = systemClock.monotonicMs();
    const sent = producer.send({ topic, partition: PARTITION, value });
    const [{ value: record }] = await Promise.all([arrived(arrivals), sent]);
    if (record === undefined || record.value?.equals(value) !== true) throw foreign(topic);
    if (index < 0) continue;
    histogram.record(systemClock.monotonicMs() - sentMs);
    progress.update(index, `${histogram.summary().avg.toFixed(3)} ms on average`);
  }
  progress.end();
  report(topic, histogram, options);
}

async function ensureTopic(cluster: Cluster, topic: string): Promise<void> {
  const known = await new Admin(cluster).listTopics();
  if (!known.some(({ name }) => name === topic)) await new Admin(cluster).createTopic({ name: topic, partitions: 1 });
}

/** The next record; rejects when it takes too long. */
async function arrived<T>(arrivals: AsyncIterator<T, void>): Promise<IteratorResult<T, void>> {
  let give: (error: SluiceError) => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    give = reject;
  });
  const timer = systemClock.after(
    PATIENCE_MS,
    () => give(new SluiceError('RECORD_LOST', `a record did not arrive within ${PATIENCE_MS / 1000} s`)),
    { holdsProcess: true },
  );
  try {
    return await Promise.race([arrivals.next(), late]);
  } finally {
    timer.cancel();
  }
}

function foreign(topic: string): SluiceError {
  return new SluiceError('FOREIGN_RECORD', `somebody else writes to ${topic}`, {
    remedy: 'Measure with a topic that nobody else uses.',
  });
}

function report(topic: string, histogram: LatencyHistogram, { json }: PerfLatencyOptions): void {
  const latencyMs = histogram.summary();
  if (json) {
    printJson({ topic, records: histogram.count, latencyMs });
    return;
  }
  remark(percentilesLine(latencyMs));
  for (const line of latencyLines(latencyMs)) printLine(line);
}
