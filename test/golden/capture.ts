/**
 * Writes frames/<client>.json: what unmodified clients and a real Apache Kafka say to each other, taken down by a
 * proxy between them. Run by hand: node dist/test/golden/capture.js [client...]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApacheKafka } from '../compat/harness/apache-kafka.ts';
import { unusedPorts } from '../compat/harness/broker-process.ts';
import { type Client, type Operation, positionsFor } from '../compat/harness/client.ts';
import { type ClientName, findClient } from '../compat/harness/clients.ts';
import { KAFKA_VERSION, kafkaClassPath } from '../compat/harness/kafka-jars.ts';
import { projectRoot } from '../compat/harness/paths.ts';
import { type RecordedFrame, type RecordingProxy, startRecordingProxy } from '../compat/harness/recording-proxy.ts';
import { makeCorpus } from '../compat/harness/records.ts';

type ForeignClient = Exclude<ClientName, 'sluice' | 'sluice-kafkajs'>;

const CLIENTS: Readonly<Record<ForeignClient, string>> = {
  kcat: 'kcat 1.7.1 on librdkafka 2.0.2 (Debian)',
  'confluent-kafka': 'confluent-kafka 2.16.1 on librdkafka 2.16.0',
  'franz-go': 'franz-go 1.22.2',
  java: `Apache Kafka's Java clients ${KAFKA_VERSION}`,
  kafkajs: 'kafkajs 2.2.4',
  platformatic: '@platformatic/kafka 1.35.0',
};
const LARGEST_FRAME_BYTES = 8192;
const PRODUCE = 0;
const FETCH = 1;
const METADATA = 3;
/** The list of topics, allow automatic creation, include authorized operations, no tagged fields. */
const NULL_AS_INT32 = '00000000010000';

/** Distinct frames kept of each API, version and direction. Produce and Fetch come once a codec. */
function limitFor(apiKey: number): number {
  return apiKey === PRODUCE || apiKey === FETCH ? 8 : 3;
}

/** Of frames of equal length only the first: they differ in ids and timestamps alone. */
function selected(frames: readonly RecordedFrame[]): RecordedFrame[] {
  const groups = new Map<string, RecordedFrame[]>();
  for (const frame of frames) {
    if (frame.bytes.length > LARGEST_FRAME_BYTES) continue;
    const name = `${frame.apiKey}/${frame.apiVersion}/${frame.direction}`;
    const kept = groups.get(name) ?? [];
    groups.set(name, kept);
    const isNew = kept.every(({ bytes }) => bytes.length !== frame.bytes.length);
    if (isNew && kept.length < limitFor(frame.apiKey)) kept.push(frame);
  }
  return [...groups.values()].flat();
}

/** Why a frame is not as its schema says, for the few that Kafka takes nevertheless. */
function deviationOf(name: ForeignClient, { apiKey, direction, bytes }: RecordedFrame): string | undefined {
  const asksForAllTopics =
    apiKey === METADATA && direction === 'request' && bytes.toString('hex').endsWith(NULL_AS_INT32);
  return name === 'confluent-kafka' && asksForAllTopics
    ? 'librdkafka writes the null list of topics in 4 bytes instead of 1; Kafka ignores the 3 bytes left over'
    : undefined;
}

