import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorName } from '../protocol/error-codes.ts';
import { type Cluster, creation, withCluster } from './controller.test-kit.ts';

async function grow(
  { controller }: Cluster,
  topics: { name: string; count: number; brokers?: number[][] }[],
  validateOnly = false,
): Promise<string[]> {
  const { results } = await controller.createPartitions({
    topics: topics.map(({ name, count, brokers }) => ({
      name,
      count,
      assignments: brokers?.map((brokerIds) => ({ brokerIds })) ?? null,
    })),
    timeoutMs: 1000,
    validateOnly,
  });
  return results.map(({ name, errorCode }) => `${name}: ${errorName(errorCode ?? 0)}`);
}

test('a topic grows by placed and by assigned partitions, and never shrinks', async () => {
  await withCluster(
    async (cluster) => {
      await cluster.controller.createTopics(creation([{ name: 'a', numPartitions: 1, replicationFactor: 2 }]));
      const partitions = () => cluster.quorum.image().topics.byName.get('a')!.partitions;
      assert.deepEqual(await grow(cluster, [{ name: 'a', count: 3 }], true), ['a: NONE']);
      assert.equal(partitions().length, 1, 'validated only');
      assert.deepEqual(await grow(cluster, [{ name: 'a', count: 3 }]), ['a: NONE']);
      assert.ok(partitions().every(({ replicas }) => new Set(replicas).size === 2));
      assert.deepEqual(await grow(cluster, [{ name: 'a', count: 4, brokers: [[3, 2]] }]), ['a: NONE']);
      assert.deepEqual(partitions()[3]!.replicas, [3, 2]);
      assert.deepEqual(await grow(cluster, [{ name: 'a', count: 4 }]), ['a: INVALID_PARTITIONS']);
      assert.deepEqual(await grow(cluster, [{ name: 'a', count: -1 }]), ['a: INVALID_PARTITIONS']);
      assert.equal(partitions().length, 4);
    },
    { brokers: 3 },
  );
});

test('each mistake has the code that Kafka gives it', async () => {
  await withCluster(async (cluster) => {
    await cluster.controller.createTopics(creation([{ name: 'a' }, { name: 'b' }]));
    assert.deepEqual(await grow(cluster, [{ name: 'none', count: 2 }]), ['none: UNKNOWN_TOPIC_OR_PARTITION']);
    assert.deepEqual(await grow(cluster, [{ name: 'a', count: 3, brokers: [[1]] }]), ['a: INVALID_REPLICA_ASSIGNMENT']);
    assert.deepEqual(await grow(cluster, [{ name: 'a', count: 2, brokers: [[9]] }]), ['a: INVALID_REPLICA_ASSIGNMENT']);
    assert.deepEqual(await grow(cluster, [{ name: 'a', count: 2_000_000_000 }]), ['a: POLICY_VIOLATION']);
    const twice = [
      { name: 'a', count: 2 },
      { name: 'b', count: 2 },
      { name: 'a', count: 3 },
    ];
    assert.deepEqual(await grow(cluster, twice), ['a: INVALID_REQUEST', 'b: NONE']);
  });
});

test('two increases at the same time do not give a partition number twice', async () => {
  await withCluster(async (cluster) => {
    await cluster.controller.createTopics(creation([{ name: 'a' }]));
    const outcomes = await Promise.all([
      grow(cluster, [{ name: 'a', count: 3 }]),
      grow(cluster, [{ name: 'a', count: 5 }]),
    ]);
    assert.deepEqual(outcomes, [['a: NONE'], ['a: NONE']]);
    assert.equal(cluster.quorum.image().topics.byName.get('a')!.partitions.length, 5);
  });
});
