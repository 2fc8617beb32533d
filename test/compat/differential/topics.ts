/** Creation, growth and deletion of topics. */
import { createPartitions } from '../../../src/protocol/apis/create-partitions.ts';
import { createTopics } from '../../../src/protocol/apis/create-topics.ts';
import { deleteTopics } from '../../../src/protocol/apis/delete-topics.ts';
import { metadata } from '../../../src/protocol/apis/metadata.ts';
import type { Body } from '../../support/wire.ts';
import type { Pair, Side } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAB7Q';
const TIMEOUT_MS = 5_000;
const NO_CONFIGS: readonly { readonly name: string; readonly value: string | null }[] = [];

interface NewTopic {
  readonly name: string;
  readonly numPartitions?: number;
  readonly replicationFactor?: number;
  readonly assignments?: readonly { readonly partitionIndex: number; readonly brokerIds: readonly number[] }[];
  readonly configs?: readonly { readonly name: string; readonly value: string | null }[];
}

function creation(topics: readonly NewTopic[], more: Body = {}): Body {
  const filled = topics.map((topic) => {
    const counts =
      topic.assignments === undefined
        ? { numPartitions: 1, replicationFactor: 1 }
        : { numPartitions: -1, replicationFactor: -1 };
    return { ...counts, assignments: [], configs: NO_CONFIGS, ...topic };
  });
  return { topics: filled, timeoutMs: TIMEOUT_MS, validateOnly: false, ...more };
}

const config = (name: string, value: string | null): { readonly name: string; readonly value: string | null } => ({
  name,
  value,
});

async function createEveryVersion(pair: Pair): Promise<void> {
  await pair.askAll('plain', createTopics, (_, version) => creation([{ name: `create-v${version}` }]));
  await pair.askAll('once more', createTopics, (_, version) => creation([{ name: `create-v${version}` }]));
  await pair.askAll('only validated', createTopics, (_, version) =>
    creation([{ name: `create-not-v${version}`, numPartitions: 3 }], { validateOnly: true }),
  );
  await pair.askAll('by defaults', createTopics, (_, version) =>
    creation([{ name: `create-default-v${version}`, numPartitions: -1, replicationFactor: -1 }]),
  );
  const configs = [
    config('retention.ms', '1000'),
    config('cleanup.policy', 'compact,delete'),
    config('max.message.bytes', '1000'),
  ];
  await pair.askAll('with configs', createTopics, (_, version) =>
    creation([{ name: `create-configs-v${version}`, configs }]),
  );
  const assignments = [
    { partitionIndex: 1, brokerIds: [1] },
    { partitionIndex: 0, brokerIds: [1] },
  ];
  await pair.askAll('by hand', createTopics, (_, version) =>
    creation([{ name: `create-hand-v${version}`, assignments }]),
  );
  await pair.ask('nothing', createTopics, 7, creation([]));
  await pair.ask(
    'two good, one bad',
    createTopics,
    7,
    creation([{ name: 'create-x' }, { name: 'a b' }, { name: 'create-y', numPartitions: 4 }]),
  );
  for (const name of ['create-v7', 'create-hand-v7', 'create-default-v7', 'create-y']) await pair.awaitTopic(name);
  await pair.ask('made', metadata, 12, { topics: null });
}

async function refuseNames(pair: Pair): Promise<void> {
  const names = [
    '',
    '.',
    '..',
    'a b',
    'a/b',
    'é',
    'a\n',
    'x'.repeat(249),
    'x'.repeat(250),
    '__cluster_metadata',
    '__consumer_offsets2',
  ];
  for (const name of names) {
    const what = name.length > 100 ? `${name.length} letters` : JSON.stringify(name);
    await pair.ask(what, createTopics, 5, creation([{ name }], { validateOnly: true }));
    await pair.ask(what, createTopics, 7, creation([{ name }], { validateOnly: true }));
  }
  await pair.createTopics({ name: 'name.dotted' });
  await pair.ask('collision', createTopics, 7, creation([{ name: 'name_dotted' }]));
  await pair.ask(
    'collision within',
    createTopics,
    7,
    creation([{ name: 'name_within.it' }, { name: 'name.within_it' }], { validateOnly: true }),
    {
      pick: ({ topics }) => (topics as Body[]).map(({ errorCode }) => errorCode).sort(),
    },
  );
  await pair.ask(
    'duplicates',
    createTopics,
    7,
    creation([{ name: 'name-twice' }, { name: 'name-twice' }, { name: 'name-once' }]),
  );
  await pair.ask(
    'duplicates of one that is there',
    createTopics,
    7,
    creation([{ name: 'name-once' }, { name: 'name-once' }]),
  );
}

