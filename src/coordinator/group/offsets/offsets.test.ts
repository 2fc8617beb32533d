import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ZERO_UUID } from '../../../base/uuid.ts';
import { applyRecords } from '../../../metadata/image.ts';
import { newRecord } from '../../../metadata/records.ts';
import { ErrorCode, errorName } from '../../../protocol/error-codes.ts';
import { buildBatch } from '../../../records/builder.ts';
import { ControlType, controlKey, endTransactionValue } from '../../../records/control.ts';
import {
  CLIENT,
  commitRequest,
  committedOffset,
  GroupWorld,
  joinRequest,
  READ_TOPIC,
  READ_TOPIC_ID,
  syncRequest,
} from '../group-world.test.support.ts';
import { encodeGroupRecord, type GroupRecord, groupRecord, groupTombstone } from '../records.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
type Change = Parameters<typeof commitRequest>[1];

async function commit(world: GroupWorld, offset: number, change: Change = {}): Promise<string> {
  const answer = await world.now(world.coordinator.commitOffsets(commitRequest(offset, change), 9));
  return errorName(answer.topics[0]!.partitions[0]!.errorCode as never);
}

async function groups(world: GroupWorld): Promise<string[]> {
  const listed = await world.now(world.coordinator.listGroups({ states: [], types: [] }));
  return listed.groups.map(({ groupId, groupState }) => `${groupId} ${groupState}`);
}

/** Lets many hours pass: the offsets are looked at every ten minutes. */
async function passHours(world: GroupWorld, hours: number): Promise<void> {
  for (let at = 0; at < hours; at++) {
    world.clock.advance(HOUR_MS);
    await world.settle();
  }
}

/** A member that has joined alone and reads the topic. */
async function consumer(world: GroupWorld): Promise<{ memberId: string; generationId: number }> {
  const { memberId } = await world.now(world.coordinator.joinGroup(joinRequest(), CLIENT));
  const request = joinRequest({ memberId, sessionTimeoutMs: 1_800_000 });
  const reply = world.coordinator.joinGroup(request, CLIENT);
  await world.pass(6500);
  const { generationId } = await world.now(reply);
  await world.now(world.coordinator.syncGroup(syncRequest({ memberId, generationId: generationId! })));
  return { memberId, generationId: generationId! };
}

