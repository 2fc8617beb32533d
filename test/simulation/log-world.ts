/**
 * A broker's logs over a simulated disk and clock, with a model beside each partition. Owns starting, stopping and
 * crashing, and the comparison of what can be read with what must be. What happens in between is in log-steps.ts.
 */
import assert from 'node:assert/strict';
import { silentLogger } from '../../src/base/logger.ts';
import { seededRandom } from '../../src/base/random.ts';
import { SimulatedClock } from '../../src/base/simulated-clock.ts';
import { type CrashMode, SimulatedDisk } from '../../src/base/simulated-disk.ts';
import * as batch from '../../src/records/batch.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import type { Log } from '../../src/storage/log.ts';
import { defaultLogConfig, type LogConfig } from '../../src/storage/log-config.ts';
import { LogManager } from '../../src/storage/log-manager.ts';
import { type Found, type ModelBatch, PartitionModel } from './partition-model.ts';

export const DIRECTORIES = ['/a', '/b'] as const;
const TOPIC_IDS = ['ckhF3xLEQsqTd6aJf9KTaQ', 'dkhF3xLEQsqTd6aJf9KTaQ', 'ekhF3xLEQsqTd6aJf9KTaQ'];
/** Far longer than any history: producers are forgotten by deletion only. */
const NEVER_MS = 2 ** 50;
/** What a disk has that is not full. */
export const ROOM_BYTES = 2 ** 40;
/** Turns after which something that ought to end does not. */
const MOST_TURNS = 10_000;

export interface WorldOptions {
  readonly seed: number;
  readonly mode: CrashMode;
  readonly partitions: number;
}

export interface WorldPartition {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly config: LogConfig;
  model: PartitionModel;
}

export class LogWorld {
  readonly disk: SimulatedDisk;
  readonly clock = new SimulatedClock();
  readonly partitions: WorldPartition[];
  manager!: LogManager;
  /** Directories that fail until the next start. */
  readonly failing = new Set<string>();
  #starts = 1;
  /** Which directory each partition lay in at the last start. */
  readonly #homes = new Map<WorldPartition, string>();
  /** How often it crashed, for the report. */
  crashes = 0;

  constructor(options: WorldOptions) {
    this.disk = new SimulatedDisk({
      random: seededRandom(options.seed),
      mode: options.mode,
      nowMs: () => this.clock.wallMs(),
      holdsAsync: true,
    });
    this.partitions = Array.from({ length: options.partitions }, (_, index) => newPartition(index));
  }

