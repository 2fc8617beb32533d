import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumerGroupHeartbeatResponse } from '../../../protocol/apis/consumer-group-heartbeat.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import { CLIENT, SimulatedShard } from './simulated-shard.test.support.ts';

function partitionsOf(reply: ConsumerGroupHeartbeatResponse): number[] | undefined {
  return reply.assignment?.topicPartitions.flatMap(({ partitions }) => [...partitions]);
}

/** A shard with the topic `t` of four partitions, and two members that share it. */
function pair() {
  const shard = new SimulatedShard();
  const topicId = shard.createTopic('t', 4);
  const first = shard.join('m1', ['t']);
  return { shard, topicId, first };
}

test('a first member gets all partitions in epoch 2, as the group begins in 1', () => {
  const { shard, first } = pair();
  assert.deepEqual([first.errorCode, first.memberEpoch, partitionsOf(first)], [ErrorCode.NONE, 2, [0, 1, 2, 3]]);
  assert.equal(first.heartbeatIntervalMs, 5000);
  assert.equal(shard.group!.stateName, 'Stable');
});

test('a second member waits until the first has let go', () => {
  const { shard, topicId } = pair();
  shard.clock.advance(1000);
  const second = shard.join('m2', ['t']);
  assert.deepEqual([second.memberEpoch, partitionsOf(second)], [3, []]);
  assert.equal(shard.group!.stateName, 'Reconciling');
  const owned = (partitions: number[]) => [{ topicId, partitions }];
  const told = shard.beat({ memberId: 'm1', memberEpoch: 2, topicPartitions: owned([0, 1, 2, 3]) });
  assert.deepEqual([told.memberEpoch, partitionsOf(told)], [2, [0, 1]]);
  assert.equal(partitionsOf(shard.beat({ memberId: 'm2', memberEpoch: 3, topicPartitions: [] })), undefined);
  const moved = shard.beat({ memberId: 'm1', memberEpoch: 2, topicPartitions: owned([0, 1]) });
  assert.deepEqual([moved.memberEpoch, partitionsOf(moved)], [3, undefined]);
  assert.deepEqual(partitionsOf(shard.beat({ memberId: 'm2', memberEpoch: 3, topicPartitions: [] })), [2, 3]);
  assert.equal(shard.group!.stateName, 'Stable');
});

test('two target assignments are at least the configured interval apart', () => {
  const { shard } = pair();
  assert.deepEqual([shard.join('m2', ['t']).memberEpoch, shard.group!.stateName], [2, 'Assigning']);
  shard.clock.advance(1000);
  assert.equal(shard.beat({ memberId: 'm2', memberEpoch: 2 }).memberEpoch, 3);
});

test('a request that cannot be is refused with the reason', () => {
  const { shard } = pair();
  const cases: readonly [Parameters<SimulatedShard['beat']>[0], ErrorCode][] = [
    [{ memberId: ' ', memberEpoch: 1 }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm', groupId: '' }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm', instanceId: '' }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm', rackId: '' }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm', subscribedTopicNames: [], topicPartitions: [] }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm', subscribedTopicNames: [], rebalanceTimeoutMs: 1 }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm', topicPartitions: [], rebalanceTimeoutMs: 1 }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm', memberEpoch: -2 }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm', memberEpoch: -3 }, ErrorCode.INVALID_REQUEST],
    [{ memberId: 'm1', memberEpoch: 2, serverAssignor: 'magic' }, ErrorCode.UNSUPPORTED_ASSIGNOR],
    [{ memberId: 'm', memberEpoch: 1, groupId: 'none' }, ErrorCode.GROUP_ID_NOT_FOUND],
    [{ memberId: 'm', memberEpoch: -1, groupId: 'none' }, ErrorCode.GROUP_ID_NOT_FOUND],
    [{ memberId: 'm', memberEpoch: 1 }, ErrorCode.UNKNOWN_MEMBER_ID],
    [{ memberId: 'm', memberEpoch: -1 }, ErrorCode.UNKNOWN_MEMBER_ID],
    [{ memberId: 'm1', memberEpoch: 9 }, ErrorCode.FENCED_MEMBER_EPOCH],
    [{ memberId: 'm1', memberEpoch: 1 }, ErrorCode.FENCED_MEMBER_EPOCH],
    [{ memberId: 'm1', memberEpoch: 2, instanceId: 'i' }, ErrorCode.UNKNOWN_MEMBER_ID],
  ];
  const before = shard.log.length;
  for (const [beat, errorCode] of cases) assert.equal(shard.beat(beat).errorCode, errorCode, JSON.stringify(beat));
  assert.equal(shard.join('m', [], { subscribedTopicRegex: '(' }).errorCode, ErrorCode.INVALID_REGULAR_EXPRESSION);
  assert.equal(shard.log.length, before, 'nothing was written');
});

