/**
 * The steps of a history: each is plain data, carries its own seed, and means something in every state, so that a
 * history can be replayed, and made shorter, without changing what the other steps are.
 */
import assert from 'node:assert/strict';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import { buildBatch } from '../../src/records/builder.ts';
import type { AppendOutcome } from '../../src/storage/log.ts';
import { DIRECTORIES, type LogWorld, modelBatchOf, ROOM_BYTES, type WorldPartition } from './log-world.ts';
import type { Expected } from './partition-model.ts';

export interface Step {
  readonly kind: StepKind;
  readonly seed: number;
}

interface Situation {
  readonly world: LogWorld;
  readonly partition: WorldPartition;
  readonly random: Random;
}

type Action = (situation: Situation) => Promise<void> | void;

const CODECS = [0, 0, 0, 1, 2, 3, 4];
const PRODUCERS = 3;

const ACTIONS = {
  append: (situation) => append(situation, { idempotent: false }),
  produce: (situation) => append(situation, { idempotent: true }),
  follow,
  roll: ({ world, partition }) => world.logOf(partition).roll(),
  flush,
  beginFlush: ({ world, partition }) => {
    const settle = partition.model.beginFlush();
    const log = world.logOf(partition);
    const first = log.firstSegmentOffset;
    log.flush().then(
      () => settle(first),
      () => undefined,
    );
  },
  retain,
  deleteRecords,
  truncate,
  startAnew,
  move: ({ world, partition, random }) => {
    world.manager.move(partition, DIRECTORIES[random.below(DIRECTORIES.length)]!);
  },
  changeEpoch: ({ world, partition }) => world.lead(partition),
  time: ({ world, random }) => world.clock.advance([10, 1000, 5000, 60_000][random.below(4)]!),
  background: async ({ world, random }) => {
    world.clock.endTurn();
    world.disk.letGo(1 + random.below(4));
    await Promise.resolve();
  },
  fillDisk: ({ world, random }) => {
    world.disk.capacityBytes = world.disk.usedBytes + random.below(300);
  },
  freeDisk: ({ world }) => {
    world.disk.capacityBytes = ROOM_BYTES;
  },
  failDirectory: ({ world, random }) => {
    // One disk at a time, or nothing is left to look at.
    if (world.failing.size > 0) return;
    const directory = DIRECTORIES[random.below(DIRECTORIES.length)]!;
    world.failing.add(directory);
    world.disk.failBelow(directory, random.below(2) === 0 ? 'EIO' : 'EROFS');
  },
  crashSoon: ({ world, random }) => {
    world.disk.crashAt = world.disk.operations + 1 + random.below(12);
  },
  kill: ({ world }) => world.killAndRestart(),
  losePower: ({ world }) => world.losePowerAndRestart(),
  restart: ({ world }) => world.stopAndRestart(),
} as const satisfies Record<string, Action>;

export type StepKind = keyof typeof ACTIONS;

/** How often each kind comes, relative to the others. */
const WEIGHTS: Readonly<Record<StepKind, number>> = {
  append: 30,
  produce: 30,
  follow: 8,
  roll: 4,
  flush: 5,
  beginFlush: 4,
  retain: 3,
  deleteRecords: 3,
  truncate: 4,
  startAnew: 1,
  move: 2,
  changeEpoch: 2,
  time: 6,
  background: 12,
  fillDisk: 1,
  freeDisk: 2,
  failDirectory: 0.2,
  crashSoon: 1.5,
  kill: 1,
  losePower: 2,
  restart: 0.7,
};

const TOTAL_WEIGHT = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);

export function randomStep(random: Random): Step {
  const seed = random.below(2 ** 31);
  let left = random.fraction() * TOTAL_WEIGHT;
  for (const [kind, weight] of Object.entries(WEIGHTS)) {
    left -= weight;
    if (left < 0) return { kind: kind as StepKind, seed };
  }
  return { kind: 'append', seed };
}

/** Carries a step out and compares. Throws where the log differs from its model. */
export async function takeStep(world: LogWorld, step: Step): Promise<void> {
  const random = seededRandom(step.seed);
  world.disk.random = random;
  const partition = world.partitions[random.below(world.partitions.length)]!;
  try {
    await ACTIONS[step.kind]({ world, partition, random });
  } catch (error) {
    const excused = !world.disk.isUp || world.isFull || world.isOffline(partition);
    if (!excused || error instanceof assert.AssertionError) throw error;
  }
  if (!world.disk.isUp) await world.losePowerAndRestart();
  for (const each of world.partitions) {
    if (each === partition && !world.isOffline(each)) world.check(each, [1, 300, 2 ** 20][random.below(3)]!);
  }
}

