import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MetadataImage, PartitionImage } from '../metadata/image.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';
import { alterPartition } from './alter-partition.ts';
import { after, config, type ImageSpec, imageOf, partitionOf, TOPIC, TOPIC_ID } from './image.test-kit.ts';
import { alterPartitionReassignments, isReassigning, listPartitionReassignments } from './reassignments.ts';

function ask(image: MetadataImage, replicas: number[] | null, options: { partition?: number; factor?: boolean } = {}) {
  const { partition: partitionIndex = 0, factor: allowReplicationFactorChange = true } = options;
  const topics = [{ name: TOPIC, partitions: [{ partitionIndex, replicas }] }];
  const request = { timeoutMs: 1, allowReplicationFactorChange, topics };
  const { records, result } = alterPartitionReassignments(image, request, config);
  return { image: after(image, records), records, code: errorName(result.responses[0]!.partitions[0]!.errorCode ?? 0) };
}

/** The leader's word that these are in sync. */
function inSync(image: MetadataImage, isr: readonly number[]): MetadataImage {
  const { leader, leaderEpoch, partitionEpoch } = partitionOf(image);
  const newIsrWithEpochs = isr.map((brokerId) => ({ brokerId, brokerEpoch: brokerId * 10 }));
  const partition = {
    partitionIndex: 0,
    leaderEpoch,
    newIsr: [],
    newIsrWithEpochs,
    leaderRecoveryState: 0,
    partitionEpoch,
  };
  const request = {
    brokerId: leader,
    brokerEpoch: leader * 10,
    topics: [{ topicId: TOPIC_ID, partitions: [partition] }],
  };
  return after(image, alterPartition(image, request, config).records);
}

function shape(
  image: MetadataImage,
): Pick<PartitionImage, 'replicas' | 'isr' | 'addingReplicas' | 'removingReplicas' | 'leader'> {
  const { replicas, isr, addingReplicas, removingReplicas, leader } = partitionOf(image);
  return { replicas, isr, addingReplicas, removingReplicas, leader };
}

const FIVE: ImageSpec = { brokers: [1, 2, 3, 4, 5], partitions: [{ replicas: [1, 2, 3] }] };

test('replicas are added first, and the old ones go once the new ones are in sync', () => {
  const started = ask(imageOf(FIVE), [2, 3, 4]);
  assert.deepEqual(shape(started.image), {
    replicas: [2, 3, 4, 1],
    isr: [1, 2, 3],
    addingReplicas: [4],
    removingReplicas: [1],
    leader: 1,
  });
  const done = inSync(started.image, [1, 2, 3, 4]);
  assert.deepEqual(shape(done), {
    replicas: [2, 3, 4],
    isr: [2, 3, 4],
    addingReplicas: [],
    removingReplicas: [],
    leader: 2,
  });
});

test('another order of the same replicas is there at once', () => {
  const { image } = ask(imageOf(FIVE), [3, 2, 1]);
  assert.deepEqual(partitionOf(image).replicas, [3, 2, 1]);
  assert.equal(isReassigning(partitionOf(image)), false);
  assert.equal(partitionOf(image).leader, 1, 'the leader is still in sync');
});

test('fewer replicas wait until all that stay are in sync', () => {
  const spec: ImageSpec = { brokers: [1, 2, 3], partitions: [{ replicas: [1, 2, 3], isr: [1, 3] }] };
  const started = ask(imageOf(spec), [1, 2]);
  assert.deepEqual(partitionOf(started.image).removingReplicas, [3]);
  const done = inSync(started.image, [1, 2, 3]);
  assert.deepEqual(
    [partitionOf(done).replicas, partitionOf(done).isr],
    [
      [1, 2],
      [1, 2],
    ],
  );
});

test('a cancelled reassignment leaves the replicas as they were', () => {
  const { image } = ask(ask(imageOf(FIVE), [4, 5, 3]).image, null);
  assert.deepEqual(shape(image), { ...shape(imageOf(FIVE)), replicas: [3, 1, 2] });
});

test('a replacement drops what the former one was adding, and its cancellation does not bring that back', () => {
  const first = ask(imageOf(FIVE), [1, 2, 4]).image;
  const second = ask(first, [1, 2, 5]).image;
  assert.deepEqual(partitionOf(second).replicas, [1, 2, 5, 3]);
  assert.deepEqual([partitionOf(second).addingReplicas, partitionOf(second).removingReplicas], [[5], [3]]);
  assert.deepEqual(partitionOf(ask(second, null).image).replicas, [1, 2, 3]);
});

test('what both want stays awaited', () => {
  const first = ask(imageOf(FIVE), [1, 2, 4]).image;
  const second = ask(first, [1, 4, 5]).image;
  assert.deepEqual(partitionOf(second).addingReplicas, [4, 5]);
  assert.equal(isReassigning(partitionOf(inSync(second, [1, 2, 3, 5]))), true);
  assert.deepEqual(partitionOf(inSync(second, [1, 2, 3, 4, 5])).replicas, [1, 4, 5]);
});

