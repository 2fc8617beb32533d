/** Measures of the comparison that bring their own load: end-to-end latency, compressed batches, the share of the limit. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { measureLimit, sharesOf } from './limit.ts';
import type { Stage } from './measures.ts';
import { compiled, numbersOf } from './native-program.ts';
import { createTopic } from './new-topic.ts';
import { cpuSeconds } from './process-usage.ts';
import { replay, writeFrames } from './recorded-frames.ts';

const RECORD_BYTES = 1000;
/** A tenth of what two cores, shared with the generator, take of such records: the same for every system. */
const LATENCY_RATE = 15_000;
const LATENCY_WARM_UP_SECONDS = 2;
const RECORDS_PER_BATCH = 130;
const PARTITIONS = 4;
const CODECS = ['none', 'gzip', 'lz4', 'zstd'] as const;
const WARM_UP_SHARE = 0.1;
const MEGABYTE = 1e6;
const GIGABYTE = 1e9;

/** From a producer's call to a consumer's hands; librdkafka on both sides, linger.ms=0, one partition, acks=1. */
export async function measureLatency({ broker, size, record }: Stage): Promise<void> {
  const topic = 'bench-latency';
  await createTopic(broker.port, { name: topic, partitions: 1 });
  const program = await compiled('end-to-end', ['-lrdkafka', '-lpthread']);
  const pace = [RECORD_BYTES, LATENCY_RATE, LATENCY_WARM_UP_SECONDS, size.latencySeconds];
  const [, , p50, p99] = (await numbersOf(program, [broker.bootstrap, topic, ...pace])) as [
    ...[number, number, number, number],
  ];
  const what = `end to end, 1 KB, ${LATENCY_RATE.toLocaleString('en')} records/s`;
  record(`${what}: p50`, 'ms', 'lower', p50 / 1000);
  record(`${what}: p99`, 'ms', 'lower', p99 / 1000);
}

/** Batches that the producer has compressed, into a topic that keeps them so: the broker's CPU for the same records. */
export async function measureCompression({ broker, pid, size, record }: Stage): Promise<void> {
  const home = makeTemporaryDirectory('sluice-bench-compression');
  try {
    for (const codec of CODECS) {
      const topic = `bench-${codec}`;
      await createTopic(broker.port, {
        name: topic,
        partitions: PARTITIONS,
        configs: { 'compression.type': 'producer' },
      });
      const shape = { partitions: PARTITIONS, recordBytes: RECORD_BYTES, recordsPerBatch: RECORDS_PER_BATCH };
      const frames = writeFrames(join(home, topic), { topic, ...shape, codec });
      const requests = Math.ceil((size.compressedMegabytes * MEGABYTE) / frames.valueBytes);
      const warmUpRequests = Math.ceil(requests * WARM_UP_SHARE);
      await replay({ port: broker.port, frames, requests: warmUpRequests, warmUpRequests: 0 });
      const cpuBefore = cpuSeconds(pid);
      await replay({ port: broker.port, frames, requests, warmUpRequests: 0 });
      const gigabytes = (requests * frames.valueBytes) / GIGABYTE;
      const cpu = (cpuSeconds(pid) - cpuBefore) / gigabytes;
      record(`broker CPU to take a GB of text in 1 KB records, ${codec}`, 's', 'lower', cpu);
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** See limit.ts: what recorded requests, which cost their sender nothing, bring, and the share of bare C. */
export async function measureShareOfLimit({ broker, pid, round, size, record }: Stage): Promise<void> {
  const { port, dataDirectory } = broker;
  const samples = await measureLimit({ port, pid, dataDirectory }, { round, megabytes: size.limitMegabytes });
  for (const { measure, system, megabytesPerSecond, cpuSecondsAGigabyte } of samples) {
    if (system === 'limit' || measure.startsWith('fetch')) continue;
    record(`${measure}, recorded requests`, 'MB/s', 'higher', megabytesPerSecond);
    record(`broker CPU to ${measure}, recorded requests`, 's/GB', 'lower', cpuSecondsAGigabyte);
  }
  for (const [measure, share] of sharesOf(samples)) record(`${measure}, share of bare C`, '%', 'higher', share * 100);
}
