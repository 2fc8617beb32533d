/**
 * Every served API answers at every version: what a version lacks must not make an answer unencodable, which would
 * close the connection.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { apiVersions } from '../../src/protocol/apis/api-versions.ts';
import { type Api, INT64_MAX } from '../../src/protocol/schema.ts';
import { buildBatch } from '../../src/records/builder.ts';
import { declaredSchemas } from '../support/declared-schemas.ts';
import { randomValue } from '../support/schema-values.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Body, Wire } from '../support/wire.ts';

const TOPIC = 'every-version';
/** Configs of its own size, so that nothing random can ask for a slow answer. */
const CONFIG = {
  'sluice.partitions.per.request.max': '20',
  'sluice.partitions.per.broker.max': '2000',
  'offsets.topic.num.partitions': '2',
  'group.initial.rebalance.delay.ms': '0',
};

let broker: TestBroker;
let wire: Wire;
let topicId = '';

before(async () => {
  broker = await startTestBroker({ config: CONFIG });
  wire = broker.wire();
  topicId = await makeTopic(wire, TOPIC, { partitions: 2 });
});

after(async () => {
  wire.close();
  await broker.close();
});

const batch = (): Buffer => buildBatch({ records: [{ key: null, value: Buffer.from('v'), timestamp: Date.now() }] });

const memberBeat = (parts: Body): Body => ({
  groupId: 'driven',
  rebalanceTimeoutMs: 30_000,
  subscribedTopicNames: [TOPIC],
  topicPartitions: [],
  ...parts,
});