async function refuseCounts(pair: Pair): Promise<void> {
  const ask = (what: string, topic: Omit<NewTopic, 'name'>) =>
    pair.ask(what, createTopics, 7, creation([{ name: 'count', ...topic }], { validateOnly: true }));
  for (const numPartitions of [0, -2, -2147483648]) await ask(`${numPartitions} partitions`, { numPartitions });
  for (const replicationFactor of [0, -2, 2, 32767]) await ask(`factor ${replicationFactor}`, { replicationFactor });
  await ask('both wrong', { numPartitions: 0, replicationFactor: 0 });
  await ask('-1 and a wrong factor', { numPartitions: -1, replicationFactor: 2 });
  const place = (partitionIndex: number, ...brokerIds: number[]) => ({ partitionIndex, brokerIds });
  await ask('counts and assignments', { numPartitions: 1, replicationFactor: 1, assignments: [place(0, 1)] });
  await ask('partitions and assignments', { numPartitions: 1, replicationFactor: -1, assignments: [place(0, 1)] });
  await ask('a factor and assignments', { numPartitions: -1, replicationFactor: 1, assignments: [place(0, 1)] });
  await ask('a gap', { assignments: [place(0, 1), place(2, 1)] });
  await ask('not from 0', { assignments: [place(1, 1)] });
  await ask('a negative one', { assignments: [place(-1, 1), place(0, 1)] });
  await ask('one twice', { assignments: [place(0, 1), place(0, 1)] });
  await ask('no broker', { assignments: [place(0)] });
  await ask('an unknown broker', { assignments: [place(0, 7)] });
  await ask('a negative broker', { assignments: [place(0, -1)] });
  await ask('a broker twice', { assignments: [place(0, 1, 1)] });
  await ask('unequal', { assignments: [place(0, 1), place(1, 1, 2)] });
}

async function refuseConfigs(pair: Pair): Promise<void> {
  const cases: Record<string, readonly { readonly name: string; readonly value: string | null }[]> = {
    unknown: [config('no.such.config', '1')],
    'an empty name': [config('', '1')],
    null: [config('retention.ms', null)],
    'not a number': [config('retention.ms', 'soon')],
    'with spaces': [config('retention.ms', ' 5 ')],
    'below its range': [config('retention.ms', '-2')],
    'beyond 64 bits': [config('retention.ms', '9223372036854775808')],
    'the largest': [config('retention.ms', '9223372036854775807')],
    'a number beyond 32 bits': [config('max.message.bytes', '2147483648')],
    'a bad choice': [config('cleanup.policy', 'keep')],
    'an empty choice': [config('cleanup.policy', '')],
    'a list': [config('cleanup.policy', 'delete, compact')],
    'a list with a duplicate': [config('cleanup.policy', 'delete,delete')],
    'a bad boolean': [config('preallocate', 'maybe')],
    'a boolean in capitals': [config('preallocate', 'TRUE')],
    'a bad double': [config('min.cleanable.dirty.ratio', '1.5')],
    'a bad codec': [config('compression.type', 'brotli')],
    'a codec level out of range': [config('compression.gzip.level', '10')],
    'the default level': [config('compression.gzip.level', '-1')],
    'a small segment': [config('segment.bytes', '100')],
    'a segment at the limit': [config('segment.bytes', '1048576')],
    'a contradiction of lags': [config('min.compaction.lag.ms', '10'), config('max.compaction.lag.ms', '5')],
    'one twice': [config('retention.ms', '1'), config('retention.ms', '2')],
    'remote storage': [config('remote.storage.enable', 'true')],
    'local retention above': [config('local.retention.ms', '100'), config('retention.ms', '50')],
    'unclean leaders': [config('unclean.leader.election.enable', 'true')],
    'a broker option': [config('log.retention.ms', '5')],
    'timestamps before': [config('message.timestamp.before.max.ms', '-1')],
    'a removed option': [config('message.format.version', '3.0')],
    throttles: [config('leader.replication.throttled.replicas', '0:1,1:1')],
    'all throttled': [config('leader.replication.throttled.replicas', '*')],
    'bad throttles': [config('leader.replication.throttled.replicas', 'all')],
  };
  for (const [what, configs] of Object.entries(cases)) {
    await pair.ask(what, createTopics, 7, creation([{ name: 'config', configs }], { validateOnly: true }));
  }
}

