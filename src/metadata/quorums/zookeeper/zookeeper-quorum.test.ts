import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SluiceError } from '../../../base/errors.ts';
import type { LiveBroker } from '../../broker-registration.ts';
import { RESOURCE_TYPE } from '../../image.ts';
import { type MetadataRecord, newRecord } from '../../records.ts';
import { isOutcomeUnknown } from './office-writes.ts';
import { contentOf, type QuorumNode, QuorumWorld, ROOT, registrationOf, SESSION_MS } from './quorum-world.test-kit.ts';

const idOf = (name: string): string => Buffer.from(name.padEnd(16, '-')).toString('base64url');

function topicRecords(name: string, partitions = 1): MetadataRecord[] {
  const topicId = idOf(name);
  const records = [newRecord('topic', { name, topicId })];
  for (let partitionId = 0; partitionId < partitions; partitionId++) {
    const replicas = { replicas: [1, 2], isr: [1], removingReplicas: [], addingReplicas: [], directories: [] };
    const led = { leader: 1, leaderEpoch: 0, partitionEpoch: 0 };
    records.push(newRecord('partition', { topicId, partitionId, ...replicas, ...led }));
  }
  return records;
}

async function cluster(world: QuorumWorld, count = 3) {
  for (let id = 1; id <= count; id++) world.start(id);
  const leader = await world.leader();
  await world.until(() => world.living.every(({ brokerEpoch }) => brokerEpoch > 0), 'all are registered');
  return leader;
}

async function assertAgreement(world: QuorumWorld): Promise<void> {
  const { quorum: leader } = await world.leader();
  const sameOffset = (): boolean => world.living.every(({ quorum }) => quorum.image().offset === leader.image().offset);
  await world.until(sameOffset, 'all follow');
  const stored = contentOf(await world.stored());
  for (const { quorum } of world.living) assert.deepEqual(contentOf(quorum.image()), stored);
}

const code = (expected: string) => (error: unknown) => error instanceof SluiceError && error.code === expected;

