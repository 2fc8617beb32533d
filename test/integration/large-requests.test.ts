/**
 * Requests that are legal and as long as they may be: an answer in seconds, of a size in keeping with the question, and
 * nothing left behind. What is quadratic in the length of a request shows here.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { declaredSchemas } from '../support/declared-schemas.ts';
import { answers, makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Body, Wire } from '../support/wire.ts';

const LENGTH = 60_000;
/** Linear work on that many elements takes a tenth of it on a slow machine, quadratic work minutes. */
const MOST_MS = 30_000;
const MOST_BYTES_AN_ELEMENT = 1000;

let broker: TestBroker;
let wire: Wire;
let bystander: Wire;
let topicId = '';

before(async () => {
  broker = await startTestBroker();
  wire = broker.wire();
  bystander = broker.wire();
  topicId = await makeTopic(wire, 'large', { partitions: 2 });
});

after(async () => {
  wire.close();
  bystander.close();
  await broker.close();
});

const many = <T>(make: (index: number) => T): T[] => Array.from({ length: LENGTH }, (_, index) => make(index));
const named = many((index) => `n${index}`);
const creation = (topic: Body): Body => ({
  replicationFactor: -1,
  numPartitions: -1,
  assignments: [],
  configs: [],
  ...topic,
});

const REQUESTS: readonly (readonly [string, string, number, () => Body])[] = [
  [
    'one broker over and over',
    'DescribeConfigs',
    4,
    () => ({ resources: many(() => resource(4, '1')), includeSynonyms: true, includeDocumentation: true }),
  ],
  [
    'one topic over and over',
    'DescribeConfigs',
    4,
    () => ({ resources: many(() => resource(2, 'large')), includeSynonyms: true }),
  ],
  ['many keys', 'DescribeConfigs', 4, () => ({ resources: [{ ...resource(4, '1'), configurationKeys: named }] })],
  [
    'many resources',
    'AlterConfigs',
    2,
    () => ({ resources: named.map((name) => ({ resourceType: 2, resourceName: name, configs: [] })) }),
  ],
  [
    'many configs',
    'AlterConfigs',
    2,
    () => ({
      resources: [{ resourceType: 2, resourceName: 'large', configs: named.map((name) => ({ name, value: '' })) }],
    }),
  ],
  [
    'many resources',
    'IncrementalAlterConfigs',
    1,
    () => ({ resources: named.map((name) => ({ resourceType: 2, resourceName: name, configs: [] })) }),
  ],
  [
    'many configs',
    'IncrementalAlterConfigs',
    1,
    () => ({
      resources: [
        {
          resourceType: 2,
          resourceName: 'large',
          configs: named.map((name) => ({ name, configOperation: 0, value: '' })),
        },
      ],
    }),
  ],
  ['many topics', 'CreateTopics', 7, () => ({ topics: named.map((name) => creation({ name })), validateOnly: true })],
  [
    'many assignments',
    'CreateTopics',
    7,
    () => ({
      topics: [creation({ name: 'n', assignments: many((partitionIndex) => ({ partitionIndex, brokerIds: [1] })) })],
      validateOnly: true,
    }),
  ],
  [
    'many brokers',
    'CreateTopics',
    7,
    () => ({
      topics: [creation({ name: 'n', assignments: [{ partitionIndex: 0, brokerIds: many((index) => index + 1) }] })],
      validateOnly: true,
    }),
  ],
  [
    'many configs',
    'CreateTopics',
    7,
    () => ({
      topics: [creation({ name: 'n', configs: named.map((name) => ({ name, value: '' })) })],
      validateOnly: true,
    }),
  ],
  ['many names', 'DeleteTopics', 5, () => ({ topicNames: named, timeoutMs: 100 })],
  [
    'many topics',
    'CreatePartitions',
    3,
    () => ({
      topics: named.map((name) => ({ name, count: 2, assignments: null })),
      timeoutMs: 100,
      validateOnly: true,
    }),
  ],
  ['many names', 'Metadata', 12, () => ({ topics: named.map((name) => ({ name })), allowAutoTopicCreation: false })],
  [
    'many names to create',
    'Metadata',
    12,
    () => ({ topics: named.map((name) => ({ name })), allowAutoTopicCreation: true }),
  ],
  [
    'many topics',
    'ListOffsets',
    7,
    () => ({
      replicaId: -1,
      topics: named.map((name) => ({ name, partitions: [{ partitionIndex: 0, timestamp: -1 }] })),
    }),
  ],
  [
    'one partition over and over',
    'ListOffsets',
    7,
    () => ({
      replicaId: -1,
      topics: [{ name: 'large', partitions: many(() => ({ partitionIndex: 0, timestamp: -1 })) }],
    }),
  ],
  [
    'one partition over and over',
    'OffsetForLeaderEpoch',
    4,
    () => ({ replicaId: -1, topics: [{ topic: 'large', partitions: many(() => ({ partition: 0, leaderEpoch: 0 })) }] }),
  ],
  [
    'many partitions',
    'DeleteRecords',
    2,
    () => ({
      topics: [{ name: 'large', partitions: many((partitionIndex) => ({ partitionIndex, offset: 0 })) }],
      timeoutMs: 100,
    }),
  ],
  [
    'one partition over and over',
    'DescribeProducers',
    0,
    () => ({ topics: [{ name: 'large', partitionIndexes: many(() => 0) }] }),
  ],
  [
    'many partitions',
    'DescribeLogDirs',
    4,
    () => ({ topics: [{ topic: 'large', partitions: many((index) => index) }] }),
  ],
  ['many names', 'DescribeTopicPartitions', 0, () => ({ topics: named.map((name) => ({ name })) })],
  [
    'one partition over and over',
    'Fetch',
    13,
    () =>
      fetchBody(
        many(() => fetchPartition(0)),
        {},
      ),
  ],
  ['a session of many partitions', 'Fetch', 13, () => fetchBody(many(fetchPartition), { sessionEpoch: 0 })],
  [
    'many partitions',
    'Produce',
    13,
    () => ({
      acks: -1,
      timeoutMs: 100,
      topicData: [{ topicId, partitionData: many((index) => ({ index, records: null })) }],
    }),
  ],
];

const resource = (resourceType: number, resourceName: string): Body => ({
  resourceType,
  resourceName,
  configurationKeys: null,
});
const fetchPartition = (partition: number): Body => ({ partition, fetchOffset: 0, partitionMaxBytes: 100 });
const fetchBody = (partitions: readonly Body[], more: Body): Body => ({
  maxWaitMs: 50,
  minBytes: 1,
  topics: [{ topicId, partitions }],
  forgottenTopicsData: [],
  ...more,
});

const { apis } = await declaredSchemas();

for (const [what, name, version, body] of REQUESTS) {
  test(`${name} with ${what} is answered in seconds, at a size in keeping`, async () => {
    const api = apis.find((each) => each.name === name)!;
    await wire.write(wire.frame(api, version, body()));
    const startedAt = performance.now();
    const answer = await wire.read(MOST_MS);
    assert.equal(answer.kind, 'frame', `after ${Math.round(performance.now() - startedAt)} ms`);
    const bytes = answer.kind === 'frame' ? answer.frame.length : 0;
    assert.ok(bytes < LENGTH * MOST_BYTES_AN_ELEMENT, `${bytes} bytes`);
    assert.ok(await answers(bystander));
    const failed = broker.lines.filter(({ fields }) => String(fields['reason']).startsWith('a request failed'));
    assert.deepEqual(failed, []);
  });
}
