/** What members of another generation, of another protocol, or of a generation that is not agreed yet are told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorName } from '../../../protocol/error-codes.ts';
import { CLIENT, commitRequest, GroupWorld, joinRequest, syncRequest } from '../group-world.test.support.ts';
import { ClassicGroup } from './classic-group.ts';

const nameOf = (answer: { readonly errorCode?: number }): string => errorName((answer.errorCode ?? 0) as never);
type Join = Parameters<typeof joinRequest>[0];
type Sync = Parameters<typeof syncRequest>[0];

/** Asks for a member id; the member may then join with it. */
async function newMember(world: GroupWorld, change: Join = {}): Promise<string> {
  return (await world.now(world.coordinator.joinGroup(joinRequest(change), CLIENT))).memberId;
}

function join(world: GroupWorld, memberId: string, change: Join = {}) {
  return world.coordinator.joinGroup(joinRequest({ ...change, memberId }), CLIENT);
}

const sync = (world: GroupWorld, request: Sync) => world.coordinator.syncGroup(syncRequest(request));

async function synced(world: GroupWorld, request: Sync): Promise<string> {
  return nameOf(await world.now(sync(world, request)));
}

/** Members that have joined generation 1 and not asked for their assignment yet; the first leads. */
async function joinedMembers(world: GroupWorld, count: number, change: Join = {}): Promise<string[]> {
  const members: string[] = [];
  for (let at = 0; at < count; at++) members.push(await newMember(world, change));
  const joining = members.map((memberId) => join(world, memberId, change));
  await world.pass(6500);
  const answers = await Promise.all(joining.map((reply) => world.now(reply)));
  assert.deepEqual(answers.map(nameOf), Array(count).fill('NONE'));
  return members;
}

async function commit(world: GroupWorld, change: Parameters<typeof commitRequest>[1]): Promise<string> {
  const answer = await world.now(world.coordinator.commitOffsets(commitRequest(7, change), 9));
  return nameOf(answer.topics[0]!.partitions[0]!);
}

async function beat(world: GroupWorld, memberId: string, generationId: number): Promise<string> {
  return nameOf(
    await world.now(world.coordinator.heartbeat({ groupId: 'g', generationId, memberId, groupInstanceId: null })),
  );
}

async function stateOf(world: GroupWorld): Promise<string> {
  return (await world.now(world.coordinator.describeGroups(['g'], 6)))[0]!.groupState;
}

describe('who asks for an assignment', () => {
  it('is refused in another generation, whether the group waits for its leader or is stable', async () => {
    const world = await GroupWorld.create();
    const [leader, follower] = (await joinedMembers(world, 2)) as [string, string];
    for (const state of ['CompletingRebalance', 'Stable']) {
      if (state === 'Stable') await world.now(sync(world, { memberId: leader, generationId: 1 }));
      assert.equal(await stateOf(world), state);
      for (const generationId of [0, 2, -1]) {
        assert.equal(await synced(world, { memberId: follower, generationId }), 'ILLEGAL_GENERATION', state);
        assert.equal(await synced(world, { memberId: leader, generationId }), 'ILLEGAL_GENERATION', state);
      }
      assert.equal(await stateOf(world), state);
    }
    assert.equal(await synced(world, { memberId: follower, generationId: 1 }), 'NONE');
  });

  it('is refused as a stranger, and where another one has its instance id', async () => {
    const world = await GroupWorld.create();
    const reply = join(world, '', { groupInstanceId: 'i' });
    await world.pass(6500);
    const { memberId } = await world.now(reply);
    const generationId = 1;
    assert.equal(await synced(world, { memberId: 'nobody', generationId }), 'UNKNOWN_MEMBER_ID');
    assert.equal(await synced(world, { memberId: 'x', generationId, groupInstanceId: 'i' }), 'FENCED_INSTANCE_ID');
    assert.equal(await synced(world, { memberId, generationId, groupInstanceId: 'j' }), 'UNKNOWN_MEMBER_ID');
    assert.equal(await synced(world, { memberId, generationId, groupInstanceId: 'i' }), 'NONE');
    await world.now(world.coordinator.leaveGroup('g', [{ memberId, groupInstanceId: null }]));
    assert.equal(await synced(world, { memberId, generationId }), 'UNKNOWN_MEMBER_ID');
  });

  it('must name the type and the protocol of the group, where it names any', async () => {
    const world = await GroupWorld.create();
    const [memberId] = (await joinedMembers(world, 1)) as [string];
    const generationId = 1;
    const refused = 'INCONSISTENT_GROUP_PROTOCOL';
    assert.equal(await synced(world, { memberId, generationId, protocolType: 'connect' }), refused);
    assert.equal(await synced(world, { memberId, generationId, protocolName: 'sticky' }), refused);
    assert.equal(await synced(world, { memberId, generationId, protocolType: null, protocolName: 'sticky' }), refused);
    assert.equal(await synced(world, { memberId, generationId, protocolType: null, protocolName: null }), 'NONE');
  });

  it('must join again when a rebalance has begun', async () => {
    const world = await GroupWorld.create();
    const [memberId] = (await joinedMembers(world, 1)) as [string];
    await newMember(world).then((other) => void join(world, other));
    await world.settle();
    assert.equal(await stateOf(world), 'PreparingRebalance');
    assert.equal(await synced(world, { memberId, generationId: 1 }), 'REBALANCE_IN_PROGRESS');
  });

  it('may do so after the leader has, and stays a member', async () => {
    const world = await GroupWorld.create();
    const [leader, follower] = (await joinedMembers(world, 2)) as [string, string];
    await world.now(sync(world, { memberId: leader, generationId: 1 }));
    assert.equal(await synced(world, { memberId: follower, generationId: 1 }), 'NONE');
    for (let seconds = 0; seconds < 60; seconds += 5) {
      await world.pass(5000);
      assert.equal(await beat(world, leader, 1), 'NONE');
      assert.equal(await beat(world, follower, 1), 'NONE');
    }
  });
});

