import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';
import { describeCluster } from '../protocol/apis/describe-cluster.ts';
import { listOffsets as listOffsetsApi } from '../protocol/apis/list-offsets.ts';
import { metadata } from '../protocol/apis/metadata.ts';
import { produce } from '../protocol/apis/produce.ts';
import { BrokerVersions } from './api-versions.ts';
import { Cluster } from './cluster.ts';
import { listOffsets } from './list-offsets.ts';
import type { ClusterOptions } from './options.ts';
import { ScriptedBroker } from './scripted-broker.test.support.ts';

const FAST = { retryBackoffMs: 2, retryBackoffMaxMs: 10 };

interface Scene {
  readonly broker: ScriptedBroker;
  readonly cluster: Cluster;
}

async function withBroker(play: (scene: Scene) => Promise<void>, options: Partial<ClusterOptions> = {}): Promise<void> {
  const broker = await ScriptedBroker.start();
  const cluster = new Cluster({ bootstrapServers: broker.address, ...FAST, ...options });
  try {
    await play({ broker, cluster });
  } finally {
    await cluster.close();
    await broker.stop();
  }
}

const failsWith = (code: string) => (error: unknown) => error instanceof SluiceError && error.code === code;

test('chooses the highest common version, within a cap, and says when there is none', () => {
  const versions = new BrokerVersions(new Map([[produce.key, { from: 3, to: 9 }]]), []);
  assert.equal(versions.choose(produce), 9);
  assert.equal(versions.choose(produce, 5), 5);
  assert.ok(versions.serves(produce) && !versions.serves(metadata));
  assert.throws(() => versions.choose(metadata), failsWith('UNSUPPORTED_VERSION'));
  assert.throws(() => versions.choose(produce, 2), failsWith('UNSUPPORTED_VERSION'));
  const newer = new BrokerVersions(new Map([[produce.key, { from: 90, to: 99 }]]), []);
  assert.throws(() => newer.choose(produce), failsWith('UNSUPPORTED_VERSION'));
});

test('knows a topic after asking once', () =>
  withBroker(async ({ broker, cluster }) => {
    broker.topics = [{ name: 'orders', leaders: [1, 1] }];
    const topic = await cluster.topic('orders');
    assert.equal(topic.partitions.length, 2);
    await cluster.topic('orders');
    assert.equal(broker.count('Metadata'), 1);
    assert.equal(cluster.clusterId, 'scripted');
  }));

test('asks again for a topic that is forgotten or known for too long', () =>
  withBroker(
    async ({ broker, cluster }) => {
      broker.topics = [{ name: 'orders', leaders: [1] }];
      await cluster.topic('orders');
      cluster.forgetTopic('orders');
      await cluster.topic('orders');
      assert.equal(broker.count('Metadata'), 2);
      await new Promise((resolve) => setTimeout(resolve, 60));
      await cluster.topic('orders');
      assert.equal(broker.count('Metadata'), 3);
    },
    { metadataMaxAgeMs: 50 },
  ));

test('looks for an unknown topic a few times before it gives up', () =>
  withBroker(async ({ broker, cluster }) => {
    await assert.rejects(cluster.topic('nowhere'), failsWith('UNKNOWN_TOPIC_OR_PARTITION'));
    assert.equal(broker.count('Metadata'), 3);
    const late = cluster.topic('late', { create: true });
    setTimeout(() => {
      broker.topics = [{ name: 'late', leaders: [1] }];
    }, 40);
    assert.equal((await late).name, 'late');
  }));

test('waits for a leader to be elected', () =>
  withBroker(async ({ broker, cluster }) => {
    broker.topics = [{ name: 'orders', leaders: [-1] }];
    setTimeout(() => {
      broker.topics = [{ name: 'orders', leaders: [1] }];
    }, 30);
    assert.equal((await cluster.leader('orders', 0)).leader, 1);
    await assert.rejects(cluster.leader('orders', 1), failsWith('UNKNOWN_TOPIC_OR_PARTITION'));
  }));

