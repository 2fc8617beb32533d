/** Reading: Fetch with its limits, waits, epochs and sessions. */
import { deleteRecords } from '../../../src/protocol/apis/delete-records.ts';
import { fetch } from '../../../src/protocol/apis/fetch.ts';
import { produce } from '../../../src/protocol/apis/produce.ts';
import { buildBatch } from '../../../src/records/builder.ts';
import type { Body } from '../../support/wire.ts';
import type { Answers, Pair, Side } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';
import {
  askFetch,
  askProduce,
  batchOf,
  type FetchSpec,
  fetchBody,
  NEWEST_FETCH,
  NOW_MS,
  produceBody,
} from './requests.ts';

async function everyVersion(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'fetched', partitions: 3 });
  for (const count of [1, 5, 2]) await askProduce(pair, 'stage', { topic: 'fetched', records: batchOf(count) });
  await askProduce(pair, 'stage', { topic: 'fetched', partition: 1, records: batchOf(3) });
  for (let version = 4; version <= NEWEST_FETCH; version++) {
    const ask = (what: string, spec: FetchSpec) => askFetch(pair, what, { ...spec, version });
    const of = (offset: number, partition = 0) => ({ partitions: [{ topic: 'fetched', partition, offset }] });
    for (const offset of [0, 1, 3, 6, 7, 8]) await ask(`from ${offset}`, of(offset));
    for (const offset of [9, 100, -1, -2, -5]) await ask(`out of range, ${offset}`, of(offset));
    await ask('an empty partition', of(0, 2));
    await ask('beyond an empty partition', of(1, 2));
    await ask('unknown partition', of(0, 9));
    await ask('negative partition', of(0, -1));
    await ask('unknown topic', { partitions: [{ topic: 'fetched-none' }] });
    await ask('several', {
      partitions: [{ topic: 'fetched' }, { topic: 'fetched', partition: 1 }, { topic: 'fetched-none' }],
    });
    await ask('read committed', { ...of(0), isolationLevel: 1 });
    await ask('another isolation level', { ...of(0), isolationLevel: 7 });
    await ask('nothing', { partitions: [] });
  }
}

async function limits(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'limited', partitions: 3 });
  const sized = (bytes: number): Buffer =>
    buildBatch({ records: [{ key: null, value: Buffer.alloc(bytes, 'x'), timestamp: NOW_MS }] });
  for (const partition of [0, 1, 2]) {
    for (const bytes of [1000, 2000, 500])
      await askProduce(pair, 'stage', { topic: 'limited', partition, records: sized(bytes) });
  }
  const all = (maxBytes: number) => [0, 1, 2].map((partition) => ({ topic: 'limited', partition, maxBytes }));
  for (const maxBytes of [0, 1, 500, 1080, 3000, 4000, 5000, 2 ** 31 - 1, -1]) {
    await askFetch(pair, `at most ${maxBytes} in all`, { partitions: all(2 ** 20), maxBytes }, { pick: sizes });
    await askFetch(pair, `at most ${maxBytes} a partition`, { partitions: all(maxBytes) }, { pick: sizes });
    await askFetch(
      pair,
      `at most ${maxBytes} a partition, 1500 in all`,
      { partitions: all(maxBytes), maxBytes: 1500 },
      { pick: sizes },
    );
    await askFetch(
      pair,
      `at most ${maxBytes} in all, version 4`,
      { partitions: all(2 ** 20), maxBytes, version: 4 },
      { pick: sizes },
    );
  }
  await askFetch(
    pair,
    'the second batch',
    { partitions: [{ topic: 'limited', offset: 1, maxBytes: 10 }] },
    { pick: sizes },
  );
  const first = { topic: 'limited', partition: 0, offset: 99 };
  await askFetch(
    pair,
    'an error first, then data',
    { partitions: [first, { topic: 'limited', partition: 1 }], maxBytes: 1 },
    { pick: sizes },
  );
}