/** A tour of everything that the client can do, mistakes included. */
function tour(client: Client): Operation[] {
  const topic = `golden-${client.name}`;
  const records = makeCorpus({ label: 'golden', partitions: 2, count: 3, headers: client.headers });
  const all: Operation[] = [
    { op: 'createTopics', topics: [{ name: topic, partitions: 2, configs: { 'retention.ms': '86400000' } }] },
    { op: 'createTopics', topics: [{ name: topic, partitions: 2 }] },
    { op: 'createTopics', topics: [{ name: 'not/allowed', partitions: 1 }] },
    { op: 'describeTopics', names: [topic] },
    { op: 'listTopics' },
    { op: 'describeCluster' },
    ...client.codecs.flatMap((codec): Operation[] => [
      { op: 'produce', topic, records, codec, acks: -1 },
      { op: 'consume', topic, partitions: positionsFor(records).map((each) => ({ ...each, count: 1 })) },
    ]),
    ...client.acks.map((acks): Operation => ({ op: 'produce', topic, records, codec: 'none', acks })),
    { op: 'produce', topic, records, codec: 'lz4', acks: -1, idempotent: true },
    {
      op: 'produce',
      topic: `${topic}-automatic`,
      records: records.filter((each) => each.partition === 0),
      codec: 'none',
      acks: 1,
    },
    { op: 'consume', topic, partitions: [{ partition: 0, offset: 7, count: 3 }], isolation: 'read_committed' },
    ...(['earliest', 'latest', 'maxTimestamp', 1_700_000_000_000, 4_000_000_000_000] as const).map(
      (at): Operation => ({ op: 'listOffsets', topic, partition: 0, at }),
    ),
    { op: 'describeConfigs', type: 'topic', name: topic },
    { op: 'alterConfigs', type: 'topic', name: topic, set: { 'retention.ms': '7200000' } },
    { op: 'alterConfigs', type: 'topic', name: topic, set: { 'retention.ms': 'soon' } },
    { op: 'createPartitions', topic, total: 3 },
    { op: 'createPartitions', topic, total: 1 },
    { op: 'deleteRecords', topic, partition: 0, before: 2 },
    { op: 'deleteRecords', topic, partition: 0, before: 1_000_000 },
    { op: 'describeProducers', topic, partition: 0 },
    { op: 'describeLogDirs' },
    { op: 'listConfigResources' },
    { op: 'deleteTopics', names: [topic] },
    { op: 'deleteTopics', names: ['never-there'] },
  ];
  return all.filter((operation) => client.can.has(operation.op));
}

async function capture(name: ForeignClient, proxy: RecordingProxy): Promise<void> {
  const make = await findClient(name);
  if (make.value === undefined) throw new Error(`${name}: ${make.reason}`);
  const client = make.value(`localhost:${proxy.port}`);
  if (!client.can.has('createTopics')) {
    const companion = (await findClient('confluent-kafka')).value?.(`localhost:${proxy.port}`);
    await companion?.run([{ op: 'createTopics', topics: [{ name: `golden-${name}`, partitions: 2 }] }]);
  }
  proxy.take();
  const results = await client.run(tour(client));
  const frames = selected(proxy.take());
  const file = join(projectRoot, 'test', 'golden', 'frames', `${name}.json`);
  const golden = {
    client: CLIENTS[name],
    captured: `a proxy between this client and Apache Kafka ${KAFKA_VERSION} (one KRaft node) took the frames down; see capture.ts`,
    frames: frames.map((frame) => ({
      apiKey: frame.apiKey,
      apiVersion: frame.apiVersion,
      direction: frame.direction,
      hex: frame.bytes.toString('hex'),
      encodesOtherwise: deviationOf(name, frame),
    })),
  };
  writeFileSync(file, `${JSON.stringify(golden, null, 2)}\n`);
  const refused = results.filter((result) => result.error !== undefined).map((result) => result.error);
  console.log(`${name}: ${frames.length} frames; refused: ${refused.join(', ')}`);
}

async function main(): Promise<void> {
  const names = process.argv.slice(2) as ForeignClient[];
  const classPath = await kafkaClassPath();
  if (classPath.value === undefined) throw new Error(classPath.reason);
  mkdirSync(join(projectRoot, 'test', 'golden', 'frames'), { recursive: true });
  const [port, brokerPort] = (await unusedPorts(2)) as [number, number];
  // A fixed place, since log directories are part of what is captured.
  const dataDirectory = join(tmpdir(), 'kafka-logs');
  const proxy = await startRecordingProxy({ port, brokerPort });
  const broker = await startApacheKafka({
    classPath: classPath.value,
    port: brokerPort,
    advertised: `localhost:${port}`,
    dataDirectory,
  });
  try {
    for (const name of names.length > 0 ? names : (Object.keys(CLIENTS) as ForeignClient[])) await capture(name, proxy);
  } finally {
    await broker.remove();
    await proxy.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  }
}

await main();
