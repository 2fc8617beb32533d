import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveBroker } from '../metadata/broker-registration.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { after, config, directoryOfBroker, type ImageSpec, imageOf, partitionOf } from './image.test-kit.ts';
import { followMembers } from './membership.ts';

function live(
  brokerId: number,
  brokerEpoch = brokerId * 10,
  change: Partial<LiveBroker['registration']> = {},
): LiveBroker {
  const registration = {
    brokerId,
    clusterId: 'cluster',
    incarnationId: directoryOfBroker(brokerId, brokerEpoch === brokerId * 10 ? 99 : brokerEpoch),
    endpoints: [],
    rack: null,
    logDirs: [directoryOfBroker(brokerId)],
    unfenced: true,
    ...change,
  };
  return { registration, brokerEpoch };
}

function follow(image: MetadataImage, brokers: readonly LiveBroker[]) {
  const { records, result } = followMembers(image, brokers, config);
  return { image: after(image, records), records, ...result };
}

const THREE: ImageSpec = { brokers: [1, 2, 3], partitions: [{ replicas: [1, 2, 3] }] };

test('as long as all that is known lives, nothing changes', () => {
  assert.deepEqual(follow(imageOf(THREE), [live(1), live(2), live(3)]).records, []);
});

test('who is gone is fenced and led for', () => {
  const { image, fenced } = follow(imageOf(THREE), [live(2), live(3)]);
  assert.deepEqual(fenced, [{ brokerId: 1, brokerEpoch: 10 }]);
  assert.equal(image.brokers.get(1)!.fenced, true);
  assert.deepEqual([partitionOf(image).leader, partitionOf(image).isr], [2, [2, 3]]);
  assert.deepEqual(follow(image, [live(2), live(3)]).records, []);
});

test('a broker that started anew has the epoch that it was given, and is out of sync', () => {
  const { image, registered } = follow(imageOf(THREE), [live(1, 77), live(2), live(3)]);
  assert.equal(registered.length, 1);
  assert.equal(image.brokers.get(1)!.epoch, 77);
  assert.deepEqual([partitionOf(image).leader, partitionOf(image).isr], [2, [2, 3]]);
});

test('word of an earlier life of a broker is no news', () => {
  assert.deepEqual(follow(imageOf(THREE), [live(1, 9), live(2), live(3)]).records, []);
});

test('a changed address is written without disturbing anything', () => {
  const endpoints = [{ name: 'PLAINTEXT', host: 'moved', port: 9092, securityProtocol: 0 }];
  const { image } = follow(imageOf(THREE), [live(1, 10, { endpoints }), live(2), live(3)]);
  assert.deepEqual(image.brokers.get(1)!.endpoints, endpoints);
  assert.deepEqual([partitionOf(image).leader, partitionOf(image).leaderEpoch], [1, 5]);
});

test('after all died at once, the first that is back leads', () => {
  const { image } = follow(imageOf(THREE), [live(3, 99)]);
  assert.deepEqual([partitionOf(image).leader, partitionOf(image).isr], [3, [3]]);
});

test('with eligible leaders, a broker that stopped uncleanly waits for others that may have more', () => {
  const spec = { ...THREE, eligibleLeaders: true, minInSync: 2 };
  let image = follow(imageOf(spec), [live(3, 97)]).image;
  assert.deepEqual([partitionOf(image).leader, partitionOf(image).eligibleLeaderReplicas], [-1, [2]]);
  image = follow(image, [live(3, 97), live(2, 98, { previousBrokerEpoch: 20 })]).image;
  assert.deepEqual([partitionOf(image).leader, partitionOf(image).isr], [2, [2]]);
});

test('with eligible leaders, when all stopped uncleanly, who led last leads again and recovers', () => {
  const spec = { ...THREE, eligibleLeaders: true, minInSync: 2 };
  let image = follow(imageOf(spec), []).image;
  const lastLeader = partitionOf(image).lastKnownElr[0]!;
  for (const id of [1, 2, 3]) {
    if (id !== lastLeader)
      image = follow(
        image,
        [...image.brokers.keys()].filter((other) => other === id).map((other) => live(other, 100 + other)),
      ).image;
  }
  assert.equal(partitionOf(image).leader, -1);
  image = follow(image, [live(lastLeader, 200)]).image;
  const { leader, isr, leaderRecoveryState } = partitionOf(image);
  assert.deepEqual(
    { leader, isr, leaderRecoveryState },
    { leader: lastLeader, isr: [lastLeader], leaderRecoveryState: 1 },
  );
});

test('a broker of another cluster is refused and keeps nobody else out', () => {
  const { refused, registered } = follow(imageOf(THREE), [
    live(1),
    live(2),
    live(3),
    live(4, 40, { clusterId: 'other' }),
    live(5, 50),
  ]);
  assert.deepEqual(
    refused.map(({ broker }) => broker.registration.brokerId),
    [4],
  );
  assert.deepEqual(
    registered.map(({ registration }) => registration.brokerId),
    [5],
  );
});
