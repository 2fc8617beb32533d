import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadBrokerConfig } from '../config/broker-config.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';
import { balanceLeaders, electLeaders } from './elect-leaders.ts';
import { after, config, imageOf, partitionOf, TOPIC } from './image.test-kit.ts';

const PREFERRED = 0;
const UNCLEAN = 1;

function ask(image: MetadataImage, electionType: number, partitions: number[] | null, topic = TOPIC) {
  const topicPartitions = partitions === null ? null : [{ topic, partitions }];
  const { records, result } = electLeaders(image, { electionType, topicPartitions, timeoutMs: 1 }, config);
  const codes = result.replicaElectionResults.flatMap(({ partitionResult }) =>
    partitionResult.map(({ partitionId, errorCode }) => [partitionId, errorName(errorCode ?? 0)]),
  );
  return { image: after(image, records), codes, errorCode: result.errorCode };
}

test('the preferred replica leads where it is in sync', () => {
  const partitions = [
    { replicas: [1, 2], isr: [2, 1], leader: 2 },
    { replicas: [1, 2] },
    { replicas: [3, 2], isr: [2], leader: 2 },
  ];
  const image = imageOf({ brokers: [1, 2, 3], partitions });
  const asked = ask(image, PREFERRED, [0, 1, 2, 7]);
  assert.deepEqual(asked.codes, [
    [0, 'NONE'],
    [1, 'ELECTION_NOT_NEEDED'],
    [2, 'PREFERRED_LEADER_NOT_AVAILABLE'],
    [7, 'UNKNOWN_TOPIC_OR_PARTITION'],
  ]);
  assert.deepEqual([partitionOf(asked.image).leader, partitionOf(asked.image).leaderEpoch], [1, 6]);
  assert.equal(partitionOf(asked.image, 2).leader, 2, 'never outside the in-sync set');
  assert.deepEqual(ask(image, PREFERRED, [0], 'none').codes, [[0, 'UNKNOWN_TOPIC_OR_PARTITION']]);
});

test('asked for all, partitions that have the leader already are not told', () => {
  const partitions = [{ replicas: [1, 2], isr: [2, 1], leader: 2 }, { replicas: [1, 2] }];
  const asked = ask(imageOf({ brokers: [1, 2], partitions }), PREFERRED, null);
  assert.deepEqual(asked.codes, [[0, 'NONE']]);
});

test('a partition named twice is elected once', () => {
  const partitions = [{ replicas: [1, 2], isr: [2, 1], leader: 2 }];
  const asked = ask(imageOf({ brokers: [1, 2], partitions }), PREFERRED, [0, 0]);
  assert.deepEqual(asked.codes, [
    [0, 'NONE'],
    [0, 'ELECTION_NOT_NEEDED'],
  ]);
  assert.equal(partitionOf(asked.image).leaderEpoch, 6);
});

test('an unclean election takes a replica that is up, only where nobody leads', () => {
  const spec = { brokers: [1, 2], fenced: [1], partitions: [{ replicas: [1, 2], isr: [1], leader: -1 }] };
  const asked = ask(imageOf(spec), UNCLEAN, [0]);
  assert.deepEqual(asked.codes, [[0, 'NONE']]);
  const { leader, isr, leaderRecoveryState } = partitionOf(asked.image);
  assert.deepEqual({ leader, isr, leaderRecoveryState }, { leader: 2, isr: [2], leaderRecoveryState: 1 });
  assert.deepEqual(ask(asked.image, UNCLEAN, [0]).codes, [[0, 'ELECTION_NOT_NEEDED']]);
  const nobody = imageOf({ ...spec, fenced: [1, 2] });
  assert.deepEqual(ask(nobody, UNCLEAN, [0]).codes, [[0, 'ELIGIBLE_LEADERS_NOT_AVAILABLE']]);
});

test('an unclean election takes an eligible replica first, and that is clean', () => {
  const spec = {
    brokers: [1, 2, 3],
    fenced: [1],
    eligibleLeaders: true,
    minInSync: 2,
    partitions: [{ replicas: [1, 2, 3], isr: [], leader: -1, eligibleLeaderReplicas: [1, 3], lastKnownElr: [1] }],
  };
  const { leader, isr, leaderRecoveryState, lastKnownElr } = partitionOf(ask(imageOf(spec), UNCLEAN, [0]).image);
  assert.deepEqual(
    { leader, isr, leaderRecoveryState, lastKnownElr },
    { leader: 3, isr: [3], leaderRecoveryState: 0, lastKnownElr: [] },
  );
});

test('an election of a kind that does not exist is refused', () => {
  const asked = ask(imageOf({ brokers: [1], partitions: [{ replicas: [1] }] }), 2, [0]);
  assert.equal(asked.errorCode, ErrorCode.INVALID_REQUEST);
  assert.deepEqual(asked.codes, [[0, 'INVALID_REQUEST']]);
});

test('the balance gives leaderships back to brokers that miss more than their share, and then rests', () => {
  const led = { replicas: [1, 2], isr: [2, 1] };
  const partitions = [
    ...Array.from({ length: 9 }, () => ({ ...led, leader: 1 })),
    { ...led, leader: 2 },
    { replicas: [2, 1] },
  ];
  const image = imageOf({ brokers: [1, 2], partitions });
  assert.deepEqual(balanceLeaders(image, config).records, [], 'one of ten is the share that is let be');
  const strict = loadBrokerConfig({ overrides: { 'leader.imbalance.per.broker.percentage': '5' } });
  const balanced = after(image, balanceLeaders(image, strict).records);
  assert.equal(partitionOf(balanced, 9).leader, 1);
  assert.deepEqual(balanceLeaders(balanced, strict).records, []);
});

test('the balance changes a thousand partitions at a time and tells that there are more', () => {
  const partitions = Array.from({ length: 1001 }, () => ({ replicas: [1, 2], isr: [2, 1], leader: 2 }));
  const image = imageOf({ brokers: [1, 2], partitions });
  const first = balanceLeaders(image, config);
  assert.deepEqual([first.records.length, first.result], [1000, true]);
  const strict = loadBrokerConfig({ overrides: { 'leader.imbalance.per.broker.percentage': '0' } });
  const second = balanceLeaders(after(image, first.records), strict);
  assert.deepEqual([second.records.length, second.result], [1, false]);
});

test('the balance never elects outside the in-sync set, whatever the state', () => {
  const partition = fc
    .tuple(fc.shuffledSubarray([1, 2, 3, 4], { minLength: 1 }), fc.nat(), fc.nat())
    .map(([replicas, size, leader]) => {
      const isr = replicas.slice(0, 1 + (size % replicas.length)).reverse();
      return { replicas, isr, leader: isr[leader % isr.length]! };
    });
  fc.assert(
    fc.property(
      fc.array(partition, { minLength: 1, maxLength: 8 }),
      fc.subarray([1, 2, 3, 4]),
      (partitions, fenced) => {
        const image = imageOf({ brokers: [1, 2, 3, 4], fenced, partitions });
        const balanced = after(image, balanceLeaders(image, config).records);
        for (const number of partitions.keys()) {
          const { leader, isr } = partitionOf(balanced, number);
          const before = partitionOf(image, number);
          assert.deepEqual(isr, before.isr);
          if (leader !== before.leader && leader !== -1) assert.ok(isr.includes(leader) && !fenced.includes(leader));
        }
      },
    ),
  );
});
