import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZERO_UUID } from '../base/uuid.ts';
import { topicConfigsOf } from '../metadata/image.ts';
import { errorName } from '../protocol/error-codes.ts';
import { type Cluster, creation, type NewTopic, withCluster } from './controller.test-kit.ts';

async function create(cluster: Cluster, ...topics: NewTopic[]): Promise<string[]> {
  const { topics: results } = await cluster.controller.createTopics(creation(topics));
  return results.map(({ name, errorCode, errorMessage }) =>
    `${name}: ${errorName(errorCode ?? 0)} ${errorMessage ?? ''}`.trim(),
  );
}

test('a new topic has the default counts, its configs and an answer that tells them', async () => {
  const config = { 'num.partitions': '3', 'log.retention.hours': '2' };
  await withCluster(
    async ({ controller, quorum }) => {
      const { topics } = await controller.createTopics(
        creation([{ name: 'a', configs: [{ name: 'segment.ms', value: '7' }] }]),
      );
      const [result] = topics;
      assert.deepEqual([result!.errorCode, result!.numPartitions, result!.replicationFactor], [0, 3, 1]);
      const topic = quorum.image().topics.byName.get('a')!;
      assert.equal(topic.id, result!.topicId);
      assert.deepEqual(
        topic.partitions.map(({ leader, isr, leaderEpoch }) => [leader, isr, leaderEpoch]),
        [
          [1, [1], 0],
          [1, [1], 0],
          [1, [1], 0],
        ],
      );
      assert.equal(topic.partitions[0]!.directories[0], quorum.image().brokers.get(1)!.logDirs[0]);
      assert.deepEqual([...topicConfigsOf(quorum.image(), 'a')], [['segment.ms', '7']]);
      const told = new Map(result!.configs!.map((entry) => [entry.name, entry]));
      assert.deepEqual([told.get('segment.ms')!.value, told.get('segment.ms')!.configSource], ['7', 1]);
      assert.equal(told.get('retention.ms')!.value, '7200000');
      const names = result!.configs!.map(({ name }) => name);
      assert.deepEqual(names, [...names].sort());
    },
    { config },
  );
});

test('a validation creates nothing and answers the same', async () => {
  await withCluster(async ({ controller, quorum }) => {
    const before = quorum.image().offset;
    const { topics } = await controller.createTopics(creation([{ name: 'a', numPartitions: 2 }], true));
    assert.deepEqual([topics[0]!.errorCode, topics[0]!.numPartitions], [0, 2]);
    assert.equal(quorum.image().offset, before);
  });
});

test('each mistake has the code that Kafka gives it', async () => {
  await withCluster(async (cluster) => {
    await create(cluster, { name: 'there.is' });
    const code = async (topic: NewTopic): Promise<string> => (await create(cluster, topic))[0]!.split(' ')[1]!;
    assert.equal(await code({ name: 'there.is' }), 'TOPIC_ALREADY_EXISTS');
    assert.equal(await code({ name: 'there_is' }), 'INVALID_TOPIC_EXCEPTION');
    assert.equal(await code({ name: 'a/b' }), 'INVALID_TOPIC_EXCEPTION');
    assert.equal(await code({ name: '__cluster_metadata' }), 'INVALID_REQUEST');
    assert.equal(await code({ name: 'a', numPartitions: 0 }), 'INVALID_PARTITIONS');
    assert.equal(await code({ name: 'a', replicationFactor: 0 }), 'INVALID_REPLICATION_FACTOR');
    assert.equal(await code({ name: 'a', replicationFactor: 2 }), 'INVALID_REPLICATION_FACTOR');
    assert.equal(await code({ name: 'a', configs: [{ name: 'retention.ms', value: 'x' }] }), 'INVALID_CONFIG');
    assert.equal(await code({ name: 'a', configs: [{ name: 'no.such', value: '1' }] }), 'INVALID_CONFIG');
    assert.equal(await code({ name: 'a', configs: [{ name: 'retention.ms', value: null }] }), 'INVALID_CONFIG');
    const byHand = (...brokerIds: number[]) => [{ partitionIndex: 0, brokerIds }];
    assert.equal(await code({ name: 'a', numPartitions: 1, assignments: byHand(1) }), 'INVALID_REQUEST');
    assert.equal(await code({ name: 'a', replicationFactor: 1, assignments: byHand(1) }), 'INVALID_REQUEST');
    assert.equal(await code({ name: 'a', assignments: byHand(9) }), 'INVALID_REPLICA_ASSIGNMENT');
    assert.equal(await code({ name: 'a', assignments: byHand(1, 1) }), 'INVALID_REPLICA_ASSIGNMENT');
    assert.equal(await code({ name: 'a', assignments: byHand() }), 'INVALID_REPLICA_ASSIGNMENT');
    assert.equal(
      await code({ name: 'a', assignments: [{ partitionIndex: 1, brokerIds: [1] }] }),
      'INVALID_REPLICA_ASSIGNMENT',
    );
    assert.deepEqual([...cluster.quorum.image().topics.byName.keys()], ['there.is']);
  });
});

