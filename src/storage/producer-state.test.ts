import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { ErrorCode } from '../protocol/error-codes.ts';
import { buildBatch } from '../records/builder.ts';
import { ControlType, controlKey, endTransactionValue } from '../records/control.ts';
import {
  buildRecords,
  FIRST_TIMESTAMP,
  ManualClock,
  newLog,
  readAll,
  testDependencies,
  withDirectory,
} from './log.test.support.ts';
import { type AppendOutcome, type Log, openLog } from './log.ts';
import { isNextSequence, sequenceAfter, sequenceBefore } from './producer-entry.ts';

const MAX_SEQUENCE = 2 ** 31 - 1;

interface Send {
  readonly sequence: number;
  readonly count?: number;
  readonly epoch?: number;
  readonly id?: number;
  readonly transactional?: boolean;
}

function send(log: Log, { sequence, count = 1, epoch = 0, id = 9, transactional = false }: Send): AppendOutcome {
  const values = Array.from({ length: count }, (_, index) => `v${sequence}+${index}`);
  const bytes = buildRecords({ values, producerId: id, producerEpoch: epoch, baseSequence: sequence, transactional });
  return log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'client' });
}

function mark(log: Log, type: 0 | 1, { epoch = 0, id = 9, coordinatorEpoch = 0, version = 0 } = {}): AppendOutcome {
  const bytes = buildBatch({
    producerId: id,
    producerEpoch: epoch,
    transactional: true,
    control: true,
    records: [{ key: controlKey(type), value: endTransactionValue(coordinatorEpoch), timestamp: FIRST_TIMESTAMP }],
  });
  return log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'coordinator', transactionVersion: version });
}

function codeOf(outcome: AppendOutcome): ErrorCode {
  return outcome.ok ? ErrorCode.NONE : outcome.errorCode;
}

test('sequence numbers begin again at 0 after 2^31-1', () => {
  assert.equal(sequenceAfter(MAX_SEQUENCE, 1), 0);
  assert.equal(sequenceAfter(MAX_SEQUENCE - 2, 5), 2);
  assert.equal(sequenceBefore(2, 5), MAX_SEQUENCE - 2);
  assert.equal(sequenceBefore(5, 5), 0);
  assert.ok(isNextSequence(MAX_SEQUENCE, 0));
  assert.ok(isNextSequence(-1, 0));
  assert.ok(!isNextSequence(MAX_SEQUENCE, 1));
});

test('each of the last five batches sent again gets its first offset back and is not written again', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    for (let index = 0; index < 7; index++) assert.ok(send(log, { sequence: index * 3, count: 3 }).ok);
    const { size } = log;
    for (let index = 2; index < 7; index++) {
      const outcome = send(log, { sequence: index * 3, count: 3 });
      assert.ok(outcome.ok && outcome.duplicate);
      assert.deepEqual([outcome.firstOffset, outcome.lastOffset], [index * 3, index * 3 + 2]);
    }
    assert.equal(
      codeOf(send(log, { sequence: 3, count: 3 })),
      ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      'a sixth is forgotten',
    );
    assert.equal(
      codeOf(send(log, { sequence: 18, count: 2 })),
      ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      'another range',
    );
    assert.equal(log.size, size);
    assert.equal(log.endOffset, 21);
    await log.close();
  });
});

test('a gap in the sequence numbers is refused and leaves no trace', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    send(log, { sequence: 0 });
    assert.equal(codeOf(send(log, { sequence: 2 })), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert.equal(log.endOffset, 1);
    assert.ok(send(log, { sequence: 1 }).ok);
    await log.close();
  });
});

test('an unknown producer begins with any sequence number', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    assert.ok(send(log, { sequence: 500, id: 1 }).ok);
    assert.ok(send(log, { sequence: 501, id: 1 }).ok);
    await log.close();
  });
});

test('a new epoch begins with sequence 0 and an old one is refused', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    send(log, { sequence: 0, count: 5, epoch: 3 });
    assert.equal(codeOf(send(log, { sequence: 5, epoch: 4 })), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert.ok(send(log, { sequence: 0, epoch: 4 }).ok);
    assert.equal(codeOf(send(log, { sequence: 5, epoch: 3 })), ErrorCode.INVALID_PRODUCER_EPOCH);
    assert.ok(send(log, { sequence: 1, epoch: 4 }).ok);
    await log.close();
  });
});

test('sequence numbers wrap inside and between batches, duplicates included', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    send(log, { sequence: MAX_SEQUENCE - 3, count: 3 });
    assert.ok(send(log, { sequence: MAX_SEQUENCE, count: 4 }).ok);
    const again = send(log, { sequence: MAX_SEQUENCE, count: 4 });
    assert.ok(again.ok && again.duplicate && again.firstOffset === 3);
    assert.ok(send(log, { sequence: 3 }).ok);
    assert.equal(log.producers()[0]?.lastSequence, 3);
    await log.close();
  });
});

test('a restart remembers producers: after a clean stop, after a crash, and with a broken snapshot', async () => {
  for (const stop of ['clean', 'crash', 'broken snapshot'] as const) {
    await withDirectory(async (directory) => {
      const log = newLog(directory, { segmentBytes: 400 });
      for (let index = 0; index < 10; index++) send(log, { sequence: index });
      const { config } = log;
      if (stop === 'crash') log.abandon();
      else await log.close();
      if (stop === 'broken snapshot') writeFileSync(`${directory}/00000000000000000010.snapshot`, 'garbage');
      const again = await openLog(
        {
          directory,
          topic: 't',
          partition: 0,
          config,
          cleanShutdown: stop !== 'crash',
          producerIdExpirationMs: 2 ** 52,
        },
        testDependencies(),
      );
      const duplicate = send(again, { sequence: 9 });
      assert.ok(duplicate.ok && duplicate.duplicate && duplicate.firstOffset === 9, stop);
      assert.equal(codeOf(send(again, { sequence: 11 })), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, stop);
      assert.ok(send(again, { sequence: 10 }).ok, stop);
      await again.close();
    });
  }
});

