/** What a partition takes over when the controller's word of several epochs comes at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/logger.ts';
import { seededRandom } from '../base/random.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { SimulatedDisk } from '../base/simulated-disk.ts';
import { buildBatch } from '../records/builder.ts';
import { createLog } from '../storage/log.ts';
import { defaultLogConfig } from '../storage/log-config.ts';
import { Partition } from './partition.ts';
import type { PartitionState } from './partition-state.ts';

const TOPIC_ID = 'qqqqqqqqqqqqqqqqqqqqqg';
const STATE: PartitionState = {
  leader: 1,
  leaderEpoch: 3,
  partitionEpoch: 7,
  replicas: [1, 2],
  inSyncReplicas: [1, 2],
};

function leaderOfTwo(): Partition {
  const random = seededRandom(1);
  const clock = new SimulatedClock();
  const log = createLog(
    { directory: '/t-0', topic: 't', partition: 0, config: defaultLogConfig, topicId: TOPIC_ID },
    { fileSystem: new SimulatedDisk({ random }).boot(), clock, logger: silentLogger, random },
  );
  return new Partition(
    { topicId: TOPIC_ID, log, brokerId: 1, state: STATE, minInSyncReplicas: 2 },
    {
      clock,
      logger: silentLogger,
      lagTimeMaxMs: () => 1000,
      silenceMaxMs: () => 1000,
      proposals: { submit: () => undefined },
      brokers: { ownEpoch: () => 10, epochOf: () => 20, isActive: () => true },
    },
  );
}

function append(partition: Partition): void {
  const records = [{ key: null, value: Buffer.from('v'), timestamp: 1_700_000_000_000 }];
  assert.ok(partition.append(buildBatch({ records }), { origin: 'client' }, -1).ok);
}

function followerFetches(partition: Partition, offset: number): void {
  const follower = { brokerId: 2, brokerEpoch: 20, offset, startOffset: 0 };
  partition
    .read({
      offset,
      maxBytes: 1000,
      minOneBatch: true,
      currentLeaderEpoch: partition.state.leaderEpoch,
      lastFetchedEpoch: -1,
      isolation: 'read_uncommitted',
      follower,
    })
    .region?.release();
}

for (const { what, leaderEpoch, committed } of [
  { what: 'what followers had is known on in the next epoch of a leader', leaderEpoch: 4, committed: 2 },
  { what: 'what followers had counts no more where another broker led in between', leaderEpoch: 5, committed: 1 },
]) {
  test(what, () => {
    const partition = leaderOfTwo();
    append(partition);
    followerFetches(partition, 1);
    append(partition);
    assert.equal(partition.highWatermark, 1);
    // Its fetch of the second record is not seen: in sync, it has what counts as committed, and perhaps more.
    partition.leadership!.follower(2)!.endOffset = 2;
    partition.update({ ...STATE, leaderEpoch, partitionEpoch: 9 });
    assert.equal(partition.highWatermark, committed);
    followerFetches(partition, 2);
    assert.equal(partition.highWatermark, 2);
  });
}
