import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Random, seededRandom } from '../../base/random.ts';
import { type CrashMode, SimulatedDisk } from '../../base/simulated-disk.ts';
import { ManualClock, testDependencies } from '../log.test.support.ts';
import { createLog, type Log, openLog } from '../log.ts';
import { defaultLogConfig, type LogConfig } from '../log-config.ts';
import { compactOnce } from './compaction.test.support.ts';
import { ModelledLog } from './compaction-model.test.support.ts';

const FIRST_SEED = Number(process.env['SLUICE_SEED'] ?? 1);
const SEEDS = Number(process.env['SLUICE_SEEDS'] ?? 15);
const ROUNDS = 8;
const DIRECTORY = '/data/t-0';

/** One log on a simulated disk, opened again and again. */
class Life {
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly disk: SimulatedDisk;
  readonly model: ModelledLog;
  readonly config: LogConfig;
  #log: Log;

  constructor(seed: number, mode: CrashMode) {
    this.random = seededRandom(seed);
    this.disk = new SimulatedDisk({ random: this.random, mode, nowMs: () => this.clock.wall });
    this.model = new ModelledLog(this.random);
    this.config = {
      ...defaultLogConfig,
      compactPolicy: true,
      deletePolicy: false,
      minCleanableRatio: 0,
      deleteRetentionMs: 800,
      fileDeleteDelayMs: this.random.below(2) * 50,
      segmentBytes: 1500 + this.random.below(6000),
      indexIntervalBytes: [0, 512, 4096][this.random.below(3)]!,
    };
    const identity = { directory: DIRECTORY, topic: 't', partition: 0, config: this.config };
    const dependencies = this.#dependencies();
    dependencies.fileSystem.makeDirectory('/data');
    dependencies.fileSystem.syncDirectory('/');
    this.#log = createLog(identity, dependencies);
  }

  get log(): Log {
    return this.#log;
  }

  #dependencies() {
    return testDependencies({ clock: this.clock, fileSystem: this.disk.boot() });
  }

  append(count: number): void {
    for (let index = 0; index < count; index++) {
      this.model.append(this.#log, this.clock.wall);
      this.clock.advance(this.random.below(10));
    }
  }

  /** A pass; the key map is sometimes too small. */
  async compact(): Promise<'all' | 'some' | 'none'> {
    const range = await this.#log.dirtyRange(this.clock.wall);
    if (range === undefined) return 'none';
    const slots = this.random.below(3) === 0 ? 5 + this.random.below(20) : 1000;
    const compaction = await compactOnce(this.#log, this.clock, { slots });
    if (compaction === undefined) return 'none';
    return compaction.upTo === range.upTo ? 'all' : 'some';
  }

  async reopen(options: { readonly cleanShutdown: boolean; readonly recoveryPoint?: number }): Promise<void> {
    const identity = { directory: DIRECTORY, topic: 't', partition: 0, config: this.config };
    const { cleanedTo } = this.#log;
    this.#log = await openLog({ ...identity, ...options, cleanedTo }, this.#dependencies());
  }
}

function forEachSeed(title: string, run: (seed: number) => Promise<void>): void {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    test(`${title} (seed ${seed})`, () => run(seed));
  }
}

forEachSeed(
  'a reader of a compacted log sees every last value, pass after pass, restart after restart',
  async (seed) => {
    const life = new Life(seed, 'journal');
    for (let round = 0; round < ROUNDS; round++) {
      const why = `seed ${seed}, round ${round}`;
      life.append(20 + life.random.below(60));
      if (life.random.below(2) === 0) life.log.roll();
      life.clock.advance(life.random.below(1000));
      const producers = life.log.producers();
      const endOffset = life.log.endOffset;
      const outcome = await life.compact();
      life.model.check(life.log, why);
      if (outcome === 'all') life.model.checkCompacted(life.log, life.log.cleanedTo!, why);
      await life.log.close();
      const cleanShutdown = life.random.below(2) === 0;
      await life.reopen({ cleanShutdown, recoveryPoint: cleanShutdown ? endOffset : 0 });
      assert.equal(life.log.endOffset, endOffset, why);
      assert.deepEqual(sequencesOf(life.log.producers()), sequencesOf(producers), why);
      life.model.check(life.log, `${why}, opened again`);
    }
  },
);

for (const mode of ['journal', 'any', 'unordered'] as const satisfies readonly CrashMode[]) {
  forEachSeed(`a crash at any step of a pass loses nothing, on a disk of the kind "${mode}"`, async (seed) => {
    const life = new Life(seed, mode);
    for (let crashes = 0; crashes < 12; crashes++) {
      life.append(10 + life.random.below(30));
      if (life.random.below(3) === 0) life.log.roll();
      life.clock.advance(life.random.below(1000));
      await life.log.flush();
      const { endOffset, recoveryPoint } = life.log;
      const producers = life.log.producers();
      life.disk.crashAt = life.disk.operations + 1 + life.random.below(60);
      await life.compact();
      const why = `seed ${seed}, crash ${crashes}`;
      if (life.random.below(2) === 0) life.disk.losePower();
      else life.disk.kill();
      await life.reopen({ cleanShutdown: false, recoveryPoint: life.random.below(2) === 0 ? recoveryPoint : 0 });
      assert.equal(life.log.endOffset, endOffset, why);
      assert.deepEqual(sequencesOf(life.log.producers()), sequencesOf(producers), why);
      life.model.check(life.log, why);
    }
    while ((await life.compact()) !== 'none') life.model.check(life.log, `seed ${seed}, at the end`);
  });
}

/** What decides which batch a producer may append next. Compaction may lower the time of its last batch. */
function sequencesOf(producers: ReturnType<Log['producers']>) {
  return producers
    .map(({ producerId, producerEpoch, lastSequence, transactionStartOffset }) => ({
      producerId,
      producerEpoch,
      lastSequence,
      transactionStartOffset,
    }))
    .toSorted((left, right) => left.producerId - right.producerId);
}
