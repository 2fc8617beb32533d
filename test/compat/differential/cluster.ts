/** What is asked of the cluster as a whole: ApiVersions, Metadata, DescribeCluster, DescribeTopicPartitions, DescribeLogDirs. */
import { apiVersions } from '../../../src/protocol/apis/api-versions.ts';
import { describeCluster } from '../../../src/protocol/apis/describe-cluster.ts';
import { describeLogDirs } from '../../../src/protocol/apis/describe-log-dirs.ts';
import { describeTopicPartitions } from '../../../src/protocol/apis/describe-topic-partitions.ts';
import { metadata } from '../../../src/protocol/apis/metadata.ts';
import { decodeResponseFrame } from '../../../src/protocol/frames.ts';
import type { Body } from '../../support/wire.ts';
import type { Comparable } from '../harness/differential/compare.ts';
import type { Pair, Side } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';

const CLIENT = { clientSoftwareName: 'a-client', clientSoftwareVersion: '1.0.2' };
const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAB7Q';

async function rangesOfServedApis(pair: Pair): Promise<void> {
  const { apiKeys } = await pair.sluice.wire.reply(apiVersions, 0, {});
  const served = new Set((apiKeys as { apiKey: number }[]).map(({ apiKey }) => apiKey));
  const pick = (body: Body): unknown => ({
    ...body,
    apiKeys: (body['apiKeys'] as { apiKey: number }[]).filter(({ apiKey }) => served.has(apiKey)),
  });
  await pair.askAll('a named client', apiVersions, CLIENT, { pick });
  for (const name of ['', ' ', 'a b', '-a', 'a-', '.a', 'a.', 'a_b', 'é', 'a'.repeat(40)]) {
    await pair.ask(
      `software name ${JSON.stringify(name)}`,
      apiVersions,
      3,
      { ...CLIENT, clientSoftwareName: name },
      { pick },
    );
    await pair.ask(
      `software version ${JSON.stringify(name)}`,
      apiVersions,
      4,
      { ...CLIENT, clientSoftwareVersion: name },
      { pick },
    );
  }
}

async function unknownApiVersions(pair: Pair): Promise<void> {
  const read = (frame: Buffer): Comparable => {
    const { body } = decodeResponseFrame(apiVersions, 0, frame);
    return body as unknown as Comparable;
  };
  for (const version of [5, 99, 32767, -1]) {
    const frame = pair.kafka.wire.frame(apiVersions, 0, {});
    frame.writeInt16BE(version, 6);
    await pair.askBytes(`version ${version}`, frame, read);
  }
}

async function metadataByName(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'meta-one' }, { name: 'meta-three', partitions: 3 });
  const ask = (what: string, topics: unknown, more: Body = {}) =>
    pair.askAll(what, metadata, { topics, allowAutoTopicCreation: false, ...more });
  await pair.askAll('all', metadata, (_, version) => ({ topics: version === 0 ? [] : null }));
  await pair.askAll('none or all', metadata, { topics: [] });
  await ask('by name', [{ name: 'meta-three' }, { name: 'meta-one' }]);
  await ask('twice', [{ name: 'meta-one' }, { name: 'meta-one' }]);
  await pair.askAll(
    'unknown',
    metadata,
    { topics: [{ name: 'meta-none' }], allowAutoTopicCreation: false },
    { from: 4 },
  );
  await pair.askAll(
    'invalid',
    metadata,
    { topics: ['', '.', '..', 'a b', 'x'.repeat(250), 'é'].map((name) => ({ name })), allowAutoTopicCreation: false },
    { from: 4 },
  );
  const operations = { includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true };
  await ask('operations', [{ name: 'meta-one' }], operations);
  await ask('operations of the unknown', [{ name: 'meta-none-at-all' }].slice(0, 0), operations);
}

async function metadataById(pair: Pair): Promise<void> {
  const idOf = (side: Side, name: string): string => side.topicIds.get(name)!;
  const ask = (what: string, topics: (side: Side) => unknown) =>
    pair.askAll(what, metadata, (side) => ({ topics: topics(side), allowAutoTopicCreation: false }), { from: 10 });
  await ask('by id', (side) => [{ name: null, topicId: idOf(side, 'meta-one') }]);
  await ask('by id and name', (side) => [{ name: 'meta-one', topicId: idOf(side, 'meta-one') }]);
  await ask('by another id and name', (side) => [{ name: 'meta-three', topicId: idOf(side, 'meta-one') }]);
  await ask('unknown id', () => [{ name: null, topicId: UNKNOWN_ID }]);
  await ask('neither', () => [{ name: null }]);
  await ask('one by id, one by name', (side) => [
    { name: null, topicId: idOf(side, 'meta-one') },
    { name: 'meta-three' },
  ]);
  await ask('one unknown id, one known', (side) => [
    { name: null, topicId: UNKNOWN_ID },
    { name: null, topicId: idOf(side, 'meta-three') },
  ]);
  await ask('one id twice', (side) => [
    { name: null, topicId: idOf(side, 'meta-one') },
    { name: null, topicId: idOf(side, 'meta-one') },
  ]);
  await ask('one named, one with neither', () => [{ name: 'meta-one' }, { name: null }]);
}

