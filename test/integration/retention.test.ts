/** Retention as a broker's users see it: what a host's clock that jumps, a changed config or a missing timestamp does. */
import assert from 'node:assert/strict';
import { readdirSync, utimesSync } from 'node:fs';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { incrementalAlterConfigs } from '../../src/protocol/apis/incremental-alter-configs.ts';
import { listOffsets } from '../../src/protocol/apis/list-offsets.ts';
import { batchOf, produceTo } from '../support/partition-io.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const TOPIC = 'kept';
const HOUR_MS = 3_600_000;
const CHECK_MS = 20;
/** So many looks at every log that what is not deleted after them stays. */
const CHECKS = 10;
const PATIENCE_MS = 5000;
const SMALL_SEGMENTS = { 'internal.segment.bytes': '300', 'file.delete.delay.ms': '0' };

/** The host's clock, set by `aheadMs`; the monotonic one goes on as it does on a host. */
function settableClock() {
  const clock = { ...systemClock, aheadMs: 0, wallMs: (): number => Date.now() + clock.aheadMs };
  return clock;
}

function start(clock = settableClock()): Promise<TestBroker> {
  return startTestBroker({ clock, config: { 'log.retention.check.interval.ms': String(CHECK_MS) } });
}

/** A batch a segment, but for the last two. */
async function fill(wire: Wire, timestamp: number): Promise<void> {
  for (let index = 0; index < 8; index++) {
    const value = Buffer.from(`${index} ${'x'.repeat(200)}`);
    const { errorCode } = await produceTo(
      wire,
      { topic: TOPIC },
      batchOf([], { records: [{ key: null, value, timestamp }] }),
    );
    assert.equal(errorCode, 0);
  }
}

async function startOffset(wire: Wire): Promise<number> {
  const body = await wire.reply(listOffsets, 6, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -2 }] }],
  });
  return (body['topics'] as { partitions: { offset: number }[] }[])[0]!.partitions[0]!.offset;
}

async function set(wire: Wire, name: string, value: string): Promise<void> {
  const body = await wire.reply(incrementalAlterConfigs, 1, {
    resources: [{ resourceType: 2, resourceName: TOPIC, configs: [{ name, configOperation: 0, value }] }],
    validateOnly: false,
  });
  assert.equal((body['responses'] as { errorCode: number }[])[0]!.errorCode, 0);
}

const checks = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, CHECK_MS * CHECKS));

async function deletedUpTo(wire: Wire, offset: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while ((await startOffset(wire)) < offset) {
    assert.ok(performance.now() < deadline, `the log starts at ${await startOffset(wire)}, not at ${offset}`);
    await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
  }
}

test('a clock that jumps by hours, ahead or back, has nothing deleted early', async () => {
  const clock = settableClock();
  await using broker = await start(clock);
  const wire = broker.wire();
  const configs = { ...SMALL_SEGMENTS, 'retention.ms': String(HOUR_MS / 2) };
  await makeTopic(wire, TOPIC, { configs });
  await fill(wire, Date.now());
  for (const aheadMs of [HOUR_MS, -HOUR_MS, 1.9 * HOUR_MS, 0]) {
    clock.aheadMs = aheadMs;
    await checks();
    assert.equal(await startOffset(wire), 0, `the clock is ${aheadMs / HOUR_MS} hours ahead`);
  }
  wire.close();
});

test('another retention of a topic takes effect with the next look, and so does a longer one', async () => {
  await using broker = await start();
  const wire = broker.wire();
  await makeTopic(wire, TOPIC, { configs: { ...SMALL_SEGMENTS, 'retention.ms': '-1' } });
  await fill(wire, Date.now() - HOUR_MS);
  await checks();
  assert.equal(await startOffset(wire), 0);
  await set(wire, 'retention.ms', String(2 * HOUR_MS));
  await checks();
  assert.equal(await startOffset(wire), 0);
  await set(wire, 'retention.ms', String(HOUR_MS / 2));
  await deletedUpTo(wire, 8);
  await set(wire, 'retention.bytes', '600');
  await set(wire, 'retention.ms', '-1');
  await fill(wire, Date.now() - HOUR_MS);
  await deletedUpTo(wire, 13);
  await checks();
  assert.equal(await startOffset(wire), 13, 'as many segments stay as have the bytes together');
  wire.close();
});

test('records without timestamps are as old as the broker wrote them', async () => {
  await using broker = await start();
  const wire = broker.wire();
  await makeTopic(wire, TOPIC, { configs: { ...SMALL_SEGMENTS, 'retention.ms': '-1' } });
  await fill(wire, -1);
  const directory = `${broker.dataDirectory}/${TOPIC}-0`;
  const segments = readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .sort();
  for (const name of segments.slice(0, 3)) {
    const old = Date.now() / 1000 - 7200;
    utimesSync(`${directory}/${name}`, old, old);
  }
  await set(wire, 'retention.ms', String(HOUR_MS));
  await deletedUpTo(wire, Number.parseInt(segments[3]!, 10));
  await checks();
  assert.equal(await startOffset(wire), Number.parseInt(segments[3]!, 10), 'the others are young');
  wire.close();
});