test('without any snapshot all producers are found in the batches', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { segmentBytes: 400 });
    for (let index = 0; index < 10; index++) send(log, { sequence: index });
    await log.close();
    rmSync(`${directory}/00000000000000000010.snapshot`);
    const options = { directory, topic: 't', partition: 0, config: log.config, producerIdExpirationMs: 2 ** 52 };
    const again = await openLog({ ...options, cleanShutdown: true }, testDependencies());
    assert.equal(again.producers()[0]?.lastSequence, 9);
    await again.close();
  });
});

test('producers that have been idle for long enough are forgotten, but not in a transaction', async () => {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const log = newLog(directory, {}, testDependencies({ clock }));
    send(log, { sequence: 0, id: 1 });
    send(log, { sequence: 0, id: 2, transactional: true });
    clock.advance(86_400_000 - 1);
    log.expireProducers(clock.wallMs());
    assert.equal(log.producers().length, 2);
    clock.advance(1);
    log.expireProducers(clock.wallMs());
    assert.deepEqual(
      log.producers().map((producer) => producer.producerId),
      [2],
    );
    await log.close();
  });
});

test('the last stable offset stays at the first open transaction until its marker is replicated', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    log.updateHighWatermark(0);
    send(log, { sequence: 0, id: 1 });
    send(log, { sequence: 0, id: 2, transactional: true });
    send(log, { sequence: 0, id: 3, transactional: true });
    assert.equal(log.lastStableOffset, 0, 'nothing is replicated yet');
    log.updateHighWatermark(3);
    assert.equal(log.lastStableOffset, 1);
    mark(log, ControlType.COMMIT, { id: 2 });
    assert.equal(log.lastStableOffset, 1, 'the marker may still be lost');
    log.updateHighWatermark(4);
    assert.equal(log.lastStableOffset, 2);
    mark(log, ControlType.ABORT, { id: 3 });
    log.updateHighWatermark(5);
    assert.equal(log.lastStableOffset, 5);
    assert.deepEqual(
      log.producers().map((producer) => producer.transactionStartOffset),
      [-1, -1, -1],
    );
    await log.close();
  });
});

test('a log without replicas lets go of a transaction with its marker', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    send(log, { sequence: 0, transactional: true });
    assert.equal(log.lastStableOffset, 0);
    mark(log, ControlType.ABORT);
    assert.equal(log.lastStableOffset, 2);
    assert.deepEqual(log.abortedTransactions(0, 2), [
      { producerId: 9, firstOffset: 0, lastOffset: 1, lastStableOffset: 2 },
    ]);
    await log.close();
  });
});

test('open transactions survive a restart', async () => {
  for (const cleanShutdown of [true, false]) {
    await withDirectory(async (directory) => {
      const log = newLog(directory);
      send(log, { sequence: 0, id: 5, transactional: true });
      send(log, { sequence: 0, id: 4, transactional: true });
      mark(log, ControlType.COMMIT, { id: 5 });
      const { config } = log;
      if (cleanShutdown) await log.close();
      else log.abandon();
      const again = await openLog({ directory, topic: 't', partition: 0, config, cleanShutdown }, testDependencies());
      assert.equal(again.lastStableOffset, 1);
      mark(again, ControlType.COMMIT, { id: 4 });
      assert.equal(again.lastStableOffset, again.endOffset);
      await again.close();
    });
  }
});

test('a producer may not write outside its open transaction', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    send(log, { sequence: 0, transactional: true });
    assert.equal(codeOf(send(log, { sequence: 1 })), ErrorCode.INVALID_TXN_STATE);
    mark(log, ControlType.COMMIT);
    assert.ok(send(log, { sequence: 1 }).ok);
    await log.close();
  });
});

test('markers of older producer or coordinator epochs are refused', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    send(log, { sequence: 0, epoch: 2, transactional: true });
    assert.equal(codeOf(mark(log, ControlType.COMMIT, { epoch: 1 })), ErrorCode.INVALID_PRODUCER_EPOCH);
    assert.equal(
      codeOf(mark(log, ControlType.COMMIT, { epoch: 2, version: 2 })),
      ErrorCode.INVALID_PRODUCER_EPOCH,
      'since version 2 a marker bumps the epoch',
    );
    assert.ok(mark(log, ControlType.COMMIT, { epoch: 3, version: 2, coordinatorEpoch: 8 }).ok);
    assert.ok(mark(log, ControlType.COMMIT, { epoch: 3, version: 2, coordinatorEpoch: 8 }).ok, 'a retry of the same');
    assert.equal(
      codeOf(mark(log, ControlType.COMMIT, { epoch: 4, version: 2, coordinatorEpoch: 7 })),
      ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    );
    await log.close();
  });
});

test('a follower takes in what its leader accepted, and knows the same producers', async () => {
  await withDirectory(async (directory) => {
    const leader = newLog(`${directory}-leader`);
    for (let index = 0; index < 6; index++) send(leader, { sequence: index * 2, count: 2, transactional: true });
    mark(leader, ControlType.ABORT);
    const follower = newLog(directory);
    assert.ok(follower.appendAsFollower(readAll(leader, 0)).ok);
    assert.deepEqual(follower.producers(), leader.producers());
    assert.equal(follower.endOffset, leader.endOffset);
    assert.deepEqual(readAll(follower, 0), readAll(leader, 0));
    await leader.close();
    await follower.close();
  });
});
