import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { silentLogger } from '../../base/logger.ts';
import { seededRandom } from '../../base/random.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { SimulatedDisk } from '../../base/simulated-disk.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { buildBatch } from '../../records/builder.ts';
import { createLog, type Log } from '../../storage/log.ts';
import { defaultLogConfig } from '../../storage/log-config.ts';
import { appendFetched, resetToLeader, truncateDiverged } from './follower-log.ts';

let count = 0;
let fileSystem = new SimulatedDisk({ random: seededRandom(1) }).boot();
const logs: Log[] = [];

beforeEach(() => {
  fileSystem = new SimulatedDisk({ random: seededRandom(1) }).boot();
});
afterEach(() => {
  for (const log of logs.splice(0)) log.abandon();
});

function newLog(epochs: readonly number[] = []): Log {
  const log = createLog(
    { directory: `/data/t-${count++}`, topic: 't', partition: 0, config: { ...defaultLogConfig, segmentBytes: 300 } },
    { fileSystem, clock: new SimulatedClock(), logger: silentLogger, random: seededRandom(1) },
  );
  logs.push(log);
  for (const epoch of epochs) append(log, epoch);
  return log;
}

function append(log: Log, leaderEpoch: number): void {
  const outcome = appendFetched(log, batchAt(log.endOffset, leaderEpoch), leaderEpoch);
  assert.equal(outcome.ok, true);
}

function batchAt(baseOffset: number, leaderEpoch: number, records = 1): Buffer {
  const one = { key: null, value: Buffer.from('value'), timestamp: 1 };
  return buildBatch({ baseOffset, leaderEpoch, records: Array.from({ length: records }, () => one) });
}

/** Fetches, and cuts where the leader says so, until both agree; returns how often. */
function reconcile(follower: Log, leader: Log): number {
  for (let rounds = 0; rounds < 100; rounds++) {
    const epoch = follower.latestEpoch;
    if (epoch < 0) return rounds;
    const theirs = leader.endOffsetForEpoch(epoch);
    assert.ok(theirs.epoch >= 0, `the leader cannot place epoch ${epoch}`);
    if (theirs.epoch === epoch && theirs.endOffset >= follower.endOffset) return rounds;
    truncateDiverged(follower, theirs);
  }
  assert.fail('it never ends');
}

describe('a follower that diverged', () => {
  it('is cut to what both have in common, neither more nor less, whatever the histories', () => {
    const history = fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2), { maxLength: 12 });
    fc.assert(
      fc.property(history, history, history, (shared, ours, theirs) => {
        // Each writes on in epochs of its own, as leaders do: no epoch has two leaders.
        const common = rising(shared, 0);
        const base = common.at(-1) ?? 0;
        const follower = newLog([...common, ...rising(ours, base + 1, 2)]);
        const leader = newLog([...common, ...rising(theirs, base + 2, 2)]);
        leader.assignEpochStart(base + 1000, leader.endOffset);
        reconcile(follower, leader);
        assert.equal(follower.endOffset, common.length);
      }),
      { numRuns: 150 },
    );
  });

  it('loses an epoch in which nothing was written', () => {
    const follower = newLog([0, 0]);
    follower.assignEpochStart(3, 2);
    const leader = newLog([0, 0, 4]);
    reconcile(follower, leader);
    assert.equal(follower.latestEpoch, 0);
    assert.equal(follower.endOffset, 2);
  });
});

/** Epochs that never fall: steps from `first` on, each a multiple of `by`. */
function rising(steps: readonly number[], first: number, by = 1): number[] {
  let epoch = first;
  return steps.map((step) => {
    epoch += step * by;
    return epoch;
  });
}

describe('a follower', () => {
  it('does not take batches of a later epoch than it fetched in', () => {
    const log = newLog([1]);
    const fetched = Buffer.concat([batchAt(1, 1), batchAt(2, 5)]);
    assert.equal(appendFetched(log, fetched, 1).ok, true);
    assert.equal(log.endOffset, 2);
  });

  it('that is empty takes a batch whole that begins before its start', () => {
    const log = newLog();
    log.truncateFullyAndStartAt(7);
    assert.equal(appendFetched(log, batchAt(5, 1, 4), 1).ok, true);
    assert.equal(log.startOffset, 5);
    assert.equal(log.endOffset, 9);
  });

  it('that is not empty refuses what it has already', () => {
    const log = newLog([1, 1]);
    const outcome = appendFetched(log, batchAt(1, 1), 1);
    assert.equal(!outcome.ok && outcome.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
  });

  it('goes to where its leader is only where it must', () => {
    const behind = newLog([1, 1]);
    resetToLeader(behind, { startOffset: 5, endOffset: 9 });
    assert.equal(behind.startOffset, 5);
    const ahead = newLog([1, 1, 1]);
    resetToLeader(ahead, { startOffset: 0, endOffset: 2 });
    assert.equal(ahead.endOffset, 2);
    const within = newLog([1, 1, 1]);
    resetToLeader(within, { startOffset: 1, endOffset: 9 });
    assert.equal(within.endOffset, 3);
    assert.equal(within.startOffset, 0);
  });
});
