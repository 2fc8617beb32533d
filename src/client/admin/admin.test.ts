import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../base/errors.ts';
import { createTopics } from '../../protocol/apis/create-topics.ts';
import { deleteRecords } from '../../protocol/apis/delete-records.ts';
import { describeConfigs } from '../../protocol/apis/describe-configs.ts';
import { describeTopicPartitions } from '../../protocol/apis/describe-topic-partitions.ts';
import { incrementalAlterConfigs } from '../../protocol/apis/incremental-alter-configs.ts';
import { Cluster } from '../cluster.ts';
import { ScriptedBroker } from '../scripted-broker.test.support.ts';
import { Admin } from './admin.ts';
import { allOrThrow } from './outcome.ts';

async function withBrokers(count: number, play: (brokers: ScriptedBroker[], admin: Admin) => Promise<void>) {
  const brokers = await Promise.all(Array.from({ length: count }, (_, index) => ScriptedBroker.start(index + 1)));
  for (const broker of brokers) broker.peers = brokers;
  const cluster = new Cluster({ bootstrapServers: brokers[0]!.address, retryBackoffMs: 1, retryBackoffMaxMs: 4 });
  try {
    await play(brokers, new Admin(cluster));
  } finally {
    await cluster.close();
    for (const broker of brokers) await broker.stop();
  }
}

const failsWith = (code: string) => (error: unknown) => error instanceof SluiceError && error.code === code;

test('creates topics each with an outcome of its own, in the order asked for', () =>
  withBrokers(1, async ([broker], admin) => {
    broker!.serve(createTopics, ({ topics }) => ({
      topics: topics.toReversed().map(({ name, numPartitions }) => ({
        name,
        errorCode: name === 'taken' ? 36 : 0,
        errorMessage: name === 'taken' ? 'it is there' : null,
        numPartitions,
        configs: null,
      })),
    }));
    const outcomes = await admin.createTopics([{ name: 'new', partitions: 3 }, { name: 'taken' }]);
    assert.deepEqual(
      outcomes.map(({ name, partitions, ok }) => [name, partitions, ok]),
      [
        ['new', 3, true],
        ['taken', -1, false],
      ],
    );
    assert.throws(() => allOrThrow(outcomes), failsWith('TOPIC_ALREADY_EXISTS'));
    await assert.rejects(admin.createTopic({ name: 'taken' }), /it is there/);
  }));

test('follows the controller when it has moved', () =>
  withBrokers(2, async (brokers, admin) => {
    const [first, second] = brokers as [ScriptedBroker, ScriptedBroker];
    for (const broker of brokers) {
      broker.serve(createTopics, ({ topics }) => {
        // Who refuses tells, when asked again, who controls now.
        for (const each of brokers) each.peers = [second, first];
        const errorCode = broker === second ? 0 : 41;
        return { topics: topics.map(({ name }) => ({ name, errorCode, errorMessage: null, configs: null })) };
      });
    }
    const created = await admin.createTopic({ name: 'orders' });
    assert.equal(created.name, 'orders');
    assert.deepEqual([first.count('CreateTopics'), second.count('CreateTopics')], [1, 1]);
  }));

test('describes topics page by page, in the order asked for', () =>
  withBrokers(1, async ([broker], admin) => {
    const partition = (partitionIndex: number) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: 1,
      replicaNodes: [1],
      isrNodes: [1],
      offlineReplicas: [],
    });
    broker!.serve(describeTopicPartitions, ({ topics, cursor }) => {
      const names = topics.map(({ name }) => name).filter((name) => name >= (cursor?.topicName ?? ''));
      const from = cursor?.partitionIndex ?? 0;
      const [name] = names;
      const done = from === 2 && names.length === 1;
      const next =
        from < 2 ? { topicName: name!, partitionIndex: from + 1 } : { topicName: names[1]!, partitionIndex: 0 };
      const errorCode = name === 'zero' ? 3 : 0;
      const partitions = errorCode === 0 ? [partition(from)] : [];
      return { topics: [{ errorCode, name: name!, partitions }], nextCursor: done ? null : next };
    });
    const described = await admin.describeTopics(['orders', 'bills', 'zero']);
    assert.deepEqual(
      described.map(({ name, ok, partitions }) => [name, ok, partitions.map((each) => each.partition)]),
      [
        ['orders', true, [0, 1, 2]],
        ['bills', true, [0, 1, 2]],
        ['zero', false, []],
      ],
    );
  }));

