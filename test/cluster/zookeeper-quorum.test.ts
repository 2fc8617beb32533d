/** The metadata quorum on a real ensemble of three servers: what it writes, and what it does when servers go. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { SluiceError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { systemRandom } from '../../src/base/random.ts';
import { openSession } from '../../src/metadata/quorums/zookeeper/client/session.ts';
import type { ZooKeeper } from '../../src/metadata/quorums/zookeeper/client/zookeeper.ts';
import { probeEnsemble } from '../../src/metadata/quorums/zookeeper/ensemble-health.ts';
import { channelTo, registrationOf } from '../../src/metadata/quorums/zookeeper/quorum-world.test-kit.ts';
import { ZooKeeperQuorum } from '../../src/metadata/quorums/zookeeper/zookeeper-quorum.ts';
import { METADATA_VERSION_LEVEL, type MetadataRecord, newRecord } from '../../src/metadata/records.ts';
import { nodeTransport } from '../../src/network/transport.ts';
import { runSuccessfully } from '../compat/harness/program.ts';
import { type Ensemble, startEnsemble, zooKeeperInstalled } from './harness/zookeeper.ts';

const skip = zooKeeperInstalled() ? false : 'ZooKeeper is not installed';
const SESSION_MS = 3000;
const LIMIT_MS = 30_000;
const seams = { clock: systemClock, random: systemRandom, transport: nodeTransport, logger: silentLogger };

let ensemble: Ensemble;
let roots = 0;

/** Brokers 1 to `count` around a root of their own. */
class Cluster {
  readonly root = `/kafka/${++roots}`;
  readonly quorums = new Map<number, ZooKeeperQuorum>();

  async start(count: number, credentials?: string): Promise<void> {
    for (let id = 1; id <= count; id++) await this.startOne(id, credentials);
    await until(() => this.all.every((quorum) => quorum.controllerEpoch() === this.leader?.controllerEpoch()));
  }

  async startOne(id: number, credentials?: string): Promise<void> {
    const quorum = new ZooKeeperQuorum(
      {
        brokerId: id,
        interBrokerListener: 'INTERNAL',
        connect: ensemble.connect + this.root,
        sessionTimeoutMs: SESSION_MS,
        connectionTimeoutMs: LIMIT_MS,
        maxInFlight: 10,
        setAcl: credentials !== undefined,
        credentials,
      },
      { ...seams, connectController: async ({ port }) => channelTo(this.quorums.get(port)!.stream, systemClock) },
    );
    this.quorums.set(id, quorum);
    await quorum.clusterId();
    const started = quorum.start(`directory-${id}`);
    await until(() => quorum.controllerId() >= 0);
    await quorum.registerBroker(registrationOf(id, 1, `directory-${id}`));
    await started;
  }

  get all(): ZooKeeperQuorum[] {
    return [...this.quorums.values()];
  }

  get leader(): ZooKeeperQuorum | undefined {
    return this.all.find((quorum) => quorum.isActiveController());
  }