describe('committed offsets', () => {
  it('are there after every kind of restart, once acknowledged and durable', async () => {
    const world = await GroupWorld.create({ log: { flushMessages: 1 } });
    for (const how of ['unload', 'kill', 'losePower'] as const) {
      for (let offset = 1; offset <= 3; offset++) assert.equal(await commit(world, offset), 'NONE');
      await world.reload(how);
      assert.equal(await committedOffset(world), 3, how);
    }
    assert.deepEqual(await groups(world), ['g Empty']);
  });

  it('are acknowledged no earlier than they are durable, and read no earlier either', async () => {
    const world = await GroupWorld.create({ log: { flushMessages: 1 }, holdsDisk: true });
    const told: string[] = [];
    const request = { groupId: 'g', memberId: null, memberEpoch: -1, topics: null };
    void world.coordinator.commitOffsets(commitRequest(5), 9).then(() => told.push('committed'));
    void world.coordinator.fetchOffsets(request, { requireStable: false }).then(() => told.push('fetched'));
    await world.settle();
    assert.deepEqual(told, []);
    while (world.disk.waiting > 0) {
      world.disk.letGo();
      await world.settle();
    }
    assert.deepEqual(told, ['committed', 'fetched']);
  });

  it('are refused where the disk failed, and then the broker is the coordinator no longer', async () => {
    const world = await GroupWorld.create();
    world.disk.fault = (operation) => (operation === 'write' ? { code: 'EIO' } : undefined);
    assert.equal(await commit(world, 1), 'NOT_COORDINATOR');
    world.disk.fault = undefined;
    assert.equal(await commit(world, 2), 'NOT_COORDINATOR');
  });

  it('carry notes up to a length', async () => {
    const world = await GroupWorld.create({ settings: { offsetMetadataMaxLength: 10 } });
    const withNote = (length: number): Change => {
      const [topic] = commitRequest(1).topics;
      const partitions = [{ ...topic!.partitions[0]!, committedMetadata: 'n'.repeat(length) }];
      return { topics: [{ ...topic!, partitions }] };
    };
    assert.equal(await commit(world, 1, withNote(10)), 'NONE');
    assert.equal(await commit(world, 1, withNote(11)), 'OFFSET_METADATA_TOO_LARGE');
  });

  it('of a group that only commits expire from the commit on, and the group with them', async () => {
    const world = await GroupWorld.create({ settings: { offsetsRetentionMs: DAY_MS } });
    await commit(world, 1);
    await passHours(world, 20);
    await world.reload('kill');
    await passHours(world, 3);
    assert.equal(await committedOffset(world), 1);
    await passHours(world, 2);
    assert.equal(await committedOffset(world), -1);
    assert.deepEqual(await groups(world), []);
    await world.reload('kill');
    assert.deepEqual(await groups(world), []);
  });

  it('of a group with members do not expire while they read the topic', async () => {
    const world = await GroupWorld.create({ settings: { offsetsRetentionMs: DAY_MS } });
    const { memberId, generationId } = await consumer(world);
    const claim = { memberId, generationIdOrMemberEpoch: generationId };
    assert.equal(await commit(world, 1, claim), 'NONE');
    const beat = { groupId: 'g', memberId, generationId, groupInstanceId: null };
    for (let halves = 0; halves < 2 * 60; halves++) {
      world.clock.advance(HOUR_MS / 4);
      assert.equal((await world.now(world.coordinator.heartbeat(beat))).errorCode, 0);
    }
    assert.equal(await committedOffset(world), 1);
    await world.now(world.coordinator.leaveGroup('g', [{ memberId, groupInstanceId: null }]));
    await passHours(world, 23);
    // From the time on at which the group became empty, over a restart too.
    await world.reload('kill');
    assert.equal(await committedOffset(world), 1);
    await passHours(world, 2);
    assert.equal(await committedOffset(world), -1);
  });

  it('that an old client gave a time of their own expire then', async () => {
    const world = await GroupWorld.create();
    await commit(world, 1, { retentionTimeMs: 2 * HOUR_MS });
    await world.reload('kill');
    await passHours(world, 1);
    assert.equal(await committedOffset(world), 1);
    await passHours(world, 2);
    assert.equal(await committedOffset(world), -1);
  });

  it('go with their topic, but not those of a topic of the same name that was created since', async () => {
    const world = await GroupWorld.create();
    await commit(world, 1);
    const without = applyRecords(world.image, [newRecord('removeTopic', { topicId: READ_TOPIC_ID })], 2, 0);
    world.image = without.image;
    world.coordinator.follow(without.delta, without.image);
    await world.settle();
    assert.equal(await committedOffset(world), -1);
    const newId = 'rrrrrrrrrrrrrrrrrrrrrg';
    const [topic] = commitRequest(4).topics;
    await commit(world, 4, { topics: [{ ...topic!, topicId: newId }] });
    world.coordinator.follow(without.delta, without.image);
    const topics = [{ name: READ_TOPIC, topicId: newId, partitionIndexes: [0] }];
    const fetch = { groupId: 'g', memberId: null, memberEpoch: -1, topics };
    const fetched = await world.now(world.coordinator.fetchOffsets(fetch, { requireStable: false }));
    assert.equal(fetched.topics[0]!.partitions[0]!.committedOffset, 4);
    assert.equal(await committedOffset(world), -1, 'asked for by the id of the deleted topic');
  });

  it('are deleted unless a member reads the topic, and go with their group', async () => {
    const world = await GroupWorld.create();
    const { memberId, generationId } = await consumer(world);
    await commit(world, 1, { memberId, generationIdOrMemberEpoch: generationId });
    const request = { groupId: 'g', topics: [{ name: READ_TOPIC, partitions: [{ partitionIndex: 0 }] }] };
    const inUse = await world.now(world.coordinator.deleteOffsets(request));
    assert.equal(inUse.topics[0]!.partitions[0]!.errorCode, ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC);
    const [refused] = await world.now(world.coordinator.deleteGroups(['g']));
    assert.equal(refused!.errorCode, ErrorCode.NON_EMPTY_GROUP);
    await world.now(world.coordinator.leaveGroup('g', [{ memberId, groupInstanceId: null }]));
    await world.now(world.coordinator.deleteOffsets(request));
    assert.equal(await committedOffset(world), -1);
    await commit(world, 2);
    const [deleted] = await world.now(world.coordinator.deleteGroups(['g']));
    assert.equal(deleted!.errorCode, ErrorCode.NONE);
    for (const how of ['unload', 'kill'] as const) {
      assert.deepEqual(await groups(world), []);
      assert.equal(await committedOffset(world), -1);
      await world.reload(how);
    }
    const [gone] = await world.now(world.coordinator.deleteGroups(['g']));
    assert.equal(gone!.errorCode, ErrorCode.GROUP_ID_NOT_FOUND);
  });

  it('of strangers are refused while the group has members, and of generations where there is no group', async () => {
    const world = await GroupWorld.create();
    for (const generationIdOrMemberEpoch of [0, 3]) {
      assert.equal(await commit(world, 1, { generationIdOrMemberEpoch }), 'GROUP_ID_NOT_FOUND');
    }
    const older = await world.now(
      world.coordinator.commitOffsets(commitRequest(1, { generationIdOrMemberEpoch: 3 }), 8),
    );
    assert.equal(older.topics[0]!.partitions[0]!.errorCode, ErrorCode.ILLEGAL_GENERATION);
    const deletion = { groupId: 'g', topics: [{ name: READ_TOPIC, partitions: [{ partitionIndex: 0 }] }] };
    const nothing = await world.now(world.coordinator.deleteOffsets(deletion));
    assert.equal(nothing.errorCode, ErrorCode.GROUP_ID_NOT_FOUND);
    await consumer(world);
    assert.equal(await commit(world, 1), 'UNKNOWN_MEMBER_ID');
  });
});