test('a cancellation that only replicas of the new place have kept up with would lose records: refused', () => {
  const spec = {
    brokers: [1, 2, 3, 4],
    partitions: [{ replicas: [3, 4, 1, 2], isr: [3], leader: 3, addingReplicas: [3, 4], removingReplicas: [1, 2] }],
  };
  assert.equal(ask(imageOf(spec), null).code, 'INVALID_REPLICA_ASSIGNMENT');
  const lossy = ask(imageOf({ ...spec, unclean: true }), null);
  assert.equal(lossy.code, 'NONE');
  assert.deepEqual([partitionOf(lossy.image).replicas, partitionOf(lossy.image).isr], [[1, 2], [1]]);
});

for (const { why, replicas, code, options, spec = FIVE } of [
  { why: 'no replicas', replicas: [], code: 'INVALID_REPLICA_ASSIGNMENT' },
  { why: 'a broker that is not there', replicas: [1, 9], code: 'INVALID_REPLICA_ASSIGNMENT' },
  { why: 'a broker twice', replicas: [1, 1], code: 'INVALID_REPLICA_ASSIGNMENT' },
  {
    why: 'another count where that was forbidden',
    replicas: [1, 2],
    options: { factor: false },
    code: 'INVALID_REPLICATION_FACTOR',
  },
  {
    why: 'a partition that is not there',
    replicas: [1],
    options: { partition: 4 },
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  },
  { why: 'a topic that is not there', replicas: [1], spec: { brokers: [1] }, code: 'UNKNOWN_TOPIC_OR_PARTITION' },
  { why: 'a cancellation of nothing', replicas: null, code: 'NO_REASSIGNMENT_IN_PROGRESS' },
] as const satisfies readonly {
  readonly why: string;
  readonly code: string;
  readonly spec?: ImageSpec;
  [more: string]: unknown;
}[]) {
  test(`refused with ${code}: ${why}`, () => {
    const asked = replicas === null ? null : [...replicas];
    const outcome = ask(imageOf(spec), asked, options);
    assert.equal(outcome.code, code);
    assert.deepEqual(outcome.records, []);
  });
}

test('the count that must not change is that of the reassignment under way', () => {
  const first = ask(imageOf(FIVE), [1, 2, 4, 5]).image;
  assert.equal(ask(first, [1, 2, 3], { factor: false }).code, 'INVALID_REPLICATION_FACTOR');
  assert.equal(ask(first, [1, 2, 3, 4], { factor: false }).code, 'NONE');
});

test('a partition named twice in one request ends where the second asks', () => {
  const image = imageOf(FIVE);
  const partitions = [
    [1, 2, 4],
    [1, 2, 5],
  ].map((replicas) => ({ partitionIndex: 0, replicas }));
  const request = { timeoutMs: 1, allowReplicationFactorChange: true, topics: [{ name: TOPIC, partitions }] };
  const { records } = alterPartitionReassignments(image, request, config);
  assert.deepEqual(partitionOf(after(image, records)).addingReplicas, [5]);
});

test('what is moving is told, of all topics or of some', () => {
  const { image } = ask(imageOf({ ...FIVE, partitions: [{ replicas: [1, 2] }, { replicas: [2, 3] }] }), [1, 4]);
  const moving = { partitionIndex: 0, replicas: [1, 4, 2], addingReplicas: [4], removingReplicas: [2] };
  const found = { errorCode: ErrorCode.NONE, errorMessage: null, topics: [{ name: TOPIC, partitions: [moving] }] };
  assert.deepEqual(listPartitionReassignments(image, { timeoutMs: 1, topics: null }), found);
  const named = (partitionIndexes: number[], name = TOPIC) =>
    listPartitionReassignments(image, { timeoutMs: 1, topics: [{ name, partitionIndexes }] }).topics;
  assert.deepEqual(named([0, 1, 9]), found.topics);
  assert.deepEqual(named([1]), []);
  assert.deepEqual(named([0], 'none'), []);
});

test('whatever is asked in whatever order, the partition keeps an in-sync leader and ends where the last one asked', () => {
  const brokers = [1, 2, 3, 4, 5];
  const target = fc.shuffledSubarray(brokers, { minLength: 1 });
  const step = fc.oneof(fc.record({ move: target }), fc.constant({ cancel: true }), fc.record({ synced: fc.nat(31) }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), target, (steps, last) => {
      let image = imageOf(FIVE);
      const check = (): void => {
        const { replicas, isr, leader, addingReplicas, removingReplicas } = partitionOf(image);
        assert.ok(isr.includes(leader), 'the leader is in sync');
        assert.ok(isr.every((id) => replicas.includes(id)));
        assert.equal(new Set(replicas).size, replicas.length);
        for (const id of [...addingReplicas, ...removingReplicas]) assert.ok(replicas.includes(id));
        assert.ok(replicas.some((id) => !removingReplicas.includes(id)));
      };
      for (const each of steps) {
        if ('move' in each) image = ask(image, each.move).image;
        else if ('cancel' in each) image = ask(image, null).image;
        else {
          const { replicas, leader } = partitionOf(image);
          image = inSync(
            image,
            replicas.filter((id) => id === leader || (each.synced >> (id - 1)) & 1),
          );
        }
        check();
      }
      image = ask(image, last).image;
      check();
      image = inSync(image, partitionOf(image).replicas);
      check();
      assert.deepEqual(partitionOf(image).replicas, last);
      assert.deepEqual([...partitionOf(image).isr].sort(), [...last].sort());
      assert.equal(isReassigning(partitionOf(image)), false);
    }),
  );
});
