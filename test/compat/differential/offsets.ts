/** Where offsets are: ListOffsets, OffsetForLeaderEpoch, DeleteRecords. */
import { deleteRecords } from '../../../src/protocol/apis/delete-records.ts';
import { listOffsets } from '../../../src/protocol/apis/list-offsets.ts';
import { offsetForLeaderEpoch } from '../../../src/protocol/apis/offset-for-leader-epoch.ts';
import { buildBatch } from '../../../src/records/builder.ts';
import { CODECS } from '../../../src/records/compression/codecs.ts';
import type { Body } from '../../support/wire.ts';
import type { Pair } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';
import { askProduce, batchOf, bytesOf, NOW_MS } from './requests.ts';

const at = (...timestamps: readonly number[]) =>
  timestamps.map((timestamp) => ({ key: bytesOf('k'), value: bytesOf('v'), timestamp }));

async function byTimestamp(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'timed', partitions: 4 });
  const produce = (partition: number, records: Buffer) =>
    askProduce(pair, 'stage', { topic: 'timed', partition, records });
  await produce(0, buildBatch({ records: at(NOW_MS, NOW_MS + 10, NOW_MS + 20) }));
  await produce(0, buildBatch({ records: at(NOW_MS + 30, NOW_MS + 25, NOW_MS + 40), codec: CODECS.gzip }));
  await produce(0, buildBatch({ records: at(NOW_MS + 5) }));
  await produce(0, buildBatch({ records: at(NOW_MS + 40, NOW_MS + 40), codec: CODECS.zstd }));
  await produce(1, buildBatch({ records: at(-1, -1) }));
  await produce(2, buildBatch({ records: at(0, 5) }));
  const special = [-1, -2, -3, -4, -5, -6, -7, -100];
  const real = [
    0,
    1,
    5,
    NOW_MS - 1000,
    NOW_MS,
    NOW_MS + 1,
    NOW_MS + 10,
    NOW_MS + 15,
    NOW_MS + 21,
    NOW_MS + 26,
    NOW_MS + 30,
    NOW_MS + 31,
    NOW_MS + 40,
    NOW_MS + 41,
    NOW_MS + 100_000,
  ];
  for (const isolationLevel of [0, 1]) {
    for (const timestamp of [...special, ...real]) {
      const partitions = [0, 1, 2, 3].map((partitionIndex) => ({ partitionIndex, timestamp }));
      const body = { replicaId: -1, isolationLevel, topics: [{ name: 'timed', partitions }], timeoutMs: 1000 };
      await pair.askAll(
        `timestamp ${timestamp < 10 ? timestamp : `+${timestamp - NOW_MS}`}, isolation ${isolationLevel}`,
        listOffsets,
        body,
      );
    }
  }
}

async function oddQuestions(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'odd', partitions: 2 });
  await askProduce(pair, 'stage', { topic: 'odd', records: batchOf(3) });
  const ask = (what: string, topics: readonly Body[], more: Body = {}) =>
    pair.askAll(what, listOffsets, { replicaId: -1, topics, ...more });
  const of = (...partitions: readonly Body[]) => [{ name: 'odd', partitions }];
  await ask('unknown topic', [{ name: 'odd-none', partitions: [{ partitionIndex: 0, timestamp: -1 }] }]);
  await ask('invalid topic', [{ name: 'a b', partitions: [{ partitionIndex: 0, timestamp: -1 }] }]);
  await ask('unknown partition', of({ partitionIndex: 9, timestamp: -1 }, { partitionIndex: -1, timestamp: -1 }));
  await ask(
    'twice',
    of(
      { partitionIndex: 0, timestamp: -1 },
      { partitionIndex: 0, timestamp: -2 },
      { partitionIndex: 1, timestamp: -2 },
    ),
  );
  await ask('nothing', []);
  await ask('no partition', of());
  for (const currentLeaderEpoch of [-1, 0, 1, 9, -4]) {
    await ask(`epoch ${currentLeaderEpoch}`, of({ partitionIndex: 0, timestamp: -1, currentLeaderEpoch }));
    await ask(`epoch ${currentLeaderEpoch} by time`, of({ partitionIndex: 0, timestamp: NOW_MS, currentLeaderEpoch }));
  }
  for (const replicaId of [-2, 1, 7]) {
    await ask(
      `replica ${replicaId}`,
      of({ partitionIndex: 0, timestamp: -1 }, { partitionIndex: 0 + 1, timestamp: -2 }),
      { replicaId },
    );
  }
  await ask('another isolation level', of({ partitionIndex: 0, timestamp: -1 }), { isolationLevel: 5 });
}