describe('ZooKeeperQuorum', () => {
  it('elects one controller, whose writes all brokers follow and the znodes hold', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    const offsets = [leader.quorum.append(topicRecords('one', 3)), leader.quorum.append(topicRecords('two'))];
    const [first, second] = await world.value(Promise.all(offsets));
    assert.equal(second! - first!, 2);
    assert.equal(leader.quorum.image().offset, second);
    await world.until(() => world.living.every(({ quorum }) => quorum.image().offset === second), 'all follow');
    await assertAgreement(world);
    for (const { quorum, id } of world.living) {
      assert.equal(quorum.controllerId(), leader.id);
      assert.equal(quorum.controllerEpoch(), leader.quorum.controllerEpoch());
      assert.equal(quorum.controllerAddress()?.port, id === leader.id ? undefined : leader.id);
      assert.equal(quorum.image().clusterId, leader.quorum.image().clusterId);
    }
    assert.deepEqual(leader.roles, [true]);
    assert.equal(leader.quorum.image().features.get('group.version'), 1);
  });

  it('has another controller at once when the process of one is gone, without waiting for its session', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    await world.value(leader.quorum.append(topicRecords('one')));
    leader.kill();
    const next = await world.leader(SESSION_MS / 3);
    assert.notEqual(next.id, leader.id);
    assert.ok(next.quorum.image().topics.byName.has('one'));
    await world.value(next.quorum.append(topicRecords('two')));
    await assertAgreement(world);
  });

  it('waits for the session of a controller that only ZooKeeper has lost', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    world.ensemble.cut(leader.client);
    await world.run(SESSION_MS / 2);
    assert.deepEqual(world.active, [leader]);
    await world.until(() => !world.active.includes(leader), 'it resigns of its own accord', SESSION_MS);
    await world.until(() => world.active.length === 1, 'another controller', SESSION_MS);
    const [next] = world.active as [QuorumNode];
    assert.notEqual(next.id, leader.id);
    assert.deepEqual(leader.roles, [true, false]);
    world.ensemble.heal(leader.client);
    const epoch = leader.brokerEpoch;
    await world.until(() => leader.quorum.brokerEpoch() > epoch, 'it is registered in a new session');
    assert.equal((await world.leader()).id, next.id);
    await assertAgreement(world);
  });

  it('gives the office to another when told to, and does not stand again before it reaches others', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    const others = [1, 2, 3].filter((id) => id !== leader.id);
    for (const id of others) world.cutLinks.add(`${leader.id}-${id}`);
    leader.quorum.standDown('nobody reaches it');
    assert.deepEqual(leader.roles, [true, false]);
    await world.until(() => world.active.length === 1, 'another controller', SESSION_MS / 2);
    const [next] = world.active as [QuorumNode];
    assert.ok(others.includes(next.id));
    await world.value(next.quorum.append(topicRecords('meanwhile')));
    // With nobody else in office it still leaves it alone.
    for (const id of others) world.ensemble.cut(world.nodes.get(id)!.client);
    await world.until(() => world.active.length === 0, 'nobody is in office', 3 * SESSION_MS);
    for (const id of others) world.ensemble.heal(world.nodes.get(id)!.client);
    await world.until(() => world.active.length === 1, 'one of the others is back');
    assert.deepEqual(leader.roles, [true, false]);
    world.cutLinks.clear();
    await world.leader();
    assert.ok(leader.quorum.image().topics.byName.has('meanwhile'));
    await assertAgreement(world);
  });

  it('has a controller that stood down back once it reaches others, or is alone', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world, 2);
    const other = world.living.find(({ id }) => id !== leader.id)!;
    other.kill();
    leader.quorum.standDown('nobody reaches it');
    await world.until(() => leader.quorum.isActiveController(), 'its host says that nobody listens', SESSION_MS / 2);
    assert.deepEqual(leader.roles, [true, false, true]);
  });

  it('lets no write of a controller through that has been replaced', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    world.ensemble.cut(leader.client);
    const late = leader.quorum.append(topicRecords('late'));
    const outcome = world.settled(late);
    await world.until(() => world.active.some(({ id }) => id !== leader.id), 'another controller');
    world.ensemble.heal(leader.client);
    const { status } = await outcome;
    assert.equal(status, 'rejected');
    await world.leader();
    assert.ok(world.living.every(({ quorum }) => !quorum.image().topics.byName.has('late')));
    await assertAgreement(world);
  });

  it('resigns when the outcome of a write is unknown, and finds out by loading again', async () => {
    let made = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const world = new QuorumWorld({ seed, latencyMs: [5, 30] });
      const leader = await cluster(world, 2);
      const epoch = leader.quorum.controllerEpoch();
      const appends = ['a', 'b', 'c'].map((name) => world.settled(leader.quorum.append(topicRecords(name))));
      await world.run(world.random.below(60));
      world.ensemble.dropConnections(leader.client);
      const outcomes = await Promise.all(appends);
      const after = await world.leader();
      if (outcomes.every(({ status }) => status === 'fulfilled')) continue;
      assert.ok(after.quorum.controllerEpoch() > epoch, `seed ${seed}: a new epoch`);
      const there = ['a', 'b', 'c'].map((name) => after.quorum.image().topics.byName.has(name));
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') assert.ok(there[index], `seed ${seed}: what was committed is there`);
        else {
          assert.ok(code('NOT_CONTROLLER')(outcome.reason));
          if (!isOutcomeUnknown(outcome.reason))
            assert.ok(!there[index], `seed ${seed}: what was not made is not there`);
          else if (there[index]) made++;
        }
        assert.ok(!there[index] || index === 0 || there[index - 1], `seed ${seed}: none without those before it`);
      }
      await assertAgreement(world);
    }
    assert.ok(made > 0, 'some write was made although its answer was lost');
  });

  it('makes no write in sight of one that the znodes contradict, and loads what they say', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    await world.value(leader.quorum.append(topicRecords('one')));
    const path = `${ROOT}/brokers/topics/one/partitions/0/state`;
    world.ensemble.tree.transact([{ kind: 'delete', path }], { session: 0n, nowMs: 0 });
    const change = newRecord('partitionChange', { partitionId: 0, topicId: idOf('one'), isr: [1, 2] });
    const outcomes = await Promise.all([
      world.settled(leader.quorum.append([change])),
      world.settled(leader.quorum.append(topicRecords('two'))),
    ]);
    const reasons = outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason as SluiceError);
    assert.deepEqual(
      reasons.map((reason) => reason.code),
      ['METADATA_WRITE_FAILED', 'NOT_CONTROLLER'],
    );
    assert.ok(!reasons.some(isOutcomeUnknown));
    const next = await world.leader();
    assert.deepEqual(next.quorum.image().topics.byName.get('one')?.partitions[0]?.isr, [1], 'as brokers know it');
    assert.ok(!next.quorum.image().topics.byName.has('two'));
    await assertAgreement(world);
  });

  it('refuses changes in bounded time while the ensemble has no majority, and goes on when it is back', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    const [first, second] = [0, 1];
    world.ensemble.killServer(first);
    await world.run(SESSION_MS);
    const stayed = await world.leader();
    await world.value(stayed.quorum.append(topicRecords('with-two')));
    world.ensemble.killServer(second);
    const { status } = await world.settled(stayed.quorum.append(topicRecords('with-one')), SESSION_MS + 500);
    assert.equal(status, 'rejected');
    await world.run(3 * SESSION_MS);
    for (const { quorum } of world.living) {
      assert.match(quorum.obstacle ?? '', /cannot be changed now: no majority of ZooKeeper servers \(.*\) serves/);
      assert.equal(quorum.controllerId(), -1);
    }
    assert.ok(world.living.every(({ quorum }) => quorum.image().topics.byName.has('with-two')));
    assert.deepEqual(world.active, []);
    world.ensemble.startServer(second);
    const after = await world.leader();
    await world.value(after.quorum.append(topicRecords('back')));
    await assertAgreement(world);
    assert.ok(world.living.every(({ quorum }) => quorum.obstacle === undefined));
    assert.ok(world.living.every(({ failures }) => failures.length === 0));
    assert.ok(leader.alive);
  });

  it('takes the places of its own past life at once', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world, 1);
    const { brokerEpoch } = leader;
    leader.kill();
    const again = world.start(1);
    const tookMs = await world.until(() => again.quorum.isActiveController() && again.brokerEpoch > 0, 'it is back');
    assert.ok(tookMs < 1000, `${tookMs} ms`);
    assert.ok(again.brokerEpoch > brokerEpoch);
    await world.run(2 * SESSION_MS);
    assert.ok(again.quorum.isActiveController(), 'the end of the old session takes nothing along');
    assert.deepEqual(again.roles, [true]);
  });

  it('refuses an id at once that another broker has who answers', async () => {
    const world = new QuorumWorld();
    await cluster(world, 2);
    const { quorum } = world.start(3);
    await world.value(quorum.start('elsewhere').catch(() => undefined));
    const registration = { ...registrationOf(2, 9, 'elsewhere'), endpoints: [] };
    const refused = await world.settled(quorum.registerBroker(registration), SESSION_MS / 3);
    const { reason } = refused as PromiseRejectedResult;
    assert.ok(code('BROKER_ID_IN_USE')(reason), String(reason));
    assert.match(String(reason), /node.id=2 is taken by the broker at broker:2/);
  });

  it('waits for the session of another that does not answer, and takes its id then', async () => {
    const world = new QuorumWorld();
    await cluster(world, 2);
    world.nodes.get(2)!.kill();
    const again = world.start(2, { identity: 'another-disk' });
    await world.run(SESSION_MS / 3);
    assert.equal(again.brokerEpoch, -1);
    await world.until(() => again.brokerEpoch > 0, 'it has its id', 2 * SESSION_MS);
  });

  it('refuses an id whose znode belongs to nobody', async () => {
    const world = new QuorumWorld();
    await cluster(world, 1);
    world.ensemble.writeByHand([{ kind: 'create', path: `${ROOT}/brokers/ids/7`, data: Buffer.from('{}') }]);
    const { quorum } = world.start(3);
    await world.value(quorum.start('directory-3'));
    const refused = await world.settled(quorum.registerBroker(registrationOf(7, 1, 'directory-3')), SESSION_MS / 3);
    assert.match(String((refused as PromiseRejectedResult).reason), /\/brokers\/ids\/7 belongs to no session/);
  });

  it('tells the controller which brokers live, and new lives of the same broker', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    const told: (readonly LiveBroker[])[] = [];
    leader.quorum.watchBrokers((brokers) => told.push(brokers));
    await world.until(() => told.at(-1)?.length === 3, 'all are told');
    const [other] = world.living.filter(({ id }) => id !== leader.id);
    const before = told.at(-1)!.find(({ registration }) => registration.brokerId === other!.id)!;
    assert.equal(before.brokerEpoch, other!.brokerEpoch);
    assert.deepEqual(before.registration.endpoints[1], {
      name: 'INTERNAL',
      host: 'broker',
      port: other!.id,
      securityProtocol: 0,
    });
    other!.kill();
    const again = world.start(other!.id);
    await world.until(() => {
      const now = told.at(-1)!.find(({ registration }) => registration.brokerId === other!.id);
      return now !== undefined && now.brokerEpoch === again.brokerEpoch;
    }, 'its new life is told');
    assert.ok(again.brokerEpoch > before.brokerEpoch);
    await again.stop();
    await world.until(() => told.at(-1)!.length === 2, 'it is gone at once');
  });

  it('finishes what a controller of large topics left half done', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 16; seed++) {
      const world = new QuorumWorld({ seed, limits: { operations: 210, bytes: 40_000 }, latencyMs: [20, 40] });
      const leader = await cluster(world, 2);
      await world.value(leader.quorum.append(topicRecords('old', 300)));
      const config = { resourceType: RESOURCE_TYPE.TOPIC, resourceName: 'new', name: 'retention.ms', value: '5' };
      const records = [...topicRecords('new', 400), newRecord('config', config)];
      const append = world.settled(leader.quorum.append(records));
      const deletion = world.settled(leader.quorum.append([newRecord('removeTopic', { topicId: idOf('old') })]));
      await world.run(world.random.below(60) + 1);
      leader.kill();
      const next = await world.leader();
      const { byName } = next.quorum.image().topics;
      const created = byName.get('new');
      if (created !== undefined) {
        assert.equal(created.partitions.length, 400);
        assert.equal(next.quorum.image().configs.size, 1);
      } else assert.equal(next.quorum.image().configs.size, 0);
      if (byName.has('old')) assert.equal(byName.get('old')!.partitions.length, 300);
      else assert.ok(created !== undefined, 'writes are made in order');
      seen.add(`${byName.has('new')} ${byName.has('old')}`);
      await assertAgreement(world);
      void append;
      void deletion;
    }
    assert.ok(seen.size === 3, `it was cut at every stage: ${[...seen].join(', ')}`);
  });

  it('belongs to the cluster of its data directory, and does not start in another', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world, 1);
    const { clusterId } = leader.quorum.image();
    await world.value(world.start(2, { clusterId }).started);
    const stranger = world.start(3, { clusterId: 'another' });
    const { reason } = (await world.settled(stranger.started)) as PromiseRejectedResult;
    assert.ok(code('INCONSISTENT_CLUSTER_ID')(reason));
    assert.ok(String(reason).includes(clusterId));
  });

  it('founds no cluster where its directories belong to one, and leaves ZooKeeper as it is', async () => {
    const world = new QuorumWorld();
    const { reason } = (await world.settled(world.start(1, { clusterId: 'mine' }).started)) as PromiseRejectedResult;
    assert.ok(code('ZOOKEEPER_EMPTY')(reason), String(reason));
    assert.match(String(reason), /belong to cluster mine/);
    assert.deepEqual(world.ensemble.tree.paths(), ['/']);
  });

  it('takes no office over an older state of the cluster than it has followed', async () => {
    const world = new QuorumWorld();
    const leader = await cluster(world);
    await world.value(leader.quorum.append(topicRecords('kept')));
    await assertAgreement(world);
    const { tree } = world.ensemble;
    // As if a copy of before had been put back.
    const old = JSON.stringify({ version: 1, controller_epoch: 1, offset: leader.quorum.image().offset - 1 });
    world.ensemble.writeByHand([
      { kind: 'setData', path: `${ROOT}/sluice/commit`, data: Buffer.from(old) },
      ...['/0/state', '/0', ''].map((rest) => {
        return { kind: 'delete', path: `${ROOT}/brokers/topics/kept/partitions${rest}` } as const;
      }),
      { kind: 'delete', path: `${ROOT}/brokers/topics/kept` },
    ]);
    leader.kill();
    await world.run(3 * SESSION_MS);
    assert.deepEqual(world.active, []);
    assert.ok(
      world.living.every(({ quorum }) => quorum.image().topics.byName.has('kept')),
      'nobody lets go of it',
    );
    assert.ok(tree.stat(`${ROOT}/brokers/topics/kept`) === undefined);
  });

  it('says so in time when no server can be reached at its start', async () => {
    const world = new QuorumWorld();
    for (const server of [0, 1]) world.ensemble.killServer(server);
    const { reason } = (await world.settled(world.start(1).started, SESSION_MS + 100)) as PromiseRejectedResult;
    assert.ok(code('ZOOKEEPER_UNREACHABLE')(reason));
  });
});
