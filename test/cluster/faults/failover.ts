/**
 * Measured failures: one thing goes wrong in a cluster that is whole, and the longest gap in acknowledged writes that
 * follows is told in ms. Each leaves the cluster whole again.
 */
import type { Broker } from '../harness/broker.ts';
import type { Cluster } from '../harness/cluster.ts';
import type { PartitionView } from '../harness/cluster-view.ts';
import { monotonicMicroseconds } from '../workload/recorder.ts';
import type { Workload } from '../workload/workload.ts';
import { pause } from './fault.ts';

const WRITES_TIMEOUT_MS = 60_000;
const WHOLE_TIMEOUT_MS = 90_000;
/** A gap may begin a little after the fault. */
const SETTLE_MS = 1000;
const HOLD_MS = 5000;

export interface Measured {
  readonly gapMs: number;
  /** Of partitions that the broker did not lead. */
  readonly othersGapMs: number;
  /** Who it happened to. */
  readonly broker: number;
}

interface Scene {
  readonly cluster: Cluster;
  readonly workload: Workload;
}

/** kill -9 of the leader of `partition`. */
export async function killLeader(scene: Scene, partition: number): Promise<Measured> {
  const victim = await leaderOf(scene, partition);
  return measured(scene, victim, async () => {
    await victim.kill();
    return () => scene.cluster.startBroker(victim);
  });
}

export async function killController(scene: Scene): Promise<Measured> {
  const victim = await controllerOf(scene);
  return measured(scene, victim, async () => {
    await victim.kill();
    return () => scene.cluster.startBroker(victim);
  });
}

/** SIGTERM: `stopMs` is how long the process took to end. */
export async function terminateLeader(
  scene: Scene,
  partition: number,
): Promise<Measured & { readonly stopMs: number }> {
  const victim = await leaderOf(scene, partition);
  let stopMs = 0;
  const told = await measured(scene, victim, async () => {
    const { tookMs, insisted } = await victim.stop();
    if (insisted) throw new Error(`broker ${victim.id} did not end when asked to:\n${victim.lastWords()}`);
    stopMs = tookMs;
    return () => scene.cluster.startBroker(victim);
  });
  return { ...told, stopMs };
}

/** A follower that hangs, and is not the controller: how long those that it follows wait for it. */
export async function holdFollower(scene: Scene, partition: number): Promise<Measured> {
  const { leader, replicas } = await partitionOf(scene, partition);
  const controller = await controllerOf(scene);
  const follower = replicas.find((replica) => replica !== leader && replica !== controller.id);
  return hold(scene, scene.cluster.broker(follower!));
}

/** Only the end of its session takes a controller that hangs out of office. */
export async function holdController(scene: Scene): Promise<Measured> {
  return hold(scene, await controllerOf(scene));
}

async function hold(scene: Scene, victim: Broker): Promise<Measured> {
  return measured(scene, victim, async () => {
    victim.hold();
    await pause(HOLD_MS);
    return async () => victim.resume();
  });
}

/** `harm` returns what heals. */
async function measured(
  { cluster, workload }: Scene,
  victim: Broker,
  harm: () => Promise<() => Promise<void>>,
): Promise<Measured> {
  const { topic } = workload.options;
  const view = await cluster.view(topic);
  const led = (view?.partitions ?? []).filter(({ leader }) => leader === victim.id).map(({ partition }) => partition);
  const others = workload.partitions.filter((partition) => !led.includes(partition));
  workload.recorder.note('measured fault', { broker: victim.id });
  const from = monotonicMicroseconds();
  const heal = await harm();
  await workload.writesAgain(WRITES_TIMEOUT_MS);
  await pause(SETTLE_MS);
  const to = monotonicMicroseconds();
  const gapMs = workload.progress.longestGapMs(from, to, led);
  const othersGapMs = workload.progress.longestGapMs(from, to, others);
  await heal();
  await cluster.allInSync(topic, WHOLE_TIMEOUT_MS);
  await workload.writesAgain(WRITES_TIMEOUT_MS);
  return { gapMs, othersGapMs, broker: victim.id };
}

async function partitionOf({ cluster, workload }: Scene, partition: number): Promise<PartitionView> {
  const view = await cluster.view(workload.options.topic);
  const found = view?.partitions.find((each) => each.partition === partition && each.leader >= 0);
  if (found === undefined) throw new Error(`partition ${partition} has no leader`);
  return found;
}

async function leaderOf(scene: Scene, partition: number): Promise<Broker> {
  return scene.cluster.broker((await partitionOf(scene, partition)).leader);
}

async function controllerOf({ cluster, workload }: Scene): Promise<Broker> {
  const view = await cluster.view(workload.options.topic);
  if (view === undefined) throw new Error('no broker answers');
  return cluster.broker(view.controller);
}

/** Of durations in ms. */
export function distribution(durations: readonly number[]): string {
  const sorted = durations.toSorted((left, right) => left - right);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, of ${sorted.length}`;
}
