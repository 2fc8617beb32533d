import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SluiceError } from '../../../base/errors.ts';
import type { LogFields, Logger } from '../../../base/logger.ts';
import { RESOURCE_TYPE, topicConfigsOf } from '../../image.ts';
import { type MetadataRecord, newRecord } from '../../records.ts';
import { contentOf, type QuorumNode, QuorumWorld, ROOT, SESSION_MS } from './quorum-world.test-kit.ts';

const idOf = (name: string): string => Buffer.from(name.padEnd(16, '-')).toString('base64url');

function topicRecords(name: string, partitions = 1): MetadataRecord[] {
  const topicId = idOf(name);
  const records = [newRecord('topic', { name, topicId })];
  for (let partitionId = 0; partitionId < partitions; partitionId++) {
    const replicas = { replicas: [1, 2], isr: [1], removingReplicas: [], addingReplicas: [], directories: [] };
    records.push(
      newRecord('partition', { topicId, partitionId, ...replicas, leader: 1, leaderEpoch: 7, partitionEpoch: 9 }),
    );
  }
  return records;
}

const config = (resourceType: number, resourceName: string): MetadataRecord =>
  newRecord('config', { resourceType, resourceName, name: 'retention.ms', value: '5' });

/** Error lines of all brokers, as `message field=value`. */
function recorder(): { readonly logger: Logger; readonly errors: string[] } {
  const errors: string[] = [];
  const none = (): void => undefined;
  const error = (message: string, fields: LogFields = {}): void => {
    errors.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger: Logger = { debug: none, info: none, warn: none, error, with: () => logger };
  return { logger, errors };
}

/** Two brokers, and a controller that has recorded something of every kind. */
async function furnished(world: QuorumWorld): Promise<QuorumNode> {
  for (const id of [1, 2]) world.start(id);
  const leader = await world.leader();
  await world.until(() => world.living.every(({ brokerEpoch }) => brokerEpoch > 0), 'all are registered');
  const broker = { brokerId: 1, brokerEpoch: 5, incarnationId: idOf('life'), logDirs: [idOf('dir')], rack: null };
  await world.value(
    leader.quorum.append([
      ...topicRecords('one', 2),
      ...topicRecords('two'),
      config(RESOURCE_TYPE.TOPIC, 'one'),
      config(RESOURCE_TYPE.BROKER, ''),
      newRecord('registerBroker', { ...broker, endPoints: [], features: [], fenced: false }),
      newRecord('producerIds', { brokerId: 1, nextProducerId: 3000 }),
      { kind: 'carried', version: 0, value: { type: 14, fields: Buffer.from('quota') } },
    ]),
  );
  await settled(world, leader);
  return leader;
}

async function settled(world: QuorumWorld, leader: QuorumNode): Promise<void> {
  const { offset } = leader.quorum.image();
  await world.until(() => world.living.every(({ quorum }) => quorum.image().offset === offset), 'all follow');
}

function put(world: QuorumWorld, path: string, data: string | undefined): void {
  const { ensemble } = world;
  const kind = ensemble.tree.stat(path) === undefined ? 'create' : 'setData';
  if (data === undefined) ensemble.writeByHand([{ kind: 'delete', path }]);
  else ensemble.writeByHand([{ kind, path, data: Buffer.from(data) }]);
}

async function killAll(world: QuorumWorld): Promise<QuorumNode> {
  for (const node of world.living) node.kill();
  for (const id of [1, 2]) world.start(id);
  return world.leader();
}

async function failOver(world: QuorumWorld, leader: QuorumNode): Promise<QuorumNode> {
  leader.kill();
  return world.leader(SESSION_MS);
}

const STATE = `${ROOT}/brokers/topics/one/partitions/0/state`;
const TOPIC = `${ROOT}/brokers/topics/one`;
const NONSENSE = ['[[[', '{}', '', 'null', '{"version":3}', '{"id":1e15,"partitions":{"0":[]},"isr":[9],"leader":9}'];

describe('znodes that cannot be understood', () => {
  it('are written anew from what the brokers have followed, whichever it is and whatever it holds', async () => {
    const paths = [STATE, TOPIC, 'config/topics/one', 'config/brokers/<default>', 'sluice/brokers/1', 'feature'];
    for (const path of [...paths, 'latest_producer_id_block'].map((each) => each.replace(/^(?!\/)/, `${ROOT}/`))) {
      for (const nonsense of NONSENSE) {
        // Configs may be taken away by hand.
        if (nonsense === '' && path.includes('/config/')) continue;
        const { logger, errors } = recorder();
        const world = new QuorumWorld({ logger });
        const leader = await furnished(world);
        const before = contentOf(leader.quorum.image());
        const { next: nextProducerId } = leader.quorum.image().producerIds;
        put(world, path, nonsense);
        const next = await failOver(world, leader);
        const after = next.quorum.image();
        if (path.includes('producer_id')) assert.ok(after.producerIds.next >= nextProducerId, nonsense);
        else assert.deepEqual(contentOf(after), before, `${path}: ${nonsense}`);
        assert.ok(
          errors.some((line) => line.includes(path.slice(ROOT.length))),
          `${path}: ${nonsense}`,
        );
        assert.deepEqual(contentOf(await world.stored()), contentOf(after), 'the znodes are mended');
        await world.value(next.quorum.append(topicRecords('three')));
      }
    }
  });

  it('leave a partition without a leader where no broker knows it, until they are mended', async () => {
    const { logger, errors } = recorder();
    const world = new QuorumWorld({ logger });
    await furnished(world);
    const good = world.ensemble.tree.data(STATE)!.toString();
    put(world, STATE, '[[[');
    const leader = await killAll(world);
    const partition = () => leader.quorum.image().topics.byName.get('one')!.partitions[0]!;
    assert.deepEqual([partition().leader, partition().isr], [-1, []]);
    const { leaderEpoch, partitionEpoch } = partition();
    assert.ok(leaderEpoch > 7);
    assert.equal(leader.quorum.image().topics.byName.get('one')!.partitions[1]!.leader, 1, 'the others go on');
    assert.equal(world.ensemble.tree.data(STATE)!.toString(), '[[[', 'what somebody may still read is left alone');
    const [line] = errors.filter((each) => each.includes('one/partitions/0/state'));
    assert.match(line!, /has no leader.*elect-leaders --unclean --topic one:0.*\[\[\[/);
    put(world, STATE, good);
    await world.until(
      () => world.active.some(({ quorum }) => quorum === leader.quorum) && partition().leader === 1,
      'it leads',
    );
    assert.ok(
      partition().leaderEpoch > leaderEpoch && partition().partitionEpoch > partitionEpoch,
      'epochs never fall',
    );
    await settled(world, await world.leader());
  });

  it('cost a topic its place and nothing else where nobody knows who holds it', async () => {
    for (const nonsense of ['[[[', '{"version":3}', '{"partitions":{"0":[1],"2":[1]}}', '{"partitions":{"0":[1,1]}}']) {
      const { logger, errors } = recorder();
      const world = new QuorumWorld({ logger });
      await furnished(world);
      put(world, TOPIC, nonsense);
      const leader = await killAll(world);
      const { byName } = leader.quorum.image().topics;
      assert.deepEqual([...byName.keys()], ['two'], nonsense);
      assert.deepEqual([...leader.quorum.lostTopics!.reasons.keys()], ['one']);
      const lines = errors.filter((each) => each.includes('/brokers/topics/one'));
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0]!, /sluice topics delete one/);
      await world.value(leader.quorum.lostTopics!.remove('one'));
      assert.equal(world.ensemble.tree.stat(TOPIC), undefined);
      assert.equal(world.ensemble.tree.stat(`${ROOT}/config/topics/one`), undefined);
      await world.run(SESSION_MS);
      const now = await world.leader();
      assert.deepEqual([...now.quorum.lostTopics!.reasons.keys()], []);
      await world.value(now.quorum.append(topicRecords('one')));
      assert.deepEqual(contentOf(await world.stored()), contentOf(now.quorum.image()));
    }
  });

  it('give a topic back as soon as somebody mends its znode', async () => {
    const world = new QuorumWorld();
    await furnished(world);
    const good = world.ensemble.tree.data(TOPIC)!.toString();
    put(world, TOPIC, '{"version":3}');
    const leader = await killAll(world);
    assert.ok(!leader.quorum.image().topics.byName.has('one'));
    put(world, TOPIC, good);
    await world.until(() => world.living.every(({ quorum }) => quorum.image().topics.byName.has('one')), 'it is back');
    assert.equal(topicConfigsOf(leader.quorum.image(), 'one').get('retention.ms'), '5', 'its configs were kept');
  });

  it('delete no records for want of configs that nobody can read', async () => {
    const world = new QuorumWorld();
    await furnished(world);
    put(world, `${ROOT}/config/topics/one`, '[[[');
    put(world, `${ROOT}/config/topics/%zz`, '{}');
    const leader = await killAll(world);
    assert.equal(topicConfigsOf(leader.quorum.image(), 'one').get('retention.ms'), '-1');
    const change = newRecord('config', { resourceType: 2, resourceName: 'one', name: 'retention.ms', value: '9' });
    await world.value(leader.quorum.append([change]));
    assert.equal(topicConfigsOf(await world.stored(), 'one').get('retention.ms'), '9');
  });

  it('of two topics with one id leave the one that brokers know', async () => {
    const world = new QuorumWorld();
    const leader = await furnished(world);
    put(world, `${ROOT}/brokers/topics/copy`, world.ensemble.tree.data(TOPIC)!.toString());
    const next = await failOver(world, leader);
    assert.ok(next.quorum.image().topics.byName.has('one'));
    assert.match(next.quorum.lostTopics!.reasons.get('copy')!, /it has the id of topic one/);
  });

  it('of a state that somebody deleted come back as they were', async () => {
    const world = new QuorumWorld();
    const leader = await furnished(world);
    const before = contentOf(leader.quorum.image());
    put(world, STATE, undefined);
    assert.deepEqual(contentOf((await failOver(world, leader)).quorum.image()), before);
  });

  it('make up for marks of deletion with whatever lies below a topic', async () => {
    const world = new QuorumWorld();
    const leader = await furnished(world);
    put(world, `${STATE}/note`, 'by hand');
    put(world, `${ROOT}/admin/delete_topics/one`, 'x');
    put(world, `${ROOT}/admin/delete_topics/one/deeper`, 'x');
    put(world, `${ROOT}/admin/delete_topics/never-there`, '');
    const next = await failOver(world, leader);
    assert.ok(!next.quorum.image().topics.byName.has('one'));
    assert.deepEqual(world.ensemble.tree.children(`${ROOT}/admin/delete_topics`), []);
    assert.equal(world.ensemble.tree.stat(TOPIC), undefined);
  });
});

describe('znodes that somebody else has changed', () => {
  it('are not overwritten: the controller refuses the change and begins anew with what they say', async () => {
    const world = new QuorumWorld();
    const leader = await furnished(world);
    const mine = JSON.parse(world.ensemble.tree.data(STATE)!.toString()) as object;
    put(world, STATE, JSON.stringify({ ...mine, isr: [1, 2], partition_epoch: 50 }));
    const change = newRecord('partitionChange', { partitionId: 0, topicId: idOf('one'), isr: [1], leader: 1 });
    const outcome = await world.settled(leader.quorum.append([change]));
    assert.equal(outcome.status, 'rejected');
    const { reason } = outcome as PromiseRejectedResult;
    assert.ok(reason instanceof SluiceError && reason.code === 'METADATA_WRITE_FAILED');
    assert.match(reason.message, /partitions\/0\/state: BAD_VERSION/);
    const next = await world.leader();
    const partition = next.quorum.image().topics.byName.get('one')!.partitions[0]!;
    assert.deepEqual([partition.isr, partition.partitionEpoch], [[1, 2], 50]);
    await world.value(next.quorum.append([change]));
  });
});
