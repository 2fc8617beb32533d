/** Looks at a cluster through its own answers: versions, partitions, disks, and settings that lose data. */
import { type BrokerId, partitionName } from '../../base/units.ts';
import type { Admin } from '../../client/admin/admin.ts';
import type { LogDirectory } from '../../client/admin/brokers.ts';
import type { Outcome } from '../../client/admin/outcome.ts';
import type { BrokerVersions } from '../../client/api-versions.ts';
import { type ClusterState, isUnderReplicated, type PlacedPartition } from '../cluster-state.ts';
import { formatBytes } from '../progress.ts';
import type { Findings } from './findings.ts';

/** Where a broker has less of a disk left, somebody should know; below the second it will soon refuse to write. */
const LITTLE_ROOM = { share: 0.15, bytes: 10 * 2 ** 30 };
const NO_ROOM = { share: 0.03, bytes: 2 ** 30 };
const SAFE_REPLICAS = 3;

export function checkVersions(
  brokers: ReadonlyMap<BrokerId, { readonly versions: BrokerVersions }>,
  findings: Findings,
): void {
  const spoken = new Map<string, BrokerId[]>();
  for (const [id, { versions }] of brokers) {
    const text = [...versions.ranges]
      .map(([key, { from, to }]) => `${key}:${from}-${to}`)
      .sort()
      .join(' ');
    spoken.set(text, [...(spoken.get(text) ?? []), id]);
  }
  if (spoken.size > 1) {
    const sides = [...spoken.values()].map((ids) => ids.join(', ')).join(' against ');
    const remedy = 'Finish the upgrade: clients do with what all of them know.';
    findings.warning('versions', `brokers speak different versions of the protocol (${sides})`, remedy);
  } else if (spoken.size === 1) findings.ok('versions', `all brokers speak the same versions of the protocol`);
  const [first] = brokers.values();
  const features = first?.versions.features.map(({ name, level }) => `${name}=${level}`) ?? [];
  if (features.length > 0) findings.ok('features', `features: ${features.join(', ')}`);
}

export function checkBrokers({ brokers, controllerId, partitions }: ClusterState, findings: Findings): void {
  if (controllerId < 0) {
    const remedy =
      'Topics, leaders and in-sync sets cannot change: see sluice cluster describe for what holds the cluster together.';
    findings.error('controller', 'the cluster has no controller', remedy);
  } else findings.ok('controller', `broker ${controllerId} is the controller`);
  for (const { id } of brokers.filter(({ fenced }) => fenced)) {
    const remedy = `Start it, or, where it is gone for good: sluice cluster drain ${id}, then sluice cluster unregister ${id}.`;
    findings.warning('broker', `broker ${id} is registered and does not serve`, remedy, id);
  }
  const known = new Set(brokers.map(({ id }) => id));
  const gone = new Set(partitions.flatMap(({ replicas }) => replicas.filter((id) => !known.has(id))));
  for (const id of gone) {
    const remedy = `Start it, or move what it had: sluice cluster drain ${id} --execute.`;
    findings.warning('broker', `broker ${id} has replicas and is not there`, remedy, id);
  }
}

export interface TopicSafety {
  /** min.insync.replicas by topic. */
  readonly minInSync: ReadonlyMap<string, number>;
}

export function checkPartitions(state: ClusterState, { minInSync }: TopicSafety, findings: Findings): void {
  const { partitions } = state;
  const leaderless = partitions.filter(({ leader }) => leader < 0);
  const short = partitions.filter((each) => isUnderReplicated(each) && each.leader >= 0);
  const refusing = partitions.filter(
    ({ topic, inSync, leader }) => leader >= 0 && inSync.length < (minInSync.get(topic) ?? 1),
  );
  if (leaderless.length > 0) {
    const remedy =
      'Start the brokers that have them. Only where they are lost for good: sluice cluster elect-leaders --unclean.';
    findings.error('leaders', `${few(leaderless)} without a leader: nobody reads or writes there`, remedy);
  }
  if (refusing.length > 0) {
    const remedy = 'Bring brokers back until enough replicas are in sync: producers with acks=all are refused.';
    findings.error('min-in-sync', `${few(refusing)} with fewer replicas in sync than min.insync.replicas`, remedy);
  }
  if (short.length > 0) {
    const remedy =
      'See whether their brokers are up, have room, and catch up: sluice topics describe --under-replicated.';
    findings.warning('replicas', `${few(short)} with replicas that are not in sync`, remedy);
  }
  if (leaderless.length + short.length === 0) {
    findings.ok('replicas', `all ${partitions.length} partitions have a leader, and all replicas are in sync`);
  }
  checkSafety(state, { minInSync }, findings);
}

