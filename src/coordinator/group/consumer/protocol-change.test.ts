import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import type { SyncGroupResponse } from '../../../protocol/apis/sync-group.ts';
import { encodeToBuffer } from '../../../protocol/codec.ts';
import { readAssignment, writeAssignment } from '../../../protocol/consumer-protocol.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import { consumerProtocolSubscription } from '../../../protocol/state/consumer-protocol.ts';
import { joinGroup } from '../classic/join.ts';
import { heartbeat, syncGroup } from '../classic/sync.ts';
import { CLIENT, SimulatedShard } from './simulated-shard.test.support.ts';

const VERSION = 3;

/** A consumer of the classic protocol with the cooperative assignor, step by step. */
class ClassicClient {
  readonly #shard: SimulatedShard;
  memberId = '';
  generation = -1;
  owned: number[] = [];
  joined: JoinGroupResponse | undefined;
  synced: SyncGroupResponse | undefined;

  constructor(shard: SimulatedShard) {
    this.#shard = shard;
  }

  join(): void {
    const { shard } = this.#shard;
    const head = Buffer.from([0, VERSION]);
    const subscription = encodeToBuffer(consumerProtocolSubscription, VERSION, {
      topics: ['t'],
      ownedPartitions: [{ topic: 't', partitions: this.owned }],
      generationId: this.generation,
    });
    const request = {
      groupId: 'g',
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 60_000,
      memberId: this.memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{ name: 'cooperative-sticky', metadata: Buffer.concat([head, subscription]) }],
      reason: null,
    };
    this.joined = undefined;
    const take = (response: JoinGroupResponse): void => {
      this.joined = response;
      if (response.memberId !== undefined && response.memberId !== '') this.memberId = response.memberId;
      if (response.errorCode === ErrorCode.NONE) this.generation = response.generationId!;
    };
    const client = { ...CLIENT, apiVersion: 9 };
    const group = this.#shard.group;
    if (group?.isEmpty === false) take(this.#shard.run(shard.consumer.join(group, request, client)));
    else this.#shard.run(joinGroup(shard.classic, request, client, take));
    if (this.joined !== undefined && this.#errorOfJoin() === ErrorCode.MEMBER_ID_REQUIRED) this.join();
  }

  #errorOfJoin(): number | undefined {
    return this.joined?.errorCode;
  }

