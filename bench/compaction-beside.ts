/**
 * What clients notice while a large log is being compacted beside them, of Sluice and of Apache Kafka in one run: Java's
 * producer at full speed and at a fixed pace, and librdkafka's consumer, each alone and beside the compaction.
 * Run: node dist/bench/compaction-beside.js [GiB of the log] [rounds]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import type { Timestamp } from '../src/base/units.ts';
import { type Channel, connect } from '../src/network/channel.ts';
import { incrementalAlterConfigs } from '../src/protocol/apis/incremental-alter-configs.ts';
import { produce as produceApi } from '../src/protocol/apis/produce.ts';
import { buildBatch } from '../src/records/builder.ts';
import { startApacheKafka } from '../test/compat/harness/apache-kafka.ts';
import type { RunningBroker } from '../test/compat/harness/broker-process.ts';
import { kafkaClassPath } from '../test/compat/harness/kafka-jars.ts';
import { startSluice } from '../test/compat/harness/sluice.ts';
import { firstAcknowledgement } from './first-record.ts';
import { findConsumer, type Produced, produce, type Reader } from './generators.ts';
import type { System } from './measures.ts';
import { createTopic } from './new-topic.ts';

const gibibytes = Number(process.argv[2] ?? 10);
const rounds = Number(process.argv[3] ?? 1);

const GIB = 2 ** 30;
const VALUE_BYTES = 10_000;
const RECORDS_A_BATCH = 64;
/** Three quarters of the records are superseded. */
const RECORDS_A_KEY = 4;
const REQUESTS_IN_FLIGHT = 4;
const PATIENCE_MS = 300_000;
const POLL_MS = 100;

const COMPACTED = 'compacted';
const BESIDE = 'beside';
const BESIDE_PARTITIONS = 3;
const BESIDE_BYTES = 1000;
const FAST_RECORDS = 1_500_000;
const PACED_RECORDS = 200_000;
const PACE = 20_000;
const TOPIC_CONFIG_RESOURCE = 2;
const SET = 0;
/** Nothing is compacted before a change of this says so. */
const HOLD: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.01',
  'min.compaction.lag.ms': '86400000',
  'segment.bytes': String(256 * 2 ** 20),
  'file.delete.delay.ms': '1000',
};
/** Both look for work often, so that the wait for it is none of what is measured. */
const SETTINGS = { 'log.cleaner.backoff.ms': '250', 'log.cleaner.threads': '1' };

interface Observation {
  readonly fast: Produced;
  readonly paced: Produced;
  readonly readRecordsPerSecond: number;
}

async function fill(channel: Channel): Promise<void> {
  const keys = Math.ceil((gibibytes * GIB) / VALUE_BYTES / RECORDS_A_KEY);
  const value = Buffer.alloc(VALUE_BYTES, 'x');
  const bytesABatch = RECORDS_A_BATCH * VALUE_BYTES;
  let next = 0;
  const sendShare = async (bytes: number): Promise<void> => {
    for (let sent = 0; sent < bytes; sent += bytesABatch) {
      const timestamp = Date.now() as Timestamp;
      const records = Array.from({ length: RECORDS_A_BATCH }, () => {
        // A step prime to the count visits every key once before any comes again.
        const key = Buffer.from(`user-${String((next++ * 7919) % keys).padStart(11, '0')}`);
        return { key, value, timestamp };
      });
      const { responses } = await channel.request(produceApi, 7, {
        transactionalId: null,
        acks: 1,
        timeoutMs: PATIENCE_MS,
        topicData: [{ name: COMPACTED, partitionData: [{ index: 0, records: buildBatch({ records }) }] }],
      });
      const errorCode = responses[0]?.partitionResponses[0]?.errorCode;
      if (errorCode !== 0) throw new Error(`filling: error ${errorCode}`);
    }
  };
  const share = (gibibytes * GIB) / REQUESTS_IN_FLIGHT;
  await Promise.all(Array.from({ length: REQUESTS_IN_FLIGHT }, () => sendShare(share)));
}

