/** Shows the cluster: its brokers, who controls it and by what, and what needs somebody to look after it. */
import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { BrokerId } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { ConfigEntry } from '../client/admin/configs.ts';
import { probeEnsemble, type ServerHealth } from '../metadata/quorums/zookeeper/ensemble-health.ts';
import { nodeTransport } from '../network/transport.ts';
import type { ClusterOptions } from './cluster.ts';
import { type ClusterState, clusterState, isUnderReplicated, type PlacedPartition } from './cluster-state.ts';
import { colours } from './colours.ts';
import { obstacleOf } from './obstacle.ts';
import { openCluster } from './open-cluster.ts';
import { formatTable, printJson, printLine, type Row, remark } from './output.ts';
import { within } from './patience.ts';

/** A broker that does not answer by then is left out of the picture. */
const PATIENCE_MS = 4000;

interface Quorum {
  /** `local` is one node's own log; `followed` is another node's. */
  readonly kind: 'local' | 'followed' | 'zookeeper' | 'unknown';
  readonly connect?: string;
  readonly ensemble?: readonly ServerHealth[];
}

export async function describeCluster(options: ClusterOptions): Promise<void> {
  await using cluster = await openCluster(options, 'sluice-cluster');
  const admin = new Admin(cluster);
  const state = await clusterState(admin, { sizes: false });
  const quorum = await quorumOf(admin, state);
  const underReplicated = state.partitions.filter(isUnderReplicated);
  const leaderless = state.partitions.filter(({ leader }) => leader < 0);
  const underMinInSync = await partitionsUnderMinInSync(admin, state);
  const obstacle = state.controllerId < 0 ? await obstacleOf(admin) : undefined;
  if (options.json) {
    const { clusterId, controllerId } = state;
    const counts = {
      underReplicated: underReplicated.length,
      underMinInSync: underMinInSync.length,
      leaderless: leaderless.length,
    };
    printJson({
      clusterId,
      controllerId,
      ...(obstacle === undefined ? {} : { obstacle }),
      quorum,
      partitions: { total: state.partitions.length, ...counts },
      brokers: rowsOf(state),
    });
    return;
  }
  const controller = state.controllerId < 0 ? colours.red('none') : `broker ${state.controllerId}`;
  printLine(`cluster ${state.clusterId}, controller: ${controller}, quorum: ${inWords(quorum)}`);
  if (obstacle !== undefined) printLine(colours.red(obstacle));
  const healthy = underReplicated.length === 0 && leaderless.length === 0 && underMinInSync.length === 0;
  const short = `${underReplicated.length} under-replicated, ${underMinInSync.length} under min.insync.replicas`;
  const counts = `${state.partitions.length} partitions, ${short}, ${leaderless.length} without a leader`;
  printLine(healthy ? counts : colours.red(counts));
  printLine('');
  printLine(
    formatTable(rowsOf(state), ['broker', 'host', 'port', 'rack', 'state', 'replicas', 'leaders', 'preferred']),
  );
  if (quorum.ensemble !== undefined) printLine(formatTable(quorum.ensemble.map(serverRow), SERVER_COLUMNS));
}

function rowsOf({ brokers, partitions }: ClusterState): Row[] {
  const known = new Set(brokers.map(({ id }) => id));
  const rows = brokers.map(({ id, host, port, rack, fenced }) => ({
    ...countsOf(id, partitions),
    host,
    port,
    rack,
    state: fenced ? 'fenced' : 'up',
  }));
  const gone = new Set(partitions.flatMap(({ replicas }) => replicas.filter((id) => !known.has(id))));
  const missing = [...gone].map((id) => ({
    ...countsOf(id, partitions),
    host: null,
    port: null,
    rack: null,
    state: 'unknown',
  }));
  return [...rows, ...missing].sort((left, right) => left.broker - right.broker);
}

function countsOf(id: number, partitions: ClusterState['partitions']) {
  const count = (holds: (partition: ClusterState['partitions'][number]) => boolean): number =>
    partitions.filter(holds).length;
  return {
    broker: id,
    replicas: count(({ replicas }) => replicas.includes(id)),
    leaders: count(({ leader }) => leader === id),
    preferred: count(({ replicas }) => replicas[0] === id),
  };
}

/** Those that take no records of producers that wait for all replicas. */
async function partitionsUnderMinInSync(admin: Admin, { partitions }: ClusterState): Promise<PlacedPartition[]> {
  // Nothing less than a missing replica brings a set below its least size.
  const short = partitions.filter((partition) => isUnderReplicated(partition) || partition.leader < 0);
  const topics = [...new Set(short.map(({ topic }) => topic))];
  if (topics.length === 0) return [];
  const options = ['min.insync.replicas'];
  const described = await admin.describeConfigs(topics.map((name) => ({ type: 'topic', name, options })));
  const least = new Map(
    described.flatMap((each) => (each.ok ? [[each.name, Number(each.entries[0]?.value ?? 1)] as const] : [])),
  );
  return short.filter(({ topic, replicas, inSync }) => {
    return inSync.length < Math.min(least.get(topic) ?? 1, replicas.length);
  });
}

/** What holds the cluster together, as the configuration of a broker says. */
async function quorumOf(admin: Admin, { brokers, controllerId }: ClusterState): Promise<Quorum> {
  const up = brokers.filter(({ fenced }) => !fenced).map(({ id }) => id);
  const entries = await entriesOfOne(admin, [controllerId, ...up.filter((id) => id !== controllerId)]);
  if (entries === undefined) return { kind: 'unknown' };
  const given = (name: string): string => entries.find((entry) => entry.name === name)?.value ?? '';
  const connect = given('zookeeper.connect');
  if (connect !== '') {
    const ensemble = await probeEnsemble(connect, { transport: nodeTransport, clock: systemClock });
    return { kind: 'zookeeper', connect, ensemble };
  }
  return { kind: given('controller.quorum.voters') === '' ? 'local' : 'followed' };
}

const QUORUM_OPTIONS = ['zookeeper.connect', 'controller.quorum.voters'];

/** What the first broker says that answers soon: one that hangs is why somebody looks. */
async function entriesOfOne(admin: Admin, brokers: readonly BrokerId[]): Promise<readonly ConfigEntry[] | undefined> {
  for (const id of brokers.filter((each) => each >= 0)) {
    const resource = { type: 'broker', name: String(id), options: QUORUM_OPTIONS } as const;
    try {
      const [described] = await within(PATIENCE_MS, (signal) => admin.describeConfigs([resource], { signal }));
      if (described?.ok === true) return described.entries;
    } catch (error) {
      remark(`broker ${id}: ${messageOf(error)}`);
    }
  }
  return undefined;
}

function inWords({ kind, connect, ensemble }: Quorum): string {
  if (kind === 'local' || kind === 'followed')
    return 'one node (survives the loss of other brokers, not of that machine)';
  if (kind === 'unknown') return 'unknown';
  const serving = (ensemble ?? []).filter(({ state }) => state === 'serving').length;
  return `ZooKeeper at ${connect}, ${serving} of ${ensemble?.length ?? 0} servers serving`;
}

const SERVER_COLUMNS = ['zookeeper', 'state', 'mode', 'version', 'latencyMs'];

function serverRow({ host, port, state, mode, version, latencyMs }: ServerHealth): Row {
  return {
    zookeeper: `${host}:${port}`,
    state,
    mode: mode ?? null,
    version: version ?? null,
    latencyMs: Math.round(latencyMs),
  };
}
