/** `sluice cluster elect-leaders` and `unregister`. */
import { SluiceError } from '../base/errors.ts';
import type { TopicPartition } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { Cluster } from '../client/cluster.ts';
import { wholeNumber } from './arguments.ts';
import type { ElectOptions, UnregisterOptions } from './cluster.ts';
import { obstacleOf } from './obstacle.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printRows, remark } from './output.ts';
import { topicChoice } from './reset-targets.ts';

export async function electLeaders(options: ElectOptions): Promise<void> {
  await using cluster = await openCluster(options, 'sluice-cluster');
  const admin = new Admin(cluster);
  const chosen = options.topic.length === 0 ? undefined : await chosenPartitions(cluster, options.topic);
  const outcomes = await admin.electLeaders(options.unclean ? 'unclean' : 'preferred', chosen).catch(async (error) => {
    // An answer about all partitions has no room for a reason.
    const obstacle = error instanceof SluiceError && chosen === undefined ? await obstacleOf(admin) : undefined;
    if (obstacle === undefined) throw error;
    const { code, retriable } = error as SluiceError;
    throw new SluiceError(code, `the election: ${obstacle}`, { retriable, cause: error });
  });
  const rows = outcomes.flatMap((outcome) => {
    if (!outcome.ok) return [];
    const { topic, partition, elected } = outcome;
    return [{ topic, partition, elected }];
  });
  if (rows.length > 0 || options.json) {
    printRows(rows, { json: options.json, columns: ['topic', 'partition', 'elected'] });
  } else if (outcomes.length === 0) remark('every partition has the leader that it shall have');
  for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
}

async function chosenPartitions(cluster: Cluster, topics: readonly string[]): Promise<TopicPartition[]> {
  const chosen: TopicPartition[] = [];
  for (const { topic, partitions } of topics.map(topicChoice)) {
    const all = (await cluster.topic(topic)).partitions.map(({ partition }) => partition);
    for (const partition of partitions ?? all) chosen.push({ topic, partition });
  }
  return chosen;
}

export async function unregister(broker: string, options: UnregisterOptions): Promise<void> {
  const id = wholeNumber('broker', broker);
  await using cluster = await openCluster(options, 'sluice-cluster');
  const admin = new Admin(cluster);
  const { brokers } = await admin.describeCluster();
  if (brokers.some((each) => each.id === id && !each.fenced)) {
    throw new SluiceError('BROKER_IS_UP', `broker ${id} is up: it would come back at once`, {
      remedy: `Drain it (sluice cluster drain ${id}), stop it, then unregister it.`,
    });
  }
  const topics = options.force ? [] : await admin.listTopics();
  const held = topics.flatMap(({ partitions }) => partitions.filter(({ replicas }) => replicas.includes(id)));
  if (held.length > 0) {
    throw new SluiceError('BROKER_HOLDS_REPLICAS', `broker ${id} still holds ${held.length} replicas`, {
      remedy: `Move them to others first (sluice cluster drain ${id} --execute --watch), or use --force.`,
    });
  }
  await admin.unregisterBroker(id);
  printRows([{ broker: id, unregistered: true }], { json: options.json, columns: ['broker', 'unregistered'] });
}
