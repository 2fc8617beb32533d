import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Clock, systemClock } from '../base/clock.ts';
import { disk } from '../base/disk.ts';
import { silentLogger } from '../base/logger.ts';
import { seededRandom } from '../base/random.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { buildBatch } from '../records/builder.ts';
import { createLog } from '../storage/log.ts';
import { defaultLogConfig } from '../storage/log-config.ts';
import { type FetchLimits, fetchPartitions, type PartitionFetch, releaseAll } from './fetching.ts';
import { Partition } from './partition.ts';

const TOPIC_ID = 'qqqqqqqqqqqqqqqqqqqqqg';
/** Nothing else keeps a test's process alive while a fetch waits. */
const clock: Clock = {
  ...systemClock,
  after: (delayMs, callback) => systemClock.after(delayMs, callback, { holdsProcess: true }),
};
const never = { cancelled: false, onCancel: () => () => undefined };
let directory = '';

before(() => {
  directory = makeTemporaryDirectory('fetching');
});
after(() => disk.removeTree(directory));

let count = 0;
function partition(): Partition {
  const topic = `t${count++}`;
  const log = createLog(
    { directory: `${directory}/${topic}-0`, topic, partition: 0, config: defaultLogConfig, topicId: TOPIC_ID },
    { fileSystem: disk, clock: systemClock, logger: silentLogger, random: seededRandom(1) },
  );
  const state = { leader: 1, leaderEpoch: 3, partitionEpoch: 5, replicas: [1], inSyncReplicas: [1] };
  return new Partition({ topicId: TOPIC_ID, log, brokerId: 1, state, minInSyncReplicas: 1 });
}

function append(target: Partition, values: number, acks = 1): number {
  const value = Buffer.from('v'.repeat(100));
  const records = Array.from({ length: values }, () => ({ key: null, value, timestamp: Date.now() }));
  const bytes = buildBatch({ records });
  const outcome = target.append(bytes, { origin: 'client' }, acks);
  assert.equal(outcome.ok, true);
  return bytes.length;
}

function at(target: Partition | ErrorCode, offset = 0, maxBytes = 1_000_000): PartitionFetch {
  return { target, offset, maxBytes, currentLeaderEpoch: -1, lastFetchedEpoch: -1 };
}

async function fetch(fetches: readonly PartitionFetch[], limits: Partial<FetchLimits> = {}) {
  const startedMs = performance.now();
  const results = await fetchPartitions(
    fetches,
    { minBytes: 1, maxBytes: 10_000_000, maxWaitMs: 0, isolation: 'read_uncommitted', ...limits },
    { clock, cancellation: never },
  );
  releaseAll(results);
  return { results, tookMs: performance.now() - startedMs };
}

