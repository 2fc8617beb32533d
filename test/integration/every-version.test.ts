/**
 * Every served API answers at every version: what a version lacks must not make an answer unencodable, which would
 * close the connection.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { apiVersions } from '../../src/protocol/apis/api-versions.ts';
import type { Api } from '../../src/protocol/schema.ts';
import { buildBatch } from '../../src/records/builder.ts';
import { declaredSchemas } from '../support/declared-schemas.ts';
import { randomValue } from '../support/schema-values.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Body, Wire } from '../support/wire.ts';

const TOPIC = 'every-version';
/** Configs of its own size, so that nothing random can ask for a slow answer. */
const CONFIG = { 'sluice.partitions.per.request.max': '20', 'sluice.partitions.per.broker.max': '2000' };

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
  DescribeLogDirs: () => [{ topics: null }, { topics: [] }],
  DescribeCluster: () => [{}, { endpointType: 2 }, { includeClusterAuthorizedOperations: true }],
  DescribeProducers: () => [TOPIC, 'none'].map((name) => ({ topics: [{ name, partitionIndexes: [0, 9] }] })),
  ListConfigResources: () => [{}, { resourceTypes: [2] }],
  DescribeTopicPartitions: () => [
    { topics: [] },
    { topics: [{ name: 'none' }], cursor: { topicName: 'none', partitionIndex: 0 } },
  ],
};

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

const creation = (name: string): Body => ({
  topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  timeoutMs: 100,
});

const { apis } = await declaredSchemas();

async function advertised(): Promise<ReadonlySet<number>> {
  const { apiKeys } = await wire.reply(apiVersions, 0, {});
  return new Set((apiKeys as { apiKey: number }[]).map(({ apiKey }) => apiKey));
}

test('every declared API is advertised, and every advertised one has a request here', async () => {
  const keys = await advertised();
  for (const api of apis) {
    assert.ok(keys.has(api.key), `${api.name} is declared and not served`);
    assert.ok(api.name in REQUESTS, `${api.name} has no request in this test`);
  }
  assert.equal(keys.size, apis.length);
});

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
  for (const api of apis) {
    for (const version of versionsOf(api)) {
      for (let round = 0; round < 12; round++) {
        const answer = await wire.ask(api, version, tame(randomValue(api.request, version, random)));
        const where = `${api.name} version ${version}, seed ${seed}, round ${round}: ${answer.kind}; ${lastLine()}`;
        assert.equal(answer.kind, 'reply', where);
      }
    }
  }
});

/** Takes the waiting out of a request; acks=0 has no answer to wait for. */
function tame(body: Body): Body {
  const limits: Body = {};
  if ('maxWaitMs' in body) limits['maxWaitMs'] = 0;
  if ('acks' in body) limits['acks'] = -1;
  return { ...body, ...limits };
}

function* versionsOf({ request }: Api): Iterable<number> {
  for (let version = request.versions.from; version <= request.versions.to; version++) yield version;
}

function lastLine(): string {
  const line = broker.lines.at(-1);
  return line === undefined ? '' : `${line.message} ${JSON.stringify(line.fields)}`;
}
