import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ErrorCode } from '../protocol/error-codes.ts';
import { buildBatch } from '../records/builder.ts';
import { untilDeleted } from '../replication/delayed-operations.ts';
import { ListOffsetsTimestamp } from '../replication/reading.ts';
import { CONTROLLER, ReplicaWorld, recordsOf, TOPIC, TOPIC_ID } from './replica-world.test.support.ts';

const values = (world: ReplicaWorld, id: number): string[] => recordsOf(world.log(id)).map(({ value }) => value);

async function agree(world: ReplicaWorld, expected: readonly string[]): Promise<void> {
  const same = (): boolean => world.brokerIds.every((id) => values(world, id).join() === expected.join());
  await world.until(same, `every replica has ${expected.join()}`);
}

const NOBODY_LEAVES = { 'replica.lag.time.max.ms': '60000', 'sluice.replica.silence.max.ms': '0' };

/** One that leads cannot be reached by others, nor they by it. */
function cutAmongBrokers(world: ReplicaWorld, id: number): void {
  for (const other of world.brokerIds) {
    if (other === id) continue;
    world.cut(id, other);
    world.cut(other, id);
  }
}

describe('a producer with acks=all', () => {
  it('is told once its records are on every replica, and consumers see them from then on', async () => {
    const world = await ReplicaWorld.create();
    const told = await world.finish(world.produce(1, ['a', 'b']));
    assert.equal(told.errorCode, ErrorCode.NONE);
    for (const id of world.brokerIds) assert.deepEqual(values(world, id), ['a', 'b']);
    assert.equal(world.partition(1).highWatermark, 2);
    await world.until(() => world.partition(2).highWatermark === 2, 'a follower hears of the high watermark');
  });

  it('waits for its time and is told that it is over, while records stay invisible', async () => {
    const world = await ReplicaWorld.create({ overrides: NOBODY_LEAVES });
    cutAmongBrokers(world, 1);
    const startedMs = world.clock.monotonicMs();
    const told = await world.finish(world.produce(1, ['a'], { timeoutMs: 700 }));
    assert.equal(told.errorCode, ErrorCode.REQUEST_TIMED_OUT);
    assert.ok(world.clock.monotonicMs() - startedMs >= 700);
    const seen = await world.finish(world.fetch(1, { offset: 0 }));
    assert.equal(seen.highWatermark, 0);
    assert.equal(seen.records?.length, 0);
  });

  it('goes on when a follower that hangs was let go', async () => {
    const world = await ReplicaWorld.create();
    world.nodes.get(3)!.clock.pause();
    const told = await world.finish(world.produce(1, ['a'], { timeoutMs: 10_000 }));
    assert.equal(told.errorCode, ErrorCode.NONE);
    assert.deepEqual(world.state().isr, [1, 2]);
    world.nodes.get(3)!.clock.resume();
    await world.until(() => world.state().isr.length === 3, 'it comes back in');
    await agree(world, ['a']);
  });

  it('does not wait for one that hangs as long as for one that lags', async () => {
    const world = await ReplicaWorld.create({ overrides: { 'replica.lag.time.max.ms': '30000' } });
    world.nodes.get(3)!.clock.pause();
    const startedMs = world.clock.monotonicMs();
    const told = await world.finish(world.produce(1, ['a'], { timeoutMs: 10_000 }));
    assert.equal(told.errorCode, ErrorCode.NONE);
    assert.ok(world.clock.monotonicMs() - startedMs < 3500, `${world.clock.monotonicMs() - startedMs} ms`);
    assert.deepEqual(world.state().isr, [1, 2]);
  });

  it('is refused while too few replicas are in sync', async () => {
    const world = await ReplicaWorld.create({ configs: { 'min.insync.replicas': 3 } });
    world.kill(3);
    world.controller.fence(3);
    await world.run(100);
    const told = await world.finish(world.produce(1, ['a']));
    assert.equal(told.errorCode, ErrorCode.NOT_ENOUGH_REPLICAS);
    assert.equal(world.log(1).endOffset, 0);
  });

  it('is told that its records are not safe where replicas went after they were written', async () => {
    const world = await ReplicaWorld.create({ configs: { 'min.insync.replicas': 2 } });
    const partition = world.partition(1);
    for (const id of [2, 3]) world.nodes.get(id)!.clock.pause();
    const waiting = world.produce(1, ['a'], { timeoutMs: 20_000 });
    await world.run(3000);
    assert.deepEqual(world.state().isr, [1]);
    // Below min.insync.replicas nothing is committed, though it is on all that are in sync.
    assert.equal(partition.highWatermark, 0);
    world.nodes.get(2)!.clock.resume();
    const told = await world.finish(waiting);
    assert.equal(told.errorCode, ErrorCode.NONE);
    partition.setMinInSyncReplicas(3);
    assert.equal(partition.commitOutcome(1), ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND);
  });

  it('hears from a deposed leader who leads now and where', async () => {
    const world = await ReplicaWorld.create();
    cutAmongBrokers(world, 1);
    const waiting = world.produce(1, ['a'], { timeoutMs: 10_000 });
    await world.run(200);
    world.controller.elect(TOPIC_ID, 0, 2);
    const { errorCode, response } = await world.finish(waiting);
    assert.equal(errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER);
    const told = response.responses![0]!.partitionResponses![0]!;
    assert.deepEqual(told.currentLeader, { leaderId: 2, leaderEpoch: 1 });
    assert.deepEqual(
      response.nodeEndpoints!.map(({ nodeId, port }) => [nodeId, port]),
      [[2, 9002]],
    );
  });

  it('is told of a disk that failed, and another replica goes on', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['a']));
    cutAmongBrokers(world, 1);
    const waiting = world.produce(1, ['b'], { timeoutMs: 10_000 });
    await world.run(100);
    world.disks.get(1)!.failBelow('/data', 'EIO');
    const refused = await world.finish(world.produce(1, ['c'], { acks: 1 }));
    assert.equal(refused.errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
    assert.equal((await world.finish(waiting)).errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
    world.controller.fence(1);
    await world.run(100);
    const told = await world.finish(world.produce(2, ['d']));
    assert.equal(told.errorCode, ErrorCode.NONE);
    assert.deepEqual(values(world, 2), ['a', 'd']);
  });
});