test('before version 1 a member is given its id', () => {
  const { shard } = pair();
  const told = { memberId: '', subscribedTopicNames: ['t'], rebalanceTimeoutMs: 1000, topicPartitions: [] };
  const reply = shard.beat(told, { ...CLIENT, apiVersion: 0 });
  assert.equal(reply.errorCode, ErrorCode.NONE);
  assert.ok(shard.group!.members.has(reply.memberId!));
});

test('the epoch before is accepted from a member that holds nothing new: it may have missed the reply', () => {
  const { shard, topicId } = pair();
  shard.clock.advance(1000);
  shard.join('m2', ['t']);
  const held = [{ topicId, partitions: [0, 1] }];
  shard.beat({ memberId: 'm1', memberEpoch: 2, topicPartitions: held });
  assert.equal(shard.beat({ memberId: 'm1', memberEpoch: 2, topicPartitions: held }).memberEpoch, 3);
  const more = [{ topicId, partitions: [0, 1, 2] }];
  const fenced = shard.beat({ memberId: 'm1', memberEpoch: 2, topicPartitions: more });
  assert.equal(fenced.errorCode, ErrorCode.FENCED_MEMBER_EPOCH);
});

test('a member that leaves, or is silent for its session, is gone and its partitions are given to others', () => {
  for (const how of ['leave', 'silence'] as const) {
    const { shard, topicId } = pair();
    shard.clock.advance(1000);
    shard.join('m2', ['t']);
    if (how === 'leave') assert.equal(shard.beat({ memberId: 'm1', memberEpoch: -1 }).memberEpoch, -1);
    else {
      shard.clock.advance(40_000);
      shard.beat({ memberId: 'm2', memberEpoch: 3 });
      shard.clock.advance(10_000);
    }
    assert.deepEqual([...shard.group!.members.keys()], ['m2']);
    shard.clock.advance(1000);
    const all = shard.beat({ memberId: 'm2', memberEpoch: 3, topicPartitions: [] });
    assert.deepEqual(partitionsOf(all), [0, 1, 2, 3], how);
    assert.deepEqual(all.assignment!.topicPartitions[0]!.topicId, topicId);
  }
});

test('a member that does not give up partitions within its rebalance timeout is put out', () => {
  const { shard, topicId } = pair();
  shard.clock.advance(1000);
  shard.join('m2', ['t']);
  const held = [{ topicId, partitions: [0, 1, 2, 3] }];
  for (let passed = 0; passed <= 30_000; passed += 5000) {
    shard.beat({ memberId: 'm1', memberEpoch: 2, topicPartitions: held });
    shard.beat({ memberId: 'm2', memberEpoch: 3, topicPartitions: [] });
    shard.clock.advance(5000);
  }
  assert.deepEqual([...shard.group!.members.keys()], ['m2']);
});

