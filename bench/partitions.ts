/**
 * One broker with many partitions, as a process of its own on a real disk: how long it takes to start and to stop, what
 * it uses while nobody asks for anything, and what a start costs after kill -9, by how much was not flushed.
 * Run: node dist/bench/partitions.js [partitions] [MiB of data]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { systemClock } from '../src/base/clock.ts';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import type { Timestamp } from '../src/base/units.ts';
import { type Channel, connect } from '../src/network/channel.ts';
import { createTopics } from '../src/protocol/apis/create-topics.ts';
import { produce } from '../src/protocol/apis/produce.ts';
import { buildBatch } from '../src/records/builder.ts';
import { unusedPorts, waitUntilServing } from '../test/compat/harness/broker-process.ts';
import { endWithThisProcess } from '../test/compat/harness/program.ts';
import { sluiceMain } from '../test/compat/harness/sluice.ts';
import { firstAcknowledgement } from './first-record.ts';
import { cpuSeconds, residentMebibytes } from './process-usage.ts';

const MIB = 2 ** 20;
const TOPICS = 10;
const IDLE_MS = 15_000;
const PATIENCE_MS = 300_000;
const CREATE_TOPICS_VERSION = 5;
const PRODUCE_VERSION = 7;
const PARTITIONS_A_REQUEST = 50;
const LARGEST_BATCH_BYTES = 256 * 1024;

const partitions = Number(process.argv[2] ?? 10_000);
const mebibytes = Number(process.argv[3] ?? 2048);
const home = makeTemporaryDirectory('sluice-bench-partitions');

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

/** Resolves once a record is acknowledged; `ms` counts from the start of the process. */
async function start(): Promise<Running & { readonly ms: number; readonly servingMs: number }> {
  const [port] = (await unusedPorts(1)) as [number];
  const began = performance.now();
  const parameters = ['start', '--port', String(port), '--data-dir', `${home}/data`, '--log-level', 'warn'];
  const child = spawn(process.execPath, [...process.execArgv, sluiceMain(), ...parameters], { stdio: 'inherit' });
  endWithThisProcess(child);
  await waitUntilServing({ child, port, timeoutMs: PATIENCE_MS });
  const servingMs = performance.now() - began;
  const ms = (await firstAcknowledgement(port)) - began;
  return { child, pid: child.pid!, port, ms, servingMs };
}

/** Milliseconds until the process has ended. */
async function stop({ child }: Running, signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
  const began = performance.now();
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
  return performance.now() - began;
}

async function withChannel<Result>({ port }: Running, use: (channel: Channel) => Promise<Result>): Promise<Result> {
  const options = { host: '127.0.0.1', port, clientId: 'bench', requestTimeoutMs: PATIENCE_MS };
  const channel = await connect(options, { clock: systemClock });
  try {
    return await use(channel);
  } finally {
    await channel.close();
  }
}

const topicName = (topic: number): string => `t${topic}`;

async function createAll(channel: Channel): Promise<void> {
  for (let topic = 0; topic < TOPICS; topic++) {
    const { topics } = await channel.request(createTopics, CREATE_TOPICS_VERSION, {
      topics: [
        {
          name: topicName(topic),
          numPartitions: partitions / TOPICS,
          replicationFactor: 1,
          assignments: [],
          configs: [],
        },
      ],
      timeoutMs: PATIENCE_MS,
      validateOnly: false,
    });
    if (topics[0]?.errorCode !== 0) throw new Error(`topic ${topic} was not created: ${topics[0]?.errorMessage}`);
  }
}

