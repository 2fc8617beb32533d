import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newUuid } from '../base/uuid.ts';
import { isActiveBroker } from '../metadata/image.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { type Cluster, creation, withCluster } from './controller.test-kit.ts';

const byHand = (...assignments: number[][]) =>
  assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds }));

function states({ quorum }: Cluster, topic: string): [leader: number, isr: readonly number[], leaderEpoch: number][] {
  return quorum
    .image()
    .topics.byName.get(topic)!
    .partitions.map(({ leader, isr, leaderEpoch }) => [leader, isr, leaderEpoch]);
}

test('a broker registers with an epoch that rises with every start', async () => {
  await withCluster(
    async (cluster) => {
      const first = await cluster.addBroker(1, { unfenced: false });
      assert.equal(isActiveBroker(cluster.quorum.image(), 1), false);
      await cluster.controller.unfenceBroker({ brokerId: 1, brokerEpoch: first });
      assert.equal(isActiveBroker(cluster.quorum.image(), 1), true);
      const second = await cluster.addBroker(1);
      assert.ok(second > first);
      assert.equal(isActiveBroker(cluster.quorum.image(), 1), true);
      await assert.rejects(cluster.controller.unfenceBroker({ brokerId: 1, brokerEpoch: first }), {
        code: 'STALE_BROKER_EPOCH',
      });
      await assert.rejects(cluster.controller.unfenceBroker({ brokerId: 9, brokerEpoch: 1 }), {
        code: 'BROKER_ID_NOT_REGISTERED',
      });
    },
    { brokers: 0 },
  );
});

test('a broker alone leads again after a restart, in the next epoch', async () => {
  await withCluster(async (cluster) => {
    await cluster.controller.createTopics(creation([{ name: 'a', numPartitions: 2 }]));
    await cluster.addBroker(1);
    assert.deepEqual(states(cluster, 'a'), [
      [1, [1], 1],
      [1, [1], 1],
    ]);
  });
});

test('without being up at once it leads nothing until it is unfenced', async () => {
  await withCluster(async (cluster) => {
    await cluster.controller.createTopics(creation([{ name: 'a' }]));
    const brokerEpoch = await cluster.addBroker(1, { unfenced: false });
    assert.deepEqual(states(cluster, 'a'), [[-1, [1], 1]]);
    await cluster.controller.unfenceBroker({ brokerId: 1, brokerEpoch });
    assert.deepEqual(states(cluster, 'a'), [[1, [1], 2]]);
  });
});

test('when a broker goes, in-sync replicas lead; the last one in sync stays on record', async () => {
  await withCluster(
    async (cluster) => {
      const brokerEpoch = await cluster.addBroker(1);
      await cluster.controller.createTopics(creation([{ name: 'a', assignments: byHand([1, 2], [2, 1], [1, 3]) }]));
      const epochOf3 = cluster.quorum.image().brokers.get(3)!.epoch;
      await cluster.controller.fenceBroker({ brokerId: 3, brokerEpoch: epochOf3 });
      assert.deepEqual(states(cluster, 'a')[2], [1, [1], 0], 'out of sync, led on');
      await cluster.controller.beginControlledShutdown({ brokerId: 1, brokerEpoch });
      assert.deepEqual(states(cluster, 'a'), [
        [2, [2], 1],
        [2, [2], 0],
        [-1, [1], 1],
      ]);
      await cluster.addBroker(1);
      assert.deepEqual(states(cluster, 'a'), [
        [2, [2], 1],
        [2, [2], 0],
        [1, [1], 2],
      ]);
    },
    { brokers: 3 },
  );
});

test('an unclean election takes place only where the topic allows it', async () => {
  await withCluster(
    async (cluster) => {
      const configs = [{ name: 'unclean.leader.election.enable', value: 'true' }];
      await cluster.controller.createTopics(
        creation([
          { name: 'risky', assignments: byHand([1, 2]), configs },
          { name: 'safe', assignments: byHand([1, 2]) },
        ]),
      );
      const reference = (brokerId: number) => ({
        brokerId,
        brokerEpoch: cluster.quorum.image().brokers.get(brokerId)!.epoch,
      });
      await cluster.controller.fenceBroker(reference(2));
      await cluster.controller.unfenceBroker(reference(2));
      await cluster.controller.fenceBroker(reference(1));
      assert.deepEqual(states(cluster, 'risky'), [[2, [2], 1]]);
      assert.equal(cluster.quorum.image().topics.byName.get('risky')!.partitions[0]!.leaderRecoveryState, 1);
      assert.deepEqual(states(cluster, 'safe'), [[-1, [1], 1]]);
    },
    { brokers: 2 },
  );
});

test('a registration that cannot be right is refused', async () => {
  await withCluster(async ({ controller, random, quorum }) => {
    const registration = {
      brokerId: 2,
      clusterId: 'cluster',
      incarnationId: newUuid(random),
      endpoints: [],
      rack: null,
      logDirs: [newUuid(random)],
      unfenced: true,
    };
    await assert.rejects(controller.registerBroker({ ...registration, clusterId: 'x' }), {
      code: 'INCONSISTENT_CLUSTER_ID',
    });
    await assert.rejects(controller.registerBroker({ ...registration, logDirs: [] }), { code: 'INVALID_REGISTRATION' });
    const { logDirs } = quorum.image().brokers.get(1)!;
    await assert.rejects(controller.registerBroker({ ...registration, logDirs }), { code: 'INVALID_REGISTRATION' });
    assert.equal(quorum.image().brokers.has(2), false);
  });
});

test('producer ids come in blocks that are never given out twice, not to brokers of the past either', async () => {
  await withCluster(async ({ controller, quorum, addBroker }) => {
    const old = { brokerId: 1, brokerEpoch: quorum.image().brokers.get(1)!.epoch };
    const blocks = await Promise.all([controller.allocateProducerIds(old), controller.allocateProducerIds(old)]);
    assert.deepEqual(blocks, [
      { errorCode: ErrorCode.NONE, producerIdStart: 0, producerIdLen: 1000 },
      { errorCode: ErrorCode.NONE, producerIdStart: 1000, producerIdLen: 1000 },
    ]);
    await addBroker(1);
    assert.equal((await controller.allocateProducerIds(old)).errorCode, ErrorCode.STALE_BROKER_EPOCH);
    assert.equal(quorum.image().producerIds.next, 2000);
  });
});
