import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { seededRandom } from '../base/random.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { FetchSessions, type FetchTarget, type PartitionNews, type SessionRequest } from './fetch-sessions.ts';

let nowMs = 0;
const clock = { ...systemClock, monotonicMs: () => nowMs };

function sessions(maxSessions = 10): FetchSessions {
  return new FetchSessions({ maxSessions }, { clock, random: seededRandom(7) });
}

function target(topic: string, partition = 0, offset = 0): FetchTarget {
  return {
    topic,
    topicId: ZERO_UUID,
    partition,
    offset,
    maxBytes: 1024,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    startOffset: -1,
  };
}

function request(parts: Partial<SessionRequest>): SessionRequest {
  return {
    sessionId: 0,
    sessionEpoch: 0,
    usesTopicIds: false,
    isFollower: false,
    targets: [],
    forgotten: [],
    ...parts,
  };
}

function news(parts: Partial<PartitionNews> = {}): PartitionNews {
  const nothing = { errorCode: ErrorCode.NONE, highWatermark: 0, startOffset: 0, bytes: 0 };
  return { ...nothing, diverging: false, redirected: false, ...parts };
}

function open(cache: FetchSessions, targets: readonly FetchTarget[]): number {
  return cache.begin(request({ targets })).conclude(targets.map(() => news())).sessionId;
}

