import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../base/logger.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { IsrOutcome, IsrProposal } from './isr-changes.ts';
import { Leadership } from './leadership.ts';
import type { PartitionState } from './partition-state.ts';

const LED = { topic: 't', partition: 0, topicId: 'qqqqqqqqqqqqqqqqqqqqqg', brokerId: 1 };
const LAG_MS = 1000;

let clock = new SimulatedClock();
let proposals: IsrProposal[] = [];
let brokers = new Map<number, { epoch: number; active: boolean }>();
let committed = 0;
let silenceMaxMs = Number.POSITIVE_INFINITY;

beforeEach(() => {
  clock = new SimulatedClock();
  proposals = [];
  committed = 0;
  silenceMaxMs = Number.POSITIVE_INFINITY;
  brokers = new Map([1, 2, 3].map((id) => [id, { epoch: 10 * id, active: true }]));
});

function lead(state: Partial<PartitionState> = {}, start = 0): Leadership {
  const all = { leader: 1, leaderEpoch: 5, partitionEpoch: 7, replicas: [1, 2, 3], inSyncReplicas: [1, 2, 3] };
  const leadership = new Leadership(
    LED,
    { ...all, ...state },
    {
      clock,
      logger: silentLogger,
      lagTimeMaxMs: () => LAG_MS,
      silenceMaxMs: () => silenceMaxMs,
      proposals: { submit: (proposal) => void proposals.push(proposal) },
      brokers: {
        ownEpoch: () => 10,
        epochOf: (id) => brokers.get(id)?.epoch,
        isActive: (id) => brokers.get(id)?.active === true,
      },
    },
    () => committed++,
  );
  leadership.beginEpoch(start, { isNewLeader: true });
  return leadership;
}

function fetches(
  leadership: Leadership,
  brokerId: number,
  offset: number,
  log: { endOffset: number; highWatermark: number },
  brokerEpoch = 10 * brokerId,
): boolean {
  return leadership.noteFetch(leadership.follower(brokerId)!, { brokerId, brokerEpoch, offset, startOffset: 0 }, log);
}

function answer(change: Partial<Extract<IsrOutcome, { leaderEpoch: number }>>): IsrOutcome {
  return { errorCode: ErrorCode.NONE, leaderEpoch: 5, partitionEpoch: 8, inSyncReplicas: [1, 2, 3], ...change };
}

describe('what is committed', () => {
  it('is nothing before every in-sync follower has fetched', () => {
    const leadership = lead();
    fetches(leadership, 2, 4, { endOffset: 4, highWatermark: 0 });
    assert.equal(leadership.committedEnd(4), -1);
    fetches(leadership, 3, 3, { endOffset: 4, highWatermark: 0 });
    assert.equal(leadership.committedEnd(4), 3);
  });

  it('does not wait for a follower that is neither in sync nor close', () => {
    const leadership = lead({ inSyncReplicas: [1, 2] }, 3);
    fetches(leadership, 2, 4, { endOffset: 4, highWatermark: 0 });
    fetches(leadership, 3, 1, { endOffset: 4, highWatermark: 0 });
    assert.equal(leadership.committedEnd(4), 4);
  });

  it('waits for one that keeps up and may come in, but not for one that is fenced', () => {
    const leadership = lead({ inSyncReplicas: [1] });
    fetches(leadership, 2, 4, { endOffset: 4, highWatermark: 5 });
    assert.equal(leadership.committedEnd(6), 4);
    brokers.get(2)!.active = false;
    assert.equal(leadership.committedEnd(6), 6);
    brokers.get(2)!.active = true;
    clock.advance(LAG_MS + 1);
    assert.equal(leadership.committedEnd(6), 6);
  });

  it('includes a replica from the moment that it was proposed', () => {
    const leadership = lead({ inSyncReplicas: [1, 2] });
    fetches(leadership, 2, 9, { endOffset: 9, highWatermark: 3 });
    fetches(leadership, 3, 4, { endOffset: 9, highWatermark: 3 });
    assert.equal(proposals.length, 1);
    clock.advance(LAG_MS + 1);
    assert.equal(leadership.committedEnd(9), 4);
    assert.deepEqual(leadership.inSync.committed, [1, 2]);
  });

  it('includes a replica that shall leave until it has left', () => {
    const leadership = lead();
    fetches(leadership, 2, 9, { endOffset: 9, highWatermark: 3 });
    fetches(leadership, 3, 4, { endOffset: 9, highWatermark: 3 });
    clock.advance(LAG_MS + 1);
    fetches(leadership, 2, 9, { endOffset: 9, highWatermark: 3 });
    leadership.shrinkIfLagging({ endOffset: 9, highWatermark: 3 });
    assert.deepEqual(
      proposals.map(({ members }) => members.map(({ brokerId }) => brokerId)),
      [[1, 2]],
    );
    assert.equal(leadership.committedEnd(9), 4);
    proposals[0]!.settle(answer({ inSyncReplicas: [1, 2] }));
    assert.equal(leadership.committedEnd(9), 9);
    assert.equal(committed, 1);
  });
});