test('finds its way past bootstrap servers that do not answer', async () => {
  const broker = await ScriptedBroker.start();
  const gone = await ScriptedBroker.start();
  await gone.stop();
  const cluster = new Cluster({ bootstrapServers: [gone.address, broker.address], ...FAST });
  broker.topics = [{ name: 'orders', leaders: [1] }];
  assert.equal((await cluster.topic('orders')).name, 'orders');
  await cluster.close();
  await broker.stop();
});

test('says that no broker answers once the time for an operation is over', async () => {
  const gone = await ScriptedBroker.start();
  await gone.stop();
  const cluster = new Cluster({ bootstrapServers: gone.address, ...FAST, operationTimeoutMs: 60 });
  await assert.rejects(cluster.topic('orders'), failsWith('CLUSTER_UNREACHABLE'));
  await cluster.close();
});

test('asks an address that hangs once, and then the others first', async () => {
  let asked = 0;
  const silent = createServer((socket) => {
    asked++;
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const broker = await ScriptedBroker.start();
  broker.topics = [{ name: 'orders', leaders: [1] }];
  const servers = [`127.0.0.1:${(silent.address() as AddressInfo).port}`, broker.address];
  await using cluster = new Cluster({ bootstrapServers: servers, ...FAST, requestTimeoutMs: 200 });
  const troubles: unknown[] = [];
  cluster.onTrouble = (error) => troubles.push(error);
  for (let lane = 0; lane < 5; lane++) await cluster.connection('any', `lane-${lane}`);
  assert.equal(asked, 1);
  assert.deepEqual(troubles, [], 'the next address has answered');
  await cluster.close();
  await broker.stop();
  silent.close();
});

test('says where an address comes from that a broker tells and nobody reaches', async () => {
  const gone = await ScriptedBroker.start();
  await gone.stop();
  const port = Number(gone.address.split(':').at(-1));
  await withBroker(
    async ({ broker, cluster }) => {
      broker.serve(metadata, () => ({
        ...{ throttleTimeMs: 0, clusterId: 'scripted', controllerId: 7, topics: [], errorCode: 0 },
        brokers: [{ nodeId: 7, host: '127.0.0.1', port, rack: null }],
      }));
      const troubles: unknown[] = [];
      cluster.onTrouble = (error) => troubles.push(error);
      await assert.rejects(
        cluster.call(7, describeCluster, {}),
        (error: Error & { code?: string; remedy?: string }) => {
          assert.equal(error.code, 'BROKER_UNREACHABLE');
          assert.match(error.remedy ?? '', /where broker 7 tells clients to connect to \(its advertised\.listeners\)/);
          return true;
        },
      );
      assert.ok(troubles.length > 1, 'attempts that are made again are heard of');
    },
    { operationTimeoutMs: 200 },
  );
});

test('says of every address why nobody answers there', async () => {
  const gone = await ScriptedBroker.start();
  await gone.stop();
  const servers = [gone.address, 'nowhere.invalid:9092'];
  const cluster = new Cluster({ bootstrapServers: servers, ...FAST, operationTimeoutMs: 60 });
  await assert.rejects(cluster.topic('orders'), (error: Error) => {
    assert.match(
      error.message,
      new RegExp(`${gone.address} \\(connection refused\\), nowhere.invalid:9092 \\(the name`),
    );
    return true;
  });
  await cluster.close();
});

for (const [greeting, what] of [
  ['HTTP/1.1 400 Bad Request\r\n', 'a web server answers at .*: no Kafka broker'],
  ['SSH-2.0-OpenSSH_9.2\r\n', 'an SSH server answers at .*: no Kafka broker'],
  ['\x15\x03\x03\0\x02\x02\x46', 'something that speaks TLS answers at .*: no Kafka broker'],
  ['\xff\xff\xff\xff', 'what answers at .* is no Kafka broker'],
  ['\0\0\0\x04\0\0\0\0', 'what answers at .* is no Kafka broker'],
] as const) {
  test(`says at once that ${JSON.stringify(greeting.slice(0, 4))} is no broker, and asks the next address`, async () => {
    const other = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write(Buffer.from(greeting, 'latin1')));
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    await using alone = new Cluster({ bootstrapServers: address, ...FAST });
    const startedMs = performance.now();
    await assert.rejects(alone.topic('orders'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'NOT_A_BROKER');
      assert.match(error.message, new RegExp(what));
      return true;
    });
    assert.ok(performance.now() - startedMs < 2000);
    const broker = await ScriptedBroker.start();
    broker.topics = [{ name: 'orders', leaders: [1] }];
    await using both = new Cluster({ bootstrapServers: [address, broker.address], ...FAST });
    assert.equal((await both.topic('orders')).name, 'orders');
    await both.close();
    await alone.close();
    await broker.stop();
    await new Promise((resolve) => other.close(resolve));
  });
}

