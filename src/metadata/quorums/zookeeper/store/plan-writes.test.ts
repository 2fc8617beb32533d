import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../../base/errors.ts';
import { silentLogger } from '../../../../base/logger.ts';
import { type Random, seededRandom } from '../../../../base/random.ts';
import { applyRecords, emptyImage, type MetadataImage, RESOURCE_TYPE } from '../../../image.ts';
import { type MetadataRecord, newRecord } from '../../../records.ts';
import { openSession } from '../client/session.ts';
import type { Operation } from '../client/zookeeper.ts';
import { makePersistentPaths } from '../preparation.ts';
import { contentOf, QuorumWorld } from '../quorum-world.test-kit.ts';
import { loadImage } from './load-image.ts';
import { DEFAULT_LIMITS, groupAtoms, planWrites } from './plan-writes.ts';

const idOf = (name: string): string => Buffer.from(name.padEnd(16, '-')).toString('base64url');
const EPOCH = 1;

function partition(topicId: string, partitionId: number, random: Random): MetadataRecord {
  const replicas = [1, 2, 3].slice(random.below(2));
  const leaderEpoch = random.below(5);
  const directories = random.below(2) === 0 ? [] : replicas.map((id) => idOf(`dir-${id}`));
  const eligibleLeaderReplicas = random.below(3) === 0 ? [3] : null;
  const changing = random.below(4) === 0 ? { addingReplicas: [3], removingReplicas: [2] } : NO_CHANGE;
  return newRecord('partition', {
    partitionId,
    topicId,
    replicas,
    isr: replicas.slice(0, 1),
    ...changing,
    leader: random.below(5) === 0 ? -1 : replicas[0]!,
    leaderRecoveryState: random.below(8) === 0 ? 1 : 0,
    leaderEpoch,
    partitionEpoch: leaderEpoch + random.below(3),
    directories,
    eligibleLeaderReplicas,
    lastKnownElr: eligibleLeaderReplicas === null ? null : [2],
  });
}
const NO_CHANGE = { addingReplicas: [], removingReplicas: [] };

/** Something that a controller may record in sight of the image. */
function randomChange(image: MetadataImage, random: Random, number: number): MetadataRecord[] {
  const topics = [...image.topics.byName.values()];
  const topic = topics.length === 0 ? undefined : topics[random.below(topics.length)]!;
  switch (topic === undefined ? 0 : random.below(9)) {
    case 0: {
      const name = `topic.${number}`;
      const count = random.below(6) === 0 ? 120 : 1 + random.below(4);
      const partitions = Array.from({ length: count }, (_, each) => partition(idOf(name), each, random));
      return [newRecord('topic', { name, topicId: idOf(name) }), ...partitions];
    }
    case 1:
      return [newRecord('removeTopic', { topicId: topic!.id })];
    case 2:
      return [partition(topic!.id, topic!.partitions.length, random)];
    case 3: {
      const replicas = random.below(2) === 0 ? null : [1, 2, 3];
      const partitionId = random.below(topic!.partitions.length);
      const held = replicas ?? topic!.partitions[partitionId]!.replicas;
      const isr = [held[random.below(held.length)]!];
      return [newRecord('partitionChange', { partitionId, topicId: topic!.id, isr, leader: isr[0]!, replicas })];
    }
    case 4: {
      const types = [RESOURCE_TYPE.TOPIC, RESOURCE_TYPE.BROKER, RESOURCE_TYPE.GROUP, RESOURCE_TYPE.CLIENT_METRICS];
      const resourceType = types[random.below(types.length)]!;
      const others = ['', 'a/b c%', '..', '<default>'];
      const resourceName = resourceType === RESOURCE_TYPE.TOPIC ? topic!.name : others[random.below(others.length)]!;
      const name = `key.${random.below(2)}`;
      const value = random.below(2) === 0 ? null : `"${number}" ü`;
      if (resourceName === '' && resourceType !== RESOURCE_TYPE.BROKER) return [newRecord('noOp', {})];
      return [newRecord('config', { resourceType, resourceName, name, value })];
    }
    case 5:
      return [newRecord('producerIds', { brokerId: 1, nextProducerId: image.producerIds.next + 1000 })];
    case 6:
      return [newRecord('featureLevel', { name: `feature-${random.below(3)}`, featureLevel: random.below(3) })];
    case 7:
      return [{ kind: 'carried', version: 0, value: { type: 14, fields: random.bytes(20) } }];
    default: {
      const brokerId = random.below(3);
      if (image.brokers.has(brokerId) && random.below(2) === 0) {
        return [newRecord('unregisterBroker', { brokerId, brokerEpoch: image.brokers.get(brokerId)!.epoch })];
      }
      const endPoints = [{ name: 'A', host: '::1', port: 9, securityProtocol: 1 }];
      const told = { brokerEpoch: number, incarnationId: idOf(`i${number}`), rack: null, logDirs: [idOf('dir')] };
      return [
        newRecord('registerBroker', { brokerId, ...told, endPoints, features: [], fenced: random.below(2) === 0 }),
      ];
    }
  }
}