describe('a fetch', () => {
  it('answers at once what is there', async () => {
    const one = partition();
    const bytes = append(one, 3);
    const { results } = await fetch([at(one)], { maxWaitMs: 5_000 });
    assert.equal(results[0]!.region?.length, bytes);
    assert.equal(results[0]!.highWatermark, 3);
  });

  it('waits for an append and is answered by it', async () => {
    const one = partition();
    const waiting = fetch([at(one)], { maxWaitMs: 5_000 });
    setTimeout(() => append(one, 1), 30);
    const { results, tookMs } = await waiting;
    assert.ok(results[0]!.region !== undefined);
    assert.ok(tookMs < 2_000, `took ${tookMs} ms`);
  });

  it('waits until minBytes are there over all its partitions', async () => {
    const [one, two] = [partition(), partition()];
    const waiting = fetch([at(one), at(two)], { minBytes: 300, maxWaitMs: 5_000 });
    setTimeout(() => append(one, 1), 20);
    setTimeout(() => append(two, 1), 40);
    const { results } = await waiting;
    assert.ok(results[0]!.region !== undefined && results[1]!.region !== undefined);
  });

  it('answers empty when the time is up', async () => {
    const { results, tookMs } = await fetch([at(partition())], { maxWaitMs: 60 });
    assert.equal(results[0]!.region, undefined);
    assert.ok(tookMs >= 50, `took ${tookMs} ms`);
  });

  it('does not wait where it has an error or nothing to tell', async () => {
    const unknown = at(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    const { results, tookMs } = await fetch([unknown, at(partition())], { maxWaitMs: 5_000 });
    assert.equal(results[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    assert.ok(tookMs < 1_000);
    assert.ok((await fetch([], { maxWaitMs: 5_000 })).tookMs < 1_000);
  });

  it('returns one whole batch although it is larger than every limit, and no second one', async () => {
    const [one, two] = [partition(), partition()];
    const bytes = append(one, 50);
    append(two, 50);
    const { results } = await fetch([at(one, 0, 10), at(two, 0, 10)], { maxBytes: 10 });
    assert.equal(results[0]!.region?.length, bytes);
    assert.equal(results[1]!.region, undefined);
  });

  it('is told of a stale and of an unknown leader epoch, and of an offset out of range', async () => {
    const one = partition();
    append(one, 2);
    const stale = await fetch([{ ...at(one), currentLeaderEpoch: 2 }]);
    const future = await fetch([{ ...at(one), currentLeaderEpoch: 4 }]);
    const beyond = await fetch([at(one, 3)]);
    assert.equal(stale.results[0]!.errorCode, ErrorCode.FENCED_LEADER_EPOCH);
    assert.equal(future.results[0]!.errorCode, ErrorCode.UNKNOWN_LEADER_EPOCH);
    assert.equal(beyond.results[0]!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
  });

  it('ends when the partition leaves this broker', async () => {
    const one = partition();
    const waiting = fetch([at(one)], { maxWaitMs: 5_000 });
    setTimeout(() => one.retire(), 20);
    const { results } = await waiting;
    assert.equal(results[0]!.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  });

  it('is given up with its connection', async () => {
    const callbacks: (() => void)[] = [];
    const cancellation = {
      cancelled: false,
      onCancel: (callback: () => void) => {
        callbacks.push(callback);
        return () => undefined;
      },
    };
    const limits = { minBytes: 1, maxBytes: 1000, maxWaitMs: 60_000, isolation: 'read_uncommitted' as const };
    const waiting = fetchPartitions([at(partition())], limits, { clock, cancellation });
    await new Promise(setImmediate);
    cancellation.cancelled = true;
    for (const callback of callbacks) callback();
    assert.equal((await waiting)[0]!.region, undefined);
  });
});

describe('a partition', () => {
  it('refuses acks=all while fewer replicas are in sync than the topic wants', () => {
    const one = partition();
    one.setMinInSyncReplicas(2);
    const bytes = buildBatch({ records: [{ key: null, value: Buffer.from('v'), timestamp: Date.now() }] });
    // More than there are cannot be wanted.
    assert.equal(one.append(bytes, { origin: 'client' }, -1).ok, true);
    one.update({ leader: 1, leaderEpoch: 3, partitionEpoch: 6, replicas: [1, 2], inSyncReplicas: [1] });
    const outcome = one.append(bytes, { origin: 'client' }, -1);
    assert.equal(!outcome.ok && outcome.errorCode, ErrorCode.NOT_ENOUGH_REPLICAS);
    append(one, 1, 1);
  });

  it('says of what a producer repeats that it is written, though too few replicas are in sync', () => {
    const one = partition();
    one.setMinInSyncReplicas(2);
    const records = [{ key: null, value: Buffer.from('v'), timestamp: Date.now() }];
    const sent = (baseSequence: number) => buildBatch({ records, producerId: 7, producerEpoch: 0, baseSequence });
    assert.equal(one.append(sent(0), { origin: 'client' }, -1).ok, true);
    one.update({ leader: 1, leaderEpoch: 3, partitionEpoch: 6, replicas: [1, 2], inSyncReplicas: [1] });
    const told = (bytes: Buffer) => {
      const outcome = one.append(bytes, { origin: 'client' }, -1);
      return outcome.ok ? ErrorCode.NONE : outcome.errorCode;
    };
    assert.equal(told(sent(0)), ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    assert.equal(told(sent(1)), ErrorCode.NOT_ENOUGH_REPLICAS);
    assert.equal(told(Buffer.alloc(10)), ErrorCode.NOT_ENOUGH_REPLICAS);
  });

  it('ignores a state of an older leader epoch', () => {
    const one = partition();
    one.update({ leader: 2, leaderEpoch: 2, partitionEpoch: 4, replicas: [1], inSyncReplicas: [1] });
    assert.equal(one.isLeader, true);
  });

  it('deletes records up to an offset, and none beyond the high watermark', () => {
    const one = partition();
    append(one, 5);
    assert.deepEqual(one.deleteRecordsBefore(3), { errorCode: ErrorCode.NONE, startOffset: 3 });
    assert.deepEqual(one.deleteRecordsBefore(6), { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, startOffset: -1 });
    assert.deepEqual(one.deleteRecordsBefore(-1), { errorCode: ErrorCode.NONE, startOffset: 5 });
  });

  it('finds offsets by timestamp and for every special one', async () => {
    const one = partition();
    append(one, 5);
    const offsetFor = async (timestamp: number): Promise<number> => {
      const found = await one.offsetFor(timestamp, 'read_uncommitted');
      assert.ok(typeof found !== 'number');
      return found.offset;
    };
    assert.equal(await offsetFor(-1), 5);
    assert.equal(await offsetFor(-2), 0);
    assert.equal(await offsetFor(-4), 0);
    assert.equal(await offsetFor(-5), -1);
    assert.equal(await offsetFor(1), 0);
    assert.equal(await offsetFor(Date.now() + 60_000), -1);
  });
});