describe('an assignment', () => {
  it('that cannot be stored is nobody\u2019s, and all join again', async () => {
    const world = await GroupWorld.create({ log: { maxMessageBytes: 2000 } });
    const [leader, follower] = (await joinedMembers(world, 2)) as [string, string];
    const waiting = sync(world, { memberId: follower, generationId: 1 });
    const assignments = [{ memberId: leader, assignment: Buffer.alloc(3000) }];
    assert.equal(await synced(world, { memberId: leader, generationId: 1, assignments }), 'UNKNOWN_SERVER_ERROR');
    assert.equal(nameOf(await world.now(waiting)), 'UNKNOWN_SERVER_ERROR');
    assert.equal(await beat(world, follower, 1), 'REBALANCE_IN_PROGRESS');
    const joining = [join(world, leader), join(world, follower)];
    const answers = await Promise.all(joining.map((reply) => world.now(reply)));
    assert.deepEqual(
      answers.map(({ generationId }) => generationId),
      [2, 2],
    );
  });

  it('that is stored when the next rebalance has begun is nobody\u2019s either', async () => {
    const world = await GroupWorld.create({ log: { flushMessages: 1 }, holdsDisk: true });
    const settleAll = async (): Promise<void> => {
      await world.settle();
      while (world.disk.waiting > 0) {
        world.disk.letGo();
        await world.settle();
      }
    };
    const asked = world.coordinator.joinGroup(joinRequest(), { ...CLIENT, apiVersion: 3 });
    await settleAll();
    await world.pass(6500);
    await settleAll();
    const { memberId } = await world.now(asked);
    const assignments = [{ memberId, assignment: Buffer.from('late') }];
    const waiting = sync(world, { memberId, generationId: 1, assignments });
    await world.settle();
    assert.ok(world.disk.waiting > 0, 'the assignment is on its way to the disk');
    void world.coordinator.joinGroup(joinRequest(), { ...CLIENT, apiVersion: 3 });
    await world.settle();
    assert.equal(nameOf(await world.now(waiting)), 'REBALANCE_IN_PROGRESS');
    await settleAll();
    const again = join(world, memberId);
    await settleAll();
    const { generationId, members } = await world.now(again);
    assert.deepEqual([generationId, members.length], [2, 2]);
    const told: string[] = [];
    void sync(world, { memberId, generationId: 2 }).then(({ assignment }) => told.push(String(assignment)));
    await settleAll();
    assert.deepEqual(told, ['']);
  });
});

