/** A broker whose host's clock is set an hour ahead and back while it runs: libfaketime stands for whoever does that. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { listOffsets } from '../../src/protocol/apis/list-offsets.ts';
import { produce } from '../../src/protocol/apis/produce.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { BY_NAME_PRODUCE, batchOf, fetchFrom, produceBody, readAll } from '../support/partition-io.ts';
import { makeTopic } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const LIBRARIES = '/usr/lib';
const LIBRARY = 'faketime/libfaketimeMT.so.1';
const HOUR_MS = 3_600_000;
const RETENTION_MS = HOUR_MS / 2;
const CHECK_MS = 50;
/** A starved process answers late; what is judged here is never off by less than half an hour. */
const PATIENCE_MS = 60_000;
const LONG_POLL_MS = 700;
const SMALL_SEGMENTS = { 'internal.segment.bytes': '300', 'file.delete.delay.ms': '0' };
const KEPT = 'kept';
const EXPIRING = 'expiring';

/** Where Debian's package puts it, whatever the architecture. */
const library = readFolders(LIBRARIES)
  .map((folder) => join(LIBRARIES, folder, LIBRARY))
  .find((path) => readFolders(join(path, '..')).length > 0);

function readFolders(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** A broker, and how far its host's clock is ahead of ours. */
async function brokerWithClock(context: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-host-clock-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const offsetFile = join(directory, 'offset');
  const setAhead = (ms: number): void => {
    writeFileSync(`${offsetFile}.new`, `${ms < 0 ? '-' : '+'}${Math.abs(ms) / 1000}s\n`);
    renameSync(`${offsetFile}.new`, offsetFile);
  };
  setAhead(0);
  const environment = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: offsetFile,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
  const broker = await startBrokerProcess(join(directory, 'data'), {
    config: { 'log.retention.check.interval.ms': String(CHECK_MS) },
    command: ['env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
  });
  context.after(() => broker.kill());
  return { broker, setAhead };
}

/** Appends one record a segment; returns what the broker's clock said, where the topic's records carry that. */
async function append(wire: Wire, topic: string, timestamp: number): Promise<number> {
  const value = Buffer.from('x'.repeat(200));
  const batch = batchOf([], { records: [{ key: null, value, timestamp }] });
  const body = await wire.reply(produce, BY_NAME_PRODUCE, produceBody({ topic }, batch));
  const [partition] = (
    body['responses'] as { partitionResponses: { errorCode: number; logAppendTimeMs: number }[] }[]
  )[0]!.partitionResponses;
  assert.equal(partition!.errorCode, 0);
  return partition!.logAppendTimeMs;
}

async function startOffset(wire: Wire, topic: string): Promise<number> {
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -2 }];
  const topics = [{ name: topic, partitions }];
  const body = await wire.reply(listOffsets, 6, { replicaId: -1, isolationLevel: 0, topics });
  return (body['topics'] as { partitions: { offset: number }[] }[])[0]!.partitions[0]!.offset;
}

/** Retention has looked, at every log, after this was called: a record that is too old by any clock has gone. */
async function retentionLooked(wire: Wire): Promise<void> {
  for (let look = 0; look < 2; look++) {
    await append(wire, EXPIRING, Date.now() - 5 * HOUR_MS);
    const first = await startOffset(wire, EXPIRING);
    await append(wire, EXPIRING, Date.now() - 5 * HOUR_MS);
    const deadline = performance.now() + PATIENCE_MS;
    while ((await startOffset(wire, EXPIRING)) <= first) {
      assert.ok(performance.now() < deadline, 'retention goes on by whatever clock');
      await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
    }
  }
}

async function longPoll(wire: Wire, offset: number): Promise<number> {
  const startedMs = performance.now();
  const { errorCode } = await fetchFrom(wire, { topic: KEPT }, offset, { maxWaitMs: LONG_POLL_MS, minBytes: 1 });
  assert.equal(errorCode, 0);
  return performance.now() - startedMs;
}

test('a host whose clock jumps an hour ahead and back loses no record early, and no timer waits for it', {
  skip: library === undefined && 'libfaketime is not here (package faketime): a jumping clock was not tried',
}, async (context) => {
  const { broker, setAhead } = await brokerWithClock(context);
  const wire = broker.wire();
  const waiting = broker.wire();
  context.after(() => {
    wire.close();
    waiting.close();
  });
  const retention = { ...SMALL_SEGMENTS, 'retention.ms': String(RETENTION_MS) };
  await makeTopic(wire, KEPT, { configs: { ...retention, 'message.timestamp.after.max.ms': String(3 * HOUR_MS) } });
  await makeTopic(wire, EXPIRING, { configs: retention });
  await makeTopic(wire, 'stamped', { configs: { 'message.timestamp.type': 'LogAppendTime' } });
  const writtenMs = Date.now();
  for (let count = 0; count < 8; count++) await append(wire, KEPT, writtenMs);
  await retentionLooked(wire);
  let records = 8;
  for (const aheadMs of [HOUR_MS, 0, -HOUR_MS, HOUR_MS, 0]) {
    const poll = longPoll(waiting, records);
    setAhead(aheadMs);
    const off = (await append(wire, 'stamped', Date.now())) - Date.now();
    assert.ok(Math.abs(off - aheadMs) < PATIENCE_MS, `the broker's clock is ${off} ms ahead instead of ${aheadMs}`);
    const polledMs = await poll;
    assert.ok(polledMs > LONG_POLL_MS / 2 && polledMs < PATIENCE_MS, `a fetch waited ${polledMs} ms`);
    await retentionLooked(wire);
    assert.equal(await startOffset(wire, KEPT), 0, `nothing is deleted while the clock is ${aheadMs} ms ahead`);
    await append(wire, KEPT, writtenMs);
    records++;
    const values = await readAll(wire, { topic: KEPT });
    assert.equal(values.length, records, 'every record is read');
  }
});