function append({ world, partition, random }: Situation, { idempotent }: { idempotent: boolean }): void {
  const { model } = partition;
  const count = 1 + random.below(3);
  const producer = idempotent ? sequenceFor(partition, count, random) : undefined;
  const records = Array.from({ length: producer?.count ?? count }, (_, index) => ({
    key: null,
    value: Buffer.alloc(random.below(200), `${model.end + index} `),
    timestamp: world.clock.wallMs(),
  }));
  const sent = buildBatch({ records, codec: CODECS[random.below(CODECS.length)]!, ...producer });
  const expected: Expected =
    producer === undefined
      ? { kind: 'appended' }
      : model.expect(
          producer.producerId,
          producer.producerEpoch,
          producer.baseSequence,
          producer.baseSequence + producer.count - 1,
        );
  const outcome = world.logOf(partition).appendAsLeader(sent, { leaderEpoch: model.epoch, origin: 'client' });
  if (!world.disk.isUp) {
    // Whether the batch was written is not known; a power loss takes it in part or not.
    const written = modelBatchOf(Buffer.from(sent));
    if (/appended/.test(expected.kind)) model.refused([written]);
    return;
  }
  settleAppend({ world, partition, random }, { outcome, expected, sent, producerId: producer?.producerId ?? -1 });
}

function settleAppend(
  { world, partition }: Situation,
  {
    outcome,
    expected,
    sent,
    producerId,
  }: { outcome: AppendOutcome; expected: Expected; sent: Buffer; producerId: number },
): void {
  const { model } = partition;
  if (!outcome.ok && outcome.errorCode === ErrorCode.KAFKA_STORAGE_ERROR) {
    const excused = world.isOffline(partition) || world.isFull;
    assert.ok(excused, `an append fails only where the disk does: ${outcome.message}`);
    model.refused([modelBatchOf(sent)]);
    return;
  }
  if (!outcome.ok) {
    assert.ok(/refused/.test(expected.kind), `${outcome.message}: ${expected.kind}`);
    if (/or refused/.test(expected.kind)) model.settleProducer(producerId, true);
    return;
  }
  if (outcome.duplicate) {
    if (/^anything/.test(expected.kind)) return;
    assert.ok('batch' in expected, `a duplicate was seen where ${expected.kind} was expected`);
    assert.equal(outcome.firstOffset, expected.batch.base, 'a duplicate is answered with the offset of the original');
    assert.equal(outcome.lastOffset, expected.batch.last);
    return;
  }
  assert.ok(/appended/.test(expected.kind), `appended where it ought to be ${expected.kind}`);
  if (expected.kind !== 'appended') model.settleProducer(producerId, false);
  assert.equal(outcome.firstOffset, model.end, 'offsets follow one another');
  model.appended(modelBatchOf(Buffer.from(sent)));
  if (outcome.durable === undefined) return;
  const covered = model.beginFlush();
  outcome.durable.then(
    () => covered(0),
    () => undefined,
  );
}

/** The sequence numbers of a producer's next batch, or of one that it ought not to send. */
function sequenceFor(
  { model }: WorldPartition,
  count: number,
  random: Random,
): { producerId: number; producerEpoch: number; baseSequence: number; count: number } {
  const producerId = 100 + random.below(PRODUCERS);
  const known = model.producers.get(producerId);
  const newest = known?.batches.at(-1)?.batch;
  if (known === undefined || newest === undefined) return { producerId, producerEpoch: 0, baseSequence: 0, count };
  const producerEpoch = known.epoch;
  const next = newest.lastSequence + 1;
  switch (random.below(8)) {
    case 0: {
      const again = known.batches[random.below(known.batches.length)]!.batch;
      const repeated = again.lastSequence - again.firstSequence + 1;
      return { producerId, producerEpoch, baseSequence: again.firstSequence, count: repeated };
    }
    case 1:
      return { producerId, producerEpoch, baseSequence: next + 1 + random.below(5), count };
    case 2:
      return { producerId, producerEpoch: producerEpoch + 1, baseSequence: random.below(3) === 0 ? 1 : 0, count };
    case 3:
      if (producerEpoch > 0) return { producerId, producerEpoch: producerEpoch - 1, baseSequence: next, count };
  }
  return { producerId, producerEpoch, baseSequence: next, count };
}

