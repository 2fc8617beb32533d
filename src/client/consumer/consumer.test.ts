/** Consumers on simulated time: membership in both protocols, delivery, offsets, and what is wrong with a partition. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consumerGroupHeartbeat } from '../../protocol/apis/consumer-group-heartbeat.ts';
import { fetch } from '../../protocol/apis/fetch.ts';
import { heartbeat } from '../../protocol/apis/heartbeat.ts';
import { offsetCommit } from '../../protocol/apis/offset-commit.ts';
import { offsetForLeaderEpoch } from '../../protocol/apis/offset-for-leader-epoch.ts';
import { ErrorCode, errorName } from '../../protocol/error-codes.ts';
import { Cluster } from '../cluster.ts';
import { PartitionError } from '../errors.ts';
import { SimulatedBrokers, type SimulatedTopic } from '../simulated-brokers.test.support.ts';
import { Consumer } from './consumer.ts';
import type { ConsumerOptions } from './consumer-options.ts';
import type { ConsumedRecord } from './fetched-batch.ts';
import { SimulatedGroup, SimulatedLogs } from './simulated-group.test.support.ts';

const TOPIC_ID = 'b8tRS7h4TJ2Vt43Dp85v2A';
const PLACE = { topic: 'orders', partition: 0 };
const PROTOCOLS = ['classic', 'consumer'] as const;
/** What a coordinator says to members that it does not know, or whose group is gone. */
const UNKNOWN = {
  classic: [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION],
  consumer: [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.GROUP_ID_NOT_FOUND],
} as const;

class Scene {
  readonly brokers: SimulatedBrokers;
  readonly logs: SimulatedLogs;
  readonly group: SimulatedGroup;
  readonly topic: SimulatedTopic;
  readonly cluster: Cluster;

  constructor({ partitions = 1, brokers = [1] }: { partitions?: number; brokers?: number[] } = {}) {
    this.brokers = new SimulatedBrokers(brokers);
    const leaders = Array.from({ length: partitions }, () => ({ leader: 1, leaderEpoch: 0 }));
    this.topic = { name: 'orders', topicId: TOPIC_ID, partitions: leaders };
    this.brokers.topics.push(this.topic);
    this.logs = new SimulatedLogs(this.brokers);
    this.group = new SimulatedGroup(this.brokers, this.topic);
    this.cluster = new Cluster({ bootstrapServers: 'b:1', metadataMaxAgeMs: 600_000 }, this.brokers.dependencies);
  }

  member(options: ConsumerOptions = {}): Reading {
    const consumer = new Consumer(this.cluster, { groupId: 'g', offsetReset: 'earliest', ...options });
    consumer.subscribe('orders');
    return new Reading(this.brokers, consumer);
  }

  byHand(options: ConsumerOptions = {}): Reading {
    const consumer = new Consumer(this.cluster, { offsetReset: 'earliest', ...options });
    consumer.assign(this.topic.partitions.map((_, partition) => ({ topic: 'orders', partition })));
    return new Reading(this.brokers, consumer);
  }

  async end(...consumers: Reading[]): Promise<void> {
    for (const { consumer } of consumers) await this.during(consumer.close());
    await this.during(this.cluster.close());
  }

  /** Lets time go by until it is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    return during(this.brokers, work);
  }
}

async function during<T>(brokers: SimulatedBrokers, work: Promise<T>): Promise<T> {
  let isOver = false;
  const noted = work.finally(() => {
    isOver = true;
  });
  noted.catch(() => undefined);
  for (let step = 0; !isOver && step < 2000; step++) await brokers.pass(step < 20 ? 0 : 10);
  assert.ok(isOver, 'it ends within 20 s of simulated time');
  return noted;
}

class Reading {
  readonly consumer: Consumer;
  readonly #brokers: SimulatedBrokers;
  readonly #records: AsyncIterator<ConsumedRecord>;

  constructor(brokers: SimulatedBrokers, consumer: Consumer) {
    this.consumer = consumer;
    this.#brokers = brokers;
    this.#records = consumer[Symbol.asyncIterator]();
  }

  async next(): Promise<string> {
    const { value } = await during(this.#brokers, this.#records.next());
    return String((value as ConsumedRecord).value);
  }

  async take(count: number): Promise<string[]> {
    const values: string[] = [];
    for (let index = 0; index < count; index++) values.push(await this.next());
    return values;
  }

  /** What the next call for a record comes to, without waiting for it. */
  ask(): Promise<IteratorResult<ConsumedRecord>> {
    return this.#records.next();
  }
}

