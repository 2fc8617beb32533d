import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetadataImage } from '../metadata/image.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';
import { alterPartition } from './alter-partition.ts';
import { after, config, type ImageSpec, imageOf, partitionOf, TOPIC_ID } from './image.test-kit.ts';

interface Wanted {
  readonly from?: number;
  readonly brokerEpoch?: number;
  readonly topicId?: string;
  readonly partition?: number;
  readonly leaderEpoch?: number;
  readonly partitionEpoch?: number;
  readonly recovery?: number;
  /** Brokers with their epochs. */
  readonly isr: readonly (readonly [id: number, epoch: number])[];
}

function ask(image: MetadataImage, wanted: Wanted) {
  const { from = 1, isr } = wanted;
  return alterPartition(
    image,
    {
      brokerId: from,
      brokerEpoch: wanted.brokerEpoch ?? from * 10,
      topics: [
        {
          topicId: wanted.topicId ?? TOPIC_ID,
          partitions: [
            {
              partitionIndex: wanted.partition ?? 0,
              leaderEpoch: wanted.leaderEpoch ?? 5,
              newIsr: [],
              newIsrWithEpochs: isr.map(([brokerId, brokerEpoch]) => ({ brokerId, brokerEpoch })),
              leaderRecoveryState: wanted.recovery ?? 0,
              partitionEpoch: wanted.partitionEpoch ?? 8,
            },
          ],
        },
      ],
    },
    config,
  );
}

const THREE: ImageSpec = { brokers: [1, 2, 3], partitions: [{ replicas: [1, 2, 3], isr: [1, 2] }] };
const ALL = [
  [1, 10],
  [2, 20],
  [3, 30],
] as const;

test('a change is made and answered with the partition as it is then', () => {
  const image = imageOf(THREE);
  const { records, result } = ask(image, { isr: ALL });
  assert.deepEqual(result, {
    errorCode: ErrorCode.NONE,
    topics: [
      {
        topicId: TOPIC_ID,
        partitions: [
          {
            partitionIndex: 0,
            errorCode: ErrorCode.NONE,
            leaderId: 1,
            leaderEpoch: 5,
            isr: [1, 2, 3],
            leaderRecoveryState: 0,
            partitionEpoch: 9,
          },
        ],
      },
    ],
  });
  assert.deepEqual(partitionOf(after(image, records)).isr, [1, 2, 3]);
});

test('what is so already changes nothing and is answered as done', () => {
  const { records, result } = ask(imageOf(THREE), { isr: ALL.slice(0, 2) });
  assert.deepEqual(records, []);
  assert.equal(result.topics[0]!.partitions[0]!.errorCode, ErrorCode.NONE);
  assert.equal(result.topics[0]!.partitions[0]!.partitionEpoch, 8);
});

const REFUSALS: readonly { readonly why: string; readonly wanted: Wanted; readonly spec?: ImageSpec; code: string }[] =
  [
    {
      why: 'a topic that is not there',
      wanted: { topicId: 'xxxxxxxxxxxxxxxxxxxxxx', isr: ALL },
      code: 'UNKNOWN_TOPIC_ID',
    },
    { why: 'a partition that is not there', wanted: { partition: 1, isr: ALL }, code: 'UNKNOWN_TOPIC_OR_PARTITION' },
    { why: 'an epoch that is still to come here', wanted: { leaderEpoch: 6, isr: ALL }, code: 'NOT_CONTROLLER' },
    { why: 'a partition epoch still to come', wanted: { partitionEpoch: 9, isr: ALL }, code: 'NOT_CONTROLLER' },
    { why: 'a leader of an epoch that is over', wanted: { leaderEpoch: 4, isr: ALL }, code: 'FENCED_LEADER_EPOCH' },
    { why: 'somebody who does not lead', wanted: { from: 2, isr: ALL }, code: 'INVALID_REQUEST' },
    { why: 'knowledge that is old', wanted: { partitionEpoch: 7, isr: ALL }, code: 'INVALID_UPDATE_VERSION' },
    {
      why: 'a set with a stranger',
      wanted: {
        isr: [
          [1, 10],
          [4, 40],
        ],
      },
      code: 'INVALID_REQUEST',
    },
    {
      why: 'a set with one twice',
      wanted: {
        isr: [
          [1, 10],
          [2, 20],
          [2, 20],
        ],
      },
      code: 'INVALID_REQUEST',
    },
    { why: 'an empty set', wanted: { isr: [] }, code: 'INVALID_REQUEST' },
    {
      why: 'a set without a leader that recovers',
      wanted: { isr: [[2, 20]] },
      spec: { brokers: [1, 2], partitions: [{ replicas: [1, 2], isr: [1], leaderRecoveryState: 1 }] },
      code: 'INVALID_REQUEST',
    },
    {
      why: 'a follower that restarted since (KIP-903)',
      wanted: {
        isr: [
          [1, 10],
          [3, 29],
        ],
      },
      code: 'INELIGIBLE_REPLICA',
    },
    { why: 'a fenced follower', spec: { ...THREE, fenced: [3] }, wanted: { isr: ALL }, code: 'INELIGIBLE_REPLICA' },
    {
      why: 'a follower that stops',
      spec: { ...THREE, stopping: [3] },
      wanted: { isr: ALL },
      code: 'INELIGIBLE_REPLICA',
    },
    { why: 'recovering once recovered', wanted: { recovery: 1, isr: [[1, 10]] }, code: 'INVALID_REQUEST' },
  ];

