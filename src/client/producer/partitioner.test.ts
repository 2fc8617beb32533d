import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../base/random.ts';
import type { TopicView } from '../metadata-cache.ts';
import { murmur2, partitionOfKey } from './murmur2.ts';
import { choosePartitioner, defaultPartitioner, roundRobinPartitioner } from './partitioner.ts';

function topicWith(leaders: readonly number[]): TopicView {
  const partitions = leaders.map((leader, partition) => ({
    partition,
    leader,
    leaderEpoch: 0,
    replicas: [],
    inSync: [],
    offline: [],
  }));
  return { name: 't', id: '', internal: false, partitions };
}

test('hashes as the Java client does', () => {
  // Vectors of Kafka's own UtilsTest.
  const vectors: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [text, hash] of vectors) assert.equal(murmur2(Buffer.from(text)), hash, text);
});

test('a key always goes to the same partition, also where its hash is negative', () => {
  assert.equal(partitionOfKey(Buffer.from('21'), 7), (-973932308 & 0x7fffffff) % 7);
  const partition = defaultPartitioner(seededRandom(1), 1000);
  const topic = topicWith([1, 1, 1, 1]);
  const key = Buffer.from('order-17');
  const first = partition(topic, key, null);
  for (let round = 0; round < 10; round++) assert.equal(partition(topic, key, Buffer.alloc(2000)), first);
});

test('without a key a partition is kept for a batch and every partition gets its share', () => {
  const partition = defaultPartitioner(seededRandom(2), 1000);
  const topic = topicWith([1, 1, 1]);
  const value = Buffer.alloc(100);
  const counts = [0, 0, 0];
  let changes = 0;
  let last = -1;
  for (let record = 0; record < 3000; record++) {
    const chosen = partition(topic, null, value);
    counts[chosen]!++;
    if (chosen !== last) changes++;
    last = chosen;
  }
  assert.equal(changes, 300);
  for (const count of counts) assert.ok(count > 700, String(counts));
});

test('without a key partitions without a leader are passed over', () => {
  const partition = defaultPartitioner(seededRandom(3), 1);
  const topic = topicWith([-1, 4, -1]);
  for (let record = 0; record < 20; record++) assert.equal(partition(topic, null, Buffer.alloc(5)), 1);
});

test('round-robin takes one partition after the other, whatever the key', () => {
  const partition = roundRobinPartitioner();
  const topic = topicWith([1, 1, 1]);
  assert.deepEqual(
    Array.from({ length: 5 }, () => partition(topic, Buffer.from('k'), null)),
    [0, 1, 2, 0, 1],
  );
});

test('consistent gives a key the partition that librdkafka gives it, and all records without one the same', () => {
  const partition = choosePartitioner('consistent', seededRandom(4), 1);
  const topic = topicWith(Array.from({ length: 17 }, () => 1));
  // The check values of CRC-32.
  assert.equal(partition(topic, Buffer.from('123456789'), null), 0xcbf43926 % 17);
  assert.equal(partition(topic, Buffer.from('a'), null), 0xe8b7be43 % 17);
  assert.equal(partition(topic, null, null), 0);
});

test('consistent-random and murmur2-random spread records without a key over partitions that have a leader', () => {
  const topic = topicWith([1, -1, 1]);
  for (const name of ['consistent-random', 'murmur2-random'] as const) {
    const partition = choosePartitioner(name, seededRandom(5), 1);
    const seen = new Set(Array.from({ length: 50 }, () => partition(topic, null, null)));
    assert.deepEqual([...seen].sort(), [0, 2]);
    assert.equal(new Set(Array.from({ length: 9 }, () => partition(topic, Buffer.from('k'), null))).size, 1);
  }
  assert.throws(() => choosePartitioner('nobody' as 'consistent', seededRandom(6), 1), { code: 'INVALID_OPTION' });
});