/** Which bytes came of each partition; a cut batch at the end is told by its length. */
function sizes({ responses, ...rest }: Body): unknown {
  return {
    ...rest,
    responses: (responses as Body[]).map((topic) => ({
      ...topic,
      partitions: (topic['partitions'] as Body[]).map(({ records, ...partition }) => ({
        ...partition,
        records: records === null ? 'null' : (records as Buffer).length,
      })),
    })),
  };
}

/** How long each took, in a class that a slow machine does not change. */
async function timed(pair: Pair, what: string, spec: FetchSpec, during?: () => Promise<void>): Promise<void> {
  const one = async (side: Side): Promise<readonly [number, number]> => {
    const startedAt = performance.now();
    const answer = await side.wire.ask(fetch, NEWEST_FETCH, fetchBody(side, spec));
    const bytes = answer.kind === 'reply' ? ((sizes(answer.body) as Body)['responses'] as Body[]) : [];
    const total = bytes
      .flatMap((topic) => topic['partitions'] as Body[])
      .reduce((sum, { records }) => sum + (typeof records === 'number' ? records : 0), 0);
    return [performance.now() - startedAt, total];
  };
  const [kafka, sluice] = await Promise.all([one(pair.kafka), one(pair.sluice), during?.()]);
  const kind = ([ms, bytes]: readonly [number, number]) => ({ waited: ms > WAIT_MS * 0.8, bytes });
  pair.compareValues(`${what} (${Math.round(kafka[0])} and ${Math.round(sluice[0])} ms)`, kind(kafka), kind(sluice));
}

const WAIT_MS = 1500;

async function waiting(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'awaited', partitions: 2 });
  await askProduce(pair, 'stage', { topic: 'awaited', records: batchOf(2) });
  const end = { topic: 'awaited', offset: 2 };
  await timed(pair, 'nothing new', { partitions: [end], minBytes: 1, maxWaitMs: WAIT_MS });
  await timed(pair, 'min bytes 0', { partitions: [end], minBytes: 0, maxWaitMs: WAIT_MS });
  await timed(pair, 'data is there', { partitions: [{ topic: 'awaited' }], minBytes: 1, maxWaitMs: WAIT_MS });
  await timed(pair, 'not enough data', { partitions: [{ topic: 'awaited' }], minBytes: 100_000, maxWaitMs: WAIT_MS });
  await timed(pair, 'more than may be', {
    partitions: [{ topic: 'awaited' }],
    minBytes: 1000,
    maxBytes: 50,
    maxWaitMs: WAIT_MS,
  });
  await timed(pair, 'min bytes beyond the partition limit', {
    partitions: [{ topic: 'awaited', maxBytes: 50 }],
    minBytes: 1000,
    maxWaitMs: WAIT_MS,
  });
  await timed(pair, 'out of range', {
    partitions: [{ topic: 'awaited', offset: 99 }],
    minBytes: 1,
    maxWaitMs: WAIT_MS,
  });
  await timed(pair, 'unknown', { partitions: [{ topic: 'awaited-none' }], minBytes: 1, maxWaitMs: WAIT_MS });
  await timed(pair, 'no partition', { partitions: [], minBytes: 1, maxWaitMs: WAIT_MS });
  await timed(pair, 'no time', { partitions: [end], minBytes: 1, maxWaitMs: 0 });
  await timed(pair, 'negative time', { partitions: [end], minBytes: 1, maxWaitMs: -1 });
  const send = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    const other = pair.sides.map(async (side) => {
      const wire = side.wire.another();
      await wire.reply(produce, 13, produceBody(side, { topic: 'awaited', records: batchOf(2) }));
      wire.close();
    });
    await Promise.all(other);
  };
  await timed(pair, 'something comes', { partitions: [end], minBytes: 1, maxWaitMs: WAIT_MS }, send);
  await timed(
    pair,
    'too little comes',
    { partitions: [{ topic: 'awaited', offset: 4 }], minBytes: 10_000, maxWaitMs: WAIT_MS },
    send,
  );
  await timed(
    pair,
    'enough comes',
    {
      partitions: [
        { topic: 'awaited', offset: 6 },
        { topic: 'awaited', partition: 1 },
      ],
      minBytes: 60,
      maxWaitMs: WAIT_MS,
    },
    send,
  );
}

