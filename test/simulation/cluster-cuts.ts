/**
 * Simulated clusters on ZooKeeper in which brokers do not hear each other, while ZooKeeper and clients hear all of them. As
 * long as most brokers hear most others, every partition must come to take writes, and then nothing may change any more
 * until the links are whole. Judges availability; what is lost or doubled is for `ClusterRun.finish`.
 */
import { seededRandom } from '../../src/base/random.ts';
import { InvariantViolation } from './cluster-invariants.ts';
import { ClusterRun } from './cluster-run.ts';

/** From the cut on. Sessions of the simulated cluster are 3 s long, requests of its clients time out after 3 s. */
const WRITES_MS = 15_000;
const REST_MS = 20_000;
const SETTLE_MS = 5000;
const PACE_MS = 500;

const VICTIMS = ['controller', 'leader', 'any'] as const;
const FROM = ['all others', 'one other', 'the controller'] as const;
const WAYS = ['both', 'out', 'in'] as const;

export interface CutOutcome {
  readonly what: string;
  /** Until every partition had taken a write that began after the cut. */
  readonly writesAfterMs: number;
  readonly newControllers: number;
}

/** Rejects with an InvariantViolation. */
export async function runCut(seed: number, print?: (line: string) => void): Promise<CutOutcome> {
  const brokers = seed % 4 === 0 ? 5 : 3;
  const run = new ClusterRun({ seed, quorum: 'zookeeper', brokers, print });
  try {
    await run.start();
    await run.world.runFor(SETTLE_MS);
    const controllerEpoch = epochOf(run);
    const what = cut(run, seed);
    run.world.trace.note('--', what);
    const fromMs = run.world.clock.monotonicMs();
    await expectWrites(run, what);
    const writesAfterMs = run.world.clock.monotonicMs() - fromMs;
    await run.world.runFor(SETTLE_MS);
    await expectRest(run, what);
    const newControllers = epochOf(run) - controllerEpoch;
    await run.finish();
    return { what, writesAfterMs, newControllers };
  } finally {
    run.close();
  }
}

/** Cuts some links for good; tells which. */
function cut(run: ClusterRun, seed: number): string {
  const random = seededRandom(seed);
  const choose = <T>(choices: readonly T[]): T => choices[random.below(choices.length)]!;
  const { hosts, network } = run.world;
  const leader = run.world.host(choose(imageOf(run).topics.byName.get('a')!.partitions).leader);
  const part = choose(VICTIMS);
  const controller = hosts.find(({ name }) => name === run.controllerName)!;
  const victim = { controller, leader, any: choose(hosts) }[part];
  const others = hosts.filter((host) => host !== victim);
  const from = choose(FROM);
  const cutFrom = { 'all others': others, 'one other': [choose(others)], 'the controller': [controller] }[from];
  const ways = choose(WAYS);
  for (const other of cutFrom) {
    if (other === victim) continue;
    if (ways !== 'in') network.block(victim.name, other.name);
    if (ways !== 'out') network.block(other.name, victim.name);
  }
  return `cut ${victim.name} (${part}) from ${cutFrom.map(({ name }) => name)}, ${ways}`;
}

async function expectWrites(run: ClusterRun, what: string): Promise<void> {
  const { world, workload } = run;
  const missing = new Set(workload.topics.flatMap(({ name, partitions }) => placesOf(name, partitions)));
  const underWay = new Set<number>();
  let seen = workload.history.length;
  const look = (): boolean => {
    for (; seen < workload.history.length; seen++) {
      const line = workload.history[seen]!;
      if (line.type !== 'ok' && line.type !== 'invoke') continue;
      for (const [place, , value] of line.sends ?? []) {
        if (line.type === 'invoke') underWay.add(value);
        else if (underWay.has(value)) missing.delete(String(place));
      }
    }
    return missing.size === 0;
  };
  const untilMs = world.clock.monotonicMs() + WRITES_MS;
  while (world.clock.monotonicMs() < untilMs) {
    for (const { name, partitions } of workload.topics) {
      for (let partition = 0; partition < partitions; partition++) workload.produceTo(name, partition);
    }
    if (await world.runUntil(look, PACE_MS)) return;
  }
  throw new InvariantViolation(`${what}: ${[...missing]} took no write within ${WRITES_MS} ms`);
}

function placesOf(topic: string, partitions: number): string[] {
  return Array.from({ length: partitions }, (_, partition) => `${topic}/${partition}`);
}

/** Who is the controller and who leads stays as it is. */
async function expectRest(run: ClusterRun, what: string): Promise<void> {
  const before = stateOf(run);
  await run.world.runFor(REST_MS);
  const after = stateOf(run);
  if (after !== before) throw new InvariantViolation(`${what}: no rest, at first\n${before}\nand then\n${after}`);
}

function stateOf(run: ClusterRun): string {
  const partitions = [...imageOf(run).topics.byName.values()].flatMap(({ name, partitions }) =>
    partitions.map(({ leader, leaderEpoch }, index) => `${name}-${index}: ${leader} in ${leaderEpoch}`),
  );
  return `${run.controllerName} in ${epochOf(run)}; ${partitions.join(', ')}`;
}

function epochOf(run: ClusterRun): number {
  return imageOf(run).epoch;
}

function imageOf({ world, controllerName }: ClusterRun) {
  const controller = world.hosts.find(({ name }) => name === controllerName);
  if (controller === undefined) throw new InvariantViolation('there is no controller');
  return controller.services!.quorum.image();
}