describe('a follower', () => {
  it('cuts what its leader never had, by leader epoch, and nothing more', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['a', 'b']));
    cutAmongBrokers(world, 1);
    await world.finish(world.produce(1, ['lost1', 'lost2'], { acks: 1 }));
    world.controller.elect(TOPIC_ID, 0, 2);
    await world.run(200);
    await world.finish(world.produce(2, ['c'], { acks: 1 }));
    world.heal();
    await agree(world, ['a', 'b', 'c']);
    assert.equal(world.log(1).endOffset, 3);
  });

  it('keeps what lies above the high watermark that it knows of, when it starts again and comes to lead', async () => {
    const world = await ReplicaWorld.create({ brokers: 2 });
    await world.finish(world.produce(1, ['a']));
    assert.equal(world.partition(2).highWatermark, 0, 'the follower has not heard that it is committed');
    world.kill(2);
    world.controller.fence(2);
    await world.start(2);
    await world.until(() => world.state().isr.length === 2, 'it is in sync again');
    world.kill(1);
    world.controller.fence(1);
    await world.run(100);
    assert.deepEqual(values(world, 2), ['a']);
    assert.equal(world.partition(2).isLeader, true);
  });

  it('parts from a leader of several epochs at the right place, in several cuts', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['a']));
    // Each leader in turn writes alone what the next one does not have.
    cutAmongBrokers(world, 1);
    cutAmongBrokers(world, 2);
    await world.finish(world.produce(1, ['x0'], { acks: 1 }));
    for (const [leader, value] of [
      [2, 'x1'],
      [1, 'x2'],
      [2, 'x3'],
      [3, 'b'],
    ] as const) {
      world.controller.elect(TOPIC_ID, 0, leader);
      await world.run(100);
      await world.finish(world.produce(leader, [value], { acks: 1 }));
    }
    assert.deepEqual(values(world, 1), ['a', 'x0', 'x2']);
    assert.deepEqual(values(world, 2), ['a', 'x1', 'x3']);
    world.heal();
    await agree(world, ['a', 'b']);
  });

  it('that has nothing of what its leader still has begins at the start of the leader', async () => {
    const world = await ReplicaWorld.create({ configs: { 'internal.segment.bytes': 200 } });
    world.kill(3);
    world.controller.fence(3);
    for (const value of ['a', 'b', 'c', 'd', 'e']) {
      await world.finish(world.produce(1, [value.repeat(100)]));
    }
    assert.equal(world.partition(1).deleteRecordsBefore(4).errorCode, ErrorCode.NONE);
    world.log(1).applyRetention(world.clock.wallMs());
    await world.start(3);
    await world.until(() => world.state().isr.length === 3, 'it is in sync');
    assert.equal(world.log(3).startOffset, 4);
    assert.deepEqual(values(world, 3), values(world, 1));
  });

  it('starts its log where its leader does', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['a', 'b', 'c']));
    world.partition(1).deleteRecordsBefore(2);
    await world.until(() => world.log(2).startOffset === 2 && world.log(3).startOffset === 2, 'followers hear of it');
  });

  it('is waited for where records are deleted, unless its broker is down', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['a', 'b', 'c']));
    await world.run(600);
    const partition = world.partition(1);
    cutAmongBrokers(world, 3);
    assert.equal(partition.deleteRecordsBefore(2).startOffset, 2);
    const { clock } = world;
    assert.equal(await world.finish(untilDeleted(partition, 2, 1500, { clock })), ErrorCode.REQUEST_TIMED_OUT);
    assert.equal(partition.lowWatermark, 0);
    const waiting = untilDeleted(partition, 2, 20_000, { clock });
    world.controller.fence(3);
    assert.equal(await world.finish(waiting), ErrorCode.NONE);
    assert.equal(partition.lowWatermark, 2);
  });

  it('takes a leader that lost records in an unclean election for what it is', async () => {
    const world = await ReplicaWorld.create({ brokers: 2 });
    await world.finish(world.produce(1, ['a']));
    world.kill(2);
    world.controller.fence(2);
    await world.run(50);
    await world.finish(world.produce(1, ['b', 'c']));
    world.kill(1);
    world.controller.unclean = true;
    world.controller.fence(1);
    await world.start(2);
    world.controller.fence(1);
    await world.until(() => world.state().leader === 2, 'the other replica leads');
    await world.run(50);
    await world.finish(world.produce(2, ['d']));
    await world.start(1);
    await agree(world, ['a', 'd']);
  });

  it('fetches a partition that comes to it at once, though the leader lets it wait for others', async () => {
    const world = await ReplicaWorld.create({ partitions: 3, overrides: { 'replica.fetch.wait.max.ms': '2000' } });
    await world.run(3000);
    // Broker 3 waits at broker 1 for partition 0 by now; partition 1 is led by broker 2.
    assert.equal(world.state(1).leader, 2);
    world.controller.elect(TOPIC_ID, 1, 1);
    await world.run(20);
    const startedMs = world.clock.monotonicMs();
    const told = await world.finish(world.produce(1, ['a'], { partition: 1 }));
    assert.equal(told.errorCode, ErrorCode.NONE);
    assert.ok(world.clock.monotonicMs() - startedMs < 200, `took ${world.clock.monotonicMs() - startedMs} ms`);
  });

  it('waits with the next fetch until what came is durable, where the topic asks for that', async () => {
    const world = await ReplicaWorld.create({ configs: { 'flush.messages': 1 }, holdsDisks: true });
    world.heldDisks.add(2);
    const waiting = world.produce(1, ['a'], { timeoutMs: 10_000 });
    await world.run(1000);
    assert.equal(world.log(2).endOffset, 1);
    assert.equal(world.partition(1).highWatermark, 0, 'it is not safe at the follower yet');
    world.heldDisks.clear();
    assert.equal((await world.finish(waiting)).errorCode, ErrorCode.NONE);
    for (const id of world.brokerIds) assert.equal(world.log(id).recoveryPoint, 1, `broker ${id}`);
  });

  it('keeps on its way back what is committed above the high watermark that it knows of', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['a']));
    assert.equal(world.partition(2).highWatermark, 0);
    cutAmongBrokers(world, 2);
    world.controller.elect(TOPIC_ID, 0, 2);
    await world.run(50);
    await world.finish(world.produce(2, ['x'], { acks: 1 }));
    world.controller.elect(TOPIC_ID, 0, 1);
    await world.run(50);
    assert.equal(world.partition(2).highWatermark, 0);
    world.delayMs = 50;
    world.heal();
    await world.until(() => {
      assert.equal(values(world, 2)[0], 'a');
      return values(world, 2).length === 1;
    }, 'what the others never had is cut');
  });

  it('drops a partition that was assigned to others, with its log', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['a']));
    world.controller.change(TOPIC_ID, 0, { replicas: [1, 2], isr: [1, 2] });
    await world.run(100);
    const { replicas } = world.nodes.get(3)!.replication;
    assert.equal(replicas.find(TOPIC, 0), ErrorCode.NOT_LEADER_OR_FOLLOWER);
    assert.equal(world.nodes.get(3)!.logs.get({ topic: TOPIC, partition: 0 }), undefined);
    assert.equal((await world.finish(world.produce(1, ['b']))).errorCode, ErrorCode.NONE);
    world.controller.change(TOPIC_ID, 0, { replicas: [1, 2, 3] });
    await world.until(() => world.state().isr.length === 3, 'it follows again, from the start');
    await agree(world, ['a', 'b']);
  });

  it('creates its log later, where the disk is full when the topic is created', async () => {
    const world = new ReplicaWorld();
    for (const id of world.brokerIds) await world.start(id);
    const disk = world.disks.get(3)!;
    disk.capacityBytes = disk.usedBytes;
    world.controller.createTopic(TOPIC, TOPIC_ID, [[1, 2, 3]]);
    await world.run(5000);
    assert.deepEqual(world.state().isr, [1, 2]);
    assert.equal(world.nodes.get(3)!.replication.replicas.find(TOPIC, 0), ErrorCode.KAFKA_STORAGE_ERROR);
    await world.finish(world.produce(1, ['a']));
    disk.capacityBytes = 2 ** 40;
    await world.until(() => world.state().isr.length === 3, 'it is in sync', 20_000);
    await agree(world, ['a']);
  });

  it('goes on where it was once a full disk has room again', async () => {
    const world = await ReplicaWorld.create();
    const disk = world.disks.get(3)!;
    disk.capacityBytes = disk.usedBytes + 10;
    const told = await world.finish(world.produce(1, ['a', 'b'], { timeoutMs: 10_000 }));
    assert.equal(told.errorCode, ErrorCode.NONE);
    assert.deepEqual(world.state().isr, [1, 2]);
    disk.capacityBytes = 2 ** 40;
    await world.until(() => world.state().isr.length === 3, 'it is in sync again');
    await agree(world, ['a', 'b']);
  });

  it('takes no record of a deleted topic into a new one of the same name', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['old']));
    // One follower hears of it late, and goes on to fetch the old topic.
    world.cut(CONTROLLER, 3);
    const other = 'rrrrrrrrrrrrrrrrrrrrrg';
    world.controller.deleteTopic(TOPIC_ID);
    world.controller.createTopic(TOPIC, other, [[1, 2, 3]]);
    await world.run(300);
    assert.deepEqual(values(world, 1), []);
    assert.deepEqual(values(world, 3), ['old']);
    assert.equal(world.controller.image.topics.byId.get(other)!.partitions[0]!.isr.includes(3), true);
    world.heal();
    await world.run(300);
    for (const id of world.brokerIds) {
      assert.deepEqual(values(world, id), []);
      assert.equal(world.log(id).topicId, other);
    }
  });

  it('remembers over a restart what is committed', async () => {
    const world = await ReplicaWorld.create();
    await world.finish(world.produce(1, ['a', 'b']));
    await world.until(() => world.partition(3).highWatermark === 2, 'the follower knows');
    cutAmongBrokers(world, 3);
    await world.stop(3);
    const node = await world.start(3);
    assert.equal(node.logs.checkpointedHighWatermark({ topic: TOPIC, partition: 0 }), 2);
    assert.equal(world.partition(3).highWatermark, 2);
  });
});

