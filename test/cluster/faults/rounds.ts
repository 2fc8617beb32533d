/**
 * Rounds of random faults from a seed. A round injects some, one after the other, holds them, and heals them in another
 * order. From time to time everything is healed and the cluster must become whole, then serve despite one more fault, and
 * become whole again.
 */
import { type Random, seededRandom } from '../../../src/base/random.ts';
import type { Cluster } from '../harness/cluster.ts';
import type { Workload } from '../workload/workload.ts';
import { settleMoves } from './admin-faults.ts';
import { chooseFault, possibleFaults } from './catalogue.ts';
import { type FaultWorld, type Injected, pause } from './fault.ts';

export interface RoundsOptions {
  readonly cluster: Cluster;
  readonly workload: Workload;
  readonly seed: number;
  readonly minutes: number;
  readonly only?: readonly string[];
  readonly log?: (text: string) => void;
}

export interface RoundsReport {
  readonly faults: ReadonlyMap<string, number>;
  readonly rounds: number;
  /** From everything healed to everything in sync, the longest. */
  readonly longestRecoveryMs: number;
}

const MOST_AT_ONCE = 3;
const LONGEST_BETWEEN_MS = 3000;
const LONGEST_HOLD_MS = 12_000;
const LONGEST_REST_MS = 4000;
const ROUNDS_A_RECOVERY = 3;
/** With a quorum of sound brokers, every partition takes writes within this. */
const LIVENESS_TIMEOUT_MS = 45_000;
const WHOLE_TIMEOUT_MS = 90_000;

interface Suffered extends Injected {
  readonly name: string;
}

export async function runRounds(options: RoundsOptions): Promise<RoundsReport> {
  const rounds = new Rounds(options);
  const deadline = performance.now() + options.minutes * 60_000;
  while (performance.now() < deadline) await rounds.round();
  await rounds.recover();
  return rounds.report();
}

class Rounds {
  readonly #options: RoundsOptions;
  readonly #random: Random;
  readonly #world: FaultWorld;
  readonly #faults = new Map<string, number>();
  readonly #kinds;
  #rounds = 0;
  #longestRecoveryMs = 0;
  #suffered: Suffered[] = [];

  constructor(options: RoundsOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#kinds = possibleFaults(options.cluster, options.only);
    const { topic } = options.workload.options;
    const { cluster } = options;
    const spared = new Set(cluster.system.name === 'sluice-local' ? [1] : []);
    this.#world = {
      cluster,
      topic,
      group: 'readers',
      random: this.#random,
      spared,
      afflicted: new Set(),
      moved: new Map(),
    };
  }

  async round(): Promise<void> {
    this.#rounds++;
    const count = 1 + this.#random.below(MOST_AT_ONCE);
    for (let fault = 0; fault < count; fault++) {
      await this.#inject();
      await pause(this.#random.below(LONGEST_BETWEEN_MS));
    }
    await pause(this.#random.below(LONGEST_HOLD_MS));
    while (this.#suffered.length > 0) await this.#healOne();
    if (this.#rounds % ROUNDS_A_RECOVERY === 0) await this.#expectLiveness();
    await pause(this.#random.below(LONGEST_REST_MS));
    this.#options.workload.expectAlive();
  }

  async #inject(kinds = this.#kinds): Promise<void> {
    if (kinds.length === 0) return;
    const kind = chooseFault(this.#random, kinds);
    const injected = await kind.inject(this.#world);
    if (injected === undefined) return;
    this.#suffered.push({ ...injected, name: kind.name });
    this.#faults.set(kind.name, (this.#faults.get(kind.name) ?? 0) + 1);
    this.#say(kind.name, injected.what);
  }

  async #healOne(): Promise<void> {
    const [suffered] = this.#suffered.splice(this.#random.below(this.#suffered.length), 1);
    await suffered!.heal();
    this.#say(`healed: ${suffered!.name}`, suffered!.what);
    await pause(this.#random.below(LONGEST_BETWEEN_MS));
  }

  /** Whole, despite one fault, whole again. */
  async #expectLiveness(): Promise<void> {
    await this.recover();
    await this.#inject(this.#kinds.filter((kind) => kind.tolerable(this.#options.cluster)));
    this.#say('must serve', {});
    await this.#options.workload.writesAgain(LIVENESS_TIMEOUT_MS);
    this.#say('serves', {});
    await this.recover();
  }

  /** Heals everything; all replicas must come to be in sync, every partition take writes, every reader and group read on. */
  async recover(): Promise<void> {
    while (this.#suffered.length > 0) await this.#healOne();
    const startedAt = performance.now();
    this.#say('all healed', {});
    await settleMoves(this.#world);
    await this.#options.cluster.allInSync(this.#world.topic, WHOLE_TIMEOUT_MS);
    await this.#options.workload.writesAgain(LIVENESS_TIMEOUT_MS);
    await this.#options.workload.readsAgainReplacing(LIVENESS_TIMEOUT_MS);
    const tookMs = Math.round(performance.now() - startedAt);
    this.#longestRecoveryMs = Math.max(this.#longestRecoveryMs, tookMs);
    this.#say('whole again', { tookMs });
  }

  #say(what: string, details: Readonly<Record<string, unknown>>): void {
    this.#options.workload.recorder.note(what, details);
    this.#options.log?.(`${what} ${JSON.stringify(details)}`);
  }

  report(): RoundsReport {
    return { faults: this.#faults, rounds: this.#rounds, longestRecoveryMs: this.#longestRecoveryMs };
  }
}
