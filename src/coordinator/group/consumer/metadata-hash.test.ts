import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyRecords, emptyImage, type MetadataImage } from '../../../metadata/image.ts';
import { newRecord } from '../../../metadata/records.ts';
import { metadataHash, topicHash } from './metadata-hash.ts';

/** The id of longs 0x0102030405060708 and -5. */
const TOPIC_ID = Buffer.from('0102030405060708fffffffffffffffb', 'hex').toString('base64url');
/** What hash4j 0.22 makes of that topic, as Kafka 4.3 feeds it: `orders`, three partitions on rack r<partition>x. */
const KNOWN = -2202071225416699536n;

function imageWith(racks: readonly string[]): MetadataImage {
  const brokers = racks.map((rack, brokerId) =>
    newRecord('registerBroker', {
      brokerId,
      brokerEpoch: 0,
      incarnationId: 'AAAAAAAAAAAAAAAAAAAAEA',
      endPoints: [],
      features: [],
      rack,
      fenced: false,
      inControlledShutdown: false,
      logDirs: [],
    }),
  );
  const partitions = racks.map((_, partitionId) =>
    newRecord('partition', {
      partitionId,
      topicId: TOPIC_ID,
      replicas: [partitionId],
      isr: [partitionId],
      addingReplicas: [],
      removingReplicas: [],
      leader: partitionId,
      directories: ['AAAAAAAAAAAAAAAAAAAAAQ'],
    }),
  );
  const records = [...brokers, newRecord('topic', { name: 'orders', topicId: TOPIC_ID }), ...partitions];
  return applyRecords(emptyImage('cluster'), records, 0, 1).image;
}

test('a topic hashes as in Kafka', () => {
  const image = imageWith(['r0x', 'r1x', 'r2x']);
  assert.equal(topicHash(image.topics.byName.get('orders')!, image), KNOWN);
});

test('a group without topics, or with none that exist, hashes to zero', () => {
  assert.equal(metadataHash([], imageWith(['r'])), 0n);
  assert.equal(metadataHash(['none'], imageWith(['r'])), 0n);
});

test('the hash changes with a rack, and not with the order in which topics are named', () => {
  const image = imageWith(['r0x', 'r1x', 'r2x']);
  assert.notEqual(metadataHash(['orders'], image), metadataHash(['orders'], imageWith(['r0x', 'r1x', 'r3x'])));
  assert.equal(metadataHash(['orders', 'none'], image), metadataHash(['none', 'orders'], image));
});
