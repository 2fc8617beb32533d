import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/random.ts';
import { newUuid } from '../base/uuid.ts';
import {
  applyRecords,
  brokerConfigsOf,
  emptyImage,
  isActiveBroker,
  type MetadataImage,
  topicConfigsOf,
} from './image.ts';
import { recordsOf } from './image-records.ts';
import { decodeRecord, encodeRecord, type MetadataRecord, newRecord } from './records.ts';

const random = seededRandom(7);

function topic(name: string, partitions = 1, id = newUuid(random)): MetadataRecord[] {
  return [
    newRecord('topic', { name, topicId: id }),
    ...Array.from({ length: partitions }, (_, index) => partition(id, index)),
  ];
}

function partition(topicId: string, partitionId: number): MetadataRecord {
  return newRecord('partition', {
    topicId,
    partitionId,
    replicas: [1, 2],
    isr: [1, 2],
    removingReplicas: [],
    addingReplicas: [],
    leader: 1,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: [],
  });
}

function apply(image: MetadataImage, ...records: MetadataRecord[]) {
  return applyRecords(image, records, image.offset + records.length, 1);
}

const broker = (brokerId: number, fenced = true): MetadataRecord =>
  newRecord('registerBroker', {
    brokerId,
    brokerEpoch: 5,
    incarnationId: newUuid(random),
    endPoints: [{ name: 'PLAINTEXT', host: 'h', port: 9092, securityProtocol: 0 }],
    features: [],
    rack: 'r1',
    fenced,
  });

test('a topic is found by name and by id, and the image before does not have it', () => {
  const before = emptyImage('cluster');
  const { image, delta } = apply(before, ...topic('a.b', 2));
  assert.equal(before.topics.byName.size, 0);
  const found = image.topics.byName.get('a.b')!;
  assert.equal(image.topics.byId.get(found.id), found);
  assert.equal(found.partitions.length, 2);
  assert.equal(image.topics.byMetricName.get('a_b'), 'a.b');
  assert.deepEqual(delta.createdTopics, [found]);
  assert.deepEqual(
    [...image.replicaCounts],
    [
      [1, 2],
      [2, 2],
    ],
  );
  assert.equal(image.offset, 2);
});

test('a change names the partitions it touches and leaves the rest of the image shared', () => {
  const first = apply(emptyImage('c'), ...topic('a', 3), ...topic('b')).image;
  const { id } = first.topics.byName.get('a')!;
  const { image, delta } = apply(
    first,
    newRecord('partitionChange', { topicId: id, partitionId: 1, isr: [2], leader: 2 }),
  );
  assert.deepEqual(
    delta.changedTopics.map(({ partitions }) => partitions),
    [[1]],
  );
  const changed = image.topics.byName.get('a')!.partitions[1]!;
  assert.deepEqual([changed.leader, changed.isr, changed.leaderEpoch, changed.partitionEpoch], [2, [2], 1, 1]);
  assert.equal(image.topics.byName.get('b'), first.topics.byName.get('b'));
  assert.equal(image.topics.byName.get('a')!.partitions[0], first.topics.byName.get('a')!.partitions[0]);
  assert.equal(first.topics.byName.get('a')!.partitions[1]!.leader, 1);
});

test('naming the same leader again is an election; leaving the leader out is none', () => {
  const first = apply(emptyImage('c'), ...topic('a')).image;
  const { id } = first.topics.byName.get('a')!;
  const same = apply(first, newRecord('partitionChange', { topicId: id, partitionId: 0, leader: 1 })).image;
  assert.equal(same.topics.byId.get(id)!.partitions[0]!.leaderEpoch, 1);
  const none = apply(first, newRecord('partitionChange', { topicId: id, partitionId: 0, isr: [1] })).image;
  assert.deepEqual(
    [none.topics.byId.get(id)!.partitions[0]!.leaderEpoch, none.topics.byId.get(id)!.partitions[0]!.partitionEpoch],
    [0, 1],
  );
});

test('a deleted topic takes its configs with it, and its name may be used again in the same batch', () => {
  const config = newRecord('config', { resourceType: 2, resourceName: 'a.x', name: 'retention.ms', value: '1' });
  const first = apply(emptyImage('c'), ...topic('a.x', 2), config).image;
  assert.equal(topicConfigsOf(first, 'a.x').get('retention.ms'), '1');
  const old = first.topics.byName.get('a.x')!;
  const again = topic('a.x');
  const { image, delta } = apply(first, newRecord('removeTopic', { topicId: old.id }), ...again);
  const now = image.topics.byName.get('a.x')!;
  assert.notEqual(now.id, old.id);
  assert.equal(image.topics.byId.has(old.id), false);
  assert.deepEqual([delta.deletedTopics, delta.createdTopics], [[old], [now]]);
  assert.equal(topicConfigsOf(image, 'a.x').size, 0);
  assert.equal(image.topics.byMetricName.get('a_x'), 'a.x');
  assert.equal(image.replicaCounts.get(1), 1);
  const gone = apply(image, newRecord('removeTopic', { topicId: now.id })).image;
  assert.equal(gone.topics.byName.size + gone.topics.byId.size + gone.topics.byMetricName.size, 0);
});