test('reconnects after a lost connection and sends the request again', () =>
  withBroker(async ({ broker, cluster }) => {
    let refusals = 2;
    broker.serve(describeCluster, () => {
      if (refusals-- > 0) return 'close';
      return { errorCode: 0, clusterId: 'scripted', brokers: [], throttleTimeMs: 0 };
    });
    const answer = await cluster.call('any', describeCluster, {});
    assert.equal(answer.clusterId, 'scripted');
    assert.equal(broker.count('DescribeCluster'), 3);
  }));

test('talks to a broker that knows only the first version of the handshake', () =>
  withBroker(async ({ broker, cluster }) => {
    broker.serve(apiVersions, (_body, version) => {
      if (version > 0) return 'close';
      const range = { apiKey: metadata.key, minVersion: 0, maxVersion: 4 };
      return { errorCode: 0, apiKeys: [range, { apiKey: apiVersions.key, minVersion: 0, maxVersion: 0 }] };
    });
    broker.topics = [{ name: 'orders', leaders: [1] }];
    await cluster.topic('orders');
    assert.equal(broker.received.find(({ api }) => api === 'Metadata')!.version, 4);
  }));

test('uses one connection for requests that start at the same time', () =>
  withBroker(async ({ broker, cluster }) => {
    broker.topics = [{ name: 'orders', leaders: [1] }];
    await Promise.all(Array.from({ length: 10 }, () => cluster.topic('orders')));
    assert.equal(broker.count('ApiVersions'), 1);
  }));

test('an aborted operation ends at once with the reason', () =>
  withBroker(async ({ broker, cluster }) => {
    broker.serve(metadata, () => 'silence');
    const reason = new Error('enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(
      cluster.topic('orders', { signal: controller.signal }),
      (error) => failsWith('ABORTED')(error) && (error as SluiceError).cause === reason,
    );
  }));

test('closing ends what is under way and refuses what comes later', () =>
  withBroker(async ({ broker, cluster }) => {
    broker.serve(metadata, () => 'silence');
    const waiting = assert.rejects(cluster.topic('orders'), failsWith('CLIENT_CLOSED'));
    setTimeout(() => void cluster.close(), 20);
    await waiting;
    await assert.rejects(cluster.topic('orders'), failsWith('CLIENT_CLOSED'));
    await cluster.close();
  }));

test('asks for offsets at each leader, never twice for a partition in one request', async () => {
  const brokers = [await ScriptedBroker.start(1), await ScriptedBroker.start(2)];
  for (const broker of brokers) {
    broker.peers = brokers;
    broker.topics = [{ name: 'orders', leaders: [1, 2] }];
    broker.serve(listOffsetsApi, ({ topics }) => {
      const places = topics.flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex));
      const twice = new Set(places).size < places.length;
      return {
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex, timestamp }) => ({
            partitionIndex,
            errorCode: twice ? 42 : leads(broker, partitionIndex) ? 0 : 6,
            timestamp: -1,
            offset: timestamp === -1 ? 100 + partitionIndex : 0,
          })),
        })),
      };
    });
  }
  const cluster = new Cluster({ bootstrapServers: brokers[0]!.address, ...FAST });
  const ask = (partition: number, at: 'earliest' | 'latest') => ({ topic: 'orders', partition, at });
  const answers = await listOffsets(cluster, [ask(0, 'latest'), ask(1, 'latest'), ask(1, 'earliest')]);
  assert.deepEqual(
    answers.map(({ offset }) => offset),
    [100, 101, 0],
  );
  await cluster.close();
  for (const broker of brokers) await broker.stop();
});

function leads(broker: ScriptedBroker, partition: number): boolean {
  return broker.topics[0]!.leaders[partition] === broker.nodeId;
}