test('a static member that goes away for a while finds its partitions again under a new id', () => {
  const shard = new SimulatedShard();
  shard.createTopic('t', 4);
  shard.join('m1', ['t'], { instanceId: 'i1' });
  const early = shard.join('m2', ['t'], { instanceId: 'i1' });
  assert.equal(early.errorCode, ErrorCode.UNRELEASED_INSTANCE_ID);
  assert.equal(shard.beat({ memberId: 'm1', memberEpoch: -2, instanceId: 'i1' }).memberEpoch, -2);
  const epoch = shard.group!.groupEpoch;
  shard.restart();
  const again = shard.join('m2', ['t'], { instanceId: 'i1' });
  assert.deepEqual([again.errorCode, partitionsOf(again), again.memberEpoch], [ErrorCode.NONE, [0, 1, 2, 3], epoch]);
  assert.equal(shard.group!.groupEpoch, epoch, 'nobody else has anything to do');
  assert.deepEqual([...shard.group!.members.keys()], ['m2']);
  const old = shard.beat({ memberId: 'm1', memberEpoch: epoch, instanceId: 'i1' });
  assert.equal(old.errorCode, ErrorCode.FENCED_INSTANCE_ID);
});

test('a static member that does not come back within its session is gone', () => {
  const shard = new SimulatedShard();
  shard.createTopic('t', 4);
  shard.join('m1', ['t'], { instanceId: 'i1' });
  shard.beat({ memberId: 'm1', memberEpoch: -2, instanceId: 'i1' });
  shard.clock.advance(46_000);
  assert.equal(shard.group!.members.size, 0);
});

test('the group has a largest size, which its members do not meet again', () => {
  const shard = new SimulatedShard({ config: { 'group.consumer.max.size': '1' } });
  shard.createTopic('t', 1);
  shard.join('m1', ['t']);
  assert.equal(shard.join('m2', ['t']).errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED);
  assert.equal(shard.join('m1', ['t']).errorCode, ErrorCode.NONE);
});

test('the assignor that most members ask for assigns', () => {
  const shard = new SimulatedShard();
  shard.createTopic('t', 4);
  shard.join('m1', ['t'], { serverAssignor: 'range' });
  assert.equal(shard.shard.consumer.describe(['g'])[0]!.assignorName, 'range');
  assert.equal(shard.shard.consumer.describe(['none'])[0]!.errorCode, ErrorCode.GROUP_ID_NOT_FOUND);
});

test('topics that come, grow and go are noticed with the next heartbeat', () => {
  const shard = new SimulatedShard();
  const epochs: (number | undefined)[] = [shard.join('m1', ['t']).memberEpoch];
  const changes = [() => shard.createTopic('t', 1), () => shard.growTopic('t'), () => shard.deleteTopic('t')];
  const sizes = changes.map((change) => {
    change();
    shard.clock.advance(2000);
    const reply = shard.beat({ memberId: 'm1', memberEpoch: epochs.at(-1)!, topicPartitions: [] });
    epochs.push(reply.memberEpoch);
    return partitionsOf(reply)?.length;
  });
  assert.deepEqual(sizes, [1, 2, 0]);
  assert.deepEqual(epochs, [2, 3, 4, 5]);
});

test('topics that no member wants leave the group alone', () => {
  const { shard } = pair();
  shard.createTopic('other', 3);
  shard.clock.advance(2000);
  assert.equal(shard.beat({ memberId: 'm1', memberEpoch: 2 }).memberEpoch, 2);
});

test('a pattern is matched by the broker, and again when topics come', () => {
  const shard = new SimulatedShard();
  shard.createTopic('orders-1', 1);
  shard.createTopic('bills', 1);
  const joined = shard.join('m1', [], { subscribedTopicRegex: 'orders-\\d+' });
  assert.deepEqual([joined.memberEpoch, partitionsOf(joined)], [1, []]);
  shard.clock.advance(2000);
  const found = shard.beat({ memberId: 'm1', memberEpoch: 1, topicPartitions: [] });
  assert.equal(found.assignment!.topicPartitions.length, 1);
  shard.createTopic('orders-2', 2);
  for (let passed = 0; passed < 25_000; passed += 5000) {
    shard.clock.advance(5000);
    shard.beat({ memberId: 'm1', memberEpoch: shard.group!.members.get('m1')!.memberEpoch });
  }
  assert.deepEqual(
    [...shard.group!.members.get('m1')!.assigned.values()].map(({ size }) => size),
    [1, 2],
  );
  shard.beat({ memberId: 'm1', memberEpoch: -1 });
  assert.equal(shard.group!.resolved.size, 0, 'with its last member a pattern is forgotten');
});

