import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBrokerConfig } from '../config/broker-config.ts';
import { applyRecords, emptyImage, type MetadataImage } from '../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import { electionRecords, restartRecords } from './elections.ts';

const TOPIC_ID = '75rX1EzDRSu9_lw7dS6ASg';

function imageOf({ minInSync = 1 } = {}): MetadataImage {
  const broker = (brokerId: number): MetadataRecord =>
    newRecord('registerBroker', {
      brokerId,
      brokerEpoch: brokerId,
      incarnationId: TOPIC_ID,
      endPoints: [],
      features: [],
      rack: null,
      fenced: true,
    });
  const records = [
    newRecord('featureLevel', { name: 'eligible.leader.replicas.version', featureLevel: 1 }),
    broker(1),
    broker(2),
    newRecord('topic', { name: 'orders', topicId: TOPIC_ID }),
    newRecord('config', {
      resourceType: 2,
      resourceName: 'orders',
      name: 'min.insync.replicas',
      value: String(minInSync),
    }),
    newRecord('partition', {
      topicId: TOPIC_ID,
      partitionId: 0,
      replicas: [2, 1],
      isr: [],
      removingReplicas: [],
      addingReplicas: [],
      leader: -1,
      directories: [],
      eligibleLeaderReplicas: [1, 2],
      lastKnownElr: [1],
    }),
  ];
  return applyRecords(emptyImage('c'), records, records.length - 1, 0).image;
}

const config = loadBrokerConfig({ overrides: {} });

function changeOf(records: readonly MetadataRecord[]): unknown {
  assert.equal(records.length, 1);
  const [record] = records;
  assert.ok(record?.kind === 'partitionChange');
  const { leader, isr, eligibleLeaderReplicas, lastKnownElr } = record.value;
  return { leader, isr, eligibleLeaderReplicas, lastKnownElr };
}

test('a partition that Kafka left without a leader is led by an eligible one when that starts', () => {
  const led = { leader: 1, isr: [1], eligibleLeaderReplicas: [], lastKnownElr: [] };
  assert.deepEqual(changeOf(restartRecords(imageOf(), 1, config)), led);
  assert.deepEqual(changeOf(electionRecords(imageOf(), { added: 2 }, config)), { ...led, leader: 2, isr: [2] });
});

test('others stay eligible as long as the in-sync set is too small to acknowledge anything', () => {
  const change = changeOf(restartRecords(imageOf({ minInSync: 2 }), 1, config));
  assert.deepEqual(change, { leader: 1, isr: [1], eligibleLeaderReplicas: [2], lastKnownElr: [] });
});

test('a broker that is not eligible leads nothing that it was not in sync for', () => {
  assert.deepEqual(restartRecords(imageOf(), 3, config), []);
});
