/** Runs histories of steps from seeds, and makes one that fails as short as it easily gets. */
import { messageOf } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { CrashMode } from '../../src/base/simulated-disk.ts';
import { randomStep, type Step, takeStep } from './log-steps.ts';
import { LogWorld } from './log-world.ts';

export interface History {
  readonly seed: number;
  readonly steps: readonly Step[];
}

export interface Outcome {
  /** Undefined where log and model agreed to the end. */
  readonly failure: { readonly step: number; readonly error: Error } | undefined;
  readonly stepsTaken: number;
  readonly crashes: number;
}

const PARTITIONS = 3;
/** Attempts to leave something out of a failing history. */
const MOST_ATTEMPTS = 3000;

export function historyOf(seed: number, steps: number): History {
  const random = seededRandom(seed);
  return { seed, steps: Array.from({ length: steps }, () => randomStep(random)) };
}

/** Odd seeds have the disk that reorders everything. */
function modeOf(seed: number): CrashMode {
  return seed % 2 === 0 ? 'journal' : 'any';
}

/** `crashAt` makes the power fail during the operation of that number, counted from the first step. */
export async function runHistory(
  { seed, steps }: History,
  crashAt?: number,
): Promise<Outcome & { operations: number }> {
  const world = new LogWorld({ seed, mode: modeOf(seed), partitions: PARTITIONS });
  let step = -1;
  try {
    await world.start();
    world.host();
    for (const partition of world.partitions) world.lead(partition);
    if (crashAt !== undefined) world.disk.crashAt = world.disk.operations + crashAt;
    for (step = 0; step < steps.length; step++) await takeStep(world, steps[step]!);
  } catch (error) {
    const failure = { step, error: error instanceof Error ? error : new Error(messageOf(error)) };
    return { failure, stepsTaken: step + 1, crashes: world.crashes, operations: world.disk.operations };
  }
  return { failure: undefined, stepsTaken: steps.length, crashes: world.crashes, operations: world.disk.operations };
}

/** Seeds for each point of a crash: the disk decides otherwise with each. */
const SEEDS_A_POINT = 6;

/** Runs a history again and again, with the power failing at each of its operations; returns how many those were. */
export async function crashEverywhere(steps: readonly Step[]): Promise<number> {
  let most = 0;
  for (let seed = 0; seed < SEEDS_A_POINT; seed++) {
    const own = steps.map((step) => ({ ...step, seed: step.seed + 7919 * seed }));
    const { operations } = await runHistory({ seed, steps: own });
    most = Math.max(most, operations);
    for (let crashAt = 1; crashAt <= operations; crashAt++) {
      const { failure } = await runHistory({ seed, steps: own }, crashAt);
      if (failure === undefined) continue;
      const kinds = own.map((step) => `${step.kind} ${step.seed}`).join(', ');
      throw new Error(`seed ${seed}, crash at ${crashAt}: ${kinds}`, { cause: failure.error });
    }
  }
  return most;
}

/** Drops runs of steps, then single ones, while the history still fails in the same way. */
export async function minimise(history: History, error: Error): Promise<History> {
  const kind = kindOf(error);
  let steps = history.steps;
  let attempts = 0;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = steps.length - size; from >= 0 && attempts < MOST_ATTEMPTS; attempts++) {
      const shorter = [...steps.slice(0, from), ...steps.slice(from + size)];
      const { failure } = await runHistory({ ...history, steps: shorter });
      if (failure !== undefined && kindOf(failure.error) === kind) steps = shorter.slice(0, failure.step + 1);
      from = Math.min(from, steps.length) - size;
    }
  }
  return { ...history, steps };
}

/** An error without its numbers. */
function kindOf({ message }: Error): string {
  return message.split(':')[0]!.replace(/\d+/g, '');
}

/** Runs a seed; rejects with all that is needed to look into it where it fails. */
export async function simulate(seed: number, steps: number): Promise<Outcome> {
  const history = historyOf(seed, steps);
  const outcome = await runHistory(history);
  if (outcome.failure === undefined) return outcome;
  const { step, error } = outcome.failure;
  const shortest = await minimise({ ...history, steps: history.steps.slice(0, step + 1) }, error);
  const why = (await runHistory(shortest)).failure?.error ?? error;
  const lines = [
    `seed ${seed} fails at step ${step}: ${error.message}`,
    `replay it with: npm run simulate -- --seed ${seed} --steps ${step + 1}`,
    `${shortest.steps.length} steps are enough:`,
    ...shortest.steps.map(({ kind, seed: stepSeed }) => `  ${kind} ${stepSeed}`),
    why.stack ?? why.message,
  ];
  throw new Error(lines.join('\n'), { cause: error });
}