/** The plainest request of each API that means something, and one that meets an error in every part that can have one. */
const REQUESTS: Readonly<Record<string, () => readonly Body[]>> = {
  Produce: () => [
    {
      acks: -1,
      timeoutMs: 100,
      topicData: [{ name: TOPIC, topicId, partitionData: [{ index: 0, records: batch() }] }],
    },
    {
      acks: 1,
      timeoutMs: 100,
      topicData: [{ name: 'none', topicId: unknownId, partitionData: [{ index: 0, records: null }] }],
    },
    {
      acks: 1,
      timeoutMs: 100,
      topicData: [{ name: TOPIC, topicId, partitionData: [{ index: 1, records: Buffer.alloc(70) }] }],
    },
  ],
  Fetch: () => [
    fetchBody(0, TOPIC, topicId),
    fetchBody(10_000, TOPIC, topicId),
    fetchBody(0, 'none', unknownId),
    { ...fetchBody(0, TOPIC, topicId), sessionEpoch: 0 },
    { ...fetchBody(0, TOPIC, topicId), sessionEpoch: 7, sessionId: 5 },
  ],
  ListOffsets: () => [-1, -2, -3, 0, -9].map((timestamp) => listBody(TOPIC, timestamp)).concat(listBody('none', -1)),
  Metadata: () => [{ topics: [] }, { topics: [{ name: TOPIC }, { name: 'a b' }], allowAutoTopicCreation: false }],
  CreateTopics: () => [creation('every-version-2'), creation('a b'), creation(TOPIC)],
  DeleteTopics: () => [
    { topicNames: ['none'], topics: [{ name: 'none' }, { name: null, topicId: unknownId }], timeoutMs: 100 },
  ],
  DeleteRecords: () =>
    [0, 9].map((offset) => ({
      topics: [
        {
          name: TOPIC,
          partitions: [
            { partitionIndex: 0, offset },
            { partitionIndex: 7, offset: 0 },
          ],
        },
      ],
      timeoutMs: 100,
    })),
  InitProducerId: () => [
    { transactionalId: null, transactionTimeoutMs: 1000 },
    { transactionalId: 't', transactionTimeoutMs: 1000 },
  ],
  OffsetForLeaderEpoch: () =>
    [TOPIC, 'none'].map((topic) => ({
      replicaId: -1,
      topics: [{ topic, partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] }],
    })),
  FindCoordinator: () => [0, 1, 9].map((keyType) => ({ key: 'g', keyType, coordinatorKeys: ['g', 'h'] })),
  JoinGroup: () => [
    joinBody({ groupId: `joined-${joins++}` }),
    joinBody({ groupId: '' }),
    joinBody({ sessionTimeoutMs: 1 }),
    joinBody({ memberId: 'nobody' }),
  ],
  SyncGroup: () =>
    ['g', ''].map((groupId) => ({
      groupId,
      generationId: 1,
      memberId: 'nobody',
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [],
    })),
  Heartbeat: () => ['g', ''].map((groupId) => ({ groupId, generationId: 1, memberId: 'nobody' })),
  LeaveGroup: () =>
    ['joined-0', 'g', ''].map((groupId) => ({
      groupId,
      memberId: 'nobody',
      members: [{ memberId: 'nobody' }, { memberId: '', groupInstanceId: 'nobody' }],
    })),
  OffsetCommit: () => [
    commitBody(TOPIC, topicId),
    commitBody('none', unknownId),
    { ...commitBody(TOPIC, topicId), generationIdOrMemberEpoch: 5, memberId: 'nobody' },
    { ...commitBody(TOPIC, topicId), retentionTimeMs: Number.MAX_SAFE_INTEGER },
    { ...commitBody(TOPIC, topicId), retentionTimeMs: INT64_MAX },
  ],
  OffsetFetch: () => [fetchedBody('committed', TOPIC, topicId), fetchedBody('g', 'none', unknownId)],
  OffsetDelete: () =>
    ['committed', 'g', ''].map((groupId) => ({
      groupId,
      topics: [TOPIC, 'none'].map((name) => ({ name, partitions: [{ partitionIndex: 0 }, { partitionIndex: 9 }] })),
    })),
  DescribeGroups: () => [
    { groups: ['joined-0', 'committed', 'none'], includeAuthorizedOperations: true },
    { groups: [], includeAuthorizedOperations: false },
  ],
  ListGroups: () => [{}, { statesFilter: ['Empty'], typesFilter: ['classic'] }, { typesFilter: ['strange'] }],
  DeleteGroups: () => [{ groupsNames: ['committed', 'none', ''] }],
  UpdateFeatures: () =>
    ['group.version', 'none'].map((feature) => ({
      timeoutMs: 100,
      featureUpdates: [{ feature, maxVersionLevel: 1, allowDowngrade: false, upgradeType: 1 }],
      validateOnly: true,
    })),
  ConsumerGroupHeartbeat: () => [
    memberBeat({ memberId: 'AAAAAAAAAAAAAAAAAAAAAA', memberEpoch: 0 }),
    memberBeat({ memberId: 'nobody', memberEpoch: 3 }),
    memberBeat({ memberId: '', memberEpoch: -1, groupId: '' }),
  ],
  ConsumerGroupDescribe: () => [
    { groupIds: ['driven', 'joined-0', 'none', ''], includeAuthorizedOperations: true },
    { groupIds: [], includeAuthorizedOperations: false },
  ],
  ApiVersions: () => [
    { clientSoftwareName: 'a', clientSoftwareVersion: '1' },
    { clientSoftwareName: '', clientSoftwareVersion: '' },
  ],
  DescribeConfigs: () =>
    [
      [2, TOPIC],
      [2, 'none'],
      [4, '1'],
      [4, ''],
      [9, 'x'],
    ].map(([resourceType, resourceName]) => ({
      resources: [{ resourceType, resourceName, configurationKeys: null }],
      includeSynonyms: true,
      includeDocumentation: true,
    })),
  AlterConfigs: () =>
    [TOPIC, 'none'].map((resourceName) => ({
      resources: [{ resourceType: 2, resourceName, configs: [] }],
      validateOnly: true,
    })),
  IncrementalAlterConfigs: () =>
    [TOPIC, 'none'].map((resourceName) => ({
      resources: [
        { resourceType: 2, resourceName, configs: [{ name: 'retention.ms', configOperation: 0, value: '1' }] },
      ],
      validateOnly: true,
    })),
  CreatePartitions: () =>
    [TOPIC, 'none'].map((name) => ({
      topics: [{ name, count: 3, assignments: null }],
      timeoutMs: 100,
      validateOnly: true,
    })),
  ElectLeaders: () =>
    [0, 1, 9].map((electionType) => ({
      electionType,
      topicPartitions: [TOPIC, 'none'].map((topic) => ({ topic, partitions: [0, 9] })),
      timeoutMs: 100,
    })),
  AlterPartitionReassignments: () =>
    [TOPIC, 'none'].map((name) => ({
      timeoutMs: 100,
      topics: [
        {
          name,
          partitions: [
            { partitionIndex: 0, replicas: null },
            { partitionIndex: 1, replicas: [99] },
          ],
        },
      ],
    })),
  ListPartitionReassignments: () => [
    { timeoutMs: 100, topics: null },
    { timeoutMs: 100, topics: [TOPIC, 'none'].map((name) => ({ name, partitionIndexes: [0, 9] })) },
  ],
  UnregisterBroker: () => [{ brokerId: NOBODY }],
  AlterReplicaLogDirs: () => [{ dirs: [{ path: '/nowhere', topics: [{ name: TOPIC, partitions: [0, 9] }] }] }],
  DescribeLogDirs: () => [{ topics: null }, { topics: [] }],
  DescribeCluster: () => [{}, { endpointType: 2 }, { includeClusterAuthorizedOperations: true }],
  DescribeProducers: () => [TOPIC, 'none'].map((name) => ({ topics: [{ name, partitionIndexes: [0, 9] }] })),
  ListConfigResources: () => [{}, { resourceTypes: [2] }],
  DescribeTopicPartitions: () => [
    { topics: [] },
    { topics: [{ name: 'none' }], cursor: { topicName: 'none', partitionIndex: 0 } },
  ],
};