async function release(channel: Channel): Promise<void> {
  const { responses } = await channel.request(incrementalAlterConfigs, 1, {
    resources: [
      {
        resourceType: TOPIC_CONFIG_RESOURCE,
        resourceName: COMPACTED,
        configs: [{ name: 'min.compaction.lag.ms', configOperation: SET, value: '0' }],
      },
    ],
    validateOnly: false,
  });
  if (responses[0]?.errorCode !== 0) throw new Error(`${responses[0]?.errorMessage}`);
}

/** Whether the first pass over the log has ended: only then its checkpoint names the log. */
function isCompacted(broker: RunningBroker): boolean {
  try {
    const checkpoint = readFileSync(join(broker.dataDirectory, 'cleaner-offset-checkpoint'), 'utf8');
    const found = new RegExp(`^${COMPACTED} 0 (\\d+)$`, 'm').exec(checkpoint);
    return found !== null && Number(found[1]) > 0;
  } catch {
    return false;
  }
}

interface Generators {
  readonly classPath: string;
  readonly consumer: Reader;
}

async function observe(broker: RunningBroker, { classPath, consumer }: Generators): Promise<Observation> {
  const load = { classPath, bootstrap: broker.bootstrap, topic: BESIDE, recordBytes: BESIDE_BYTES, acks: '1' } as const;
  const warm = { ...load, warmUpRecords: PACE, batched: true };
  const fast = await produce({ ...warm, records: FAST_RECORDS });
  const read = await consumer({ ...load, partitions: BESIDE_PARTITIONS, records: FAST_RECORDS });
  const paced = await produce({ ...warm, records: PACED_RECORDS, pace: PACE });
  return { fast, paced, readRecordsPerSecond: read.recordsPerSecond };
}

async function runOne(system: System, generators: Generators): Promise<void> {
  const options = { settings: SETTINGS };
  const broker =
    system === 'sluice'
      ? await startSluice(options)
      : await startApacheKafka({ ...options, classPath: generators.classPath, flags: 'benchmark' });
  try {
    await firstAcknowledgement(broker.port);
    const at = { host: '127.0.0.1', port: broker.port, clientId: 'bench', requestTimeoutMs: PATIENCE_MS };
    const channel = await connect(at, { clock: systemClock });
    await createTopic(broker.port, { name: COMPACTED, partitions: 1, configs: HOLD });
    await createTopic(broker.port, { name: BESIDE, partitions: BESIDE_PARTITIONS });
    await fill(channel);
    // The first one warms the broker up, and leaves what the others read.
    await observe(broker, generators);
    report(system, 'alone', await observe(broker, generators));
    const began = performance.now();
    await release(channel);
    const beside = await observe(broker, generators);
    // Half of what was asked would be no answer: the compaction has to outlast the load.
    report(system, isCompacted(broker) ? 'beside (ended early)' : 'beside', beside);
    while (!isCompacted(broker)) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    console.log(`${system.padEnd(8)} the pass over ${gibibytes} GiB took ${seconds(performance.now() - began)}`);
    report(system, 'alone again', await observe(broker, generators));
    await channel.close();
  } finally {
    await broker.remove();
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function report(system: System, when: string, { fast, paced, readRecordsPerSecond }: Observation): void {
  const round = (value: number) => Math.round(value).toLocaleString('en').padStart(9);
  console.log(
    `${system.padEnd(8)} ${when.padEnd(21)} produce ${round(fast.recordsPerSecond)} records/s, p99 ${round(fast.p99Ms)} ms;` +
      ` at ${PACE} records/s p99 ${round(paced.p99Ms)} ms; consume ${round(readRecordsPerSecond)} records/s`,
  );
}

const classPath = await kafkaClassPath();
if (classPath.value === undefined) throw new Error(`the load generator is Apache Kafka's own: ${classPath.reason}`);
const generators = { classPath: classPath.value, consumer: await findConsumer() };
for (let round = 0; round < rounds; round++) {
  const systems: System[] = round % 2 === 0 ? ['sluice', 'kafka'] : ['kafka', 'sluice'];
  for (const system of systems) await runOne(system, generators);
}
