/**
 * @platformatic/kafka behind the suites' operations. It reads only through groups: consume does so from the beginning.
 */
import {
  Admin,
  ConfigResourceTypes,
  Consumer,
  IncrementalAlterConfigOperationTypes,
  Producer,
} from '@platformatic/kafka';
import { Reading, readRecords, runScript } from './script.js';

const CONFIG_SOURCE_DEFAULT = 5;
/** It sends what a call gets as one batch a partition. */
const CALL_BYTES = 700_000;
const resourceType = (type) => (type === 'topic' ? ConfigResourceTypes.TOPIC : ConfigResourceTypes.BROKER);

/** The protocol's name lies in the innermost error. */
function nameOf(error) {
  for (const inner of [error, ...(error.errors ?? []), error.cause].filter(Boolean)) {
    if (inner.apiId !== undefined) return inner.apiId;
    if (inner !== error) {
      const name = nameOf(inner);
      if (name !== inner.code) return name;
    }
  }
  return error.code ?? error.message;
}

async function outcomeOf(action) {
  try {
    await action();
    return 'NONE';
  } catch (error) {
    return nameOf(error);
  }
}

async function createTopics(admin, { topics }) {
  const outcome = {};
  for (const { name, partitions, configs = {} } of topics) {
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
    outcome[name] = await outcomeOf(() =>
      admin.createTopics({ topics: [name], partitions, replicas: 1, configs: entries }),
    );
  }
  return outcome;
}

async function deleteTopics(admin, { names }) {
  const outcome = {};
  for (const name of names) outcome[name] = await outcomeOf(() => admin.deleteTopics({ topics: [name] }));
  return outcome;
}

async function describeTopics(admin, { names }) {
  const described = {};
  for (const name of names) {
    try {
      const { topics } = await admin.metadata({ topics: [name], forceUpdate: true });
      const { partitions } = topics.get(name);
      described[name] = { partitions: partitions.length, leaders: partitions.map((each) => each.leader) };
    } catch (error) {
      described[name] = { error: nameOf(error) };
    }
  }
  return described;
}

async function describeCluster(admin) {
  const { id, controllerId, brokers } = await admin.metadata({ forceUpdate: true });
  const nodes = [...brokers].map(([nodeId, { host, port }]) => ({ id: nodeId, host, port }));
  return { clusterId: id, controller: controllerId, brokers: nodes };
}

async function describeConfigs(admin, { type, name }) {
  const resources = [{ resourceType: resourceType(type), resourceName: name }];
  const [{ configs }] = await admin.describeConfigs({ resources, includeSynonyms: true, includeDocumentation: true });
  const entries = configs.map((each) => [
    each.name,
    { value: each.value, default: each.configSource === CONFIG_SOURCE_DEFAULT, synonyms: each.synonyms.length },
  ]);
  return Object.fromEntries(entries);
}

async function alterConfigs(admin, { type, name, set = {}, delete: removed = [] }) {
  const { DELETE, SET } = IncrementalAlterConfigOperationTypes;
  const configs = [
    ...Object.entries(set).map(([key, value]) => ({ name: key, configOperation: SET, value })),
    ...removed.map((key) => ({ name: key, configOperation: DELETE })),
  ];
  await admin.incrementalAlterConfigs({
    resources: [{ resourceType: resourceType(type), resourceName: name, configs }],
  });
  return 'NONE';
}

async function deleteRecords(admin, { topic, partition, before }) {
  const partitions = [{ partition, offset: BigInt(before) }];
  const deleted = await admin.deleteRecords({ topics: [{ name: topic, partitions }] });
  return { lowWatermark: Number(deleted[0].partitions[0].lowWatermark) };
}

async function listOffsets(admin, { topic, partition, at }) {
  const timestamp = BigInt({ earliest: -2, latest: -1, maxTimestamp: -3 }[at] ?? at);
  const partitions = [{ partitionIndex: partition, timestamp }];
  const listed = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
  const found = listed[0].partitions[0];
  return { offset: Number(found.offset), timestamp: Number(found.timestamp) };
}

async function produce(options, { topic, file, codec, acks, idempotent = false }) {
  const producer = new Producer({ ...options, autocreateTopics: true });
  let messages = [];
  let bytes = 0;
  const send = () => producer.send({ messages, acks, compression: codec, idempotent });
  for (const { partition, key, value, headers, timestamp } of readRecords(file)) {
    const length = value?.length ?? 0;
    if (messages.length > 0 && bytes + length > CALL_BYTES) {
      await send();
      messages = [];
      bytes = 0;
    }
    bytes += length;
    messages.push({
      topic,
      partition,
      key: key ?? undefined,
      value: value ?? undefined,
      headers: new Map(headers.map(([name, each]) => [Buffer.from(name), each])),
      ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) }),
    });
  }
  await send();
  await producer.close();
  return { written: [] };
}

/** Through a group, from the beginning of all partitions. */
async function consume(options, operation) {
  const reading = new Reading(operation);
  const consumer = new Consumer({ ...options, groupId: reading.group, maxWaitTime: 200 });
  const stream = await consumer.consume({ topics: [operation.topic], mode: 'committed', fallbackMode: 'earliest' });
  for await (const { headers, ...rest } of stream) {
    reading.add({ ...rest, headers: [...headers] });
    if (reading.isDone) break;
  }
  await consumer.close(true);
  return reading.write(operation.file);
}

async function connect({ bootstrap }) {
  const options = { clientId: 'platformatic', bootstrapBrokers: [bootstrap], retries: 20, retryDelay: 100 };
  const admin = new Admin(options);
  return {
    close: () => admin.close(),
    handlers: {
      createTopics: (operation) => createTopics(admin, operation),
      deleteTopics: (operation) => deleteTopics(admin, operation),
      describeTopics: (operation) => describeTopics(admin, operation),
      listTopics: () => admin.listTopics(),
      describeCluster: () => describeCluster(admin),
      describeConfigs: (operation) => describeConfigs(admin, operation),
      alterConfigs: (operation) => alterConfigs(admin, operation),
      createPartitions: async ({ topic, total }) => {
        await admin.createPartitions({ topics: [{ name: topic, count: total, assignments: null }] });
        return 'NONE';
      },
      deleteRecords: (operation) => deleteRecords(admin, operation),
      listOffsets: (operation) => listOffsets(admin, operation),
      produce: (operation) => produce(options, operation),
      consume: (operation) => consume(options, operation),
    },
  };
}

await runScript(connect, nameOf);
process.exit(0);
