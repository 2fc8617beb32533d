/**
 * `sluice groups reset-offsets`: shows where a group would read on, and with --execute makes it so. An offset outside of
 * what a partition holds is moved to the nearest end of it, as a consumer would be sooner or later.
 */
import { systemClock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import { type Offset, partitionName, type TopicPartition } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import { byPlace } from '../client/admin/groups.ts';
import type { Cluster } from '../client/cluster.ts';
import type { ResetOptions } from './groups.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printLine, printRows, remark } from './output.ts';
import { type ResetTarget, resetTarget, topicChoice } from './reset-targets.ts';

interface Move extends TopicPartition {
  readonly current: Offset | undefined;
  readonly next: Offset;
}

export async function resetOffsets(group: string, options: ResetOptions): Promise<void> {
  if (options.export && options.execute) {
    throw new SluiceError('INVALID_ARGUMENT', 'give one of --export and --execute');
  }
  const target = await resetTarget(options, systemClock.wallMs());
  if (target.to !== 'listed' && options.topic.length === 0 && !options.allTopics) {
    throw new SluiceError('INVALID_ARGUMENT', 'no topic given: name some with --topic, or give --all-topics');
  }
  await using cluster = await openCluster(options, 'sluice-groups');
  const admin = new Admin(cluster);
  await refuseActive(admin, group);
  const current = new Map(
    (await admin.groupOffsets(group)).map((each) => [partitionName(each.topic, each.partition), each]),
  );
  const places = await placesOf(cluster, [...current.values()], target, options);
  const moves = await plan(admin, places, { target, current });
  if (options.export) {
    for (const { topic, partition, next } of moves) printLine(`${topic},${partition},${next}`);
    return;
  }
  if (options.execute) await execute(admin, group, moves, options);
  else show(group, moves, options);
}

/** The coordinator would refuse it too, but only after everything else was asked. */
async function refuseActive(admin: Admin, group: string): Promise<void> {
  const described = await admin.describeGroup(group).catch((error: unknown) => {
    // A group that nobody has heard of may be given a place to begin.
    if (error instanceof SluiceError && error.code === 'GROUP_ID_NOT_FOUND') return undefined;
    throw error;
  });
  if (described === undefined || described.members.length === 0) return;
  const count = described.members.length;
  throw new SluiceError('NON_EMPTY_GROUP', `group ${group} has ${count} members (${described.state})`, {
    remedy: 'Stop its consumers first: they would go on where they are.',
  });
}

async function placesOf(
  cluster: Cluster,
  committed: readonly TopicPartition[],
  target: ResetTarget,
  options: ResetOptions,
): Promise<TopicPartition[]> {
  if (target.to === 'listed') return target.offsets.map(({ topic, partition }) => ({ topic, partition }));
  const places = new Map<string, TopicPartition>();
  const add = (topic: string, partition: number): void => {
    places.set(partitionName(topic, partition), { topic, partition });
  };
  if (options.allTopics) for (const { topic, partition } of committed) add(topic, partition);
  for (const { topic, partitions } of options.topic.map(topicChoice)) {
    const all = (await cluster.topic(topic)).partitions.map(({ partition }) => partition);
    for (const partition of partitions ?? all) add(topic, partition);
  }
  return [...places.values()].sort(byPlace);
}

async function plan(
  admin: Admin,
  places: readonly TopicPartition[],
  { target, current }: { readonly target: ResetTarget; readonly current: ReadonlyMap<string, { offset: Offset }> },
): Promise<Move[]> {
  const ask = (at: 'earliest' | 'latest' | number) =>
    admin.listOffsets(places.map(({ topic, partition }) => ({ topic, partition, at })));
  const [starts, ends, times] = await Promise.all([
    ask('earliest'),
    ask('latest'),
    target.to === 'timestamp' ? ask(target.timestamp) : undefined,
  ]);
  return places.map(({ topic, partition }, at) => {
    const name = partitionName(topic, partition);
    const now = current.get(name)?.offset;
    const [start, end] = [starts[at]!.offset, ends[at]!.offset];
    const wanted = wantedOffset(target, { name, now, start, end, found: times?.[at]?.offset });
    const next = Math.min(end, Math.max(start, wanted));
    if (next !== wanted) remark(`${name}: ${wanted} is outside of ${start} to ${end}; taking ${next}`);
    return { topic, partition, current: now, next };
  });
}

function wantedOffset(
  target: ResetTarget,
  place: {
    readonly name: string;
    readonly now: Offset | undefined;
    readonly start: Offset;
    readonly end: Offset;
    readonly found: Offset | undefined;
  },
): Offset {
  const { name, now, start, end, found } = place;
  switch (target.to) {
    case 'earliest':
      return start;
    case 'latest':
      return end;
    case 'offset':
      return target.offset;
    case 'timestamp':
      // No record is that young: the group waits for the next one.
      return found === undefined || found < 0 ? end : found;
    case 'current':
      return now ?? end;
    case 'shift':
      if (now !== undefined) return now + target.count;
      throw new SluiceError('INVALID_ARGUMENT', `--shift-by: the group has committed no offset of ${name} to shift`);
    case 'listed':
      return target.offsets.find(({ topic, partition }) => partitionName(topic, partition) === name)!.offset;
  }
}

const COLUMNS = ['group', 'topic', 'partition', 'currentOffset', 'newOffset'];

function rowsOf(group: string, moves: readonly Move[]) {
  return moves.map(({ topic, partition, current, next }) => {
    return { group, topic, partition, currentOffset: current ?? null, newOffset: next };
  });
}

function show(group: string, moves: readonly Move[], { json }: ResetOptions): void {
  printRows(rowsOf(group, moves), { json, columns: COLUMNS });
  remark('Nothing was changed. Add --execute to do it.');
}

async function execute(admin: Admin, group: string, moves: readonly Move[], { json }: ResetOptions): Promise<void> {
  const outcomes = await admin.commitGroupOffsets(
    group,
    moves.map(({ topic, partition, next }) => ({ topic, partition, offset: next })),
  );
  const refused = new Set<string>();
  for (const outcome of outcomes) {
    if (outcome.ok) continue;
    refused.add(partitionName(outcome.topic, outcome.partition));
    fail(outcome.error);
  }
  const done = moves.filter(({ topic, partition }) => !refused.has(partitionName(topic, partition)));
  if (done.length > 0 || json) printRows(rowsOf(group, done), { json, columns: COLUMNS });
}