async function epochs(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'epochal' });
  await askProduce(pair, 'stage', { topic: 'epochal', records: batchOf(4) });
  for (const version of [9, 12, 13, NEWEST_FETCH]) {
    for (const currentLeaderEpoch of [-1, 0, 1, -5, 100]) {
      await askFetch(pair, `current epoch ${currentLeaderEpoch}`, {
        version,
        partitions: [{ topic: 'epochal', currentLeaderEpoch }],
      });
    }
  }
  for (const version of [12, 13, NEWEST_FETCH]) {
    for (const lastFetchedEpoch of [-1, 0, 1, 5, -3]) {
      for (const offset of [0, 2, 4, 5]) {
        await askFetch(pair, `last epoch ${lastFetchedEpoch} at ${offset}`, {
          version,
          partitions: [{ topic: 'epochal', offset, lastFetchedEpoch }],
        });
      }
    }
  }
}

async function afterDeletion(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'shortened' });
  for (const count of [3, 3, 3]) await askProduce(pair, 'stage', { topic: 'shortened', records: batchOf(count) });
  await pair.ask('delete before 4', deleteRecords, 2, {
    topics: [{ name: 'shortened', partitions: [{ partitionIndex: 0, offset: 4 }] }],
    timeoutMs: 1000,
  });
  for (const offset of [0, 3, 4, 5, 9, 10])
    await askFetch(pair, `from ${offset}`, { partitions: [{ topic: 'shortened', offset }] });
  await askFetch(pair, 'from 0, version 4', { partitions: [{ topic: 'shortened', offset: 0 }], version: 4 });
  await askProduce(pair, 'and go on', { topic: 'shortened', records: batchOf(1) });
}

async function sessions(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'session-a', partitions: 3 }, { name: 'session-b' });
  await askProduce(pair, 'stage', { topic: 'session-a', records: batchOf(2) });
  for (const version of [7, 12, 13, NEWEST_FETCH]) {
    await lifeOfSession(pair, version);
    await endsOfSessions(pair, version);
  }
}

type Ask = (what: string, spec: FetchSpec & { readonly version?: number }) => Promise<Answers>;

/** Asks within the session that `remember` last took from an answer: each side has an id of its own. */
function asker(pair: Pair, version: number): { readonly ask: Ask; readonly remember: (answers: Answers) => void } {
  let ids: Readonly<Record<Side['name'], number>> = { kafka: 0, sluice: 0 };
  const idOf = (answers: Answers, name: Side['name']): number => {
    const answer = answers[name];
    return answer.kind === 'reply' ? Number(answer.body['sessionId']) : 0;
  };
  return {
    ask: (what, spec) => {
      const { version: asked = version, ...rest } = spec;
      return pair.ask(what, fetch, asked, (side) => fetchBody(side, { sessionId: ids[side.name], ...rest }));
    },
    remember: (answers) => {
      ids = { kafka: idOf(answers, 'kafka'), sluice: idOf(answers, 'sluice') };
    },
  };
}

const part = (partition: number, offset = 0, topic = 'session-a') => ({ topic, partition, offset });