function checkSafety({ partitions, brokers }: ClusterState, { minInSync }: TopicSafety, findings: Findings): void {
  if (brokers.length < SAFE_REPLICAS) return;
  const single = partitions.filter(({ replicas }) => replicas.length === 1);
  if (single.length > 0) {
    const remedy = 'Create topics with --replication-factor 3, and set default.replication.factor=3.';
    findings.warning('safety', `${few(single)} with one replica only: lost with its broker's disk`, remedy);
  }
  const loose = partitions.filter(
    ({ topic, replicas }) => replicas.length >= SAFE_REPLICAS && minInSync.get(topic) === 1,
  );
  if (loose.length > 0) {
    const remedy = 'Set min.insync.replicas=2 for them: with 1, what a lone replica acknowledged can be lost with it.';
    findings.note('safety', `${few(loose)} acknowledge records that one replica alone has`, remedy);
  }
}

/** `3 partitions (orders-0, orders-1, ...)` */
function few(partitions: readonly PlacedPartition[]): string {
  const names = partitions.slice(0, 3).map(({ topic, partition }) => partitionName(topic, partition));
  const more = partitions.length > names.length ? ', ...' : '';
  return `${partitions.length} partition${partitions.length === 1 ? '' : 's'} (${names.join(', ')}${more})`;
}

export function checkDisks(directories: readonly Outcome<LogDirectory>[], findings: Findings): void {
  for (const directory of directories) {
    const { broker, path, totalBytes, usableBytes } = directory;
    const where = `${path} of broker ${broker}`;
    if (!directory.ok) {
      const remedy =
        'Mend or replace the disk, then restart the broker (docs/operations.md, "A directory that fails").';
      findings.error('disk', `${where} is offline: ${directory.error.message}`, remedy, broker);
      continue;
    }
    if (totalBytes <= 0 || usableBytes < 0) continue;
    const left = `${formatBytes(usableBytes)} of ${formatBytes(totalBytes)} are free in ${where}`;
    const isBelow = ({ share, bytes }: typeof NO_ROOM) => usableBytes < bytes && usableBytes < totalBytes * share;
    const remedy = 'Lower retention, move partitions elsewhere (sluice cluster rebalance), or make room.';
    if (isBelow(NO_ROOM)) findings.error('disk', left, remedy, broker);
    else if (isBelow(LITTLE_ROOM)) findings.warning('disk', left, remedy, broker);
    else findings.ok('disk', left, broker);
  }
}

const RISKY: readonly (readonly [option: string, value: string, why: string])[] = [
  ['unclean.leader.election.enable', 'true', 'replicas that miss records may lead'],
  ['controlled.shutdown.enable', 'false', 'a stop fails requests instead of handing leaders over'],
];
const THROTTLES = ['leader.replication.throttled.rate', 'follower.replication.throttled.rate'];

export async function checkSettings(admin: Admin, broker: BrokerId, findings: Findings): Promise<void> {
  const options = RISKY.map(([option]) => option);
  const [described] = await admin.describeConfigs([{ type: 'broker', name: String(broker), options }]);
  if (described?.ok !== true) return;
  for (const [option, value, why] of RISKY) {
    if (described.entries.find(({ name }) => name === option)?.value !== value) continue;
    findings.warning(
      'settings',
      `broker ${broker} has ${option}=${value}: ${why}`,
      `Set ${option} differently.`,
      broker,
    );
  }
}

/** What is on its way, and throttles that an earlier move left behind. */
export async function checkMoves(admin: Admin, { brokers }: ClusterState, findings: Findings): Promise<void> {
  const moving = (await admin.ongoingReassignments()).length;
  if (moving > 0) {
    findings.note('moving', `${moving} partitions are being moved`, null);
    return;
  }
  const up = brokers.filter(({ fenced }) => !fenced).map(({ id }) => String(id));
  for (const each of await admin.describeConfigs(up.map((name) => ({ type: 'broker', name, options: THROTTLES })))) {
    if (!each.ok || !each.entries.some(({ source }) => source === 'broker')) continue;
    const remedy = 'Lift it: sluice cluster rebalance --cancel.';
    const message = `broker ${each.name} throttles replication although nothing is moving`;
    findings.warning('throttle', message, remedy, Number(each.name));
  }
}