describe('a new leader', () => {
  it('does not say where its log ends before it knows what its predecessor had committed', async () => {
    const world = await ReplicaWorld.create({ overrides: NOBODY_LEAVES });
    await world.finish(world.produce(1, ['a']));
    assert.equal(world.partition(2).highWatermark, 0);
    cutAmongBrokers(world, 2);
    world.controller.elect(TOPIC_ID, 0, 2);
    await world.run(50);
    assert.deepEqual(world.log(2).endOffsetForEpoch(1), { epoch: 1, endOffset: 1 }, 'its epoch begins at its end');
    const partition = world.partition(2);
    assert.equal(
      await partition.offsetFor(ListOffsetsTimestamp.latest, 'read_uncommitted'),
      ErrorCode.OFFSET_NOT_AVAILABLE,
    );
    world.heal();
    await world.until(() => partition.highWatermark === 1, 'followers have fetched');
    const found = await partition.offsetFor(ListOffsetsTimestamp.latest, 'read_uncommitted');
    assert.ok(typeof found === 'object' && found.offset === 1);
  });

  it('does not acknowledge in an epoch that is over, however long it does not hear of that', async () => {
    const world = await ReplicaWorld.create();
    world.isolate(1);
    world.controller.fence(1);
    await world.run(100);
    assert.equal(world.state().leader, 2);
    const told = await world.finish(world.produce(2, ['a']));
    assert.equal(told.errorCode, ErrorCode.NONE);
    assert.equal(world.partition(1).isLeader, true, 'the old one believes that it leads');
    const { log } = world.partition(1);
    const batches = buildBatch({ records: [{ key: null, value: Buffer.from('never'), timestamp: 1 }] });
    assert.equal(world.partition(1).append(batches, { origin: 'client' }, -1).ok, true);
    await world.run(5000);
    assert.equal(world.partition(1).commitOutcome(log.endOffset), undefined);
    world.heal();
    world.controller.unfence(1);
    await world.until(() => world.state().isr.length === 3, 'it follows');
    await agree(world, ['a']);
  });
});