test('one bad topic of a request leaves the others alone; a name given twice is created not at all', async () => {
  await withCluster(async (cluster) => {
    const results = await create(cluster, { name: 'a' }, { name: 'b!' }, { name: 'c' }, { name: 'd' }, { name: 'c' });
    assert.deepEqual(
      results.map((line) => line.split(' ').slice(0, 2).join(' ')),
      ['a: NONE', 'b!: INVALID_TOPIC_EXCEPTION', 'd: NONE', 'c: INVALID_REQUEST'],
    );
    assert.match((await create(cluster, { name: 'x.y' }, { name: 'x_y' }))[1]!, /collides with existing topic: x.y/);
    assert.deepEqual([...cluster.quorum.image().topics.byName.keys()].sort(), ['a', 'd', 'x.y']);
  });
});

test('of two requests for one name at the same time the first wins', async () => {
  await withCluster(async (cluster) => {
    const outcomes = await Promise.all([
      create(cluster, { name: 'a' }),
      create(cluster, { name: 'a' }),
      create(cluster, { name: 'a' }),
    ]);
    assert.deepEqual(
      outcomes.flat().map((line) => line.split(' ')[1]),
      ['NONE', 'TOPIC_ALREADY_EXISTS', 'TOPIC_ALREADY_EXISTS'],
    );
    assert.equal(cluster.quorum.image().topics.byName.size, 1);
  });
});

test('an assignment by hand is taken as it is', async () => {
  await withCluster(
    async (cluster) => {
      const assignments = [
        { partitionIndex: 1, brokerIds: [1, 2] },
        { partitionIndex: 0, brokerIds: [3, 1] },
      ];
      assert.deepEqual(await create(cluster, { name: 'a', assignments }), ['a: NONE']);
      const topic = cluster.quorum.image().topics.byName.get('a')!;
      assert.deepEqual(
        topic.partitions.map(({ replicas, leader }) => [replicas, leader]),
        [
          [[3, 1], 3],
          [[1, 2], 1],
        ],
      );
    },
    { brokers: 3 },
  );
});

test('caps on partitions refuse with the option that sets them', async () => {
  const config = { 'sluice.partitions.per.request.max': '10', 'sluice.partitions.per.broker.max': '15' };
  await withCluster(
    async (cluster) => {
      assert.match(
        (await create(cluster, { name: 'a', numPartitions: 11 }))[0]!,
        /POLICY_VIOLATION .*per.request.max, which is 10/,
      );
      assert.deepEqual(
        await create(cluster, { name: 'a', numPartitions: 2 ** 31 - 1 }).then(([line]) => line!.split(' ')[1]),
        'POLICY_VIOLATION',
      );
      assert.deepEqual(await create(cluster, { name: 'a', numPartitions: 10 }), ['a: NONE']);
      const [first, second] = await create(cluster, { name: 'b', numPartitions: 4 }, { name: 'c', numPartitions: 2 });
      assert.equal(first, 'b: NONE');
      assert.match(second!, /POLICY_VIOLATION Broker 1 would hold 16 replicas/);
    },
    { config },
  );
});