  async close(): Promise<void> {
    for (const quorum of this.all) await quorum.close();
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `in ${LIMIT_MS} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const idOf = (name: string): string => Buffer.from(name.padEnd(16, '-')).toString('base64url');

function topicRecords(name: string, partitions: number): MetadataRecord[] {
  const topicId = idOf(name);
  const replicas = { replicas: [1, 2], isr: [1, 2], removingReplicas: [], addingReplicas: [], directories: [] };
  const led = { leader: 1, leaderEpoch: 0, partitionEpoch: 0 };
  return [
    newRecord('topic', { name, topicId }),
    ...Array.from({ length: partitions }, (_, partitionId) =>
      newRecord('partition', { topicId, partitionId, ...replicas, ...led }),
    ),
  ];
}

async function withCluster(count: number, run: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster();
  try {
    await cluster.start(count);
    await run(cluster);
  } finally {
    await cluster.close();
  }
}

const outsider = (root: string): ZooKeeper =>
  openSession(
    { connect: ensemble.connect + root, sessionTimeoutMs: 5000, connectionTimeoutMs: LIMIT_MS, maxInFlight: 100 },
    seams,
  );

describe('the metadata quorum on ZooKeeper', { skip }, () => {
  before(async () => {
    ensemble = await startEnsemble(3);
  });
  after(async () => {
    await ensemble.close();
  });

  it('writes what Kafka wrote, where Kafka wrote it', async () => {
    await withCluster(2, async (cluster) => {
      const leader = cluster.leader!;
      const config = { resourceType: 2, resourceName: 'orders', name: 'retention.ms', value: '1000' };
      await leader.append([...topicRecords('orders', 2), newRecord('config', config)]);
      await leader.append([newRecord('producerIds', { brokerId: 1, nextProducerId: 2000 })]);
      await leader.append([
        newRecord('partitionChange', { partitionId: 1, topicId: idOf('orders'), isr: [2], leader: 2 }),
      ]);
      const session = outsider(cluster.root);
      const read = async (path: string): Promise<Record<string, unknown>> =>
        JSON.parse((await session.getData(path)).data.toString()) as Record<string, unknown>;
      assert.deepEqual(await read('/brokers/topics/orders'), {
        version: 3,
        topic_id: idOf('orders'),
        partitions: { 0: [1, 2], 1: [1, 2] },
        adding_replicas: {},
        removing_replicas: {},
      });
      const epoch = leader.controllerEpoch();
      const state = { controller_epoch: epoch, version: 1, partition_epoch: 0 };
      assert.deepEqual(await read('/brokers/topics/orders/partitions/0/state'), {
        ...state,
        leader: 1,
        leader_epoch: 0,
        isr: [1, 2],
      });
      assert.deepEqual(await read('/brokers/topics/orders/partitions/1/state'), {
        ...state,
        leader: 2,
        leader_epoch: 1,
        isr: [2],
        partition_epoch: 1,
      });
      assert.deepEqual(await read('/config/topics/orders'), { version: 1, config: { 'retention.ms': '1000' } });
      assert.deepEqual(await read('/latest_producer_id_block'), {
        version: 1,
        broker: -1,
        block_start: '0',
        block_end: '1999',
      });
      assert.deepEqual(await read('/feature'), {
        version: 2,
        status: 1,
        features: Object.fromEntries(leader.image().features),
      });
      assert.equal(leader.image().features.get('metadata.version'), METADATA_VERSION_LEVEL);
      const { timestamp: _, ...controller } = await read('/controller');
      const controllerId = leader.controllerId();
      assert.deepEqual(controller, { version: 1, brokerid: controllerId, identity: `directory-${controllerId}` });
      assert.equal((await session.getData('/controller_epoch')).data.toString(), String(epoch));
      assert.deepEqual(await read('/cluster/id'), { version: '1', id: leader.image().clusterId });
      await session.close();
    });
  });

  it('registers brokers as Kafka did', async () => {
    await withCluster(2, async (cluster) => {
      const session = outsider(cluster.root);
      const { data } = await session.getData('/brokers/ids/2');
      const broker = JSON.parse(data.toString()) as Record<string, unknown>;
      assert.deepEqual(broker['endpoints'], ['CLIENTS://clients.example:1', 'INTERNAL://broker:2']);
      assert.deepEqual(broker['listener_security_protocol_map'], { CLIENTS: 'PLAINTEXT', INTERNAL: 'PLAINTEXT' });
      assert.deepEqual(broker['features'], { 'group.version': { min_version: 0, max_version: 1 } });
      assert.deepEqual(
        [broker['version'], broker['host'], broker['port'], broker['rack'], broker['jmx_port']],
        [5, 'clients.example', 1, 'even', -1],
      );
      assert.equal((await session.exists('/brokers/ids/2'))!.czxid, cluster.quorums.get(2)!.brokerEpoch());
      await session.close();
    });
  });

  it('can be read with ZooKeeper’s own shell', async () => {
    await withCluster(1, async (cluster) => {
      await cluster.leader!.append(topicRecords('orders', 1));
      const shell = '/usr/share/zookeeper/bin/zkCli.sh';
      const path = `${cluster.root}/brokers/topics/orders`;
      const { stdout } = await runSuccessfully(shell, ['-server', ensemble.nodes[0]!.address, 'get', path]);
      assert.match(stdout.toString(), /"partitions":\{"0":\[1,2\]\}/);
    });
  });

  it('creates and deletes topics of ten thousand partitions, and loads them again', async () => {
    await withCluster(1, async (cluster) => {
      const first = cluster.leader!;
      await first.append(topicRecords('small', 1));
      await first.append(topicRecords('large', 10_000));
      await cluster.close();
      await cluster.startOne(1);
      const again = cluster.leader!;
      assert.equal(again.image().topics.byName.get('large')?.partitions.length, 10_000);
      assert.ok(again.controllerEpoch() > 1);
      await again.append([newRecord('removeTopic', { topicId: idOf('large') })]);
      const session = outsider(cluster.root);
      assert.deepEqual((await session.getChildren('/brokers/topics')).children, ['small']);
      assert.deepEqual((await session.getChildren('/admin/delete_topics')).children, []);
      await session.close();
    });
  });

  it('goes on with one server down, refuses changes without a majority, and recovers', async () => {
    await withCluster(2, async (cluster) => {
      await cluster.leader!.append(topicRecords('three', 1));
      await ensemble.nodes[0]!.kill();
      await until(() => cluster.leader !== undefined);
      // The write that finds its connection lost is one whose outcome is unknown.
      const two = topicRecords('two', 1);
      await cluster.leader!.append(two).catch(async () => {
        await until(() => cluster.leader !== undefined);
        if (!cluster.leader!.image().topics.byName.has('two')) await cluster.leader!.append(two);
      });
      const [down, , still] = await probeEnsemble(ensemble.connect, seams);
      assert.equal(down!.state, 'unreachable');
      assert.equal(still!.state, 'serving');
      assert.match(still!.version!, /^3\./);
      await ensemble.nodes[1]!.kill();
      const active = cluster.leader;
      const refused =
        active === undefined ? undefined : await active.append(topicRecords('one', 1)).catch((error) => error);
      if (refused !== undefined) assert.ok(refused instanceof SluiceError && refused.code === 'NOT_CONTROLLER');
      await until(() => cluster.leader === undefined);
      for (const quorum of cluster.all) {
        assert.ok(quorum.image().topics.byName.has('two'), 'brokers go on with what they know');
        await assert.rejects(quorum.append(topicRecords('none', 1)), { code: 'NOT_CONTROLLER' });
      }
      assert.ok((await probeEnsemble(ensemble.connect, seams)).every(({ state }) => state !== 'serving'));
      for (const node of ensemble.nodes) if (!node.running) await node.start();
      await until(() => cluster.leader !== undefined);
      await cluster.leader!.append(topicRecords('back', 1));
      const { offset } = cluster.leader!.image();
      await until(() => cluster.all.every((quorum) => quorum.image().offset === offset));
      assert.ok(!cluster.leader!.image().topics.byName.has('none'));
    });
  });

  it('keeps others from writing where it is told to, and says so when nobody can', async () => {
    const cluster = new Cluster();
    await cluster.start(1, 'sluice:secret');
    await cluster.leader!.append(topicRecords('owned', 1));
    const session = outsider(cluster.root);
    await session.getData('/brokers/topics/owned');
    await assert.rejects(session.setData('/brokers/topics/owned', Buffer.alloc(0)), { code: 'ZOOKEEPER_NO_AUTH' });
    await assert.rejects(session.create('/brokers/topics/other', Buffer.alloc(0)), { code: 'ZOOKEEPER_NO_AUTH' });
    await session.close();
    await cluster.close();
    await assert.rejects(
      new Cluster().startOne(1, '').then(() => undefined),
      { code: 'INVALID_CONFIG' },
    );
  });
});

describe('an ensemble whose data are lost', { skip }, () => {
  it('is not taken for a new one by brokers that run, nor by those that start with data', async () => {
    const lost = await startEnsemble(1);
    const options = {
      brokerId: 1,
      interBrokerListener: 'INTERNAL',
      connect: `${lost.connect}/kafka`,
      sessionTimeoutMs: SESSION_MS,
      connectionTimeoutMs: LIMIT_MS,
      maxInFlight: 10,
    };
    const dependencies = { ...seams, connectController: () => Promise.reject(new SluiceError('NONE', 'nobody')) };
    const quorum = new ZooKeeperQuorum(options, dependencies);
    try {
      const clusterId = await quorum.clusterId();
      await quorum.start('directory-1');
      await quorum.append(topicRecords('kept', 1));
      const [node] = lost.nodes;
      await node!.kill();
      await until(() => quorum.obstacle !== undefined);
      assert.match(quorum.obstacle!, /no majority of ZooKeeper servers .* serves \(.*ECONNREFUSED/);
      node!.wipe();
      await node!.start();
      await until(() => quorum.obstacle?.includes('wiped') === true);
      assert.match(quorum.obstacle!, /knows less \(transaction 0x\w+\) than this broker has seen \(0x\w+\)/);
      assert.equal(quorum.controllerId(), -1);
      assert.ok(quorum.image().topics.byName.has('kept'));
      const another = new ZooKeeperQuorum(options, dependencies);
      const started = await another.clusterId(clusterId).then(
        () => undefined,
        (error: unknown) => error,
      );
      await another.close();
      assert.ok(started instanceof SluiceError && started.code === 'ZOOKEEPER_EMPTY', String(started));
    } finally {
      await quorum.close();
      await lost.close();
    }
  });
});