for (const groupProtocol of PROTOCOLS) {
  const beats = ({ brokers }: Scene) =>
    groupProtocol === 'classic' ? brokers.of(heartbeat).length : brokers.of(consumerGroupHeartbeat).length;

  test(`a member of a ${groupProtocol} group sends heartbeats while a record is worked on, and gives up in time`, async () => {
    const scene = new Scene();
    const lost: number[] = [];
    scene.logs.append('orders', 0, ['a', 'b']);
    const reading = scene.member({
      groupProtocol,
      maxPollIntervalMs: 20_000,
      autoCommit: false,
      onLost: (partitions) => void lost.push(...partitions.map(({ partition }) => partition)),
    });
    assert.equal(await reading.next(), 'a');
    const before = beats(scene);
    await scene.brokers.pass(18_000);
    assert.ok(beats(scene) - before >= 5, `${beats(scene) - before} heartbeats in 18 s`);
    assert.equal(scene.group.left, 0);
    await scene.brokers.pass(5000);
    assert.equal(scene.group.left, 1);
    const quiet = beats(scene);
    await scene.brokers.pass(10_000);
    assert.equal(beats(scene), quiet);
    await assert.rejects(scene.during(reading.consumer.commit()), { code: 'UNKNOWN_MEMBER_ID' });
    // Back again it is a new member, and reads what nobody has committed.
    assert.equal(await reading.next(), 'a');
    assert.deepEqual(lost, [0]);
    await scene.end(reading);
  });

  for (const code of UNKNOWN[groupProtocol]) {
    test(`a member of a ${groupProtocol} group that the coordinator does not know any more (${errorName(code)}) loses its partitions and joins anew`, async () => {
      const scene = new Scene();
      const events: string[] = [];
      scene.logs.append('orders', 0, ['a', 'b']);
      const reading = scene.member({
        groupProtocol,
        autoCommit: false,
        onAssigned: () => void events.push('assigned'),
        onLost: () => void events.push('lost'),
        onRevoked: () => void events.push('revoked'),
      });
      assert.equal(await reading.next(), 'a');
      scene.group.heartbeatCodes = [code];
      await scene.brokers.pass(5000);
      assert.deepEqual(events, ['assigned', 'lost', 'assigned']);
      assert.equal(await reading.next(), 'a');
      await scene.end(reading);
      assert.equal(events.at(-1), 'revoked');
      assert.equal(scene.brokers.of(offsetCommit).length, 0);
    });
  }

  test(`a ${groupProtocol} consumer commits what was moved past, in time and when it is closed`, async () => {
    const scene = new Scene();
    scene.logs.append('orders', 0, ['a', 'b', 'c', 'd']);
    const reading = scene.member({ groupProtocol, autoCommitIntervalMs: 1000 });
    assert.deepEqual(await reading.take(3), ['a', 'b', 'c']);
    await scene.brokers.pass(1100);
    assert.equal(scene.group.committed.get('orders/0'), 2);
    scene.group.commitCodes = [ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS];
    await scene.during(reading.consumer.commit());
    assert.equal(scene.group.committed.get('orders/0'), 3);
    assert.equal(await reading.next(), 'd');
    void reading.ask();
    await scene.end(reading);
    assert.equal(scene.group.committed.get('orders/0'), 4);
    assert.equal(scene.group.left, 1);
  });

  test(`a ${groupProtocol} consumer can be closed by its own callback`, async () => {
    for (const name of ['onAssigned', 'onRevoked'] as const) {
      const scene = new Scene();
      scene.logs.append('orders', 0, ['a']);
      let isClosed = false;
      const reading: Reading = scene.member({
        groupProtocol,
        [name]: async () => {
          await reading.consumer.close();
          isClosed = true;
        },
      });
      if (name === 'onRevoked') {
        assert.equal(await reading.next(), 'a');
        scene.group.heartbeatCodes = [ErrorCode.REBALANCE_IN_PROGRESS];
        if (groupProtocol === 'consumer') void reading.consumer.close();
      }
      assert.equal((await scene.during(reading.ask())).done, true);
      await scene.brokers.pass(1000);
      assert.equal(isClosed, true, name);
      await scene.end(reading);
    }
  });
}

test('a member that went while it joined, and came back, makes nothing of the late answer', async () => {
  const scene = new Scene();
  scene.logs.append('orders', 0, ['a', 'b']);
  const assignors = ['cooperative-sticky'] as const;
  const reading = scene.member({ maxPollIntervalMs: 20_000, autoCommit: false, assignors });
  assert.equal(await reading.next(), 'a');
  let letIn = (): void => undefined;
  scene.group.joinHeld = new Promise((resolve) => {
    letIn = resolve;
  });
  // Cooperative members go on with what they hold, so this one joins again while its reader is away.
  scene.group.heartbeatCodes = [ErrorCode.REBALANCE_IN_PROGRESS];
  await scene.brokers.pass(25_000);
  assert.equal(scene.group.left, 1);
  const back = reading.ask();
  await scene.brokers.pass(1000);
  letIn();
  scene.group.joinHeld = undefined;
  const { value } = await scene.during(back);
  assert.equal(String((value as ConsumedRecord).value), 'a');
  await scene.end(reading);
});

