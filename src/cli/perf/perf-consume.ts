/** Reads records and counts them, as fast as the cluster gives them. */
import { systemClock, type Timer } from '../../base/clock.ts';
import { Admin } from '../../client/admin/admin.ts';
import type { Cluster } from '../../client/cluster.ts';
import { Consumer } from '../../client/consumer/consumer.ts';
import type { FetchedBatch } from '../../client/consumer/fetched-batch.ts';
import { PartitionReader } from '../../client/consumer/reader.ts';
import { wholeNumber } from '../arguments.ts';
import { offsetRange, resolveRange } from '../offset-range.ts';
import { openCluster } from '../open-cluster.ts';
import { printJson, printLine } from '../output.ts';
import type { PerfConsumeOptions } from '../perf.ts';
import { formatCount, startProgress } from '../progress.ts';
import { duration } from '../times.ts';
import { untilInterrupted } from './perf-produce.ts';
import { CONSUMER_HEADING, consumerLine, MIB, rates } from './perf-report.ts';

/** Where records come from, and how to make that end. */
interface Source {
  readonly batches: AsyncIterable<FetchedBatch>;
  readonly total: number | undefined;
  close(): Promise<void>;
}

export async function perfConsume(topic: string, options: PerfConsumeOptions): Promise<void> {
  const most = options.records === undefined ? undefined : wholeNumber('--records', options.records, 1);
  const idleMs = duration('--idle', options.idle);
  const clock = systemClock;
  await using cluster = await openCluster(options, 'sluice-perf');
  const startedMs = clock.wallMs();
  const beganMs = clock.monotonicMs();
  const source =
    options.group === undefined ? await reading(cluster, topic, options, most) : asMember(cluster, topic, options);
  let firstMs: number | undefined;
  let lastMs = beganMs;
  const count = { records: 0, bytes: 0 };
  const progress = startProgress(source.total ?? most, clock);
  const end = (): void => void source.close();
  using _ = untilInterrupted(end);
  let idle: Timer = clock.after(idleMs, end);
  for await (const batch of source.batches) {
    lastMs = clock.monotonicMs();
    firstMs ??= lastMs;
    idle.cancel();
    idle = clock.after(idleMs, end);
    countRecords(batch, count, most);
    const perSecond = rates({ ...count, seconds: (lastMs - beganMs) / 1000 });
    progress.update(
      count.records,
      `${formatCount(perSecond.recordsPerSecond)} records/s, ${perSecond.mibPerSecond.toFixed(1)} MiB/s`,
    );
    if (most !== undefined && count.records >= most) break;
  }
  idle.cancel();
  progress.end();
  await source.close();
  // Waiting for a record that did not come is nobody's speed.
  const seconds = (lastMs - beganMs) / 1000;
  report(
    topic,
    { ...count, seconds, startedMs, endedMs: startedMs + seconds * 1000, joinMs: (firstMs ?? beganMs) - beganMs },
    options,
  );
}

async function reading(
  cluster: Cluster,
  topic: string,
  options: PerfConsumeOptions,
  most: number | undefined,
): Promise<Source> {
  const { partitions } = await cluster.topic(topic);
  const places = partitions.map(({ partition }) => ({ topic, partition }));
  const range = offsetRange(options.offset, systemClock.wallMs());
  const stopAtEnd = most === undefined;
  const bounds = await resolveRange(new Admin(cluster), places, range, { isolation: 'read_uncommitted', stopAtEnd });
  const reader = await PartitionReader.open(cluster, {
    partitions: places,
    from: ({ partition }) => ({ offset: bounds[partition]!.from }),
    until: ({ partition }) => bounds[partition]!.until,
  });
  const total = bounds.reduce((sum, { from, until }) => sum + Math.max(0, until - from), 0);
  return { batches: reader.batches(), total: Number.isFinite(total) ? total : undefined, close: () => reader.close() };
}

function asMember(cluster: Cluster, topic: string, { group, offset }: PerfConsumeOptions): Source {
  const offsetReset = offset === 'end' ? 'latest' : 'earliest';
  const consumer = new Consumer(cluster, { groupId: group, offsetReset });
  consumer.subscribe(topic);
  return { batches: consumer.batches(), total: undefined, close: () => consumer.close() };
}

/** Keys and values, as Kafka's tool counts. */
function countRecords(
  batch: FetchedBatch,
  count: { records: number; bytes: number },
  most = Number.POSITIVE_INFINITY,
): void {
  const cursor = batch.cursor();
  while (count.records < most && cursor.next()) {
    if (!batch.wants(cursor.offset)) continue;
    count.records++;
    count.bytes += Math.max(0, cursor.keyLength) + Math.max(0, cursor.valueLength);
  }
}

function report(topic: string, times: Parameters<typeof consumerLine>[0], { json }: PerfConsumeOptions): void {
  const { records, bytes, seconds, joinMs } = times;
  if (json)
    printJson({ topic, records, bytes, seconds, ...rates(times), mib: bytes / MIB, joinMs: Math.round(joinMs) });
  else {
    printLine(CONSUMER_HEADING);
    printLine(consumerLine(times));
  }
}