test('whatever a controller records, the znodes make the same image again', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const world = new QuorumWorld({ seed, latencyMs: [0, 0] });
    const { clock, random, ensemble } = world;
    const session = openSession(
      { connect: world.connect, sessionTimeoutMs: 60_000, connectionTimeoutMs: 60_000, maxInFlight: 100 },
      { clock, random, transport: ensemble.transport('one'), logger: silentLogger },
    );
    await world.value(makePersistentPaths(session));
    const limits = seed % 2 === 0 ? DEFAULT_LIMITS : { operations: 210, bytes: 20_000 };
    let image = emptyImage('cluster');
    for (let number = 1; number <= 120; number++) {
      const before = image;
      const records = randomChange(before, random, number);
      const offset = before.offset + records.length;
      const { image: after, delta } = applyRecords(before, records, offset, EPOCH);
      for (const group of planWrites({ before, after, delta }, EPOCH, limits)) {
        if (group.length > 0) await world.value(session.multi(group));
      }
      image = after;
      if (number % 20 !== 0) continue;
      const newId = (): string => assert.fail('all topics have ids');
      const loaded = await world.value(loadImage(session, { clusterId: 'cluster', epoch: EPOCH, newId, nowMs: 1 }));
      assert.deepEqual(loaded.repairs, [], `seed ${seed}, change ${number}`);
      assert.deepEqual(contentOf(loaded.image), contentOf(image), `seed ${seed}, change ${number}`);
    }
    await world.value(session.close());
  }
});

test('a small change is one write, whatever it touches', () => {
  const random = seededRandom(3);
  const before = emptyImage('cluster');
  const topic = (name: string): MetadataRecord[] => [
    newRecord('topic', { name, topicId: idOf(name) }),
    ...[0, 1, 2].map((each) => partition(idOf(name), each, random)),
  ];
  const records = [...topic('a'), ...topic('b'), newRecord('featureLevel', { name: 'f', featureLevel: 1 })];
  const { image: after, delta } = applyRecords(before, records, records.length, EPOCH);
  assert.equal(planWrites({ before, after, delta }, EPOCH).length, 1);
});

test('what must stay together does, and is refused where it cannot', () => {
  const operation = (path: string): Operation => ({ kind: 'delete', path });
  const atoms = [3, 3, 4, 1].map((count, atom) =>
    Array.from({ length: count }, (_, each) => operation(`/${atom}/${each}`)),
  );
  const groups = groupAtoms(atoms, { operations: 6, bytes: 10_000 });
  assert.deepEqual(
    groups.map((group) => group.map(({ path }) => path.slice(1, 2)).join('')),
    ['000111', '22223'],
  );
  assert.throws(
    () => groupAtoms(atoms, { operations: 3, bytes: 10_000 }),
    (error) => error instanceof SluiceError && error.code === 'METADATA_WRITE_FAILED',
  );
  assert.deepEqual(groupAtoms([], DEFAULT_LIMITS), [[]]);
});
