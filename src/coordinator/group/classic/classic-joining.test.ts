/** Who joins again: what that changes, and what it does not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import { errorName } from '../../../protocol/error-codes.ts';
import { CLIENT, GroupWorld, joinRequest, READ_TOPIC, subscription, syncRequest } from '../group-world.test.support.ts';

const nameOf = (answer: { readonly errorCode?: number }): string => errorName((answer.errorCode ?? 0) as never);
type Join = Parameters<typeof joinRequest>[0];

function join(world: GroupWorld, change: Join = {}, apiVersion = 9): Promise<JoinGroupResponse> {
  return world.coordinator.joinGroup(joinRequest(change), { ...CLIENT, apiVersion });
}

/** Members of generation 1, the leader first; clients of version 3 get their ids with the answer. */
async function members(world: GroupWorld, count: number): Promise<string[]> {
  const joining = Array.from({ length: count }, () => join(world, {}, 3));
  await world.pass(6500);
  const answers = await Promise.all(joining.map((reply) => world.now(reply)));
  return answers.map(({ memberId }) => memberId);
}

async function sync(world: GroupWorld, memberId: string, generationId: number): Promise<string> {
  return nameOf(await world.now(world.coordinator.syncGroup(syncRequest({ memberId, generationId }))));
}

async function stateOf(world: GroupWorld): Promise<string> {
  return (await world.now(world.coordinator.describeGroups(['g'], 6)))[0]!.groupState;
}

const OTHER = { protocols: [{ name: 'range', metadata: subscription([READ_TOPIC, 'more']) }] };

describe('a member that joins again', () => {
  it('before the assignment hears the same again, unless it wants something else', async () => {
    const world = await GroupWorld.create();
    const [leader, follower] = (await members(world, 2)) as [string, string];
    for (const [memberId, told] of [
      [leader, 2],
      [follower, 0],
    ] as const) {
      const answer = await world.now(join(world, { memberId }));
      assert.deepEqual([answer.generationId, answer.leader, answer.members.length], [1, leader, told]);
      assert.equal(await stateOf(world), 'CompletingRebalance');
    }
    const changed = join(world, { memberId: follower, ...OTHER });
    await world.settle();
    assert.equal(await stateOf(world), 'PreparingRebalance');
    const again = join(world, { memberId: leader });
    assert.deepEqual([(await world.now(changed)).generationId, (await world.now(again)).generationId], [2, 2]);
  });

  it('in a stable group changes something as the leader, or where it wants something else', async () => {
    const world = await GroupWorld.create();
    const [leader, follower] = (await members(world, 2)) as [string, string];
    for (const memberId of [leader, follower]) assert.equal(await sync(world, memberId, 1), 'NONE');
    const same = await world.now(join(world, { memberId: follower }));
    assert.deepEqual([same.generationId, same.members.length, await stateOf(world)], [1, 0, 'Stable']);
    const changes = [
      { first: { memberId: leader }, second: { memberId: follower } },
      { first: { memberId: follower, ...OTHER }, second: { memberId: leader } },
    ];
    for (const [at, { first, second }] of changes.entries()) {
      const begins = join(world, first);
      await world.settle();
      assert.equal(await stateOf(world), 'PreparingRebalance');
      const follows = join(world, second);
      const answers = [await world.now(begins), await world.now(follows)];
      assert.deepEqual(
        answers.map(({ generationId }) => generationId),
        [at + 2, at + 2],
      );
      for (const memberId of [leader, follower]) await sync(world, memberId, at + 2);
      assert.equal(await stateOf(world), 'Stable');
    }
  });

  it('under the instance id of another one is fenced', async () => {
    const world = await GroupWorld.create();
    const joining = ['i', 'j'].map((groupInstanceId) => join(world, { groupInstanceId }));
    await world.pass(6500);
    const [first, second] = await Promise.all(joining.map((reply) => world.now(reply)));
    const fenced = { memberId: first!.memberId, groupInstanceId: 'j' };
    assert.equal(nameOf(await world.now(join(world, fenced))), 'FENCED_INSTANCE_ID');
    const unknown = { memberId: second!.memberId, groupInstanceId: 'k' };
    assert.equal(nameOf(await world.now(join(world, unknown))), 'UNKNOWN_MEMBER_ID');
    const kept = await world.now(join(world, { memberId: second!.memberId, groupInstanceId: 'j' }));
    assert.deepEqual([nameOf(kept), kept.generationId], ['NONE', 1]);
  });
});

describe('a group', () => {
  it('does not begin with a member id that nobody gave', async () => {
    const world = await GroupWorld.create();
    assert.equal(nameOf(await world.now(join(world, { memberId: 'nobody' }))), 'UNKNOWN_MEMBER_ID');
    assert.deepEqual((await world.now(world.coordinator.listGroups({ states: [], types: [] }))).groups, []);
  });

  it('that cannot be stored does not begin', async () => {
    const world = await GroupWorld.create({ log: { maxMessageBytes: 80 } });
    assert.equal(nameOf(await world.now(join(world, {}, 3))), 'UNKNOWN_SERVER_ERROR');
    assert.deepEqual((await world.now(world.coordinator.listGroups({ states: [], types: [] }))).groups, []);
  });

  it('gives member ids first from version 4 on', async () => {
    const world = await GroupWorld.create();
    assert.equal(nameOf(await world.now(join(world, {}, 4))), 'MEMBER_ID_REQUIRED');
    const older = join(world, { groupId: 'older' }, 3);
    await world.pass(6500);
    assert.equal(nameOf(await world.now(older)), 'NONE');
  });

  it('counts who waits while its members join, and who waits already may ask again', async () => {
    const world = await GroupWorld.create({ settings: { maxMembers: 2 } });
    const ids = [];
    for (let at = 0; at < 2; at++) ids.push((await world.now(join(world))).memberId);
    const waiting = ids.map((memberId) => join(world, { memberId }));
    await world.settle();
    assert.equal(nameOf(await world.now(join(world, {}, 3))), 'GROUP_MAX_SIZE_REACHED');
    const again = join(world, { memberId: ids[1]! });
    await world.pass(6500);
    assert.equal(nameOf(await world.now(waiting[0]!)), 'NONE');
    const answer = await world.now(again);
    assert.deepEqual([nameOf(answer), answer.generationId], ['NONE', 1]);
  });
});