async function autoCreation(pair: Pair): Promise<void> {
  for (const version of [0, 3, 4, 9, 12, 13]) {
    const name = `auto-${version}`;
    const pick = ({ topics }: Body): unknown =>
      (topics as { name: string; errorCode: number }[]).map(({ name }) => name);
    await pair.ask('first sight', metadata, version, { topics: [{ name }], allowAutoTopicCreation: true }, { pick });
    await pair.awaitTopic(name);
    await pair.ask('afterwards', metadata, version, { topics: [{ name }], allowAutoTopicCreation: true });
  }
  await pair.createTopics({ name: 'auto.collision' });
  for (const name of ['', '.', 'a b', 'auto_collision', '__cluster_metadata']) {
    const body = { topics: [{ name }], allowAutoTopicCreation: true };
    await pair.ask(`a name that cannot be, ${JSON.stringify(name)}`, metadata, 12, body);
  }
  await pair.ask('all after that', metadata, 12, { topics: null });
}

async function cluster(pair: Pair): Promise<void> {
  await pair.askAll('plain', describeCluster, {});
  await pair.askAll('operations', describeCluster, { includeClusterAuthorizedOperations: true });
  await pair.askAll('fenced too', describeCluster, { includeFencedBrokers: true });
  for (const endpointType of [0, 2, 3, -1]) {
    await pair.ask(`endpoint type ${endpointType}`, describeCluster, 1, { endpointType });
    await pair.ask(`endpoint type ${endpointType}`, describeCluster, 2, { endpointType });
  }
}

async function pagesOfPartitions(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'page-a', partitions: 3 }, { name: 'page-b', partitions: 2 }, { name: 'page-c' });
  const topics = ['page-c', 'page-a', 'page-b'].map((name) => ({ name }));
  const ask = (what: string, body: Body) => pair.ask(what, describeTopicPartitions, 0, body);
  for (const responsePartitionLimit of [-1, 0, 1, 2, 3, 4, 5, 6, 2000, 100_000]) {
    await ask(`limit ${responsePartitionLimit}`, { topics, responsePartitionLimit });
    for (const [topicName, partitionIndex] of [
      ['page-a', 1],
      ['page-a', 3],
      ['page-a', 99],
      ['page-a', -1],
      ['page-b', 0],
      ['page-bb', 1],
      ['page-z', 0],
      ['', 0],
    ] as const) {
      const cursor = { topicName, partitionIndex };
      await ask(`limit ${responsePartitionLimit} from ${topicName}/${partitionIndex}`, {
        topics,
        responsePartitionLimit,
        cursor,
      });
    }
  }
  await ask('an empty name', { topics: [{ name: '' }], responsePartitionLimit: 10 });
  const strange = ['page-a', 'page-a', 'page-none', 'a b'].map((name) => ({ name }));
  await ask('strange names', { topics: strange, responsePartitionLimit: 10 });
  await ask('strange names and a small page', { topics: strange, responsePartitionLimit: 2 });
  await ask('all', { topics: [], responsePartitionLimit: 2000 });
  await ask('all by pages', { topics: [], responsePartitionLimit: 4 });
}

async function logDirectories(pair: Pair): Promise<void> {
  const topics = [{ topic: 'page-a', partitions: [0, 2] }];
  await pair.askAll('some', describeLogDirs, { topics });
  await pair.askAll('none', describeLogDirs, { topics: [] });
  await pair.askAll('unknown', describeLogDirs, { topics: [{ topic: 'page-none', partitions: [0] }] });
  await pair.askAll('partition that is not there', describeLogDirs, { topics: [{ topic: 'page-a', partitions: [9] }] });
  await pair.askAll('no partition', describeLogDirs, { topics: [{ topic: 'page-a', partitions: [] }] });
  await pair.askAll('all', describeLogDirs, { topics: null });
}

export const clusterScenarios: Scenarios = {
  'ApiVersions tells ranges and refuses names that no client may have': rangesOfServedApis,
  'ApiVersions of a version nobody knows': unknownApiVersions,
  'Metadata by name': metadataByName,
  'Metadata by id': metadataById,
  'Metadata creates topics on first use': autoCreation,
  DescribeCluster: cluster,
  'DescribeTopicPartitions by pages': pagesOfPartitions,
  DescribeLogDirs: logDirectories,
};
