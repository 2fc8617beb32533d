import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopicView } from '../metadata-cache.ts';
import type { Wanted } from './fetch-request.ts';
import { FetchSession } from './fetch-session.ts';
import { readPosition } from './read-position.ts';

const ID = 'aaaaaaaaaaaaaaaaaaaaaQ';
const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA';

function wanted(partition: number, offset: number, { id = ID, epoch = 0 } = {}): Wanted {
  const view = { partition, leader: 1, leaderEpoch: epoch, replicas: [1], inSync: [1], offline: [] };
  const partitions = Array.from({ length: partition + 1 }, () => view);
  const topic: TopicView = { name: 'orders', id, internal: false, partitions };
  return { position: readPosition({ topic: 'orders', partition }, offset, Number.POSITIVE_INFINITY), topic };
}

function said(session: FetchSession, all: readonly Wanted[]) {
  const { sessionId, sessionEpoch, topics, forgottenTopicsData } = session.request(all, 1000);
  return {
    session: [sessionId, sessionEpoch],
    asks: topics.flatMap(({ partitions }) => partitions.map(({ partition, fetchOffset }) => [partition, fetchOffset])),
    forgets: (forgottenTopicsData ?? []).flatMap(({ partitions }) => [...partitions]),
  };
}

test('names everything once, then only what is new, and takes back what is not wanted', () => {
  const session = new FetchSession();
  assert.deepEqual(said(session, [wanted(0, 5), wanted(1, 9)]), {
    session: [0, 0],
    asks: [
      [0, 5],
      [1, 9],
    ],
    forgets: [],
  });
  session.answered({ errorCode: 0, sessionId: 77 });
  assert.deepEqual(said(session, [wanted(0, 5), wanted(1, 12)]), { session: [77, 1], asks: [[1, 12]], forgets: [] });
  session.answered({ errorCode: 0, sessionId: 77 });
  assert.deepEqual(said(session, [wanted(1, 12)]), { session: [77, 2], asks: [], forgets: [0] });
  session.answered({ errorCode: 0, sessionId: 77 });
  assert.deepEqual(said(session, [wanted(0, 5), wanted(1, 12, { epoch: 1 })]), {
    session: [77, 3],
    asks: [
      [0, 5],
      [1, 12],
    ],
    forgets: [],
  });
});

test('a topic that was made anew is forgotten by its old id and asked for by the new one', () => {
  const session = new FetchSession();
  session.request([wanted(0, 5)], 1000);
  session.answered({ errorCode: 0, sessionId: 77 });
  const { topics, forgottenTopicsData } = session.request([wanted(0, 5, { id: 'bbbbbbbbbbbbbbbbbbbbbQ' })], 1000);
  assert.deepEqual(
    topics.map(({ topicId }) => topicId),
    ['bbbbbbbbbbbbbbbbbbbbbQ'],
  );
  assert.deepEqual(
    forgottenTopicsData?.map(({ topicId }) => topicId),
    [ID],
  );
});

test('without an answer, and with a refused session, everything is named again', () => {
  const session = new FetchSession();
  const all = [wanted(0, 5)];
  const whole = { asks: [[0, 5]], forgets: [] };
  session.request(all, 1000);
  session.answered({ errorCode: 0, sessionId: 77 });
  session.request(all, 1000);
  session.failed();
  assert.deepEqual(said(session, all), { session: [77, 0], ...whole });
  assert.equal(session.answered({ errorCode: 71, sessionId: 0 }), true);
  assert.deepEqual(said(session, all), { session: [77, 0], ...whole });
  assert.equal(session.answered({ errorCode: 70, sessionId: 0 }), true);
  assert.deepEqual(said(session, all), { session: [0, 0], ...whole });
});

test('a broker that keeps no sessions is told everything every time', () => {
  const session = new FetchSession();
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(said(session, [wanted(0, 5)]), { session: [0, 0], asks: [[0, 5]], forgets: [] });
    session.answered({ errorCode: 0, sessionId: 0 });
  }
});

test('a session speaks of topics by id or by name, never of both', () => {
  const session = new FetchSession();
  session.request([wanted(0, 5)], 1000);
  session.answered({ errorCode: 0, sessionId: 77 });
  assert.deepEqual(said(session, [wanted(0, 5, { id: NO_ID })]), { session: [77, 0], asks: [[0, 5]], forgets: [] });
});