const offsetKey = { group: 'g', topic: READ_TOPIC, partition: 0 };
const offsetRecord = (offset: number): GroupRecord =>
  groupRecord('offsetCommit', offsetKey, { offset, metadata: '', commitTimestamp: 1, topicId: ZERO_UUID });

const TRANSACTIONAL = { producerId: 9, producerEpoch: 0, transactional: true };

function appendTransactional(world: GroupWorld, offset: number): void {
  const { key, value } = encodeGroupRecord(offsetRecord(offset));
  const bytes = buildBatch({ ...TRANSACTIONAL, baseSequence: 0, records: [{ key, value, timestamp: 1 }] });
  assert.ok(world.partition.append(bytes, { origin: 'coordinator' }, -1).ok);
}

function appendMarker(world: GroupWorld, committed: boolean): void {
  const key = controlKey(committed ? ControlType.COMMIT : ControlType.ABORT);
  const records = [{ key, value: endTransactionValue(0), timestamp: 1 }];
  const bytes = buildBatch({ ...TRANSACTIONAL, control: true, records });
  assert.ok(world.partition.append(bytes, { origin: 'coordinator' }, -1).ok);
}

describe('offsets of transactions', () => {
  it('count once the transaction is committed, and not at all where it is aborted', async () => {
    const world = await GroupWorld.create();
    await commit(world, 1);
    appendTransactional(world, 7);
    await world.reload();
    assert.equal(await committedOffset(world), 1);
    const topics = [{ name: READ_TOPIC, topicId: ZERO_UUID, partitionIndexes: [0] }];
    const fetch = { groupId: 'g', memberId: null, memberEpoch: -1, topics };
    const unstable = await world.now(world.coordinator.fetchOffsets(fetch, { requireStable: true }));
    assert.equal(unstable.topics[0]!.partitions[0]!.errorCode, ErrorCode.UNSTABLE_OFFSET_COMMIT);
    appendMarker(world, false);
    await world.reload();
    assert.equal(await committedOffset(world), 1);
    appendTransactional(world, 8);
    appendMarker(world, true);
    await world.reload();
    assert.equal(await committedOffset(world), 8);
    const stable = await world.now(world.coordinator.fetchOffsets(fetch, { requireStable: true }));
    assert.equal(stable.topics[0]!.partitions[0]!.errorCode, ErrorCode.NONE);
  });

  it('do not undo what was committed after them', async () => {
    const world = await GroupWorld.create();
    appendTransactional(world, 7);
    await world.reload();
    await commit(world, 20);
    appendMarker(world, true);
    await world.reload();
    assert.equal(await committedOffset(world), 20);
  });
});