test('a topic made and deleted in one batch leaves nothing', () => {
  const id = newUuid(random);
  const { image, delta } = apply(emptyImage('c'), ...topic('a_b', 1, id), newRecord('removeTopic', { topicId: id }));
  assert.equal(image.topics.byName.size + image.topics.byId.size + image.topics.byMetricName.size, 0);
  assert.deepEqual([delta.createdTopics, delta.deletedTopics], [[], []]);
});

test('records that contradict the image are a bug', () => {
  const image = apply(emptyImage('c'), ...topic('a')).image;
  assert.throws(() => apply(image, ...topic('a')), /there is no other topic a/);
  assert.throws(() => apply(image, partition(newUuid(random), 0)), /is there/);
  assert.throws(() => apply(image, newRecord('removeTopic', { topicId: newUuid(random) })), /is there/);
  assert.throws(() => apply(image, newRecord('unregisterBroker', { brokerId: 9, brokerEpoch: 1 })), /is registered/);
});

test('brokers register, are unfenced, shut down and go', () => {
  let { image, delta } = apply(emptyImage('c'), broker(1));
  assert.deepEqual(delta.changedBrokers, [1]);
  assert.equal(isActiveBroker(image, 1), false);
  image = apply(image, newRecord('brokerRegistrationChange', { brokerId: 1, brokerEpoch: 5, fenced: -1 })).image;
  assert.equal(isActiveBroker(image, 1), true);
  image = apply(
    image,
    newRecord('brokerRegistrationChange', { brokerId: 1, brokerEpoch: 5, inControlledShutdown: 1 }),
  ).image;
  assert.deepEqual([image.brokers.get(1)!.fenced, isActiveBroker(image, 1)], [false, false]);
  ({ image, delta } = apply(image, newRecord('unregisterBroker', { brokerId: 1, brokerEpoch: 5 })));
  assert.deepEqual([image.brokers.size, delta.changedBrokers], [0, [1]]);
});

test('configs are set and removed; those of brokers are told from those of the cluster', () => {
  const set = (resourceName: string, value: string | null) =>
    newRecord('config', { resourceType: 4, resourceName, name: 'message.max.bytes', value });
  const { image, delta } = apply(emptyImage('c'), set('1', '10'), set('', '20'));
  assert.deepEqual(delta.changedConfigs, [
    { resourceType: 4, resourceName: '1' },
    { resourceType: 4, resourceName: '' },
  ]);
  assert.equal(brokerConfigsOf(image, 1).perBroker.get('message.max.bytes'), '10');
  assert.equal(brokerConfigsOf(image, 1).clusterDefault.get('message.max.bytes'), '20');
  assert.equal(apply(image, set('1', null)).image.configs.size, 1);
});

test('an image taken apart into records and put together again is the same, through their bytes', () => {
  let image = apply(
    emptyImage('c'),
    newRecord('featureLevel', { name: 'group.version', featureLevel: 1 }),
    newRecord('featureLevel', { name: 'metadata.version', featureLevel: 30 }),
    broker(1, false),
    ...topic('a.b', 3),
    ...topic('c'),
    newRecord('config', { resourceType: 2, resourceName: 'c', name: 'retention.ms', value: '1' }),
    newRecord('config', { resourceType: 4, resourceName: '', name: 'message.max.bytes', value: '2' }),
    newRecord('producerIds', { brokerId: 1, brokerEpoch: 5, nextProducerId: 3000 }),
  ).image;
  const { id } = image.topics.byName.get('a.b')!;
  image = apply(
    image,
    newRecord('partitionChange', {
      topicId: id,
      partitionId: 0,
      leader: -1,
      eligibleLeaderReplicas: [2],
      lastKnownElr: [1],
    }),
  ).image;
  const records = [...recordsOf(image)].map((record) => decodeRecord(encodeRecord(record)));
  assert.ok(records[0]?.kind === 'featureLevel' && records[0].value.name === 'metadata.version');
  assert.deepEqual(plain(applyRecords(emptyImage('c'), records, image.offset, image.epoch).image), plain(image));
});

test('a thousand topics one by one cost little on an image of ten thousand partitions', () => {
  const full = Array.from({ length: 1000 }, (_, index) => topic(`full-${index}`, 10)).flat();
  let { image } = apply(emptyImage('c'), ...full);
  const started = process.hrtime.bigint();
  for (let index = 0; index < 1000; index++) image = apply(image, ...topic(`one-${index}`)).image;
  const tookMs = Number(process.hrtime.bigint() - started) / 1e6;
  assert.equal(image.topics.byName.size, 2000);
  assert.ok(tookMs < 1000, `took ${tookMs} ms`);
});

function plain(image: MetadataImage): unknown {
  return {
    ...image,
    topics: [...image.topics.byId.values()].sort((left, right) => (left.id < right.id ? -1 : 1)),
    metricNames: [...image.topics.byMetricName],
    brokers: [...image.brokers],
    configs: [...image.configs].map(([key, configs]) => [key, [...configs]]),
    features: [...image.features].sort(),
    replicaCounts: [...image.replicaCounts].sort(),
  };
}
