/**
 * Kills the broker with -9 at random moments under load and restarts it on the same directory and port. After every
 * restart each acknowledged record must be there: at its offset, in order, once.
 *
 * SLUICE_KILLS sets how often (8), SLUICE_KILL_SEED replays a run's moments.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { type RunningBroker, unusedPorts } from './harness/broker-process.ts';
import { type Client, runAll, runOne } from './harness/client.ts';
import { findFirst } from './harness/clients.ts';
import { type Acknowledgement, checkHistory, type LogEntry } from './harness/history.ts';
import { clientsDirectory } from './harness/paths.ts';
import { endChild } from './harness/program.ts';
import { startTarget, type TargetOptions } from './harness/target.ts';
import { findPythonClient, type Invocation, requireToolchain } from './harness/toolchain.ts';

const KILLS = Number(process.env['SLUICE_KILLS'] ?? 8);
const TOPIC = 'killed';
const PARTITIONS = 4;
const RECORDS_A_SECOND = 3000;
const LONGEST_LIFE_MS = 1500;
/** One kill in this many meets the broker while it recovers. */
const KILLS_A_RECOVERY_KILL = 4;
const ACKNOWLEDGEMENT_TIMEOUT_MS = 30_000;
/** Segments roll and indexes grow all the time, so that kills meet those moments too. */
const TOPIC_CONFIGS = { 'segment.bytes': '1048576', 'index.interval.bytes': '1024' };

test('every acknowledged record survives kill -9 at random moments, in order and once', async (context) => {
  const producer = requireToolchain(context, await findPythonClient());
  const makeReader = requireToolchain(context, await findFirst(['franz-go', 'confluent-kafka', 'java']));
  if (producer === undefined || makeReader === undefined) return;
  const seed = Number(process.env['SLUICE_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  context.diagnostic(`SLUICE_KILL_SEED=${seed}`);
  const random = seededRandom(seed);
  const [port, controllerPort] = (await unusedPorts(2)) as [number, number];
  const dataDirectory = mkdtempSync(join(tmpdir(), 'kill-9-'));
  const options: TargetOptions = { port, controllerPort, dataDirectory };
  const first = await startTarget(options);
  const brokers = [first];
  context.after(async () => {
    for (const broker of brokers) await broker.remove();
    rmSync(dataDirectory, { recursive: true, force: true });
  });
  const reader = makeReader(first.bootstrap);
  await runOne(reader, {
    op: 'createTopics',
    topics: [{ name: TOPIC, partitions: PARTITIONS, configs: TOPIC_CONFIGS }],
  });
  const load = startLoad(producer, first.bootstrap);
  context.after(() => endChild(load.child, 0));

  for (let kill = 1; kill <= KILLS; kill++) {
    await load.acknowledges(100);
    await pause(random() * LONGEST_LIFE_MS);
    await killNow(brokers.at(-1)!);
    if (kill % KILLS_A_RECOVERY_KILL === 0) {
      const starting = await startTarget({ ...options, waitUntilReady: false });
      brokers.push(starting);
      await pause(random() * 400);
      await killNow(starting);
    }
    brokers.push(await startTarget(options));
    await expectSound(reader, load, `after kill ${kill} of ${KILLS} (seed ${seed})`);
  }
  const sent = await load.finish();
  await expectSound(reader, load, `at the end (seed ${seed})`);
  assert.equal(load.acknowledged.length, sent, 'the producer gave nothing up');
  context.diagnostic(`${KILLS} kills, ${sent} records`);
});

/** Mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function killNow(broker: RunningBroker): Promise<void> {
  const { child } = broker;
  assert.equal(child.exitCode, null, `the broker ended by itself:\n${broker.output().slice(-3000)}`);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

interface Load {
  readonly child: ChildProcess;
  readonly acknowledged: Acknowledgement[];
  /** Resolves after so many more acknowledgements. */
  acknowledges(count: number): Promise<void>;
  /** Ends the load; resolves with how many records it sent. */
  finish(): Promise<number>;
}

function startLoad(client: Invocation, bootstrap: string): Load {
  const program = join(clientsDirectory, 'python', 'load.py');
  const child = spawn(client.command, [program, bootstrap, TOPIC, String(PARTITIONS), String(RECORDS_A_SECOND)], {
    env: { ...process.env, ...client.environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const acknowledged: Acknowledgement[] = [];
  const failures: string[] = [];
  let sent: number | undefined;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    if (line.startsWith('failed')) failures.push(line);
    else if (line.startsWith('sent')) sent = Number(line.slice(5));
    else {
      const [partition, number, offset] = line.split(' ').map(Number) as [number, number, number];
      acknowledged.push({ partition, number, offset });
    }
  });
  const ended = new Promise<void>((resolve) => lines.once('close', resolve));
  return {
    child,
    acknowledged,
    acknowledges: async (count) => {
      const deadline = performance.now() + ACKNOWLEDGEMENT_TIMEOUT_MS;
      for (const wanted = acknowledged.length + count; acknowledged.length < wanted; ) {
        assert.deepEqual(failures, []);
        assert.equal(child.exitCode, null, 'the producer ended');
        assert.ok(performance.now() < deadline, `no ${count} acknowledgements in ${ACKNOWLEDGEMENT_TIMEOUT_MS} ms`);
        await pause(10);
      }
    },
    finish: async () => {
      child.stdin.end();
      await ended;
      assert.deepEqual(failures, []);
      assert.ok(sent !== undefined, 'the producer told how much it sent');
      return sent;
    },
  };
}

async function expectSound(reader: Client, load: Load, when: string): Promise<void> {
  // What was acknowledged until now, then the ends: so every one of these lies below them.
  const acknowledged = [...load.acknowledged];
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  const ends = await runAll(
    reader,
    partitions.map((partition) => ({ op: 'listOffsets', topic: TOPIC, partition, at: 'latest' }) as const),
  );
  const wanted = partitions.map((partition) => ({ partition, offset: 0, count: ends[partition]!.offset }) as const);
  const records = await runOne(reader, { op: 'consume', topic: TOPIC, partitions: wanted });
  const log = new Map<number, LogEntry[]>(partitions.map((partition) => [partition, []]));
  for (const { partition, offset, value } of records) {
    log.get(partition)!.push({ offset, number: Number(value!.toString('latin1', 0, 12)) });
  }
  const violations = checkHistory(acknowledged, log);
  assert.deepEqual(violations, [], `${when}: ${violations.length} violations`);
}