async function lifeOfSession(pair: Pair, version: number): Promise<void> {
  const { ask, remember } = asker(pair, version);
  const end = await endOf(pair, 'session-a');
  const opened = await ask('open', {
    sessionId: 0,
    sessionEpoch: 0,
    partitions: [part(0, end), part(1), part(0, 0, 'session-b')],
  });
  remember(opened);
  await ask('nothing new', { sessionEpoch: 1, partitions: [] });
  await askProduce(pair, 'stage', { topic: 'session-a', partition: 1, records: batchOf(1) });
  await ask('news of one', { sessionEpoch: 2, partitions: [] });
  await ask('the same again, since nobody moved', { sessionEpoch: 3, partitions: [] });
  await ask('moved', { sessionEpoch: 4, partitions: [part(1, 99_999)] });
  await ask('still out of range', { sessionEpoch: 5, partitions: [] });
  await ask('back', { sessionEpoch: 6, partitions: [part(1, 0)] });
  await ask('one more partition', { sessionEpoch: 7, partitions: [part(2)] });
  await ask('one that is not there', { sessionEpoch: 8, partitions: [part(7)] });
  await ask('it stays wrong', { sessionEpoch: 9, partitions: [] });
  await ask('forget', { sessionEpoch: 10, partitions: [], forgotten: [{ topic: 'session-a', partitions: [1, 7] }] });
  await ask('forget what is not there', {
    sessionEpoch: 11,
    partitions: [],
    forgotten: [{ topic: 'session-a', partitions: [55] }],
  });
  await ask('an unknown topic', { sessionEpoch: 12, partitions: [{ topic: 'session-none' }] });
  await ask('it stays unknown', { sessionEpoch: 13, partitions: [] });
  await ask('forget the unknown', {
    sessionEpoch: 14,
    partitions: [],
    forgotten: [{ topic: 'session-none', partitions: [0] }],
  });
  await ask('an epoch behind', { sessionEpoch: 3, partitions: [] });
  await ask('an epoch ahead', { sessionEpoch: 99, partitions: [] });
  await ask('go on', { sessionEpoch: 15, partitions: [] });
  const other = { version: version < 13 ? 13 : 12 };
  await ask('by the other way of naming', { ...other, sessionEpoch: 16, partitions: [] });
  await ask('open over it', { sessionEpoch: 0, partitions: [part(1)] });
  await ask('the old one is gone', { sessionEpoch: 16, partitions: [] });
}

async function endsOfSessions(pair: Pair, version: number): Promise<void> {
  const { ask, remember } = asker(pair, version);
  await ask('unknown session', { sessionId: 123_456, sessionEpoch: 1, partitions: [] });
  await ask('no session, epoch 1', { sessionId: 0, sessionEpoch: 1, partitions: [] });
  await ask('a negative epoch', { sessionId: 0, sessionEpoch: -2, partitions: [part(1)] });
  const again = await ask('open once more', { sessionId: 0, sessionEpoch: 0, partitions: [part(1)] });
  remember(again);
  await ask('forget all', { sessionEpoch: 1, partitions: [], forgotten: [{ topic: 'session-a', partitions: [1] }] });
  await ask('after forgetting all', { sessionEpoch: 2, partitions: [] });
  const third = await ask('open and close', { sessionId: 0, sessionEpoch: 0, partitions: [part(1)] });
  remember(third);
  await ask('close', { sessionEpoch: -1, partitions: [part(1)] });
  await ask('after the close', { sessionEpoch: 1, partitions: [] });
  await ask('close what is not there', { sessionId: 77, sessionEpoch: -1, partitions: [] });
  await ask('open for nothing', { sessionId: 0, sessionEpoch: 0, partitions: [] });
}

async function endOf(pair: Pair, topic: string): Promise<number> {
  const answer = await pair.kafka.wire.reply(fetch, NEWEST_FETCH, fetchBody(pair.kafka, { partitions: [{ topic }] }));
  const [response] = answer['responses'] as { partitions: { highWatermark: number }[] }[];
  return response!.partitions[0]!.highWatermark;
}

export const fetchScenarios: Scenarios = {
  'Fetch in every version': everyVersion,
  'Fetch within limits of bytes': limits,
  'Fetch waits': waiting,
  'Fetch with leader epochs': epochs,
  'Fetch after DeleteRecords': afterDeletion,
  'Fetch sessions': sessions,
};