async function grow(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'grow-a', partitions: 2 }, { name: 'grow-b', partitions: 2 });
  const ask = (what: string, topics: readonly Body[], more: Body = {}, version = 3) =>
    pair.ask(what, createPartitions, version, {
      topics: topics.map((topic) => ({ assignments: null, ...topic })),
      timeoutMs: TIMEOUT_MS,
      validateOnly: false,
      ...more,
    });
  const place = (...brokerIds: number[]) => ({ brokerIds });
  for (const version of [0, 1, 2, 3]) {
    await ask('fewer', [{ name: 'grow-a', count: 1 }], {}, version);
    await ask('as many', [{ name: 'grow-a', count: 2 }], {}, version);
    await ask('only validated', [{ name: 'grow-a', count: 5 }], { validateOnly: true }, version);
  }
  await ask('none', [{ name: 'grow-a', count: 0 }]);
  await ask('a negative number', [{ name: 'grow-a', count: -1 }]);
  await ask('unknown', [{ name: 'grow-none', count: 3 }]);
  await ask('an invalid name', [{ name: 'a b', count: 3 }]);
  await ask('twice', [
    { name: 'grow-a', count: 3 },
    { name: 'grow-a', count: 3 },
  ]);
  await ask('twice and another', [
    { name: 'grow-a', count: 3 },
    { name: 'grow-a', count: 4 },
    { name: 'grow-none', count: 3 },
  ]);
  await ask('too few assignments', [{ name: 'grow-a', count: 4, assignments: [place(1)] }]);
  await ask('too many assignments', [{ name: 'grow-a', count: 3, assignments: [place(1), place(1)] }]);
  await ask('no assignments', [{ name: 'grow-a', count: 3, assignments: [] }]);
  await ask('an unknown broker', [{ name: 'grow-a', count: 3, assignments: [place(9)] }]);
  await ask('a broker twice', [{ name: 'grow-a', count: 3, assignments: [place(1, 1)] }]);
  await ask('no broker', [{ name: 'grow-a', count: 3, assignments: [place()] }]);
  await ask('another factor', [{ name: 'grow-a', count: 3, assignments: [place(1, 2)] }]);
  await ask('nothing', []);
  await ask('by hand', [{ name: 'grow-a', count: 3, assignments: [place(1)] }]);
  await ask('one good, one bad', [
    { name: 'grow-b', count: 4 },
    { name: 'grow-none', count: 4 },
  ]);
  await pair.awaitTopic('grow-a', 3);
  await pair.awaitTopic('grow-b', 4);
  await pair.ask('grown', metadata, 12, { topics: [{ name: 'grow-a' }, { name: 'grow-b' }] });
}

async function deletion(pair: Pair): Promise<void> {
  const names = [1, 2, 3, 4, 5].map((version) => `delete-v${version}`);
  const more = ['id', 'both', 'twice', 'name', 'other', 'pair'].map((kind) => `delete-${kind}`);
  await pair.createTopics(...[...names, ...more].map((name) => ({ name })));
  const idOf = (side: Side, name: string): string => side.topicIds.get(name)!;
  for (const version of [1, 2, 3, 4, 5]) {
    await pair.ask('by name', deleteTopics, version, { topicNames: [`delete-v${version}`], timeoutMs: TIMEOUT_MS });
    await gone(pair, `delete-v${version}`);
    await pair.ask('again', deleteTopics, version, { topicNames: [`delete-v${version}`], timeoutMs: TIMEOUT_MS });
    await pair.ask('an invalid name', deleteTopics, version, { topicNames: ['a b', ''], timeoutMs: TIMEOUT_MS });
    await pair.ask('twice', deleteTopics, version, {
      topicNames: ['delete-twice', 'delete-twice'],
      timeoutMs: TIMEOUT_MS,
    });
  }
  const ask = (what: string, topics: (side: Side) => unknown) =>
    pair.ask(what, deleteTopics, 6, (side) => ({ topics: topics(side), timeoutMs: TIMEOUT_MS }));
  await ask('neither', () => [{ name: null }]);
  await ask('both', (side) => [{ name: 'delete-both', topicId: idOf(side, 'delete-both') }]);
  await ask('unknown id', () => [{ name: null, topicId: UNKNOWN_ID }]);
  await ask('unknown name', () => [{ name: 'delete-none' }]);
  await ask('an id twice', (side) => [
    { name: null, topicId: idOf(side, 'delete-twice') },
    { name: null, topicId: idOf(side, 'delete-twice') },
  ]);
  await ask('a name twice', () => [{ name: 'delete-twice' }, { name: 'delete-twice' }]);
  await ask('an unknown id twice', () => [
    { name: null, topicId: UNKNOWN_ID },
    { name: null, topicId: UNKNOWN_ID },
  ]);
  await ask('by id and by name', (side) => [
    { name: null, topicId: idOf(side, 'delete-pair') },
    { name: 'delete-pair' },
  ]);
  await ask('neither, twice', () => [{ name: null }, { name: null }]);
  await ask('nothing', () => []);
  await ask('by id', (side) => [{ name: null, topicId: idOf(side, 'delete-id') }]);
  await ask('by name, with an unknown one', () => [{ name: 'delete-name' }, { name: 'delete-none' }]);
  await gone(pair, 'delete-id');
  await gone(pair, 'delete-name');
  await pair.ask('afterwards', metadata, 12, { topics: null });
  await ask('the id of what was deleted', (side) => [{ name: null, topicId: idOf(side, 'delete-id') }]);
}

async function gone(pair: Pair, name: string): Promise<void> {
  const question = { topics: [{ name }], allowAutoTopicCreation: false };
  await pair.settle(metadata, 12, question, ({ topics }) => (topics as Body[])[0]!['errorCode'] !== 0);
}

export const topicScenarios: Scenarios = {
  'CreateTopics in every version': createEveryVersion,
  'CreateTopics refuses names': refuseNames,
  'CreateTopics refuses counts and assignments': refuseCounts,
  'CreateTopics refuses configs': refuseConfigs,
  CreatePartitions: grow,
  'DeleteTopics by name and by id': deletion,
};