describe('a follower comes in', () => {
  it('only once it has reached the start of the current leader epoch', () => {
    const leadership = lead({ inSyncReplicas: [1, 2] }, 10);
    const log = { endOffset: 12, highWatermark: 6 };
    fetches(leadership, 3, 9, log);
    assert.equal(proposals.length, 0);
    fetches(leadership, 3, 10, log);
    assert.equal(proposals.length, 1);
  });

  it('only once it has reached the high watermark', () => {
    const leadership = lead({ inSyncReplicas: [1, 2] });
    fetches(leadership, 3, 5, { endOffset: 12, highWatermark: 6 });
    assert.equal(proposals.length, 0);
    fetches(leadership, 3, 6, { endOffset: 12, highWatermark: 6 });
    assert.deepEqual(proposals[0]!.members, [
      { brokerId: 1, brokerEpoch: 10 },
      { brokerId: 2, brokerEpoch: -1 },
      { brokerId: 3, brokerEpoch: 30 },
    ]);
    assert.equal(proposals[0]!.leaderEpoch, 5);
    assert.equal(proposals[0]!.partitionEpoch, 7);
  });

  it('not on what a former life of its broker fetched', () => {
    const leadership = lead({ inSyncReplicas: [1, 2] });
    brokers.get(3)!.epoch = 31;
    assert.equal(fetches(leadership, 3, 6, { endOffset: 6, highWatermark: 6 }), false);
    assert.equal(leadership.follower(3)!.endOffset, -1);
    assert.equal(proposals.length, 0);
    assert.equal(fetches(leadership, 3, 6, { endOffset: 6, highWatermark: 6 }, 31), true);
    assert.equal(proposals.length, 1);
  });

  it('not while its registration is not known here yet, and not while it is fenced', () => {
    const leadership = lead({ inSyncReplicas: [1, 2] });
    fetches(leadership, 3, 6, { endOffset: 6, highWatermark: 6 }, 31);
    assert.equal(proposals.length, 0);
    brokers.set(3, { epoch: 31, active: false });
    fetches(leadership, 3, 6, { endOffset: 6, highWatermark: 6 }, 31);
    assert.equal(proposals.length, 0);
  });

  it('one change at a time', () => {
    const leadership = lead({ inSyncReplicas: [1] });
    const log = { endOffset: 6, highWatermark: 6 };
    fetches(leadership, 2, 6, log);
    fetches(leadership, 3, 6, log);
    assert.equal(proposals.length, 1);
    proposals[0]!.settle(answer({ inSyncReplicas: [1, 2] }));
    fetches(leadership, 3, 6, log);
    assert.deepEqual(proposals[1]!.partitionEpoch, 8);
  });
});

describe('a proposal', () => {
  function proposed(): Leadership {
    const leadership = lead({ inSyncReplicas: [1, 2] });
    fetches(leadership, 3, 6, { endOffset: 6, highWatermark: 6 });
    return leadership;
  }

  it('is over where the controller says for certain that it was not taken', () => {
    const leadership = proposed();
    proposals[0]!.settle({ errorCode: ErrorCode.INELIGIBLE_REPLICA });
    assert.equal(leadership.inSync.pending, undefined);
    assert.deepEqual(leadership.inSync.maximal, [1, 2]);
  });

  it('stays open where it may have been taken, until the metadata tell', () => {
    const leadership = proposed();
    proposals[0]!.settle({ errorCode: ErrorCode.INVALID_UPDATE_VERSION });
    assert.deepEqual(leadership.inSync.maximal, [1, 2, 3]);
    leadership.update({ ...leadership.state, inSyncReplicas: [1, 2] });
    assert.deepEqual(leadership.inSync.maximal, [1, 2, 3], 'the same state again says nothing');
    leadership.update({ ...leadership.state, partitionEpoch: 8, inSyncReplicas: [1, 2] });
    assert.deepEqual(leadership.inSync.maximal, [1, 2]);
  });

  it('is not decided by an answer that is older than what is known', () => {
    const leadership = proposed();
    leadership.update({ ...leadership.state, partitionEpoch: 9, inSyncReplicas: [1] });
    assert.equal(proposals[0]!.isWanted(), false);
    proposals[0]!.settle(answer({ partitionEpoch: 8 }));
    assert.deepEqual(leadership.inSync.committed, [1]);
    assert.equal(leadership.state.partitionEpoch, 9);
  });
});