  /** Starts a process over what the disk holds; the power may fail again after so many operations. */
  async start({ lastsFor = Number.POSITIVE_INFINITY } = {}): Promise<void> {
    this.clock.forget();
    const fileSystem = this.disk.boot();
    this.disk.capacityBytes = ROOM_BYTES;
    this.disk.crashAt = this.disk.operations + lastsFor;
    this.manager = new LogManager(
      {
        directories: DIRECTORIES,
        nodeId: 1,
        clusterId: 'world',
        configOf: (topic) => this.partitions.find((each) => each.topic === topic)!.config,
        producerIdExpirationMs: NEVER_MS,
        maxOpenFiles: 16,
        // Half of the starts and stops: the other half takes the way of few logs.
        fewestInBulk: this.#starts % 2 === 0 ? 1 : undefined,
        // Logs here hold a few batches: two of three starts resume where the last recovery ended, if it had to check any.
        fewestBytesToRemember: this.#starts % 3 === 0 ? undefined : 64,
        maxIndexBytes: 512,
        flushCheckMs: 1000,
        retentionCheckMs: NEVER_MS,
      },
      { fileSystem, clock: this.clock, logger: silentLogger, random: seededRandom(this.#starts++) },
    );
    await this.run(this.manager.open());
  }

  /** Logs of all partitions, created where there is none yet. */
  host(): void {
    for (const { topic, partition, topicId, config } of this.partitions) {
      this.manager.getOrCreate({ topic, partition }, topicId, config);
    }
    for (const each of this.partitions) this.#homes.set(each, this.manager.directoryOf(each)!);
  }

  logOf({ topic, partition }: WorldPartition): Log {
    const log = this.manager.get({ topic, partition });
    assert.ok(log !== undefined, `${topic}-${partition} is there`);
    return log;
  }

  get isFull(): boolean {
    return this.disk.capacityBytes < ROOM_BYTES;
  }

  isOffline(partition: WorldPartition): boolean {
    const home = this.manager.directoryOf(partition) ?? this.#homes.get(partition) ?? '';
    return this.manager.get(partition)?.offline === true || this.failing.has(home);
  }

  /** Lets everything happen that a promise waits for. */
  async run<Result>(promise: Promise<Result>): Promise<Result> {
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    for (let turn = 0; ; turn++) {
      await microtasks();
      if (settled) return promise;
      assert.ok(turn < MOST_TURNS, 'what was begun comes to an end');
      this.clock.endTurn();
      this.disk.letGo();
    }
  }

  /** A process that is killed, and the next one over what it left. */
  async killAndRestart(): Promise<void> {
    // After a failed sync the page cache shows what the disk may not have: whoever goes on must start the host anew.
    if (this.#failed().size > 0) return this.losePowerAndRestart();
    this.disk.kill();
    await this.#restart(false);
  }

  async losePowerAndRestart(): Promise<void> {
    this.disk.losePower();
    await this.#restart(true);
  }

  async stopAndRestart(): Promise<void> {
    const full = this.isFull;
    await this.run(this.manager.close());
    if (!this.disk.isUp) return;
    const failed = this.#failed();
    for (const partition of this.partitions) {
      if (!full && failed.size === 0) partition.model.stoppedCleanly();
    }
    if (failed.size > 0) return this.losePowerAndRestart();
    await this.#restart(false);
  }

  /** Directories whose disk fails: what their last operations did is not known. */
  #failed(): Set<string> {
    const failed = new Set(this.failing);
    for (const { path, online } of this.manager.directories()) if (!online) failed.add(path);
    return failed;
  }

  /** Starts again; where the power failed, what was not flushed may be lost. */
  async #restart(powerFailed: boolean): Promise<void> {
    this.crashes++;
    await microtasks();
    for (const directory of this.failing) this.disk.heal(directory);
    this.failing.clear();
    let lost = powerFailed;
    // The power may fail during recovery as well, and again during that.
    while (this.disk.random.below(3) === 0) {
      const died = await this.#dieInRecovery();
      if (!died) break;
      lost = true;
    }
    await this.start();
    for (const { path, failure } of this.manager.directories()) {
      assert.equal(failure, undefined, `${path} can be used after a crash: ${failure?.message}`);
    }
    this.host();
    for (const partition of this.partitions) {
      const log = this.logOf(partition);
      const found = readFound(log);
      if (lost) partition.model.survived(found);
      else partition.model.reopened(found);
      if (!partition.model.startWentBack) checkEpochs(log, found);
    }
    for (const partition of this.partitions) this.lead(partition);
  }

  /** False where recovery was done before the power failed; then it was only a process that was killed. */
  async #dieInRecovery(): Promise<boolean> {
    try {
      await this.start({ lastsFor: 1 + this.disk.random.below(40) });
    } catch (error) {
      if (this.disk.isUp) throw error;
    }
    const died = !this.disk.isUp;
    if (died) this.disk.losePower();
    else this.disk.kill();
    await microtasks();
    return died;
  }

  /** The broker leads the partition in a new epoch, as after every restart. */
  lead({ model, ...partition }: WorldPartition): void {
    model.epoch++;
    this.manager.get(partition)!.assignEpochStart(model.epoch, model.end);
  }

  /** Everything that can be read now, against the model. */
  check(partition: WorldPartition, maxBytes: number): void {
    const log = this.logOf(partition);
    const { model } = partition;
    assert.equal(log.endOffset, model.end, 'end offset');
    assert.equal(log.startOffset, model.start, 'start offset');
    assert.ok(log.recoveryPoint <= model.end, 'the recovery point lies in the log');
    const expected = model.readable();
    const actual = readBatches(log, maxBytes);
    assert.equal(actual.length, expected.length, 'number of batches');
    for (const [index, { bytes, base }] of expected.entries()) {
      assert.ok(actual[index]!.bytes.equals(bytes), `the batch at ${base} is as it was appended`);
    }
  }
}