  sync(assignments: ReadonlyMap<ClassicClient, readonly number[]> = new Map()): void {
    const { shard } = this.#shard;
    const request = {
      groupId: 'g',
      generationId: this.generation,
      memberId: this.memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocolName: 'cooperative-sticky',
      assignments: [...assignments].map(([{ memberId }, partitions]) => ({
        memberId,
        assignment: writeAssignment(VERSION, [{ topic: 't', partitions }]),
      })),
    };
    const take = (response: SyncGroupResponse): void => {
      this.synced = response;
      if (response.errorCode !== ErrorCode.NONE) return;
      const { assignedPartitions } = readAssignment(Buffer.from(response.assignment))!;
      this.owned = assignedPartitions.flatMap(({ partitions }) => partitions);
    };
    const group = this.#shard.group;
    if (group !== undefined) take(this.#shard.run(shard.consumer.sync(group, request)));
    else this.#shard.run(syncGroup(shard.classic, shard.groups.classic('g')!, request, take));
  }

  beat(): number {
    const { shard } = this.#shard;
    const { memberId, generation: generationId } = this;
    const request = { groupId: 'g', generationId, memberId, groupInstanceId: null };
    const group = this.#shard.group;
    if (group === undefined) return heartbeat(shard.classic, shard.groups.classic('g')!, request);
    return this.#shard.run(shard.consumer.classicHeartbeat(group, request)).errorCode;
  }

  /** What a consumer does every few seconds. */
  turn(): void {
    if (this.beat() !== ErrorCode.REBALANCE_IN_PROGRESS) return;
    this.join();
    if (this.joined?.errorCode === ErrorCode.NONE) this.sync();
  }
}

/** A stable classic group of two members that share the four partitions of `t`. */
function classicPair(config: Readonly<Record<string, string>> = {}) {
  const shard = new SimulatedShard({ config });
  const topicId = shard.createTopic('t', 4);
  const first = new ClassicClient(shard);
  const second = new ClassicClient(shard);
  first.join();
  second.join();
  // The group waits for members a moment, however short.
  shard.clock.advance(1);
  const leader = first.joined!.leader === first.memberId ? first : second;
  const follower = leader === first ? second : first;
  follower.sync();
  leader.sync(
    new Map([
      [first, [0, 1]],
      [second, [2, 3]],
    ]),
  );
  assert.deepEqual(
    [first.owned, second.owned],
    [
      [0, 1],
      [2, 3],
    ],
  );
  return { shard, topicId, first, second };
}

test('a classic group takes a member of the newer protocol in without stopping', () => {
  const { shard, first, second } = classicPair();
  const { generation } = first;
  const joined = shard.join('new', ['t']);
  assert.equal(joined.errorCode, ErrorCode.NONE, String(joined.errorMessage));
  assert.equal(shard.group!.groupEpoch, generation + 1);
  assert.equal(shard.group!.classicMembers, 2);
  let epoch = joined.memberEpoch!;
  let owned = 0;
  for (let turn = 0; turn < 6; turn++) {
    shard.clock.advance(3000);
    first.turn();
    second.turn();
    const reply = shard.beat({ memberId: 'new', memberEpoch: epoch });
    epoch = reply.memberEpoch!;
    owned = reply.assignment?.topicPartitions[0]?.partitions.length ?? owned;
    const all = [...first.owned, ...second.owned];
    assert.equal(new Set(all).size, all.length);
  }
  assert.deepEqual([first.owned.length + second.owned.length, owned], [3, 1]);
  assert.equal(shard.group!.stateName, 'Stable');
  const types = shard.shard.consumer.describe(['g'])[0]!.members.map(({ memberType }) => memberType);
  assert.deepEqual(types.sort(), [0, 0, 1]);
  const before = shard.shard.consumer.describe(['g']);
  shard.restart();
  assert.deepEqual(shard.shard.consumer.describe(['g']), before, 'and is the same when it is loaded');
});

test('when its last member of the newer protocol goes, a group is a classic one again', () => {
  const { shard, first, second } = classicPair();
  shard.join('new', ['t']);
  for (let turn = 0; turn < 4; turn++) {
    shard.clock.advance(3000);
    first.turn();
    second.turn();
  }
  shard.beat({ memberId: 'new', memberEpoch: -1 });
  assert.equal(shard.group, undefined);
  const group = shard.shard.groups.classic('g')!;
  assert.deepEqual([group.state, group.members.size], ['preparingRebalance', 2]);
  assert.equal(first.beat(), ErrorCode.REBALANCE_IN_PROGRESS);
  first.join();
  second.join();
  assert.deepEqual([first.joined!.errorCode, second.joined!.errorCode], [ErrorCode.NONE, ErrorCode.NONE]);
  assert.equal(group.state, 'completingRebalance');
  shard.restart();
  assert.equal(shard.shard.groups.classic('g')!.members.size, 2);
});

test('a group changes its protocol only where the policy allows it', () => {
  const up = classicPair({ 'group.consumer.migration.policy': 'downgrade' });
  assert.equal(up.shard.join('new', ['t']).errorCode, ErrorCode.GROUP_ID_NOT_FOUND);
  const down = classicPair({ 'group.consumer.migration.policy': 'upgrade' });
  down.shard.join('new', ['t']);
  down.shard.beat({ memberId: 'new', memberEpoch: -1 });
  assert.equal(down.shard.group!.members.size, 2, 'stays a consumer group of classic members');
  const none = new SimulatedShard({ config: { 'group.consumer.migration.policy': 'disabled' } });
  none.createTopic('t', 1);
  none.join('new', ['t']);
  const client = new ClassicClient(none);
  client.join();
  assert.equal(client.joined!.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
});

test('a classic member that is silent, does not join or does not sync is put out of a consumer group', () => {
  for (const lapse of ['silence', 'join', 'sync'] as const) {
    const shard = new SimulatedShard();
    shard.createTopic('t', 4);
    let epoch = shard.join('new', ['t']).memberEpoch!;
    shard.clock.advance(1500);
    const client = new ClassicClient(shard);
    client.join();
    if (lapse !== 'sync') client.sync();
    const owned = [{ topicId: shard.image.topics.byName.get('t')!.id, partitions: [0, 1] }];
    for (let passed = 0; passed < 120_000; passed += 5000) {
      shard.clock.advance(5000);
      if (lapse !== 'silence') client.beat();
      epoch = shard.beat({ memberId: 'new', memberEpoch: epoch, topicPartitions: owned }).memberEpoch!;
    }
    assert.deepEqual([...shard.group!.members.keys()], ['new'], lapse);
  }
});

test('an empty consumer group makes room for a classic one, and the other way round', () => {
  const shard = new SimulatedShard();
  shard.createTopic('t', 1);
  shard.join('new', ['t']);
  shard.beat({ memberId: 'new', memberEpoch: -1 });
  assert.equal(shard.group!.stateName, 'Empty');
  const client = new ClassicClient(shard);
  client.join();
  shard.clock.advance(1);
  assert.deepEqual([client.joined!.errorCode, client.generation, shard.group], [ErrorCode.NONE, 1, undefined]);
  const { shard: other } = classicPair();
  other.clock.advance(120_000);
  assert.equal(other.shard.groups.classic('g')!.isEmpty, true);
  assert.equal(other.join('new', ['t']).errorCode, ErrorCode.NONE);
  assert.equal(other.group!.members.size, 1);
});