for (const groupProtocol of PROTOCOLS) {
  test(`a member of a ${groupProtocol} group that goes while the program still mourns its partitions, and comes back, joins once`, async () => {
    const scene = new Scene();
    scene.logs.append('orders', 0, ['a', 'b']);
    let done = (): void => undefined;
    const mourning = new Promise<void>((resolve) => {
      done = resolve;
    });
    const options = { groupProtocol, maxPollIntervalMs: 20_000, autoCommit: false };
    const reading = scene.member({ ...options, onLost: () => mourning });
    assert.equal(await reading.next(), 'a');
    scene.group.heartbeatCodes = [ErrorCode.UNKNOWN_MEMBER_ID];
    await scene.brokers.pass(25_000);
    const back = reading.ask();
    await scene.brokers.pass(1000);
    done();
    const { value } = await scene.during(back);
    assert.equal(String((value as ConsumedRecord).value), 'a');
    await scene.end(reading);
  });
}

test('a commit that a rebalance overtakes is refused at once, not repeated', async () => {
  const scene = new Scene();
  scene.logs.append('orders', 0, ['a']);
  const reading = scene.member({ autoCommit: false });
  await reading.next();
  scene.group.commitCodes = [ErrorCode.REBALANCE_IN_PROGRESS];
  await assert.rejects(scene.during(reading.consumer.commit()), { code: 'REBALANCE_IN_PROGRESS', retriable: false });
  await scene.end(reading);
});

test('the next fetch is under way before the reader sees what came: a fast one would keep it back', async () => {
  const scene = new Scene();
  scene.logs.append('orders', 0, ['a', 'b']);
  const reading = scene.byHand();
  const asked = reading.ask().then(() => scene.brokers.of(fetch).length);
  assert.equal(await scene.during(asked), 2);
  await scene.end(reading);
});

test('a broken batch is told once with its place, comes back unless the reader seeks, and can be passed', async () => {
  const scene = new Scene({ partitions: 2 });
  scene.logs.append('orders', 0, ['a']);
  const broken = scene.logs.append('orders', 0, ['b', 'c']);
  broken[broken.length - 2]! ^= 1;
  scene.logs.append('orders', 0, ['d']);
  const reading = scene.byHand();
  assert.equal(await reading.next(), 'a');
  for (let attempt = 0; attempt < 2; attempt++) {
    const failure = await scene.during(reading.ask()).catch((error: unknown) => error);
    assert.ok(failure instanceof PartitionError);
    const { code, retriable, topic, partition, offset, nextOffset } = failure;
    assert.deepEqual(
      { code, retriable, topic, partition, offset, nextOffset },
      {
        code: 'CORRUPT_RECORDS',
        retriable: false,
        ...PLACE,
        offset: 1,
        nextOffset: 3,
      },
    );
  }
  scene.logs.append('orders', 1, ['elsewhere']);
  reading.consumer.seek(PLACE, 3);
  assert.deepEqual((await reading.take(2)).sort(), ['d', 'elsewhere']);
  await scene.end(reading);
});

test('a compressed batch that does not unfold is told like a broken one', async () => {
  const scene = new Scene();
  scene.logs.append('orders', 0, ['a', 'b']);
  const broken = scene.logs.append('orders', 0, ['c']);
  // Says gzip, and holds something else; nobody looks at the checksum.
  broken.writeInt16BE(1, 21);
  scene.logs.append('orders', 0, ['d']);
  const reading = scene.byHand({ checkCrcs: false });
  assert.deepEqual(await reading.take(2), ['a', 'b']);
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(scene.during(reading.ask()), { code: 'CORRUPT_RECORDS', offset: 2, nextOffset: 3 });
  }
  reading.consumer.seek(PLACE, 3);
  assert.equal(await reading.next(), 'd');
  await scene.end(reading);
});

test('an offset that is gone fails the one partition where no policy says where to go on', async () => {
  const scene = new Scene();
  scene.logs.append('orders', 0, ['a']);
  scene.logs.refuse = (_, __, offset) => (offset === 7 ? ErrorCode.OFFSET_OUT_OF_RANGE : 0);
  const reading = scene.member({ offsetReset: 'none' });
  scene.group.committed.set('orders/0', 7);
  await assert.rejects(scene.during(reading.ask()), { code: 'OFFSET_OUT_OF_RANGE', offset: 7, partition: 0 });
  reading.consumer.seek(PLACE, 0);
  assert.equal(await reading.next(), 'a');
  await scene.end(reading);
});