function newPartition(index: number): WorldPartition {
  return {
    topic: `t${index}`,
    partition: index % 2,
    topicId: TOPIC_IDS[index % TOPIC_IDS.length]!,
    config: {
      ...defaultLogConfig,
      segmentBytes: [700, 1500, 4000][index % 3]!,
      indexIntervalBytes: [1, 200, 400][index % 3]!,
      retentionBytes: 4000,
      retentionMs: -1,
      segmentMs: NEVER_MS,
      fileDeleteDelayMs: 1000,
      maxMessageBytes: 100_000,
      flushMs: index === 1 ? 3000 : NEVER_MS,
      flushMessages: index === 2 ? 10 : NEVER_MS * 8,
    },
    model: new PartitionModel(),
  };
}

/** Runs all microtasks; nothing else is ever under way. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function readFound(log: Log): Found {
  return { start: log.startOffset, end: log.endOffset, batches: readBatches(log, 2 ** 20) };
}

/** Every batch from the start offset to the end; fails the test where one is broken. */
export function readBatches(log: Log, maxBytes: number): ModelBatch[] {
  const batches: ModelBatch[] = [];
  for (let offset = log.startOffset; offset < log.endOffset; ) {
    const outcome = log.read(offset, { maxBytes, minOneBatch: true, upTo: log.endOffset });
    assert.ok(outcome.ok, `a read at ${offset} succeeds: ${outcome.ok ? '' : outcome.message}`);
    assert.ok(
      outcome.region !== undefined,
      `there is something to read at ${offset}, the log ends at ${log.endOffset}`,
    );
    const bytes = Buffer.alloc(outcome.region.length);
    assert.equal(outcome.region.file.readSync(bytes, outcome.region.position), bytes.length);
    outcome.region.release();
    const before = offset;
    for (let at = 0; at + batch.LOG_OVERHEAD <= bytes.length && at + batch.batchBytes(bytes, at) <= bytes.length; ) {
      const one = bytes.subarray(at, at + batch.batchBytes(bytes, at));
      batches.push(modelBatchOf(one));
      offset = batch.lastOffset(one, 0) + 1;
      at += one.length;
    }
    assert.ok(offset > before, 'a read returns one whole batch at least');
  }
  return batches;
}

export function modelBatchOf(bytes: Buffer): ModelBatch {
  assert.equal(
    crc32c(bytes, batch.CRC_FROM, bytes.length),
    batch.storedCrc(bytes, 0),
    'checksum of a batch that is served',
  );
  const firstSequence = batch.baseSequence(bytes, 0);
  return {
    base: batch.baseOffset(bytes, 0),
    last: batch.lastOffset(bytes, 0),
    epoch: batch.leaderEpoch(bytes, 0),
    bytes,
    producerId: batch.producerId(bytes, 0),
    producerEpoch: batch.producerEpoch(bytes, 0),
    firstSequence,
    lastSequence: firstSequence + batch.lastOffsetDelta(bytes, 0),
  };
}

/** What the log says of epochs is what its batches say. */
function checkEpochs(log: Log, { start, batches, end }: Found): void {
  for (const [index, { epoch, base }] of batches.entries()) {
    const before = batches[index - 1];
    if (before === undefined || before.epoch === epoch) continue;
    assert.ok(before.epoch < epoch, 'epochs rise');
    assert.deepEqual(log.endOffsetForEpoch(before.epoch), { epoch: before.epoch, endOffset: Math.max(base, start) });
  }
  const last = batches.at(-1);
  if (last === undefined) return;
  assert.equal(log.latestEpoch, last.epoch, 'the newest epoch is that of the last batch');
  assert.deepEqual(log.endOffsetForEpoch(last.epoch), { epoch: last.epoch, endOffset: end });
}