describe('a follower goes', () => {
  it('after the time that it may lag, and never the leader', () => {
    const leadership = lead();
    const log = { endOffset: 5, highWatermark: 0 };
    clock.advance(LAG_MS);
    leadership.shrinkIfLagging(log);
    assert.equal(proposals.length, 0);
    clock.advance(1);
    leadership.shrinkIfLagging(log);
    assert.deepEqual(
      proposals[0]!.members.map(({ brokerId }) => brokerId),
      [1],
    );
  });

  it('not while it was at the end of the log as of its last fetch, whatever came after', () => {
    const leadership = lead();
    for (let end = 0; end < 20; end++) {
      fetches(leadership, 2, Math.max(0, end - 1), { endOffset: end, highWatermark: 0 });
      fetches(leadership, 3, 0, { endOffset: end, highWatermark: 0 });
      clock.advance(200);
    }
    leadership.shrinkIfLagging({ endOffset: 20, highWatermark: 0 });
    assert.deepEqual(
      proposals[0]!.members.map(({ brokerId }) => brokerId),
      [1, 2],
    );
  });

  it('sooner where it misses records and is not heard of, unless the leader itself may have been deaf', () => {
    silenceMaxMs = 100;
    const leadership = lead();
    const log = { endOffset: 5, highWatermark: 0 };
    fetches(leadership, 2, 5, log);
    fetches(leadership, 3, 4, log);
    clock.advance(100);
    leadership.shrinkIfLagging(log);
    clock.advance(1);
    leadership.shrinkIfLagging(log, { hears: false });
    assert.equal(proposals.length, 0);
    leadership.shrinkIfLagging(log);
    assert.deepEqual(
      proposals[0]!.members.map(({ brokerId }) => brokerId),
      [1, 2],
    );
    proposals[0]!.settle(answer({ inSyncReplicas: [1, 2] }));
    assert.equal(leadership.committedEnd(5), 5, 'nobody waits for it to come back in');
  });

  it('sooner where it asks again and again for what it was sent', () => {
    silenceMaxMs = 500;
    const leadership = lead();
    const log = { endOffset: 5, highWatermark: 4 };
    for (let attempt = 0; attempt < 6; attempt++) {
      fetches(leadership, 2, 5, log);
      fetches(leadership, 3, 4, log);
      leadership.follower(3)!.sent(100);
      leadership.shrinkIfLagging(log);
      assert.equal(proposals.length, 0, `attempt ${attempt}`);
      clock.advance(100);
    }
    leadership.shrinkIfLagging(log);
    assert.deepEqual(
      proposals[0]!.members.map(({ brokerId }) => brokerId),
      [1, 2],
    );
  });

  it('not while it is being sent much', () => {
    silenceMaxMs = 100;
    const leadership = lead();
    fetches(leadership, 2, 5, { endOffset: 5, highWatermark: 0 });
    fetches(leadership, 3, 4, { endOffset: 5, highWatermark: 0 });
    leadership.follower(3)!.sent(500_000);
    clock.advance(600);
    leadership.shrinkIfLagging({ endOffset: 5, highWatermark: 0 });
    assert.equal(proposals.length, 0);
  });

  it('not where it has everything, however long nothing came', () => {
    const leadership = lead();
    for (const id of [2, 3]) fetches(leadership, id, 5, { endOffset: 5, highWatermark: 5 });
    clock.advance(10 * LAG_MS);
    leadership.shrinkIfLagging({ endOffset: 5, highWatermark: 5 });
    assert.equal(proposals.length, 0);
  });
});

describe('a leader that cannot write', () => {
  const members = (): number[][] => proposals.map((proposal) => proposal.members.map(({ brokerId }) => brokerId));

  it('gives its place to others in sync, and waits for all of them until that is known', () => {
    const leadership = lead();
    fetches(leadership, 2, 3, { endOffset: 5, highWatermark: 0 });
    fetches(leadership, 3, 4, { endOffset: 5, highWatermark: 0 });
    leadership.giveUp(2);
    assert.deepEqual(members(), [[2, 3]]);
    assert.equal(leadership.committedEnd(5), 3);
    leadership.giveUp(2);
    assert.equal(proposals.length, 1, 'one change at a time');
  });

  it('stays where too few are in sync without it, and asks no more than once a second', () => {
    const leadership = lead({ inSyncReplicas: [1, 2] });
    leadership.giveUp(2);
    assert.deepEqual(members(), []);
    leadership.giveUp(1);
    assert.deepEqual(members(), [[2]]);
    proposals[0]!.settle({ errorCode: ErrorCode.INELIGIBLE_REPLICA });
    leadership.giveUp(1);
    assert.equal(proposals.length, 1);
    clock.advance(1000);
    leadership.giveUp(1);
    assert.equal(proposals.length, 2);
  });

  it('stays where it is the only replica', () => {
    const leadership = lead({ replicas: [1], inSyncReplicas: [1] });
    leadership.giveUp(2);
    assert.deepEqual(members(), []);
  });
});