/** The id of no broker. */
const NOBODY = 99;
const unknownId = 'AAAAAAAAAAAAAAAAAAAB7Q';

const fetchBody = (fetchOffset: number, topic: string, id: string): Body => ({
  maxWaitMs: 0,
  minBytes: 0,
  topics: [{ topic, topicId: id, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000 }] }],
  forgottenTopicsData: [],
});

const listBody = (name: string, timestamp: number): Body => ({
  replicaId: -1,
  topics: [{ name, partitions: [{ partitionIndex: 0, timestamp }] }],
});

/** Every member a group of its own: it would wait for the others to join again. */
let joins = 0;

const joinBody = (change: Body): Body => ({
  groupId: 'g',
  sessionTimeoutMs: 6000,
  rebalanceTimeoutMs: 6000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
  ...change,
});

const commitBody = (name: string, id: string): Body => ({
  groupId: 'committed',
  generationIdOrMemberEpoch: -1,
  memberId: '',
  topics: [{ name, topicId: id, partitions: [0, 9].map((partitionIndex) => commitPart(partitionIndex)) }],
});

const commitPart = (partitionIndex: number): Body => ({ partitionIndex, committedOffset: 3, committedMetadata: null });

function fetchedBody(groupId: string, name: string, id: string): Body {
  const topics = [{ name, topicId: id, partitionIndexes: [0, 1] }];
  return {
    groupId,
    topics: [{ name, partitionIndexes: [0, 1] }],
    groups: [
      { groupId, topics },
      { groupId, topics: null },
    ],
  };
}

const creation = (name: string): Body => ({
  topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  timeoutMs: 100,
});

const { apis: declared } = await declaredSchemas();

/** The declared APIs that the broker serves. */
async function servedApis(): Promise<readonly Api[]> {
  const { apiKeys } = await wire.reply(apiVersions, 0, {});
  const keys = new Set((apiKeys as { apiKey: number }[]).map(({ apiKey }) => apiKey));
  return declared.filter(({ key }) => keys.has(key));
}

test('every API that is told to clients is declared and has a request here', async () => {
  const { apiKeys } = await wire.reply(apiVersions, 0, {});
  const names = new Map(declared.map(({ key, name }) => [key, name]));
  const without = (apiKeys as { apiKey: number }[]).filter(
    ({ apiKey }) => REQUESTS[names.get(apiKey) ?? ''] === undefined,
  );
  assert.deepEqual(without, []);
});

const apis = declared.filter(({ name }) => name in REQUESTS);

for (const api of apis) {
  test(`${api.name} answers at every version, successes and refusals`, async () => {
    for (const version of versionsOf(api)) {
      for (const [index, body] of (REQUESTS[api.name]?.() ?? []).entries()) {
        const answer = await wire.ask(api, version, body);
        assert.equal(answer.kind, 'reply', `version ${version}, request ${index}: ${lastLine()}`);
      }
    }
  });
}

test('requests of random, well-formed values are answered in every version', async () => {
  const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  for (const api of await servedApis()) {
    for (const version of versionsOf(api)) {
      for (let round = 0; round < 12; round++) {
        const answer = await wire.ask(api, version, tame(randomValue(api.request, version, random)));
        const where = `${api.name} version ${version}, seed ${seed}, round ${round}: ${answer.kind}; ${lastLine()}`;
        assert.equal(answer.kind, 'reply', where);
      }
    }
  }
});

/** Takes the waiting out of a request, and the broker that is asked; acks=0 has no answer to wait for. */
function tame(body: Body): Body {
  const limits: Body = {};
  if ('maxWaitMs' in body) limits['maxWaitMs'] = 0;
  if ('acks' in body) limits['acks'] = -1;
  if ('brokerId' in body) limits['brokerId'] = NOBODY;
  return { ...body, ...limits };
}

function* versionsOf({ request }: Api): Iterable<number> {
  for (let version = request.versions.from; version <= request.versions.to; version++) yield version;
}

function lastLine(): string {
  const line = broker.lines.at(-1);
  return line === undefined ? '' : `${line.message} ${JSON.stringify(line.fields)}`;
}
