import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorName } from '../../../protocol/error-codes.ts';
import {
  CLIENT,
  commitRequest,
  committedOffset,
  GroupWorld,
  joinRequest,
  READ_TOPIC,
  subscription,
  syncRequest,
} from '../group-world.test.support.ts';

type Change = Parameters<typeof joinRequest>[0];

const nameOf = (answer: { readonly errorCode?: number }): string => errorName((answer.errorCode ?? 0) as never);

/** Joins in two steps as clients do; the reply comes when the group has its generation. */
async function join(world: GroupWorld, change: Change = {}) {
  if (change.memberId !== undefined || change.groupInstanceId !== undefined) {
    return { reply: world.coordinator.joinGroup(joinRequest(change), CLIENT), memberId: change.memberId ?? '' };
  }
  const first = await world.now(world.coordinator.joinGroup(joinRequest(change), CLIENT));
  assert.equal(nameOf(first), 'MEMBER_ID_REQUIRED');
  const { memberId } = first;
  return { reply: world.coordinator.joinGroup(joinRequest({ ...change, memberId }), CLIENT), memberId };
}

/** A stable group of that many members; the first leads. */
async function stableGroup(world: GroupWorld, size: number, change: Change = {}) {
  const joining = [];
  for (let at = 0; at < size; at++) joining.push(await join(world, change));
  await world.pass(world.settings.initialRebalanceDelayMs * 2 + 500);
  const answers = await Promise.all(joining.map(({ reply }) => world.now(reply)));
  const { generationId } = answers[0]!;
  const members = answers.map(({ memberId }) => memberId);
  const syncs = answers.map(({ memberId, leader }) => {
    const assignments = members.map((each) => ({ memberId: each, assignment: Buffer.from(`for ${each}`) }));
    return world.coordinator.syncGroup(
      syncRequest({ memberId, generationId: generationId!, assignments: memberId === leader ? assignments : [] }),
    );
  });
  const synced = await Promise.all(syncs.map((reply) => world.now(reply)));
  for (const [at, { assignment }] of synced.entries()) assert.equal(String(assignment), `for ${members[at]}`);
  return { members, generationId: generationId!, leader: answers[0]!.leader };
}

async function beat(world: GroupWorld, memberId: string, generationId: number): Promise<string> {
  const request = { groupId: 'g', generationId, memberId, groupInstanceId: null };
  return nameOf(await world.now(world.coordinator.heartbeat(request)));
}

async function stateOf(world: GroupWorld): Promise<string> {
  const [group] = await world.now(world.coordinator.describeGroups(['g'], 6));
  return group!.groupState;
}