/** Batches as a leader's log has them, of epochs that may be old. */
function follow({ world, partition, random }: Situation): void {
  const { model } = partition;
  const parts: Buffer[] = [];
  let base = model.end;
  // Only the newest epoch may have no batch yet; a leader's batches never go back behind the follower's last one.
  const oldest = model.batches.at(-1)?.epoch ?? 0;
  let epoch = oldest + random.below(model.epoch - oldest + 1);
  for (let count = 1 + random.below(3); count > 0; count--) {
    if (random.below(3) === 0) epoch = Math.min(model.epoch, epoch + 1);
    const records = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
      key: null,
      value: Buffer.alloc(random.below(150), `${base + index} `),
      timestamp: world.clock.wallMs(),
    }));
    parts.push(buildBatch({ records, baseOffset: base, leaderEpoch: epoch }));
    base += records.length;
  }
  const log = world.logOf(partition);
  if (log.offline) return;
  // A follower first cuts its log where its leader's parts from it, and with that epochs that nobody else knows.
  log.truncateTo(model.end);
  const outcome = log.appendAsFollower(Buffer.concat(parts));
  if (!world.disk.isUp || outcome.ok) for (const part of parts) model.appended(modelBatchOf(part));
  else {
    assert.equal(outcome.errorCode, ErrorCode.KAFKA_STORAGE_ERROR, outcome.message);
    model.refused(parts.map(modelBatchOf));
  }
}

async function flush({ world, partition }: Situation): Promise<void> {
  const log = world.logOf(partition);
  const first = log.firstSegmentOffset;
  const settle = partition.model.beginFlush();
  try {
    await world.run(log.flush());
  } catch (error) {
    assert.ok(
      !world.disk.isUp || world.isOffline(partition) || world.isFull,
      `a flush fails only where the disk does: ${error}`,
    );
    return;
  }
  settle(first);
}

function retain({ world, partition }: Situation): void {
  const log = world.logOf(partition);
  const { model } = partition;
  const before = model.start;
  if (log.offline) return;
  log.applyRetention(world.clock.wallMs());
  if (!world.disk.isUp) {
    model.startMayMoveTo(model.end);
    return;
  }
  const after = log.startOffset;
  assert.ok(after >= before && after <= model.end, 'retention moves the start up, inside the log');
  if (after > before) {
    const boundary = model.batches[model.indexOf(after)];
    assert.ok(boundary === undefined || boundary.base >= after, 'retention deletes whole batches');
  }
  model.startMovedTo(after);
}

async function deleteRecords({ world, partition, random }: Situation): Promise<void> {
  const log = world.logOf(partition);
  const { model } = partition;
  const target = model.start + random.below(model.end - model.start + 1);
  const errorCode = log.advanceStartOffset(target);
  if (errorCode === ErrorCode.KAFKA_STORAGE_ERROR) return;
  assert.equal(errorCode, ErrorCode.NONE);
  model.startMovedTo(target);
  if (random.below(2) === 0) return;
  const durable = await world.run(log.persistStartOffset());
  if (durable) model.durableStart = Math.max(model.durableStart, target);
  else assert.ok(!world.disk.isUp || world.isOffline(partition) || world.isFull, 'a start is durable when asked for');
}

function truncate(situation: Situation): void {
  const { world, partition, random } = situation;
  const log = world.logOf(partition);
  const { model } = partition;
  const recent = Math.min(12, model.end - model.start + 1);
  const offset = random.below(20) === 0 ? random.below(model.end + 1) : model.end - random.below(recent);
  const drop = offset < log.firstSegmentOffset;
  change(
    situation,
    () => log.truncateTo(offset),
    () => (drop ? model.startedAnewAt(offset) : model.truncatedTo(offset)),
  );
}

function startAnew(situation: Situation): void {
  const { world, partition, random } = situation;
  const { model } = partition;
  const offset = random.below(3) === 0 ? random.below(model.end + 1) : model.end + random.below(20);
  const log = world.logOf(partition);
  change(
    situation,
    () => log.truncateFullyAndStartAt(offset),
    () => model.startedAnewAt(offset),
  );
}

/** Tells the model of a truncation, unless a full disk refused it before anything happened. */
function change({ world, partition }: Situation, run: () => void, tell: () => void): void {
  if (world.isOffline(partition)) return;
  try {
    run();
  } catch (error) {
    if (world.disk.isUp && !world.isOffline(partition)) throw error;
    tell();
    throw error;
  } finally {
    // Whoever truncates follows a leader of a newer epoch.
    partition.model.epoch++;
  }
  tell();
}