for (const { why, wanted, code, spec = THREE } of REFUSALS) {
  test(`refused with ${code}: ${why}`, () => {
    const { records, result } = ask(imageOf(spec), wanted);
    assert.deepEqual(records, []);
    assert.equal(errorName(result.topics[0]!.partitions[0]!.errorCode ?? 0), code);
  });
}

test('a leader of the past is refused as a whole', () => {
  const { records, result } = ask(imageOf(THREE), { brokerEpoch: 9, isr: ALL });
  assert.deepEqual(records, []);
  assert.deepEqual(result, { errorCode: ErrorCode.STALE_BROKER_EPOCH, topics: [] });
});

test('a leader that does not know epochs, as before version 3, is believed', () => {
  const image = imageOf(THREE);
  const partition = {
    partitionIndex: 0,
    leaderEpoch: 5,
    leaderRecoveryState: 0,
    partitionEpoch: 8,
    newIsrWithEpochs: [],
  };
  const topics = [{ topicId: TOPIC_ID, partitions: [{ ...partition, newIsr: [1, 2, 3] }] }];
  const { records } = alterPartition(image, { brokerId: 1, brokerEpoch: 10, topics }, config);
  assert.deepEqual(partitionOf(after(image, records)).isr, [1, 2, 3]);
});

test('a leader alone recovers from an unclean election before anybody is in sync with it', () => {
  const spec: ImageSpec = { brokers: [1, 2], partitions: [{ replicas: [1, 2], isr: [1], leaderRecoveryState: 1 }] };
  const early = ask(imageOf(spec), { recovery: 1, isr: ALL.slice(0, 2) });
  assert.equal(early.result.topics[0]!.partitions[0]!.errorCode, ErrorCode.INVALID_REQUEST);
  const image = imageOf(spec);
  const { records, result } = ask(image, { recovery: 0, isr: ALL.slice(0, 1) });
  assert.equal(result.topics[0]!.partitions[0]!.leaderRecoveryState, 0);
  assert.equal(partitionOf(after(image, records)).leaderRecoveryState, 0);
});

test('the last replica that a reassignment awaits completes it', () => {
  const image = imageOf({
    brokers: [1, 2, 3, 4],
    partitions: [{ replicas: [1, 2, 4, 3], isr: [1, 2, 3], addingReplicas: [4], removingReplicas: [3] }],
  });
  const { records, result } = ask(image, { isr: [...ALL, [4, 40]] });
  assert.equal(result.topics[0]!.partitions[0]!.errorCode, ErrorCode.NONE);
  const partition = partitionOf(after(image, records));
  assert.deepEqual(
    [partition.replicas, partition.isr],
    [
      [1, 2, 4],
      [1, 2, 4],
    ],
  );
  assert.deepEqual([partition.addingReplicas, partition.removingReplicas], [[], []]);
  assert.equal(partition.leaderEpoch, 6, 'who was removed must not go on in the same epoch');
});

test('a leader that the completed reassignment removes is told that another leads', () => {
  const image = imageOf({
    brokers: [1, 2, 3, 4],
    partitions: [{ replicas: [2, 3, 4, 1], isr: [1, 2, 3], leader: 1, addingReplicas: [4], removingReplicas: [1] }],
  });
  const { records, result } = ask(image, { isr: [...ALL, [4, 40]] });
  assert.equal(result.topics[0]!.partitions[0]!.errorCode, ErrorCode.NEW_LEADER_ELECTED);
  const partition = partitionOf(after(image, records));
  assert.deepEqual([partition.leader, partition.leaderEpoch, partition.replicas], [2, 6, [2, 3, 4]]);
});

test('a leader that cannot write leaves the set, and one of the others leads', () => {
  const image = imageOf({ brokers: [1, 2, 3], partitions: [{ replicas: [1, 2, 3] }] });
  const { records, result } = ask(image, { isr: ALL.slice(1) });
  assert.equal(result.topics[0]!.partitions[0]!.errorCode, ErrorCode.NEW_LEADER_ELECTED);
  const { leader, leaderEpoch, isr } = partitionOf(after(image, records));
  assert.deepEqual([leader, leaderEpoch, isr], [2, 6, [2, 3]]);
});

test('members that leave a set which is then too small stay eligible, until it is large enough', () => {
  const spec: ImageSpec = {
    brokers: [1, 2, 3],
    partitions: [{ replicas: [1, 2, 3] }],
    minInSync: 2,
    eligibleLeaders: true,
  };
  let image = imageOf(spec);
  image = after(image, ask(image, { isr: ALL.slice(0, 1) }).records);
  assert.deepEqual(partitionOf(image).eligibleLeaderReplicas, [2, 3]);
  image = after(image, ask(image, { partitionEpoch: 9, isr: ALL.slice(0, 2) }).records);
  assert.deepEqual([partitionOf(image).isr, partitionOf(image).eligibleLeaderReplicas], [[1, 2], []]);
});

test('nobody is eligible outside the set where the feature is off', () => {
  const image = imageOf({ brokers: [1, 2, 3], partitions: [{ replicas: [1, 2, 3] }], minInSync: 2 });
  const { records } = ask(image, { isr: ALL.slice(0, 1) });
  assert.deepEqual(partitionOf(after(image, records)).eligibleLeaderReplicas, []);
});