describe('a classic group', () => {
  it('waits for company when it begins, then every member gets what the leader assigned', async () => {
    const world = await GroupWorld.create();
    const first = await join(world);
    assert.equal(await stateOf(world), 'PreparingRebalance');
    await world.pass(2500);
    const second = await join(world);
    await world.pass(2500);
    // Somebody came during the first wait, so that there is a second.
    assert.equal(await stateOf(world), 'PreparingRebalance');
    await world.pass(1500);
    const answers = await Promise.all([world.now(first.reply), world.now(second.reply)]);
    assert.deepEqual(
      answers.map(({ generationId }) => generationId),
      [1, 1],
    );
    assert.equal(answers[0].leader, first.memberId);
    assert.deepEqual(
      answers.map(({ members }) => members.length),
      [2, 0],
    );
    assert.equal(await stateOf(world), 'CompletingRebalance');
  });

  it('has one assignment a generation, which survives a restart', async () => {
    for (const how of ['unload', 'kill'] as const) {
      const world = await GroupWorld.create();
      const { members, generationId } = await stableGroup(world, 3);
      await world.reload(how);
      assert.equal(await stateOf(world), 'Stable');
      for (const memberId of members) {
        assert.equal(await beat(world, memberId, generationId), 'NONE');
        const synced = await world.now(world.coordinator.syncGroup(syncRequest({ memberId, generationId })));
        assert.equal(String(synced.assignment), `for ${memberId}`);
      }
    }
  });

  it('asks all to join again when somebody comes, and drops who does not', async () => {
    const world = await GroupWorld.create();
    const { members, generationId } = await stableGroup(world, 2);
    const third = await join(world);
    assert.equal(await beat(world, members[0]!, generationId), 'REBALANCE_IN_PROGRESS');
    const again = await join(world, { memberId: members[0]! });
    for (let seconds = 0; seconds < 30; seconds += 5) {
      // The silent one shows that it lives, but does not join.
      await beat(world, members[1]!, generationId);
      await world.pass(5000);
    }
    const answers = await Promise.all([world.now(again.reply), world.now(third.reply)]);
    assert.deepEqual(
      answers.map(({ generationId: next }) => next),
      [generationId + 1, generationId + 1],
    );
    assert.equal(answers.find(({ members: list }) => list.length > 0)?.members.length, 2);
    assert.equal(await beat(world, members[1]!, generationId), 'UNKNOWN_MEMBER_ID');
  });

  it('drops a member that is silent for its session', async () => {
    const world = await GroupWorld.create();
    const { members, generationId } = await stableGroup(world, 2);
    await world.pass(6000);
    assert.equal(await beat(world, members[0]!, generationId), 'NONE');
    await world.pass(5000);
    assert.equal(await beat(world, members[0]!, generationId), 'REBALANCE_IN_PROGRESS');
    assert.equal(await beat(world, members[1]!, generationId), 'UNKNOWN_MEMBER_ID');
  });

  it('becomes empty when the last member leaves, and goes on counting generations', async () => {
    const world = await GroupWorld.create();
    const { members } = await stableGroup(world, 2);
    const left = await world.now(
      world.coordinator.leaveGroup(
        'g',
        [...members, 'nobody'].map((memberId) => ({ memberId, groupInstanceId: null })),
      ),
    );
    assert.deepEqual(left.members.map(nameOf), ['NONE', 'NONE', 'UNKNOWN_MEMBER_ID']);
    assert.equal(await stateOf(world), 'Empty');
    await world.reload('kill');
    const { generationId } = await stableGroup(world, 1);
    assert.equal(generationId, 3);
  });

  it('goes on without a member that joined and never asked for its assignment', async () => {
    const world = await GroupWorld.create();
    const joining = [await join(world), await join(world)];
    await world.pass(6500);
    const [first] = await Promise.all(joining.map(({ reply }) => world.now(reply)));
    const sync = syncRequest({ memberId: first!.memberId, generationId: first!.generationId! });
    assert.equal(nameOf(await world.now(world.coordinator.syncGroup(sync))), 'NONE');
    for (let seconds = 0; seconds < 30; seconds += 5) {
      for (const { memberId } of joining) await beat(world, memberId, 1);
      await world.pass(5000);
    }
    assert.equal(await beat(world, joining[1]!.memberId, 1), 'UNKNOWN_MEMBER_ID');
    assert.equal(await beat(world, joining[0]!.memberId, 1), 'REBALANCE_IN_PROGRESS');
  });

  it('tells a waiting follower to join again when another one comes before the assignment', async () => {
    const world = await GroupWorld.create();
    const joining = [await join(world), await join(world)];
    await world.pass(6500);
    const answers = await Promise.all(joining.map(({ reply }) => world.now(reply)));
    const follower = answers.find(({ memberId, leader }) => memberId !== leader)!;
    const sync = syncRequest({ memberId: follower.memberId, generationId: 1 });
    const waiting = world.coordinator.syncGroup(sync);
    await join(world);
    assert.equal(nameOf(await world.now(waiting)), 'REBALANCE_IN_PROGRESS');
  });

  it('keeps the assignment of a static member that comes back, and fences who it was', async () => {
    const world = await GroupWorld.create();
    const joining = await join(world, { groupInstanceId: 'i' });
    await world.pass(6500);
    const first = await world.now(joining.reply);
    const assignments = [{ memberId: first.memberId, assignment: Buffer.from('mine') }];
    const sync = { groupInstanceId: 'i', generationId: 1 };
    await world.now(world.coordinator.syncGroup(syncRequest({ ...sync, memberId: first.memberId, assignments })));
    const back = await world.now((await join(world, { groupInstanceId: 'i' })).reply);
    assert.equal(back.generationId, 1);
    assert.equal(back.skipAssignment, true);
    assert.notEqual(back.memberId, first.memberId);
    const again = await world.now(world.coordinator.syncGroup(syncRequest({ ...sync, memberId: back.memberId })));
    assert.equal(String(again.assignment), 'mine');
    const old = { groupId: 'g', generationId: 1, memberId: first.memberId, groupInstanceId: 'i' };
    assert.equal(nameOf(await world.now(world.coordinator.heartbeat(old))), 'FENCED_INSTANCE_ID');
    await world.reload('kill');
    const kept = await world.now(world.coordinator.syncGroup(syncRequest({ ...sync, memberId: back.memberId })));
    assert.equal(String(kept.assignment), 'mine');
    const gone = await world.now(world.coordinator.leaveGroup('g', [{ memberId: '', groupInstanceId: 'i' }]));
    assert.deepEqual(gone.members.map(nameOf), ['NONE']);
    assert.equal(await stateOf(world), 'Empty');
  });

  it('takes the protocol that all support and most want', async () => {
    const world = await GroupWorld.create();
    const metadata = subscription([READ_TOPIC]);
    const wants = [['range'], ['range', 'sticky'], ['sticky', 'range'], ['other', 'range', 'sticky']];
    const joining = [];
    for (const names of wants) {
      joining.push(await join(world, { protocols: names.map((name) => ({ name, metadata })) }));
    }
    const stranger = await join(world, { memberId: '', protocols: [{ name: 'other', metadata }] });
    assert.equal(nameOf(await world.now(stranger.reply)), 'INCONSISTENT_GROUP_PROTOCOL');
    const otherType = await join(world, { memberId: '', protocolType: 'connect' });
    assert.equal(nameOf(await world.now(otherType.reply)), 'INCONSISTENT_GROUP_PROTOCOL');
    await world.pass(6500);
    for (const { reply } of joining) assert.equal((await world.now(reply)).protocolName, 'range');
  });

  it('has no room for more members than it may have', async () => {
    const world = await GroupWorld.create({ settings: { maxMembers: 2 } });
    await stableGroup(world, 2);
    const third = await join(world, { memberId: '' });
    assert.equal(nameOf(await world.now(third.reply)), 'GROUP_MAX_SIZE_REACHED');
  });

  it('refuses sessions out of range, empty ids and members that it does not know', async () => {
    const world = await GroupWorld.create();
    const answer = async (change: Change): Promise<string> =>
      nameOf(await world.now(world.coordinator.joinGroup(joinRequest(change), CLIENT)));
    assert.equal(await answer({ sessionTimeoutMs: 5999 }), 'INVALID_SESSION_TIMEOUT');
    assert.equal(await answer({ groupId: '' }), 'INVALID_GROUP_ID');
    assert.equal(await answer({ memberId: 'nobody' }), 'UNKNOWN_MEMBER_ID');
    assert.equal(await answer({ protocolType: '' }), 'INCONSISTENT_GROUP_PROTOCOL');
    assert.equal(await beat(world, 'nobody', 1), 'UNKNOWN_MEMBER_ID');
  });

  it('fences generations and members that are over, in heartbeats and commits', async () => {
    const world = await GroupWorld.create();
    const { members, generationId } = await stableGroup(world, 1);
    const memberId = members[0]!;
    const commit = async (change: Parameters<typeof commitRequest>[1]): Promise<string> => {
      const answer = await world.now(world.coordinator.commitOffsets(commitRequest(7, change), 9));
      return nameOf(answer.topics[0]!.partitions[0]!);
    };
    assert.equal(await commit({ memberId, generationIdOrMemberEpoch: generationId }), 'NONE');
    assert.equal(await commit({ memberId, generationIdOrMemberEpoch: generationId - 1 }), 'ILLEGAL_GENERATION');
    assert.equal(await commit({ memberId: 'nobody', generationIdOrMemberEpoch: generationId }), 'UNKNOWN_MEMBER_ID');
    assert.equal(await commit({}), 'UNKNOWN_MEMBER_ID');
    assert.equal(await beat(world, memberId, generationId + 1), 'ILLEGAL_GENERATION');
    const again = await join(world, { memberId });
    assert.equal((await world.now(again.reply)).generationId, generationId + 1);
    const joined = { memberId, generationIdOrMemberEpoch: generationId + 1 };
    assert.equal(await commit(joined), 'REBALANCE_IN_PROGRESS');
    assert.equal(await committedOffset(world), 7);
  });

  it('answers whoever waits when another broker becomes the coordinator', async () => {
    const world = await GroupWorld.create();
    const joining = await join(world);
    await world.restart('unload');
    assert.equal(nameOf(await world.now(joining.reply)), 'NOT_COORDINATOR');
  });

  it('says that it is loading as long as it does, but keeps members alive', async () => {
    const world = await GroupWorld.create();
    const { members, generationId } = await stableGroup(world, 1);
    await world.restart('unload');
    const commit = world.coordinator.commitOffsets(commitRequest(1), 9);
    const beating = world.coordinator.heartbeat({
      groupId: 'g',
      generationId,
      memberId: members[0]!,
      groupInstanceId: null,
    });
    assert.equal(nameOf((await world.now(commit)).topics[0]!.partitions[0]!), 'COORDINATOR_LOAD_IN_PROGRESS');
    assert.equal(nameOf(await world.now(beating)), 'NONE');
  });

  it('gives old clients their member id with the first answer', async () => {
    const world = await GroupWorld.create();
    const reply = world.coordinator.joinGroup(joinRequest(), { ...CLIENT, apiVersion: 3 });
    await world.pass(6500);
    const answer = await world.now(reply);
    assert.equal(nameOf(answer), 'NONE');
    assert.match(answer.memberId, /^client-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
