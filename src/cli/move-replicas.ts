/**
 * `sluice cluster rebalance` and `drain`: shows what would move, and with --execute moves it. What moves is known to the
 * cluster, so that a command that is stopped loses nothing: the next one finds the moves under way.
 */
import { SluiceError } from '../base/errors.ts';
import { type BrokerId, partitionName } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { ReplicaMove } from '../client/admin/brokers.ts';
import {
  type PlannedBroker,
  type PlannedMove,
  planDrain,
  planRebalance,
  type RebalancePlan,
} from '../client/admin/rebalance-plan.ts';
import { byteCount, wholeNumber } from './arguments.ts';
import type { ClusterOptions, MoveOptions, ReassignOptions, RebalanceOptions } from './cluster.ts';
import { type ClusterState, clusterState } from './cluster-state.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printJson, printRows, remark } from './output.ts';
import { formatBytes, formatCounted } from './progress.ts';
import { directoriesIn, planned, readReassignments } from './reassignment-file.ts';
import { liftThrottle, setThrottle } from './replication-throttle.ts';
import { watchMoves } from './watch-moves.ts';

/** A request for more would come near the largest that a broker takes. */
const MOVES_A_REQUEST = 1000;

export async function rebalance(options: RebalanceOptions): Promise<void> {
  await moveReplicas(options, undefined, (state) => {
    const chosen = new Set(options.topic);
    const missing = options.topic.find((name) => !state.partitions.some(({ topic }) => topic === name));
    if (missing !== undefined) throw new SluiceError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${missing}`);
    return planRebalance(
      upBrokers(state),
      state.partitions.filter(({ topic, internal }) => (chosen.size === 0 ? !internal : chosen.has(topic))),
    );
  });
}

/** Internal topics too: nothing may be left. */
export async function drain(broker: string, options: MoveOptions): Promise<void> {
  const id = wholeNumber('broker', broker);
  await moveReplicas(options, id, (state) =>
    planDrain(
      upBrokers(state).filter((each) => each.id !== id),
      state.partitions.filter(({ replicas }) => replicas.includes(id)),
    ),
  );
}

/** A plan that somebody made. */
export async function reassign(options: ReassignOptions): Promise<void> {
  const wanted = options.cancel ? [] : await readReassignments(options.fromFile);
  const directories = directoriesIn(wanted);
  await moveReplicas(options, undefined, (state) => {
    const plan = planned(wanted, state);
    if (directories.length > 0) remark(`${formatCounted(directories.length, 'replica')} with a log directory`);
    return { ...plan, directories };
  });
}

export async function showReassignments(options: ClusterOptions): Promise<void> {
  await using cluster = await openCluster(options, 'sluice-cluster');
  const ongoing = await new Admin(cluster).ongoingReassignments();
  if (options.json) {
    printJson(
      ongoing.map(({ topic, partition, replicas, adding, removing }) => ({
        topic,
        partition,
        replicas,
        adding,
        removing,
      })),
    );
  } else if (ongoing.length === 0) remark('nothing is moving');
  else {
    const rows = ongoing.map(({ topic, partition, replicas, adding, removing }) => ({
      ...{ topic, partition, replicas: replicas.join(',') },
      ...{ adding: adding.join(',') || null, removing: removing.join(',') || null },
    }));
    printRows(rows, { json: false, columns: ['topic', 'partition', 'replicas', 'adding', 'removing'] });
  }
}

function upBrokers({ brokers }: ClusterState): PlannedBroker[] {
  return brokers.filter(({ fenced }) => !fenced);
}

async function moveReplicas(
  options: MoveOptions,
  drained: BrokerId | undefined,
  planOf: (state: ClusterState) => RebalancePlan & { readonly directories?: readonly ReplicaMove[] },
): Promise<void> {
  const throttle = options.throttle === undefined ? undefined : byteCount('--throttle', options.throttle);
  await using cluster = await openCluster(options, 'sluice-cluster');
  const admin = new Admin(cluster);
  if (options.cancel) return await cancel(admin, options);
  const ongoing = await admin.ongoingReassignments();
  if (ongoing.length > 0) {
    const are = ongoing.length === 1 ? 'is' : 'are';
    remark(`${formatCounted(ongoing.length, 'partition')} ${are} being moved already`);
    if (options.watch) {
      // Whose plan that was nobody knows here.
      if (options.json) printJson({ moves: [], bytes: 0 });
      return await watch(admin, drained);
    }
    throw new SluiceError('REASSIGNMENT_IN_PROGRESS', 'nothing is planned while replicas are moving', {
      remedy: 'Wait for them with --watch, or take them back with --cancel.',
    });
  }
  const state = await clusterState(admin);
  if (drained !== undefined && !isKnown(state, drained)) {
    throw new SluiceError('BROKER_NOT_AVAILABLE', `there is no broker ${drained}`);
  }
  const plan = planOf(state);
  refuseStuck(plan, drained);
  showPlan(plan, options);
  const { directories = [] } = plan;
  if (!options.execute) {
    if (plan.moves.length + directories.length > 0) remark('Nothing was changed. Add --execute to do it.');
    return;
  }
  if (directories.length > 0) await tellDirectories(admin, directories);
  if (throttle !== undefined) await setThrottle(admin, { throttle, moves: plan.moves, brokers: state.brokers });
  await execute(admin, plan.moves);
  if (options.watch) await watch(admin, drained);
  else if (plan.moves.length > 0) remark('Replicas are moving. Add --watch to see how far they are.');
  else if (drained !== undefined) await verifyDrained(admin, drained);
}

function isKnown({ brokers, partitions }: ClusterState, id: BrokerId): boolean {
  return brokers.some((broker) => broker.id === id) || partitions.some(({ replicas }) => replicas.includes(id));
}

function refuseStuck({ stuck }: RebalancePlan, drained: BrokerId | undefined): void {
  if (stuck.length === 0) return;
  const [first] = stuck;
  const why = `${stuck.length} partitions have as many replicas as there are brokers left, such as ${partitionName(first!.topic, first!.partition)}`;
  if (drained === undefined) remark(`${why}; they stay as they are`);
  else throw new SluiceError('TOO_FEW_BROKERS', why, { remedy: 'Add a broker first, or lower their replication.' });
}

const COLUMNS = ['topic', 'partition', 'replicas', 'target', 'bytes'];

function showPlan({ moves }: RebalancePlan, { json }: MoveOptions): void {
  const moving = moves.filter(gainsReplicas);
  const bytes = moves.reduce((sum, move) => sum + bytesOf(move), 0);
  if (json)
    printJson({
      moves: moves.map(({ topic, partition, replicas, target, ...move }) => ({
        topic,
        partition,
        replicas,
        target,
        bytes: bytesOf({ topic, partition, replicas, target, ...move }),
      })),
      bytes,
    });
  else if (moves.length > 0) {
    const rows = moves.map((move) => ({
      topic: move.topic,
      partition: move.partition,
      replicas: move.replicas.join(','),
      target: move.target.join(','),
      bytes: formatBytes(bytesOf(move)),
    }));
    printRows(rows, { json: false, columns: COLUMNS });
  }
  if (moves.length === 0) remark('nothing needs to move');
  else {
    const order = moves.length - moving.length;
    remark(
      `${moving.length} partitions get replicas on other brokers (${formatBytes(bytes)}), ${order} only another preferred leader`,
    );
  }
}

function gainsReplicas({ replicas, target }: PlannedMove): boolean {
  return target.some((id) => !replicas.includes(id));
}

/** What is copied: a replica for every broker that had none. */
function bytesOf({ replicas, target, bytes }: PlannedMove): number {
  return bytes * target.filter((id) => !replicas.includes(id)).length;
}

async function execute(admin: Admin, moves: readonly PlannedMove[]): Promise<void> {
  for (let at = 0; at < moves.length; at += MOVES_A_REQUEST) {
    const outcomes = await admin.reassignPartitions(
      moves
        .slice(at, at + MOVES_A_REQUEST)
        .map(({ topic, partition, target: replicas }) => ({ topic, partition, replicas })),
    );
    for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
  }
}

/** Before the replicas come: a broker remembers where one is to be that it does not have yet, and says that it has none. */
async function tellDirectories(admin: Admin, directories: readonly ReplicaMove[]): Promise<void> {
  for (const outcome of await admin.moveReplicas(directories)) {
    if (!outcome.ok && outcome.error.code !== 'REPLICA_NOT_AVAILABLE') fail(outcome.error);
  }
}

/** Until nothing moves any more; then those lead that shall, and nothing is throttled. */
async function watch(admin: Admin, drained: BrokerId | undefined): Promise<void> {
  const elsewhere = await watchMoves(admin);
  await liftThrottle(admin);
  if (elsewhere.length > 0) {
    const why = `${formatCounted(elsewhere.length, 'partition')} did not move, such as ${elsewhere[0]}: that was taken back`;
    fail(new SluiceError('REASSIGNMENT_CANCELLED', why, { remedy: 'Run the command again to move what is left.' }));
    return;
  }
  for (const outcome of await admin.electLeaders('preferred')) if (!outcome.ok) remark(outcome.error.message);
  if (drained === undefined) remark('everything is where it shall be');
  else await verifyDrained(admin, drained);
}

async function verifyDrained(admin: Admin, id: BrokerId): Promise<void> {
  const { partitions } = await clusterState(admin);
  const left = partitions.filter(({ replicas }) => replicas.includes(id));
  if (left.length === 0) {
    remark(`broker ${id} holds nothing any more: stop it, then run \`sluice cluster unregister ${id}\``);
    return;
  }
  const [first] = left;
  fail(
    new SluiceError(
      'BROKER_NOT_DRAINED',
      `broker ${id} still holds ${left.length} replicas, such as of ${partitionName(first!.topic, first!.partition)}`,
      { remedy: 'Run the command again: topics may have been created meanwhile.' },
    ),
  );
}

async function cancel(admin: Admin, options: MoveOptions): Promise<void> {
  const ongoing = await admin.ongoingReassignments();
  const outcomes = await admin.reassignPartitions(
    ongoing.map(({ topic, partition }) => ({ topic, partition, replicas: null })),
  );
  await liftThrottle(admin);
  const rows = outcomes.flatMap(({ ok, topic, partition }) => (ok ? [{ topic, partition, cancelled: true }] : []));
  if (rows.length > 0 || options.json)
    printRows(rows, { json: options.json, columns: ['topic', 'partition', 'cancelled'] });
  else remark('nothing is moving');
  for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
}