/** Appends `bytes` in all to the first `count` partitions of each topic, as much to each. */
async function fill(channel: Channel, bytes: number, count = partitions / TOPICS): Promise<void> {
  const share = Math.max(1, Math.floor(bytes / (count * TOPICS)));
  const value = Buffer.alloc(Math.min(share, LARGEST_BATCH_BYTES), 'x');
  const batch = buildBatch({ records: [{ key: null, value, timestamp: Date.now() as Timestamp }] });
  for (let sent = 0; sent < share; sent += value.length) {
    for (let topic = 0; topic < TOPICS; topic++) {
      for (let first = 0; first < count; first += PARTITIONS_A_REQUEST) {
        const length = Math.min(PARTITIONS_A_REQUEST, count - first);
        // The broker writes offsets into what it got, never into what is sent here.
        const partitionData = Array.from({ length }, (_, at) => ({ index: first + at, records: batch }));
        const { responses } = await channel.request(produce, PRODUCE_VERSION, {
          transactionalId: null,
          acks: 1,
          timeoutMs: PATIENCE_MS,
          topicData: [{ name: topicName(topic), partitionData }],
        });
        const refused = responses[0]?.partitionResponses.find(({ errorCode }) => errorCode !== 0);
        if (refused !== undefined) throw new Error(`partition ${refused.index}: error ${refused.errorCode}`);
      }
    }
  }
}

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function memoryMaps(pid: number): number {
  return readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').length - 1;
}

async function reportIdle({ pid }: Running): Promise<void> {
  // What the start left to do is none of the rest.
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 3));
  const before = cpuSeconds(pid);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const busy = ((cpuSeconds(pid) - before) / (IDLE_MS / 1000)) * 100;
  report('idle CPU', `${busy.toFixed(1)} % of a core`);
  report('open descriptors', String(openDescriptors(pid)));
  report('memory maps', String(memoryMaps(pid)));
  report('resident memory', `${residentMebibytes(pid).now.toFixed(0)} MiB`);
}

function report(what: string, value: string): void {
  console.log(`${what.padEnd(72)} ${value}`);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

async function measure(): Promise<void> {
  let broker = await start();
  let began = performance.now();
  await withChannel(broker, createAll);
  report(`create ${partitions} partitions`, seconds(performance.now() - began));
  report('stop, all of them new and empty', seconds(await stop(broker, 'SIGTERM')));
  broker = await start();
  report('start after a clean stop, to the first record acknowledged', seconds(broker.ms));
  await reportIdle(broker);
  report('stop, nothing changed', seconds(await stop(broker, 'SIGTERM')));

  broker = await start();
  began = performance.now();
  await withChannel(broker, (channel) => fill(channel, mebibytes * MIB));
  report(`append ${mebibytes} MiB to all of them`, seconds(performance.now() - began));
  report('stop, all of that to be flushed', seconds(await stop(broker, 'SIGTERM')));
  broker = await start();
  report(`start after a clean stop, ${mebibytes} MiB`, seconds(broker.ms));
  report('open descriptors', String(openDescriptors(broker.pid)));
  report('stop', seconds(await stop(broker, 'SIGTERM')));

  broker = await start();
  await stop(broker, 'SIGKILL');
  broker = await start();
  report(`start after kill -9, ${mebibytes} MiB, all flushed`, seconds(broker.ms));
  await withChannel(broker, (channel) => fill(channel, (mebibytes * MIB) / 100, partitions / TOPICS / 100));
  await stop(broker, 'SIGKILL');
  broker = await start();
  report('  1 % more not flushed, in 1 % of them', seconds(broker.ms));
  await withChannel(broker, (channel) => fill(channel, (mebibytes * MIB) / 2));
  await stop(broker, 'SIGKILL');
  broker = await start();
  report('  50 % more not flushed, in all of them', seconds(broker.ms));
  await withChannel(broker, (channel) => fill(channel, mebibytes * MIB));
  await stop(broker, 'SIGKILL');
  broker = await start();
  report('  100 % more not flushed, in all of them', seconds(broker.ms));
  report('stop', seconds(await stop(broker, 'SIGTERM')));
}

try {
  await measure();
} finally {
  rmSync(home, { recursive: true, force: true });
}
