import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ErrorCode } from '../protocol/error-codes.ts';
import { ReplicaWorld, recordsOf } from './replica-world.test.support.ts';

const values = (log: Parameters<typeof recordsOf>[0]): string[] => recordsOf(log).map(({ value }) => value);

describe('replication', () => {
  it('copies what a producer with acks=all was told to be safe to every replica, and then lets consumers see it', async () => {
    const world = await ReplicaWorld.create();
    const told = await world.finish(world.produce(1, ['a', 'b']));
    assert.equal(told.errorCode, ErrorCode.NONE);
    for (const id of world.brokerIds) assert.deepEqual(values(world.log(id)), ['a', 'b']);
    assert.equal(world.partition(1).highWatermark, 2);
    await world.until(() => world.partition(2).highWatermark === 2, 'a follower hears of the high watermark');
  });
});