test('after a change of leader the position is checked, and reading goes on where the histories part', async () => {
  const scene = new Scene();
  scene.logs.append('orders', 0, ['a', 'b', 'c'], 0);
  const reading = scene.byHand();
  assert.deepEqual(await reading.take(3), ['a', 'b', 'c']);
  void reading.ask();
  await scene.brokers.pass(600);
  assert.equal(scene.brokers.of(offsetForLeaderEpoch).length, 0);
  // Another leader, which never had c.
  scene.logs.partitions.clear();
  scene.logs.append('orders', 0, ['a', 'b'], 0);
  scene.logs.append('orders', 0, ['other'], 1);
  scene.topic.partitions[0] = { leader: 1, leaderEpoch: 1 };
  scene.logs.epochEnd = { leaderEpoch: 0, endOffset: 2 };
  const codes = [ErrorCode.FENCED_LEADER_EPOCH];
  scene.logs.refuse = () => codes.shift() ?? 0;
  const [question] = await scene.during(
    (async () => {
      while (scene.brokers.of(offsetForLeaderEpoch).length === 0) await new Promise((resolve) => setImmediate(resolve));
      return scene.brokers.of(offsetForLeaderEpoch);
    })(),
  );
  assert.deepEqual(question!.body.topics[0]!.partitions, [{ partition: 0, currentLeaderEpoch: 1, leaderEpoch: 0 }]);
  await scene.brokers.pass(600);
  assert.equal(reading.consumer.position(PLACE), 3);
  await scene.end(reading);
});

test('a committed offset that its leader never had is told as a truncation where no policy is set', async () => {
  const scene = new Scene();
  scene.logs.append('orders', 0, ['a', 'b'], 3);
  scene.topic.partitions[0] = { leader: 1, leaderEpoch: 4 };
  scene.group.committed.set('orders/0', 9);
  scene.group.committedEpoch = 3;
  scene.logs.epochEnd = { leaderEpoch: 3, endOffset: 2 };
  const reading = scene.member({ offsetReset: 'none' });
  await assert.rejects(scene.during(reading.ask()), { code: 'LOG_TRUNCATED', offset: 9, nextOffset: 2 });
  reading.consumer.seek(PLACE, 1);
  assert.equal(await reading.next(), 'b');
  await scene.end(reading);
});

test('a reader is sent to the replica near it, and back to the leader when that one cannot answer', async () => {
  const scene = new Scene({ brokers: [1, 2] });
  scene.logs.append('orders', 0, ['a']);
  scene.logs.preferredReplica = 2;
  const reading = scene.byHand({ rack: 'here' });
  assert.equal(await reading.next(), 'a');
  assert.equal(scene.brokers.of(fetch).at(-1)!.broker, 2);
  assert.equal(scene.brokers.of(fetch)[0]!.body.rackId, 'here');
  scene.logs.preferredReplica = -1;
  scene.logs.refuse = (_, broker) => (broker === 2 ? ErrorCode.OFFSET_OUT_OF_RANGE : 0);
  scene.logs.append('orders', 0, ['b']);
  assert.equal(await reading.next(), 'b');
  assert.equal(scene.brokers.of(fetch).at(-1)!.broker, 1);
  await scene.end(reading);
});

test('what is fetched ahead stays within its limit, and sessions are ended with the consumer', async () => {
  const scene = new Scene({ partitions: 4 });
  const value = 'x'.repeat(1000);
  for (let partition = 0; partition < 4; partition++) {
    for (let index = 0; index < 40; index++) scene.logs.append('orders', partition, [value]);
  }
  const reading = scene.byHand({ prefetchBytes: 20_000, partitionMaxBytes: 5000 });
  const seen = await reading.take(1);
  await scene.brokers.pass(5000);
  const asked = scene.brokers.of(fetch);
  for (const { body } of asked) assert.ok(body.maxBytes <= 20_000, `${body.maxBytes} bytes were asked for`);
  const before = asked.length;
  await scene.brokers.pass(5000);
  assert.equal(scene.brokers.of(fetch).length, before, 'nothing is asked while the buffer is full');
  assert.equal(seen.length + (await reading.take(159)).length, 160);
  await scene.end(reading);
  assert.equal(scene.logs.sessions.size, 0);
});

test('a paused partition keeps what was fetched, and gives it when it is resumed', async () => {
  const scene = new Scene({ partitions: 2 });
  scene.logs.append('orders', 0, ['a', 'b']);
  const reading = scene.byHand();
  assert.equal(await reading.next(), 'a');
  reading.consumer.pause([PLACE]);
  scene.logs.append('orders', 1, ['other']);
  assert.equal(await reading.next(), 'other');
  reading.consumer.resume([PLACE]);
  assert.equal(await reading.next(), 'b');
  await scene.end(reading);
});