describe('loading', () => {
  it('ends at the end of the log, whatever compaction took away before', async () => {
    const world = await GroupWorld.create();
    const append = (record: GroupRecord, baseOffset: number, lastOffsetDelta: number): void => {
      const { key, value } = encodeGroupRecord(record);
      const records = [{ key, value, timestamp: 1, offsetDelta: lastOffsetDelta }];
      assert.ok(world.log.appendAsFollower(buildBatch({ baseOffset, leaderEpoch: 0, records })).ok);
    };
    append(offsetRecord(1), 5, 2);
    append(offsetRecord(2), 100, 0);
    // What is left of a batch that lost its last records, at the end of the log.
    const { key, value } = encodeGroupRecord(offsetRecord(3));
    const last = { baseOffset: 200, leaderEpoch: 0, lastOffsetDelta: 9 };
    const bytes = buildBatch({ ...last, records: [{ key, value, timestamp: 1 }] });
    assert.ok(world.log.appendAsFollower(bytes).ok);
    await world.reload('kill');
    assert.equal(await committedOffset(world), 3);
    await commit(world, 4);
    await world.reload('kill');
    assert.equal(await committedOffset(world), 4);
  });

  it('reads records of many chunks, and skips kinds that it does not know', async () => {
    const world = await GroupWorld.create();
    for (let offset = 0; offset < 300; offset++) await commit(world, offset);
    const key = Buffer.from([0, 99, 1, 2, 3]);
    const unknown = buildBatch({ records: [{ key, value: Buffer.from('?'), timestamp: 1 }] });
    assert.ok(world.partition.append(unknown, { origin: 'coordinator' }, -1).ok);
    await world.reload('kill');
    assert.equal(await committedOffset(world), 299);
  });

  it('takes an offset in the form of before Kafka 0.9', async () => {
    const world = await GroupWorld.create();
    const { key, value } = encodeGroupRecord(
      groupRecord('legacyOffsetCommit', offsetKey, { offset: 6, metadata: 'm', commitTimestamp: 1 }),
    );
    const bytes = buildBatch({ records: [{ key, value, timestamp: 1 }] });
    assert.ok(world.partition.append(bytes, { origin: 'coordinator' }, -1).ok);
    await world.reload();
    assert.equal(await committedOffset(world), 6);
    const gone = encodeGroupRecord(groupTombstone('offsetCommit', offsetKey));
    const tombstone = buildBatch({ records: [{ ...gone, timestamp: 1 }] });
    assert.ok(world.partition.append(tombstone, { origin: 'coordinator' }, -1).ok);
    await world.reload();
    assert.equal(await committedOffset(world), -1);
  });
});