async function endOfEpochs(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'epochs' }, { name: 'epochs-empty' });
  await askProduce(pair, 'stage', { topic: 'epochs', records: batchOf(3) });
  const ask = (what: string, topic: string, partitions: readonly Body[], more: Body = {}) =>
    pair.askAll(what, offsetForLeaderEpoch, { replicaId: -1, topics: [{ topic, partitions }], ...more });
  for (const topic of ['epochs', 'epochs-empty', 'epochs-none', 'a b']) {
    for (const leaderEpoch of [-1, 0, 1, 9, -3]) {
      for (const currentLeaderEpoch of [-1, 0, 1]) {
        await ask(`${topic}: epoch ${leaderEpoch}, current ${currentLeaderEpoch}`, topic, [
          { partition: 0, leaderEpoch, currentLeaderEpoch },
        ]);
      }
    }
  }
  await ask('unknown partition', 'epochs', [
    { partition: 5, leaderEpoch: 0 },
    { partition: -1, leaderEpoch: 0 },
  ]);
  await ask('twice', 'epochs', [
    { partition: 0, leaderEpoch: 0 },
    { partition: 0, leaderEpoch: 0 },
  ]);
  await ask('nothing', 'epochs', []);
  await ask('as a replica', 'epochs', [{ partition: 0, leaderEpoch: 0 }], { replicaId: 7 });
}

async function deletion(pair: Pair): Promise<void> {
  await pair.createTopics(
    { name: 'cut', partitions: 2 },
    { name: 'cut-compact', configs: { 'cleanup.policy': 'compact' } },
    { name: 'cut-both', configs: { 'cleanup.policy': 'compact,delete' } },
    { name: 'cut-neither', configs: { 'cleanup.policy': '' } },
  );
  const topics = ['cut', 'cut-compact', 'cut-both', 'cut-neither'];
  for (const topic of topics)
    for (let batch = 0; batch < 4; batch++) await askProduce(pair, 'stage', { topic, records: batchOf(3) });
  const ask = (what: string, name: string, offset: number, partitionIndex = 0, version = 2) =>
    pair.ask(`${what} of ${name}`, deleteRecords, version, {
      topics: [{ name, partitions: [{ partitionIndex, offset }] }],
      timeoutMs: 1000,
    });
  for (const offset of [13, 100, -2, -100]) await ask(`before ${offset}`, 'cut', offset);
  await ask('before 0', 'cut', 0);
  await ask('before 2', 'cut', 2, 0, 0);
  await ask('before 1, which is gone', 'cut', 1, 0, 1);
  await ask('before 6', 'cut', 6);
  await ask('before the end', 'cut', -1);
  await ask('before the end again', 'cut', 12);
  await ask('before the end', 'cut', -1, 1);
  await ask('unknown partition', 'cut', 0, 7);
  await ask('unknown', 'cut-none', 0);
  await ask('invalid', 'a b', 0);
  for (const topic of topics.slice(1)) for (const offset of [5, -1, 99]) await ask(`before ${offset}`, topic, offset);
  await pair.ask('nothing', deleteRecords, 2, { topics: [], timeoutMs: 1000 });
  const twice = [
    { partitionIndex: 0, offset: 12 },
    { partitionIndex: 0, offset: 12 },
  ];
  await pair.ask('twice', deleteRecords, 2, { topics: [{ name: 'cut', partitions: twice }], timeoutMs: 1000 });
  for (const timestamp of [-1, -2, -3, -4, NOW_MS]) {
    const partitions = [{ partitionIndex: 0, timestamp }];
    await pair.ask(`afterwards, ${timestamp}`, listOffsets, 11, {
      replicaId: -1,
      topics: [...topics].map((name) => ({ name, partitions })),
    });
  }
  await pair.ask('epochs afterwards', offsetForLeaderEpoch, 4, {
    replicaId: -1,
    topics: [{ topic: 'cut', partitions: [{ partition: 0, leaderEpoch: 0 }] }],
  });
}

export const offsetScenarios: Scenarios = {
  'ListOffsets by timestamp': byTimestamp,
  'ListOffsets with odd questions': oddQuestions,
  OffsetForLeaderEpoch: endOfEpochs,
  DeleteRecords: deletion,
};
