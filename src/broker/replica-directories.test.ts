import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/logger.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { applyRecords, emptyImage, type MetadataImage, UNASSIGNED_DIRECTORY } from '../metadata/image.ts';
import { newRecord } from '../metadata/records.ts';
import type { AssignReplicasToDirsRequest } from '../protocol/apis/assign-replicas-to-dirs.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { LogDirectoryState } from '../storage/log-manager.ts';
import { ReplicaDirectories } from './replica-directories.ts';

const TOPIC_ID = '75rX1EzDRSu9_lw7dS6ASg';
const A = 'aaaaaaaaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbbbbbbbb';
const GONE = 'gggggggggggggggggggggg';

/** Partitions of topic `t` whose replica on broker 1 is recorded in these directories. */
function imageOf(recorded: readonly string[]): MetadataImage {
  const records = [
    newRecord('topic', { name: 't', topicId: TOPIC_ID }),
    ...recorded.map((directory, partitionId) =>
      newRecord('partition', {
        topicId: TOPIC_ID,
        partitionId,
        replicas: [2, 1],
        isr: [2, 1],
        removingReplicas: [],
        addingReplicas: [],
        directories: [UNASSIGNED_DIRECTORY, directory],
      }),
    ),
  ];
  return applyRecords(emptyImage('c'), records, records.length - 1, 0).image;
}

interface Directory {
  readonly id: string;
  readonly online?: boolean;
  /** Partitions of `t` that lie there. */
  readonly holds?: readonly number[];
}

function worldOf(recorded: readonly string[], directories: readonly Directory[]) {
  const clock = new SimulatedClock();
  const asked: (readonly [directory: string, partitions: readonly number[]])[][] = [];
  const world = { asked, epoch: 7, refuse: false, look: () => subject.look(), pass };
  const own = directories.map(({ id, online = true, holds = [] }) => {
    const logs = holds.map((partition) => ({ topic: 't', partition }));
    return { path: `/${id}`, id, online, logs, futures: [] } as unknown as LogDirectoryState;
  });
  const assign = async (request: Pick<AssignReplicasToDirsRequest, 'directories'>) => {
    if (world.refuse) return { errorCode: ErrorCode.NOT_CONTROLLER };
    const told = request.directories.map(
      ({ id, topics }) =>
        [id, topics.flatMap(({ partitions }) => partitions.map((each) => each.partitionIndex))] as const,
    );
    asked.push(told);
    return { errorCode: ErrorCode.NONE };
  };
  const subject = new ReplicaDirectories(
    { brokerId: 1, brokerEpoch: () => world.epoch },
    { clock, logger: silentLogger, image: () => imageOf(recorded), logs: { directories: () => own }, assign },
  );
  async function pass(ms: number): Promise<void> {
    clock.advance(ms);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
  return world;
}

test('what lies where it is recorded is not told', async () => {
  const world = worldOf(
    [A, B],
    [
      { id: A, holds: [0] },
      { id: B, holds: [1] },
    ],
  );
  world.look();
  await world.pass(1000);
  assert.deepEqual(world.asked, []);
});

test('of several directories the broker chooses, and tells which, once in an epoch of its own', async () => {
  const world = worldOf(
    [UNASSIGNED_DIRECTORY, ZERO_UUID, A],
    [
      { id: A, holds: [0, 1] },
      { id: B, holds: [2] },
    ],
  );
  world.look();
  await world.pass(1000);
  world.look();
  await world.pass(1000);
  const told = [
    [A, [0, 1]],
    [B, [2]],
  ];
  assert.deepEqual(world.asked, [told]);
  world.epoch = 8;
  world.look();
  await world.pass(1000);
  assert.deepEqual(world.asked, [told, told]);
});

test('what is recorded in a directory that is no longer there gets a new home', async () => {
  const one = worldOf([GONE], [{ id: A }]);
  one.look();
  await one.pass(1000);
  assert.deepEqual(one.asked, [[[A, [0]]]]);
  const several = worldOf([GONE], [{ id: A }, { id: B }]);
  several.look();
  await several.pass(1000);
  assert.deepEqual(several.asked, [[[UNASSIGNED_DIRECTORY, [0]]]]);
});

test('what may lie in a directory that failed stays recorded there', async () => {
  const world = worldOf([GONE, B], [{ id: A }, { id: B, online: false, holds: [1] }]);
  world.look();
  await world.pass(1000);
  assert.deepEqual(world.asked, []);
});

test('what was not heard is told again', async () => {
  const world = worldOf([GONE], [{ id: A }]);
  world.refuse = true;
  world.look();
  await world.pass(1000);
  world.refuse = false;
  await world.pass(1000);
  assert.deepEqual(world.asked, [[[A, [0]]]]);
});
