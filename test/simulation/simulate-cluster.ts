/** Runs whole clusters through histories of steps from seeds, and makes a history that fails as short as it easily gets. */
import { messageOf } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/random.ts';
import { ClusterRun } from './cluster-run.ts';
import { type ClusterStep, randomClusterStep, type StepKind } from './cluster-steps.ts';
import type { QuorumKind } from './cluster-world.ts';

export interface ClusterHistory {
  readonly seed: number;
  readonly quorum: QuorumKind;
  readonly steps: readonly ClusterStep[];
}

export interface ClusterOutcome {
  /** Undefined where everything held to the end. */
  readonly failure: Error | undefined;
  /** The step that failed; after the last one it was recovery. */
  readonly step: number;
  readonly faults: number;
  readonly events: number;
  readonly elections: number;
  readonly acknowledged: number;
  readonly simulatedMs: number;
  readonly digest: string;
}

/** Attempts to leave something out of a failing history. */
const MOST_ATTEMPTS = 60;

/** `deck` as in `randomClusterStep`. */
export function clusterHistoryOf(
  seed: number,
  steps: number,
  quorum: QuorumKind = 'local',
  deck?: readonly StepKind[],
): ClusterHistory {
  const random = seededRandom(seed);
  return { seed, quorum, steps: Array.from({ length: steps }, () => randomClusterStep(random, deck)) };
}

/** One of eight clusters has five brokers. */
export function brokersOf(seed: number): number {
  return seed % 8 === 0 ? 5 : 3;
}

export async function runClusterHistory(
  { seed, quorum, steps }: ClusterHistory,
  print?: (line: string) => void,
): Promise<ClusterOutcome> {
  const run = new ClusterRun({ seed, quorum, brokers: brokersOf(seed), print });
  let failure: Error | undefined;
  let step = -1;
  try {
    await run.start();
    for (step = 0; step < steps.length; step++) await run.take(steps[step]!);
    await run.finish();
  } catch (error) {
    failure = error instanceof Error ? error : new Error(messageOf(error));
  } finally {
    run.close();
  }
  const { world, invariants, workload, faults } = run;
  return {
    failure,
    step,
    faults,
    events: world.events,
    elections: invariants.elections,
    acknowledged: workload.acknowledged,
    simulatedMs: world.clock.monotonicMs(),
    digest: world.trace.digest,
  };
}

/** An error without its numbers. */
function kindOf({ message }: Error): string {
  return message.replace(/\d+(\.\d+)?/g, '').slice(0, 60);
}

/** Drops runs of steps while the history still fails in the same way. */
export async function minimiseCluster(history: ClusterHistory, failure: Error): Promise<ClusterHistory> {
  const kind = kindOf(failure);
  let { steps } = history;
  let attempts = 0;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = steps.length - size; from >= 0 && attempts < MOST_ATTEMPTS; attempts++) {
      const shorter = [...steps.slice(0, from), ...steps.slice(from + size)];
      const outcome = await runClusterHistory({ ...history, steps: shorter });
      if (outcome.failure !== undefined && kindOf(outcome.failure) === kind) steps = shorter.slice(0, outcome.step + 1);
      from = Math.min(from, steps.length) - size;
    }
  }
  return { ...history, steps };
}

/** Runs a seed; rejects with all that is needed to look into it where it fails. */
export async function simulateCluster(seed: number, steps: number, quorum: QuorumKind): Promise<ClusterOutcome> {
  const history = clusterHistoryOf(seed, steps, quorum);
  const outcome = await runClusterHistory(history);
  if (outcome.failure === undefined) return outcome;
  const lines = [
    `cluster seed ${seed} fails at step ${outcome.step} of ${steps}: ${outcome.failure.message}`,
    `replay it with: npm run simulate -- cluster --quorum ${quorum} --seed ${seed} --steps ${steps} --trace`,
    outcome.failure.stack ?? '',
  ];
  throw new Error(lines.join('\n'), { cause: outcome.failure });
}