test('describes topics from metadata where the broker has nothing better', () =>
  withBrokers(1, async ([broker], admin) => {
    broker!.topics = [{ name: 'orders', leaders: [1, 1] }];
    const [orders, nowhere] = await admin.describeTopics(['orders', 'nowhere']);
    assert.ok(orders!.ok && !nowhere!.ok);
    assert.equal(orders!.partitions.length, 2);
    assert.equal(orders!.partitions[0]!.eligibleLeaders, undefined);
  }));

test('asks each broker for its own configuration, and any broker for that of topics', () =>
  withBrokers(2, async (brokers, admin) => {
    for (const broker of brokers) {
      broker.serve(describeConfigs, ({ resources }) => ({
        results: resources.map(({ resourceType, resourceName }) => ({
          errorCode: resourceType === 4 && resourceName !== String(broker.nodeId) ? 42 : 0,
          errorMessage: null,
          resourceType,
          resourceName,
          configs: [
            {
              name: 'a',
              value: '1',
              readOnly: false,
              configSource: 5,
              isSensitive: false,
              configType: 3,
              documentation: null,
              synonyms: [],
            },
          ],
        })),
      }));
    }
    const described = await admin.describeConfigs([
      { type: 'broker', name: '2' },
      { type: 'topic', name: 'orders' },
      { type: 'broker', name: '1' },
    ]);
    assert.deepEqual(
      described.map(({ type, name, ok }) => [type, name, ok]),
      [
        ['broker', '2', true],
        ['topic', 'orders', true],
        ['broker', '1', true],
      ],
    );
    assert.deepEqual(described[0]!.entries[0]!.source, 'default');
    assert.deepEqual(described[0]!.entries[0]!.type, 'int');
  }));

test('changes single options by the operations of the protocol', () =>
  withBrokers(1, async ([broker], admin) => {
    broker!.serve(incrementalAlterConfigs, ({ resources }) => ({
      responses: resources.map(({ resourceType, resourceName }) => ({
        errorCode: 0,
        errorMessage: null,
        resourceType,
        resourceName,
      })),
    }));
    const change = { set: { a: '1' }, remove: ['b'], append: { c: 'x' }, subtract: { d: 'y' } };
    const outcomes = await admin.alterConfigs([{ type: 'topic', name: 'orders', ...change }]);
    assert.deepEqual(outcomes, [{ type: 'topic', name: 'orders', ok: true }]);
    const body = broker!.received.at(-1)!.body as { resources: { configs: unknown[] }[] };
    assert.deepEqual(body.resources[0]!.configs, [
      { name: 'a', configOperation: 0, value: '1' },
      { name: 'b', configOperation: 1, value: null },
      { name: 'c', configOperation: 2, value: 'x' },
      { name: 'd', configOperation: 3, value: 'y' },
    ]);
  }));

test('asks the leaders, again where one has moved, and keeps what was answered', () =>
  withBrokers(2, async (brokers, admin) => {
    for (const broker of brokers) {
      broker.topics = [{ name: 'orders', leaders: [1, 1] }];
      broker.serve(deleteRecords, ({ topics }) => {
        // The second partition moves to broker 2 when it is first asked for.
        for (const each of brokers) each.topics = [{ name: 'orders', leaders: [1, 2] }];
        return {
          throttleTimeMs: 0,
          topics: topics.map(({ name, partitions }) => ({
            name,
            partitions: partitions.map(({ partitionIndex, offset }) => ({
              partitionIndex,
              lowWatermark: offset,
              errorCode: partitionIndex + 1 === broker.nodeId ? (offset > 50 ? 1 : 0) : 6,
            })),
          })),
        };
      });
    }
    const outcomes = await admin.deleteRecords([
      { topic: 'orders', partition: 1, before: 7 },
      { topic: 'orders', partition: 0, before: 99 },
    ]);
    assert.deepEqual(
      outcomes.map(({ partition, start, ok }) => [partition, start, ok]),
      [
        [1, 7, true],
        [0, 99, false],
      ],
    );
    assert.deepEqual([brokers[0]!.count('DeleteRecords'), brokers[1]!.count('DeleteRecords')], [1, 1]);
  }));
