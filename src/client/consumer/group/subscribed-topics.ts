/** Which topics a subscription means at the moment, and how many partitions they have. Always asks the cluster. */
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { Cluster } from '../../cluster.ts';
import type { PartitionCounts, PartitionRacks } from '../assignors/assignor.ts';
import type { Subscription } from './membership.ts';

/** The names: as given, or those of all topics that match; internal topics only by name. */
export async function subscribedTopics(cluster: Cluster, subscription: Subscription): Promise<string[]> {
  if (subscription.kind === 'topics') return [...new Set(subscription.topics)].sort();
  const { topics } = await cluster.askMetadata(undefined);
  return topics
    .filter(({ errorCode, isInternal }) => errorCode === ErrorCode.NONE && !isInternal)
    .map(({ name }) => name ?? '')
    .filter((name) => matches(subscription.pattern, name))
    .sort();
}

/** The whole name has to match, as in Java. */
function matches(pattern: RegExp, name: string): boolean {
  return new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace(/[gy]/g, '')).test(name);
}

/** What a leader assigns by, of the topics that exist. */
export interface TopicFacts {
  readonly counts: PartitionCounts;
  readonly racks: PartitionRacks;
}

export async function topicFacts(cluster: Cluster, names: readonly string[]): Promise<TopicFacts> {
  const counts = new Map<string, number>();
  const racks = new Map<string, ReadonlySet<string>[]>();
  if (names.length === 0) return { counts, racks };
  const { topics, brokers } = await cluster.askMetadata(names);
  const rackOf = new Map(brokers.map(({ nodeId, rack }) => [nodeId, rack]));
  for (const { name, errorCode, partitions } of topics) {
    if (name === null || errorCode !== ErrorCode.NONE) continue;
    counts.set(name, partitions.length);
    const near: ReadonlySet<string>[] = [];
    for (const { partitionIndex, replicaNodes } of partitions) {
      near[partitionIndex] = new Set(
        replicaNodes.map((id) => rackOf.get(id)).filter((rack) => typeof rack === 'string'),
      );
    }
    racks.set(name, near);
  }
  return { counts, racks };
}

export function isSameCounts(left: PartitionCounts, right: PartitionCounts): boolean {
  return left.size === right.size && [...left].every(([topic, count]) => right.get(topic) === count);
}