test('a pattern that matches nothing takes away what its member wanted before', () => {
  const shard = new SimulatedShard();
  shard.createTopic('a', 2);
  shard.join('m1', [], { subscribedTopicRegex: 'a' });
  shard.join('m2', [], { subscribedTopicRegex: 'a' });
  const turn = (): void => {
    shard.clock.advance(12_000);
    for (const [memberId, { memberEpoch }] of shard.group!.members) {
      shard.beat({ memberId, memberEpoch, topicPartitions: [] });
    }
  };
  turn();
  turn();
  const { memberEpoch } = shard.group!.members.get('m1')!;
  shard.beat({ memberId: 'm1', memberEpoch, subscribedTopicRegex: 'none', topicPartitions: [] });
  for (let turns = 0; turns < 4; turns++) turn();
  const sizes = [...shard.group!.members.values()].map(({ assigned }) => [...assigned.values()][0]?.size ?? 0);
  assert.deepEqual(sizes, [0, 2]);
});

test('commits are fenced by member epoch, and by the epoch of each partition', () => {
  const { shard, topicId } = pair();
  const group = shard.group!;
  const claim = { memberId: 'm1', groupInstanceId: null, transactional: false, apiVersion: 9 };
  const check = (more: Partial<Parameters<typeof group.checkOffsetCommit>[0]>) =>
    group.checkOffsetCommit({ ...claim, generationOrEpoch: 2, ...more });
  assert.equal(check({}).errorCode, ErrorCode.NONE);
  assert.equal(check({ generationOrEpoch: 3 }).errorCode, ErrorCode.STALE_MEMBER_EPOCH);
  assert.equal(check({ memberId: 'none' }).errorCode, ErrorCode.UNKNOWN_MEMBER_ID);
  assert.equal(check({ generationOrEpoch: -1, memberId: '' }).errorCode, ErrorCode.UNKNOWN_MEMBER_ID);
  assert.equal(check({ apiVersion: 8 }).errorCode, ErrorCode.UNSUPPORTED_VERSION);
  const older = check({ generationOrEpoch: 1 });
  assert.equal(older.checkPartition!('t', topicId, 0), ErrorCode.STALE_MEMBER_EPOCH);
  shard.growTopic('t');
  shard.clock.advance(2000);
  shard.beat({ memberId: 'm1', memberEpoch: 2 });
  const since = check({ generationOrEpoch: 2 });
  assert.equal(since.checkPartition!('t', topicId, 0), ErrorCode.NONE, 'held in the older epoch already');
  assert.equal(since.checkPartition!('t', topicId, 4), ErrorCode.STALE_MEMBER_EPOCH, 'got with the newer epoch');
  assert.equal(group.checkOffsetFetch('m1', 2), ErrorCode.STALE_MEMBER_EPOCH);
  assert.equal(group.checkOffsetFetch('m1', 3), ErrorCode.NONE);
  assert.equal(group.checkOffsetFetch(null, -1), ErrorCode.NONE);
});

test('an empty group is deleted by its tombstones, and loading finds nothing', () => {
  const { shard } = pair();
  assert.equal(shard.group!.checkDelete(), ErrorCode.NON_EMPTY_GROUP);
  shard.beat({ memberId: 'm1', memberEpoch: -1 });
  assert.equal(shard.group!.checkDelete(), ErrorCode.NONE);
  shard.run({ records: shard.group!.tombstones(), reply: undefined });
  assert.equal(shard.group, undefined);
  shard.restart();
  assert.equal(shard.group, undefined);
});