describe('fetch sessions', () => {
  it('give no session to a request that wants none', () => {
    const cache = sessions();
    const context = cache.begin(request({ sessionEpoch: -1, targets: [target('a')] }));
    assert.equal(context.conclude([news()]).sessionId, 0);
    assert.equal(cache.size, 0);
  });

  it('tell the high watermark again after a follower had to cut its log, which kept it from believing', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a', 0, 9)]);
    const diverging = cache.begin(request({ sessionId, sessionEpoch: 1 }));
    assert.deepEqual(diverging.conclude([news({ highWatermark: 5, diverging: true })]).include, [true]);
    const cut = cache.begin(request({ sessionId, sessionEpoch: 2, targets: [target('a', 0, 5)] }));
    assert.deepEqual(cut.conclude([news({ highWatermark: 5 })]).include, [true]);
    const again = cache.begin(request({ sessionId, sessionEpoch: 3 }));
    assert.deepEqual(again.conclude([news({ highWatermark: 5 })]).include, [false]);
  });

  it('tell the high watermark again to a follower that begins anew in another leader epoch', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a', 0, 5)]);
    const first = cache.begin(request({ sessionId, sessionEpoch: 1 }));
    assert.deepEqual(first.conclude([news({ highWatermark: 5 })]).include, [true]);
    const sameEpoch = cache.begin(request({ sessionId, sessionEpoch: 2, targets: [target('a', 0, 5)] }));
    assert.deepEqual(sameEpoch.conclude([news({ highWatermark: 5 })]).include, [false]);
    const laterEpoch = { ...target('a', 0, 5), currentLeaderEpoch: 8 };
    const anew = cache.begin(request({ sessionId, sessionEpoch: 3, targets: [laterEpoch] }));
    assert.deepEqual(anew.conclude([news({ highWatermark: 5 })]).include, [true]);
  });

  it('do not take for heard what answers a position that a later request has replaced', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a', 0, 5)]);
    const waiting = cache.begin(request({ sessionId, sessionEpoch: 1 }));
    const later = cache.begin(request({ sessionId, sessionEpoch: 2, targets: [target('a', 0, 5)] }));
    const refused = news({ errorCode: ErrorCode.UNKNOWN_LEADER_EPOCH, highWatermark: -1, startOffset: -1 });
    assert.deepEqual(later.conclude([refused]).include, [true]);
    assert.deepEqual(waiting.conclude([news({ highWatermark: 5 })]).include, [true]);
    const again = cache.begin(request({ sessionId, sessionEpoch: 3 }));
    assert.deepEqual(again.conclude([news({ highWatermark: 5 })]).include, [true]);
  });

  it('remember partitions, so that a later request names none and the reply tells only news', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a'), target('b')]);
    const context = cache.begin(request({ sessionId, sessionEpoch: 1 }));
    assert.deepEqual(
      context.targets.map(({ topic }) => topic),
      ['a', 'b'],
    );
    assert.deepEqual(context.conclude([news(), news({ highWatermark: 5 })]).include, [false, true]);
    const quiet = cache.begin(request({ sessionId, sessionEpoch: 2 }));
    assert.deepEqual(quiet.conclude([news(), news({ highWatermark: 5 })]).include, [false, false]);
  });

  it('take changed, added and forgotten partitions into account', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a'), target('b')]);
    const context = cache.begin(
      request({
        sessionId,
        sessionEpoch: 1,
        targets: [target('a', 0, 9), target('c')],
        forgotten: [{ topic: 'b', topicId: ZERO_UUID, partition: 0 }],
      }),
    );
    assert.deepEqual(
      context.targets.map(({ topic, offset }) => [topic, offset]),
      [
        ['a', 9],
        ['c', 0],
      ],
    );
  });

  it('put a partition that was served last in line', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a'), target('b')]);
    cache.begin(request({ sessionId, sessionEpoch: 1 })).conclude([news({ bytes: 10 }), news()]);
    const next = cache.begin(request({ sessionId, sessionEpoch: 2 }));
    assert.deepEqual(
      next.targets.map(({ topic }) => topic),
      ['b', 'a'],
    );
  });

  it('tell a good state again after an error', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a')]);
    const failed = cache.begin(request({ sessionId, sessionEpoch: 1 }));
    assert.deepEqual(failed.conclude([news({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR })]).include, [true]);
    const healed = cache.begin(request({ sessionId, sessionEpoch: 2 }));
    assert.deepEqual(healed.conclude([news()]).include, [true]);
  });

  it('refuse an unknown session, a wrong epoch and a change between names and ids', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a')]);
    const codeOf = (parts: Partial<SessionRequest>) => cache.begin(request(parts)).errorCode;
    assert.equal(codeOf({ sessionId: sessionId + 1, sessionEpoch: 1 }), ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
    assert.equal(codeOf({ sessionId, sessionEpoch: 2 }), ErrorCode.INVALID_FETCH_SESSION_EPOCH);
    assert.equal(codeOf({ sessionId, sessionEpoch: 1, usesTopicIds: true }), ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR);
  });

  it('close when their last partition is forgotten', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a')]);
    const forgotten = [{ topic: 'a', topicId: ZERO_UUID, partition: 0 }];
    const context = cache.begin(request({ sessionId, sessionEpoch: 1, forgotten }));
    assert.equal(context.conclude([]).sessionId, 0);
    assert.equal(cache.size, 0);
  });

  it('are bounded: a full cache declines, unless one was idle for long', () => {
    nowMs = 0;
    const cache = sessions(2);
    open(cache, [target('a')]);
    open(cache, [target('b')]);
    assert.equal(open(cache, [target('c')]), 0);
    nowMs = 121_000;
    assert.notEqual(open(cache, [target('c')]), 0);
    assert.equal(cache.size, 2);
  });

  it('answer a request that waits as soon as the next one of the session is there', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a')]);
    const first = cache.begin(request({ sessionId, sessionEpoch: 1 }));
    let hurried = 0;
    first.hurry.onHurry(() => hurried++);
    const second = cache.begin(request({ sessionId, sessionEpoch: 2, targets: [target('b')] }));
    assert.equal(hurried, 1);
    assert.equal(first.hurry.hurried, true);
    assert.equal(second.hurry.hurried, false);
    assert.equal(second.targets.length, 2);
    assert.deepEqual(first.conclude([news()]).include, [false]);
  });

  it('tell a client each time that it is sent to another replica', () => {
    const cache = sessions();
    const sessionId = open(cache, [target('a')]);
    for (const sessionEpoch of [1, 2]) {
      const context = cache.begin(request({ sessionId, sessionEpoch }));
      assert.deepEqual(context.conclude([news({ redirected: true })]).include, [true]);
    }
  });

  it('of followers take the place of those of clients, and not the other way round', () => {
    const cache = sessions(1);
    const ofClient = open(cache, [target('a')]);
    const follower = cache.begin(request({ isFollower: true, targets: [target('a')] }));
    assert.notEqual(follower.conclude([news()]).sessionId, 0);
    const gone = cache.begin(request({ sessionId: ofClient, sessionEpoch: 1 }));
    assert.equal(gone.errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
    assert.equal(open(cache, [target('b')]), 0);
    nowMs += 1_000_000;
    assert.notEqual(open(cache, [target('b')]), 0, 'the follower is gone');
  });
});
