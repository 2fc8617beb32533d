/** Shows topics: names and sizes as a list, one topic in full. */
import { messageOf, SluiceError } from '../base/errors.ts';
import type { BrokerId } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { ConfigEntry } from '../client/admin/configs.ts';
import { allOrThrow } from '../client/admin/outcome.ts';
import type { TopicDescription } from '../client/admin/topics.ts';
import { pattern } from './arguments.ts';
import { openCluster } from './open-cluster.ts';
import { formatTable, printJson, printLine, printRows, type Row, remark } from './output.ts';
import { within } from './patience.ts';
import type { DescribeOptions, ListOptions } from './topics.ts';

export async function listTopics(options: ListOptions): Promise<void> {
  const match = options.match === undefined ? undefined : pattern('--match', options.match);
  await using cluster = await openCluster(options, 'sluice-topics');
  const topics = await new Admin(cluster).listTopics();
  const rows = topics
    .filter(({ internal }) => options.internal || !internal)
    .filter(({ name }) => match === undefined || match.test(name))
    .map(({ name, id, partitions }) => ({
      name,
      id,
      partitions: partitions.length,
      replicas: partitions[0]?.replicas.length ?? 0,
    }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  printRows(rows, { json: options.json, columns: ['name', 'partitions', 'replicas', 'id'] });
}

export async function describeTopics(names: readonly string[], options: DescribeOptions): Promise<void> {
  const { underReplicated, unavailable, underMinIsr, atMinIsr } = options;
  const isFiltered = underReplicated || unavailable || underMinIsr || atMinIsr;
  if (names.length === 0 && !isFiltered) {
    throw new SluiceError(
      'INVALID_ARGUMENT',
      'no topic given: name some, or choose partitions as --under-replicated does',
    );
  }
  await using cluster = await openCluster(options, 'sluice-topics');
  const admin = new Admin(cluster);
  if (isFiltered) await showPartitions(admin, names, options);
  else await showWhole(admin, names, options);
}

/** Partitions that somebody should look after. */
async function showPartitions(admin: Admin, names: readonly string[], options: DescribeOptions): Promise<void> {
  const all = names.length > 0 ? names : (await admin.listTopics()).map(({ name }) => name);
  const topics = allOrThrow(await admin.describeTopics(all));
  const needsMinInSync = options.underMinIsr || options.atMinIsr;
  const minInSync = needsMinInSync ? await minInSyncReplicas(admin, all) : new Map<string, number>();
  const chosen = topics.flatMap(({ name: topic, partitions }) => {
    const least = minInSync.get(topic) ?? 1;
    return partitions
      .filter(
        ({ leader, replicas, inSync }) =>
          (options.unavailable && leader < 0) ||
          (options.underReplicated && inSync.length < replicas.length) ||
          (options.underMinIsr && inSync.length < least) ||
          (options.atMinIsr && inSync.length === least),
      )
      .map(({ partition, leader, replicas, inSync }) => ({ topic, partition, leader, replicas, inSync }));
  });
  if (options.json) printJson(chosen);
  else if (chosen.length === 0) remark('there are no such partitions');
  else {
    const rows = chosen.map((each) => ({ ...each, replicas: each.replicas.join(','), inSync: each.inSync.join(',') }));
    printRows(rows, { json: false, columns: ['topic', 'partition', 'leader', 'replicas', 'inSync'] });
  }
}

/** min.insync.replicas of each topic. */
export async function minInSyncReplicas(admin: Admin, topics: readonly string[]): Promise<Map<string, number>> {
  const option = 'min.insync.replicas';
  const described = await admin.describeConfigs(topics.map((name) => ({ type: 'topic', name, options: [option] })));
  return new Map(
    described.flatMap((each) => {
      const value = each.ok ? each.entries.find(({ name }) => name === option)?.value : undefined;
      return value === undefined || value === null ? [] : [[each.name, Number(value)] as const];
    }),
  );
}

async function showWhole(admin: Admin, names: readonly string[], options: DescribeOptions): Promise<void> {
  const topics = allOrThrow(await admin.describeTopics(names));
  const configs = allOrThrow(await admin.describeConfigs(names.map((name) => ({ type: 'topic' as const, name }))));
  const described = await Promise.all(
    topics.map(async (topic, index) => ({
      name: topic.name,
      id: topic.id,
      partitions: await partitionRows(admin, topic),
      configs: configs[index]!.entries.filter((entry) => options.allConfigs || entry.source === 'topic').map(configRow),
    })),
  );
  if (options.json) printJson(described);
  else for (const topic of described) printTopic(topic);
}

/** A leader that does not answer by then is left out of the picture. */
const PATIENCE_MS = 6000;

interface DescribedPartition {
  readonly partition: number;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
  /** Null where nobody leads, or the leader does not answer. */
  readonly startOffset: number | null;
  readonly endOffset: number | null;
}

async function partitionRows(admin: Admin, topic: TopicDescription): Promise<DescribedPartition[]> {
  // Who leads nothing is asked nothing: the others are shown nevertheless.
  const led = topic.partitions.filter(({ leader }) => leader >= 0);
  const starts = new Map<number, number>();
  const ends = new Map<number, number>();
  const askLeader = async (leader: BrokerId): Promise<void> => {
    const places = led.filter((each) => each.leader === leader).map(({ partition }) => partition);
    const ask = (at: 'earliest' | 'latest', signal: AbortSignal) =>
      admin.listOffsets(
        places.map((partition) => ({ topic: topic.name, partition, at })),
        { signal },
      );
    try {
      const both = (signal: AbortSignal) => Promise.all([ask('earliest', signal), ask('latest', signal)]);
      const [first, last] = await within(PATIENCE_MS, both);
      for (const { partition, offset } of first) starts.set(partition, offset);
      for (const { partition, offset } of last) ends.set(partition, offset);
    } catch (error) {
      remark(`no offsets of ${topic.name} from broker ${leader}: ${messageOf(error)}`);
    }
  };
  await Promise.all([...new Set(led.map(({ leader }) => leader))].map(askLeader));
  return topic.partitions.map(({ partition, leader, leaderEpoch, replicas, inSync }) => ({
    partition,
    leader,
    leaderEpoch,
    replicas,
    inSync,
    startOffset: starts.get(partition) ?? null,
    endOffset: ends.get(partition) ?? null,
  }));
}

function configRow({ name, value, source }: ConfigEntry): Row {
  return { name, value, source };
}

function printTopic(topic: {
  readonly name: string;
  readonly id: string;
  readonly partitions: readonly DescribedPartition[];
  readonly configs: readonly Row[];
}): void {
  printLine(`${topic.name}  (id ${topic.id})`);
  const columns = ['partition', 'leader', 'leaderEpoch', 'replicas', 'inSync', 'startOffset', 'endOffset'];
  const rows = topic.partitions.map((each) => {
    return { ...each, replicas: each.replicas.join(','), inSync: each.inSync.join(',') };
  });
  printLine(formatTable(rows, columns));
  if (topic.configs.length > 0) printLine(formatTable(topic.configs, ['name', 'value', 'source']));
}
