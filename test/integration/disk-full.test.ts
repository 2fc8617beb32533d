/**
 * A volume that runs full: producers are told so, readers go on, and once there is room again so do producers. Nothing
 * half-written is served, then or after a restart. Needs a volume of its own, which root may mount.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { allocateProducerIds } from '../../src/protocol/apis/allocate-producer-ids.ts';
import { createTopics } from '../../src/protocol/apis/create-topics.ts';
import { initProducerId } from '../../src/protocol/apis/init-producer-id.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import { batchOf, produceTo, readAll } from '../support/partition-io.ts';
import { answers, makeTopic, startTestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const VOLUME_BYTES = 24 * 2 ** 20;
/** Kept aside, to give room back in the end. */
const BALLAST_BYTES = 6 * 2 ** 20;
const VALUE_BYTES = 60_000;

const volume = mkdtempSync(join(tmpdir(), 'sluice-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${VOLUME_BYTES}`, 'tmpfs', volume]).status === 0;

after(() => {
  if (mounted) spawnSync('umount', [volume]);
  rmSync(volume, { recursive: true, force: true });
});

function brokerEpochIn(lines: readonly unknown[]): number {
  const match = /"?brokerEpoch"?: ?(\d+)/.exec(JSON.stringify(lines).replaceAll('\\"', '"'));
  assert.ok(match !== null, 'the broker says what it was registered with');
  return Number(match[1]);
}

/** Takes the last bytes of the volume and goes on until the metadata log has none left either. */
async function fillMetadata(wire: Wire, directory: string, brokerEpoch: number): Promise<void> {
  const last = openSync(join(directory, 'last'), 'w');
  assert.throws(() => {
    for (;;) writeSync(last, Buffer.alloc(4096));
  }, /ENOSPC/);
  closeSync(last);
  let created = 0;
  for (;;) {
    const topics = [
      { name: `no-room-${created}`, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
    ];
    const reply = await wire.reply(createTopics, 7, { topics, timeoutMs: 1000 });
    if ((reply['topics'] as { errorCode: number }[])[0]!.errorCode !== 0) break;
    assert.ok(created++ < 500, 'the metadata log never ran out of room');
  }
  // A new topic may take more than is left for less.
  const brokerReference = { brokerId: 1, brokerEpoch };
  for (let blocks = 0; ; blocks++) {
    const { errorCode } = await wire.reply(allocateProducerIds, 0, brokerReference);
    if (errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) break;
    assert.equal(errorCode, 0);
    assert.ok(blocks < 500, 'the metadata log never ran out of room');
  }
}

test('a full disk refuses producers, serves readers, and heals', {
  skip: !mounted && 'no volume can be mounted here: a full disk was not tried',
}, async () => {
  const ballast = join(volume, 'ballast');
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES));
  const dataDirectory = join(volume, 'data');
  let broker = await startTestBroker({ dataDirectory });
  let wire = broker.wire();
  await makeTopic(wire, 'filling', { configs: { 'segment.bytes': '1048576' } });
  const target = { topic: 'filling' };
  const acknowledged: string[] = [];
  let refused = 0;
  const send = async (): Promise<number> => {
    const value = `${acknowledged.length}:`.padEnd(VALUE_BYTES, 'x');
    const { errorCode, baseOffset } = await produceTo(wire, target, batchOf([value]));
    if (errorCode === 0) assert.equal(baseOffset, acknowledged.push(value) - 1);
    else refused++;
    return errorCode;
  };

  while ((await send()) === 0) assert.ok(acknowledged.length * VALUE_BYTES < VOLUME_BYTES, 'the disk never ran full');
  assert.ok(acknowledged.length > 50);
  const linesBefore = broker.lines.length;
  for (let round = 0; round < 10; round++) assert.equal(await send(), ErrorCode.KAFKA_STORAGE_ERROR);
  assert.ok(broker.lines.length - linesBefore <= 10, 'at most one line a request');
  assert.deepEqual(await readAll(wire, target), acknowledged, 'all that was acknowledged and nothing else');
  await fillMetadata(wire, volume, brokerEpochIn(broker.lines));
  assert.ok(await answers(wire));

  rmSync(join(volume, 'last'));
  rmSync(ballast);
  const room = (): number => statfsSync(volume).bavail * statfsSync(volume).bsize;
  assert.ok(room() > BALLAST_BYTES / 2);
  for (let round = 0; round < 20; round++) assert.equal(await send(), 0, 'there is room again');
  await makeTopic(wire, 'room-again');
  assert.equal(
    (await wire.reply(initProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000 }))['errorCode'],
    0,
  );
  assert.deepEqual(await readAll(wire, target), acknowledged);
  wire.close();
  await broker.close();

  broker = await startTestBroker({ dataDirectory });
  wire = broker.wire();
  assert.deepEqual(await readAll(wire, target), acknowledged, 'after a restart');
  assert.equal(await send(), 0);
  wire.close();
  await broker.close();
  assert.ok(refused >= 11);
});