describe('a consumer', () => {
  it('is sent to the replica in its rack, and reads there what is committed', async () => {
    const overrides = { 'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector' };
    const world = new ReplicaWorld({ overrides });
    for (const id of world.brokerIds) world.racks.set(id, `rack${id}`);
    for (const id of world.brokerIds) await world.start(id);
    world.controller.createTopic(TOPIC, TOPIC_ID, [[1, 2, 3]]);
    await world.run(500);
    await world.finish(world.produce(1, ['a']));
    await world.until(() => world.partition(2).highWatermark === 1, 'the follower knows what is committed');
    const redirected = await world.finish(world.fetch(1, { offset: 0, rack: 'rack2' }));
    assert.equal(redirected.preferredReadReplica, 2);
    assert.equal(redirected.records?.length, 0);
    const read = await world.finish(world.fetch(2, { offset: 0, rack: 'rack2' }));
    assert.equal(read.errorCode, ErrorCode.NONE);
    assert.ok(read.records!.length > 0);
    for (const rack of ['rack1', 'elsewhere', '']) {
      const here = await world.finish(world.fetch(1, { offset: 0, rack }));
      assert.equal(here.preferredReadReplica, -1);
      assert.ok(here.records!.length > 0);
    }
  });

  it('sees at a follower nothing that is not committed', async () => {
    const world = await ReplicaWorld.create({ overrides: NOBODY_LEAVES });
    cutAmongBrokers(world, 3);
    await world.finish(world.produce(1, ['a'], { acks: 1 }));
    await world.until(() => world.log(2).endOffset === 1, 'it is at the follower');
    const read = await world.finish(world.fetch(2, { offset: 0, rack: 'any' }));
    assert.equal(read.errorCode, ErrorCode.NONE);
    assert.equal(read.highWatermark, 0);
    assert.equal(read.records?.length, 0);
  });

  it('that waits at the leader is woken when records become committed, and by a change of leaders', async () => {
    const world = await ReplicaWorld.create();
    const waiting = world.fetch(1, { offset: 0, maxWaitMs: 10_000 });
    await world.run(50);
    const startedMs = world.clock.monotonicMs();
    await world.finish(world.produce(1, ['a']));
    assert.ok((await world.finish(waiting)).records!.length > 0);
    assert.ok(world.clock.monotonicMs() - startedMs < 500);
    const second = world.fetch(1, { offset: 1, epoch: 0, maxWaitMs: 10_000 });
    await world.run(50);
    world.controller.elect(TOPIC_ID, 0, 2);
    const told = await world.finish(second, 1000);
    assert.equal(told.errorCode, ErrorCode.FENCED_LEADER_EPOCH);
    assert.deepEqual(told.currentLeader, { leaderId: 2, leaderEpoch: 1 });
    assert.deepEqual(
      told.nodeEndpoints.map(({ nodeId }) => nodeId),
      [2],
    );
  });
});

describe('replication throttles', () => {
  it('hold back a throttled replica that is not in sync, at the leader and at the follower', async () => {
    for (const side of ['leader', 'follower']) {
      const configs = { [`${side}.replication.throttled.replicas`]: '*' };
      const overrides = { [`${side}.replication.throttled.rate`]: '4000', 'replica.fetch.max.bytes': '1000' };
      const world = await ReplicaWorld.create({ configs, overrides });
      world.kill(3);
      world.controller.fence(3);
      for (let count = 0; count < 20; count++) await world.finish(world.produce(1, ['x'.repeat(1000)]));
      const startedMs = world.clock.monotonicMs();
      await world.start(3);
      await world.until(() => world.state().isr.length === 3, 'it is in sync', 60_000);
      const tookMs = world.clock.monotonicMs() - startedMs;
      // Some 20 KB at 4 KB a second, in batches of 1 KB of which the leader lets one go each time that it is asked.
      assert.ok(tookMs > 3000 && tookMs < 15_000, `${side}: ${tookMs} ms`);
      assert.deepEqual(values(world, 3), values(world, 1));
    }
  });
});
