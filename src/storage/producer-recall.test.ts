/** A repeated batch is known as one after a restart too, although Kafka's snapshots have only the newest of a producer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildRecords, newLog, testDependencies, withDirectory } from './log.test.support.ts';
import { type Log, openLog } from './log.ts';

const BATCHES = 6;
/** The records of these tests are old. */
const NEVER_MS = 2 ** 52;

function send(log: Log, producerId: number, sequence: number) {
  const bytes = buildRecords({
    values: [`${producerId}/${sequence}`],
    producerId,
    producerEpoch: 0,
    baseSequence: sequence,
  });
  const outcome = log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'client' });
  assert.ok(outcome.ok || outcome.message.includes('does not follow'));
  return outcome.ok ? { offset: outcome.firstOffset, duplicate: outcome.duplicate } : 'out of order';
}

async function reopened(directory: string, log: Log): Promise<Log> {
  await log.close();
  const { config } = log;
  const options = {
    directory,
    topic: 't',
    partition: 0,
    config,
    cleanShutdown: true,
    producerIdExpirationMs: NEVER_MS,
  };
  return openLog(options, testDependencies());
}

for (const rolls of [false, true]) {
  test(`the last five batches of each producer are known after a clean stop${rolls ? ', over segments' : ''}`, () =>
    withDirectory(async (directory) => {
      const log = newLog(directory);
      for (let sequence = 0; sequence < BATCHES; sequence++) {
        for (const producerId of [7, 8]) send(log, producerId, sequence);
        if (rolls) log.roll();
      }
      const again = await reopened(directory, log);
      for (const producerId of [7, 8]) {
        assert.equal(send(again, producerId, 0), 'out of order', 'forgotten, as without a restart');
        for (let sequence = 1; sequence < BATCHES; sequence++) {
          const offset = 2 * sequence + (producerId - 7);
          assert.deepEqual(send(again, producerId, sequence), { offset, duplicate: true }, `${producerId}/${sequence}`);
        }
        const next = send(again, producerId, BATCHES);
        assert.ok(next !== 'out of order' && !next.duplicate);
      }
      await again.close();
    }));
}

test('batches that a truncation left are known', () =>
  withDirectory(async (directory) => {
    const log = newLog(directory);
    for (let sequence = 0; sequence < 4; sequence++) send(log, 7, sequence);
    const again = await reopened(directory, log);
    send(again, 7, 4);
    again.truncateTo(4);
    assert.deepEqual(send(again, 7, 2), { offset: 2, duplicate: true });
    assert.deepEqual(send(again, 7, 4), { offset: 4, duplicate: false });
    await again.close();
  }));

test('a producer that began anew is known by what it wrote since', () =>
  withDirectory(async (directory) => {
    const log = newLog(directory);
    for (const epoch of [0, 1]) {
      for (let sequence = 0; sequence < 2; sequence++) {
        const bytes = buildRecords({ values: ['v'], producerId: 7, producerEpoch: epoch, baseSequence: sequence });
        assert.ok(log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'client' }).ok);
      }
    }
    const again = await reopened(directory, log);
    const repeated = buildRecords({ values: ['v'], producerId: 7, producerEpoch: 1, baseSequence: 0 });
    const outcome = again.appendAsLeader(repeated, { leaderEpoch: 0, origin: 'client' });
    assert.ok(outcome.ok && outcome.duplicate && outcome.firstOffset === 2);
    await again.close();
  }));