test('topics are deleted by name or by id, refused where they stand twice', async () => {
  await withCluster(async (cluster) => {
    await create(cluster, { name: 'a' }, { name: 'b' }, { name: 'c' });
    const { byName } = cluster.quorum.image().topics;
    const [a, b] = [byName.get('a')!, byName.get('b')!];
    const { responses } = await cluster.controller.deleteTopics({
      topics: [
        { name: 'a', topicId: ZERO_UUID },
        { name: null, topicId: b.id },
        { name: null, topicId: a.id },
        { name: null, topicId: ZERO_UUID },
        { name: 'c', topicId: b.id },
        { name: 'none', topicId: ZERO_UUID },
        { name: null, topicId: 'AQIDBAUGBwgJCgsMDQ4PEA' },
      ],
      topicNames: [],
      timeoutMs: 1000,
    });
    assert.deepEqual(
      responses.map(({ name, errorCode }) => [name, errorName(errorCode ?? 0)]),
      [
        ['a', 'INVALID_REQUEST'],
        [null, 'INVALID_REQUEST'],
        ['c', 'INVALID_REQUEST'],
        ['none', 'UNKNOWN_TOPIC_OR_PARTITION'],
        [null, 'UNKNOWN_TOPIC_ID'],
        ['b', 'NONE'],
      ],
      'a stands twice, by name and by id',
    );
    assert.deepEqual([...cluster.quorum.image().topics.byName.keys()], ['a', 'c']);
    const twice = await cluster.controller.deleteTopics({ topics: [], topicNames: ['c', 'c'], timeoutMs: 1 });
    assert.deepEqual(
      twice.responses.map(({ errorMessage }) => errorMessage),
      ['Duplicate topic name.'],
    );
  });
});

test('nothing is deleted where deletion is switched off', async () => {
  await withCluster(
    async (cluster) => {
      await create(cluster, { name: 'a' });
      const { responses } = await cluster.controller.deleteTopics({ topics: [], topicNames: ['a'], timeoutMs: 1 });
      assert.equal(errorName(responses[0]!.errorCode ?? 0), 'TOPIC_DELETION_DISABLED');
      assert.equal(cluster.quorum.image().topics.byName.size, 1);
    },
    { config: { 'delete.topic.enable': 'false' } },
  );
});

test('a thousand topics at once share their syncs', async () => {
  await withCluster(async (cluster) => {
    await create(
      cluster,
      ...Array.from({ length: 100 }, (_, index) => ({ name: `full-${index}`, numPartitions: 100 })),
    );
    const started = process.hrtime.bigint();
    const results = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => create(cluster, { name: `one-${index}` })),
    );
    const tookMs = Number(process.hrtime.bigint() - started) / 1e6;
    assert.ok(results.every(([line]) => line!.endsWith('NONE')));
    assert.equal(cluster.quorum.image().topics.byName.size, 1100);
    assert.ok(tookMs < 3000, `took ${tookMs} ms`);
  });
});

test('a topic whose stored form makes no sense keeps its name until it is deleted', async () => {
  await withCluster(async (cluster) => {
    const reasons = new Map([['ghost', 'its znode is no JSON']]);
    const lostTopics = { reasons, remove: async (name: string) => void reasons.delete(name) };
    Object.assign(cluster.quorum, { lostTopics });
    const [refused] = await create(cluster, { name: 'ghost' });
    assert.match(refused!, /TOPIC_ALREADY_EXISTS.*its znode is no JSON.*delete the topic/);
    const topics = ['ghost', 'never-there'].map((name) => ({ name, topicId: ZERO_UUID }));
    const { responses } = await cluster.controller.deleteTopics({ topics, topicNames: [], timeoutMs: 1000 });
    assert.deepEqual(responses.map(({ name, errorCode }) => `${name} ${errorName(errorCode ?? 0)}`).sort(), [
      'ghost NONE',
      'never-there UNKNOWN_TOPIC_OR_PARTITION',
    ]);
    assert.deepEqual(await create(cluster, { name: 'ghost' }), ['ghost: NONE']);
  });
});
