/**
 * kafkajs behind the suites' operations. It reads only through groups: consume does so from the beginning of all partitions.
 */
import nodeZstd from '@toondepauw/node-zstd';
import kafkajs from 'kafkajs';
import snappy from 'kafkajs-snappy';
import lz4 from 'lz4-napi';
import { Reading, readRecords, runScript } from './script.js';

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs;

const decoded = new nodeZstd.Decoder();
const encoder = new nodeZstd.Encoder(3);
CompressionCodecs[CompressionTypes.Snappy] = snappy;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (content) => lz4.compressFrame(content.buffer, { blockMode: 0 }),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (content) => encoder.encode(content.buffer),
  decompress: (buffer) => decoded.decode(buffer),
});

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};
const resourceType = (type) => (type === 'topic' ? ConfigResourceTypes.TOPIC : ConfigResourceTypes.BROKER);

/** The protocol's name lies in an error wrapped once or more. */
function nameOf(error) {
  return typeWithin(error) ?? error.name;
}

function typeWithin(error) {
  if (error === undefined || error === null) return undefined;
  if (typeof error.type === 'string') return error.type;
  const wrapped = [...(error.errors ?? []), ...(error.partitions ?? []).map((each) => each.error)];
  for (const inner of [...wrapped, error.cause, error.originalError]) {
    const type = typeWithin(inner);
    if (type !== undefined) return type;
  }
  return undefined;
}

/** kafkajs tells by false that a topic exists already. */
async function createTopics(admin, { topics, validateOnly }) {
  const outcome = {};
  for (const { name, partitions, configs = {} } of topics) {
    const configEntries = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
    const topic = { topic: name, numPartitions: partitions, replicationFactor: 1, configEntries };
    const created = await admin.createTopics({ topics: [topic], validateOnly, waitForLeaders: !validateOnly });
    outcome[name] = created ? 'NONE' : 'TOPIC_ALREADY_EXISTS';
  }
  return outcome;
}

async function describeTopics(admin, { names }) {
  const described = {};
  for (const name of names) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
      const partitions = topics[0].partitions.sort((one, other) => one.partitionId - other.partitionId);
      described[name] = { partitions: partitions.length, leaders: partitions.map((each) => each.leader) };
    } catch (error) {
      described[name] = { error: nameOf(error) };
    }
  }
  return described;
}

async function describeCluster(admin) {
  const { clusterId, controller, brokers } = await admin.describeCluster();
  return { clusterId, controller, brokers: brokers.map(({ nodeId, host, port }) => ({ id: nodeId, host, port })) };
}

async function describeConfigs(admin, { type, name }) {
  const resources = [{ type: resourceType(type), name }];
  const { resources: found } = await admin.describeConfigs({ includeSynonyms: true, resources });
  const entries = found[0].configEntries.map((each) => [
    each.configName,
    {
      value: each.configValue,
      default: each.isDefault ?? each.configSource === 5,
      synonyms: each.configSynonyms.length,
    },
  ]);
  return Object.fromEntries(entries);
}

async function alterConfigs(admin, { type, name, set = {} }) {
  const configEntries = Object.entries(set).map(([key, value]) => ({ name: key, value }));
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: resourceType(type), name, configEntries }] });
  return 'NONE';
}

async function produce(kafka, { topic, file, codec, acks, idempotent }) {
  const producer = kafka.producer({ idempotent, ...(idempotent ? { maxInFlightRequests: 1 } : {}) });
  await producer.connect();
  const messages = readRecords(file).map(({ partition, key, value, headers, timestamp }) => ({
    partition,
    key,
    value,
    headers: gathered(headers),
    ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }),
  }));
  // kafkajs makes one batch a partition of each send; a batch with the large value would pass the broker's limit.
  for (const part of slices(messages, 700_000)) {
    await producer.send({ topic, acks, compression: CODECS[codec], messages: part });
  }
  await producer.disconnect();
  return { written: [] };
}

async function consume(kafka, operation) {
  const reading = new Reading(operation);
  const consumer = kafka.consumer({ groupId: reading.group, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic: operation.topic, fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachMessage = async ({ partition, message }) => {
      const { headers, ...rest } = message;
      reading.add({ ...rest, partition, headers: Object.entries(headers) });
      if (reading.isDone) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return reading.write(operation.file);
}

/** Headers of one name travel as a list under it. */
function gathered(headers) {
  const byName = {};
  for (const [name, value] of headers) {
    byName[name] = name in byName ? [byName[name], value].flat() : value;
  }
  return byName;
}

function slices(messages, bytes) {
  const parts = [[]];
  let size = 0;
  for (const message of messages) {
    size += message.value?.length ?? 0;
    if (size > bytes && parts.at(-1).length > 0) {
      parts.push([]);
      size = message.value?.length ?? 0;
    }
    parts.at(-1).push(message);
  }
  return parts;
}

async function listOffsets(admin, { topic, partition, at }) {
  const listed =
    typeof at === 'number' ? await admin.fetchTopicOffsetsByTimestamp(topic, at) : await admin.fetchTopicOffsets(topic);
  const found = listed.find((each) => each.partition === partition);
  return { offset: Number(at === 'earliest' ? found.low : found.offset), timestamp: -1 };
}

async function deleteTopics(admin, { names }) {
  const outcome = {};
  for (const name of names) {
    try {
      await admin.deleteTopics({ topics: [name] });
      outcome[name] = 'NONE';
    } catch (error) {
      outcome[name] = nameOf(error);
    }
  }
  return outcome;
}

async function deleteRecords(admin, { topic, partition, before }) {
  // Makes kafkajs load the topic's metadata, without which it knows no leader to ask.
  await listOffsets(admin, { topic, partition, at: 'latest' });
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] });
  const { offset } = await listOffsets(admin, { topic, partition, at: 'earliest' });
  return { lowWatermark: offset };
}

async function connect({ bootstrap }) {
  const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 8 };
  const kafka = new Kafka({ clientId: 'kafkajs', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry });
  const admin = kafka.admin();
  await admin.connect();
  return {
    close: () => admin.disconnect(),
    handlers: {
      createTopics: (operation) => createTopics(admin, operation),
      deleteTopics: (operation) => deleteTopics(admin, operation),
      describeTopics: (operation) => describeTopics(admin, operation),
      listTopics: () => admin.listTopics(),
      describeCluster: () => describeCluster(admin),
      describeConfigs: (operation) => describeConfigs(admin, operation),
      alterConfigs: (operation) => alterConfigs(admin, operation),
      createPartitions: async ({ topic, total }) => {
        await admin.createPartitions({ topicPartitions: [{ topic, count: total }] });
        return 'NONE';
      },
      deleteRecords: (operation) => deleteRecords(admin, operation),
      listOffsets: (operation) => listOffsets(admin, operation),
      produce: (operation) => produce(kafka, operation),
      consume: (operation) => consume(kafka, operation),
    },
  };
}

await runScript(connect, nameOf);
process.exit(0);
