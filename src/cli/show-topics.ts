/** Shows topics: names and sizes as a list, one topic in full. */
import { Admin } from '../client/admin/admin.ts';
import type { ConfigEntry } from '../client/admin/configs.ts';
import { allOrThrow } from '../client/admin/outcome.ts';
import type { TopicDescription } from '../client/admin/topics.ts';
import { openCluster } from './open-cluster.ts';
import { formatTable, printJson, printLine, printRows, type Row } from './output.ts';
import type { TopicsOptions } from './topics.ts';

export async function listTopics(options: TopicsOptions & { readonly internal: boolean }): Promise<void> {
  await using cluster = await openCluster(options, 'sluice-topics');
  const topics = await new Admin(cluster).listTopics();
  const rows = topics
    .filter(({ internal }) => options.internal || !internal)
    .map(({ name, id, partitions }) => ({
      name,
      id,
      partitions: partitions.length,
      replicas: partitions[0]?.replicas.length ?? 0,
    }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  printRows(rows, { json: options.json, columns: ['name', 'partitions', 'replicas', 'id'] });
}

export async function describeTopics(
  names: readonly string[],
  options: TopicsOptions & { readonly allConfigs: boolean },
): Promise<void> {
  await using cluster = await openCluster(options, 'sluice-topics');
  const admin = new Admin(cluster);
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

interface DescribedPartition {
  readonly partition: number;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
  readonly startOffset: number;
  readonly endOffset: number;
}

async function partitionRows(admin: Admin, topic: TopicDescription): Promise<DescribedPartition[]> {
  const ask = (at: 'earliest' | 'latest') =>
    admin.listOffsets(topic.partitions.map(({ partition }) => ({ topic: topic.name, partition, at })));
  const [starts, ends] = await Promise.all([ask('earliest'), ask('latest')]);
  return topic.partitions.map(({ partition, leader, leaderEpoch, replicas, inSync }, index) => ({
    partition,
    leader,
    leaderEpoch,
    replicas,
    inSync,
    startOffset: starts[index]!.offset,
    endOffset: ends[index]!.offset,
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