describe('a commit', () => {
  it('counts while members join again, but not between joining and being assigned', async () => {
    const world = await GroupWorld.create();
    const [memberId] = (await joinedMembers(world, 1)) as [string];
    const claim = (generation: number) => ({ memberId, generationIdOrMemberEpoch: generation });
    assert.equal(await stateOf(world), 'CompletingRebalance');
    assert.equal(await commit(world, claim(1)), 'REBALANCE_IN_PROGRESS');
    assert.equal(await commit(world, claim(0)), 'ILLEGAL_GENERATION');
    await world.now(sync(world, { memberId, generationId: 1 }));
    assert.equal(await commit(world, claim(1)), 'NONE');
    const other = await newMember(world);
    void join(world, other);
    await world.settle();
    assert.equal(await stateOf(world), 'PreparingRebalance');
    assert.equal(await commit(world, claim(1)), 'NONE', 'what it still reads is its own');
    assert.equal(await commit(world, claim(2)), 'ILLEGAL_GENERATION');
    assert.equal((await world.now(join(world, memberId))).generationId, 2);
    assert.equal(await commit(world, claim(1)), 'ILLEGAL_GENERATION');
    assert.equal(await commit(world, claim(2)), 'REBALANCE_IN_PROGRESS');
  });

  it('without a member is for groups without members', async () => {
    const world = await GroupWorld.create();
    const [memberId] = (await joinedMembers(world, 1)) as [string];
    assert.equal(await commit(world, {}), 'UNKNOWN_MEMBER_ID');
    assert.equal(await commit(world, { memberId }), 'ILLEGAL_GENERATION');
    await world.now(world.coordinator.leaveGroup('g', [{ memberId, groupInstanceId: null }]));
    assert.equal(await commit(world, {}), 'NONE');
    assert.equal(await commit(world, { memberId }), 'NONE');
    assert.equal(await commit(world, { memberId, generationIdOrMemberEpoch: 1 }), 'UNKNOWN_MEMBER_ID');
  });

  it('renews the session of its member', async () => {
    const world = await GroupWorld.create();
    const [memberId] = (await joinedMembers(world, 1)) as [string];
    await world.now(sync(world, { memberId, generationId: 1 }));
    for (let seconds = 0; seconds < 30; seconds += 5) {
      await world.pass(5000);
      assert.equal(await commit(world, { memberId, generationIdOrMemberEpoch: 1 }), 'NONE');
    }
    await world.pass(10_500);
    assert.equal(await commit(world, { memberId, generationIdOrMemberEpoch: 1 }), 'UNKNOWN_MEMBER_ID');
  });

  it('of a transaction is judged by its member and generation, not by the state of the group', () => {
    const group = new ClassicGroup('g', 'completingRebalance', {
      generation: 3,
      protocolType: 'consumer',
      protocol: 'range',
      leader: null,
      stateTimestamp: 0,
    });
    const answer = (memberId: string, generationOrEpoch: number, transactional: boolean): string => {
      const claim = { memberId, groupInstanceId: null, generationOrEpoch, transactional, apiVersion: 3 };
      return nameOf(group.checkOffsetCommit(claim));
    };
    assert.equal(answer('', -1, true), 'NONE', 'older producers tell neither');
    assert.equal(answer('', -1, false), 'UNKNOWN_MEMBER_ID');
    assert.equal(answer('nobody', 3, true), 'UNKNOWN_MEMBER_ID');
  });
});

describe('who leaves', () => {
  it('without being a member disturbs nobody', async () => {
    const world = await GroupWorld.create();
    const [memberId] = (await joinedMembers(world, 1)) as [string];
    await world.now(sync(world, { memberId, generationId: 1 }));
    const strangers = [
      { memberId: 'nobody', groupInstanceId: null },
      { memberId: '', groupInstanceId: 'nobody' },
      { memberId, groupInstanceId: 'nobody' },
      { memberId: '', groupInstanceId: null },
    ];
    const left = await world.now(world.coordinator.leaveGroup('g', strangers));
    assert.deepEqual(left.members.map(nameOf), Array(4).fill('UNKNOWN_MEMBER_ID'));
    assert.equal(await stateOf(world), 'Stable');
    assert.equal(await beat(world, memberId, 1), 'NONE');
  });

  it('with a member id that it has not joined with is waited for no longer', async () => {
    const world = await GroupWorld.create();
    const [memberId] = (await joinedMembers(world, 1)) as [string];
    await world.now(sync(world, { memberId, generationId: 1 }));
    const pending = await newMember(world);
    const again = join(world, memberId);
    const left = await world.now(world.coordinator.leaveGroup('g', [{ memberId: pending, groupInstanceId: null }]));
    assert.deepEqual(left.members.map(nameOf), ['NONE']);
    assert.equal((await world.now(again)).generationId, 2);
    assert.equal(nameOf(await world.now(join(world, pending))), 'UNKNOWN_MEMBER_ID');
  });
});

describe('who got a member id and does not join with it', () => {
  it('holds up a rebalance until the session is over, and not longer', async () => {
    const world = await GroupWorld.create();
    const [memberId] = (await joinedMembers(world, 1)) as [string];
    await world.now(sync(world, { memberId, generationId: 1 }));
    await newMember(world);
    const again = join(world, memberId);
    let answered = false;
    void again.then(() => {
      answered = true;
    });
    await world.pass(9500);
    assert.equal(answered, false);
    await world.pass(1000);
    assert.equal((await world.now(again)).generationId, 2);
  });

  it('does not take anybody else with it when its session is over', async () => {
    const world = await GroupWorld.create();
    const [leader, follower] = (await joinedMembers(world, 2)) as [string, string];
    await world.now(sync(world, { memberId: leader, generationId: 1 }));
    await world.now(sync(world, { memberId: follower, generationId: 1 }));
    await newMember(world);
    const again = join(world, leader);
    for (let seconds = 0; seconds < 20; seconds += 5) {
      await world.pass(5000);
      assert.equal(await beat(world, follower, 1), 'REBALANCE_IN_PROGRESS');
    }
    const last = join(world, follower);
    const answers = await Promise.all([world.now(again), world.now(last)]);
    assert.deepEqual(
      answers.map(({ generationId, leader: led }) => [generationId, led]),
      [
        [2, leader],
        [2, leader],
      ],
    );
  });

  it('is forgotten with a group that is deleted', async () => {
    const world = await GroupWorld.create();
    await newMember(world);
    const [deleted] = await world.now(world.coordinator.deleteGroups(['g']));
    assert.equal(nameOf(deleted!), 'NONE');
    await world.pass(20_000);
    assert.deepEqual((await world.now(world.coordinator.listGroups({ states: [], types: [] }))).groups, []);
  });
});
