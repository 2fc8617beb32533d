/** Which topics a subscription means at the moment, and how many partitions they have. Always asks the cluster. */
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { Cluster } from '../../cluster.ts';
import type { PartitionCounts } from '../assignors/assignor.ts';
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

/** Of the topics that exist. */
export async function partitionCounts(cluster: Cluster, names: readonly string[]): Promise<PartitionCounts> {
  const counts = new Map<string, number>();
  if (names.length === 0) return counts;
  const { topics } = await cluster.askMetadata(names);
  for (const { name, errorCode, partitions } of topics) {
    if (name !== null && errorCode === ErrorCode.NONE) counts.set(name, partitions.length);
  }
  return counts;
}

export function isSameCounts(left: PartitionCounts, right: PartitionCounts): boolean {
  return left.size === right.size && [...left].every(([topic, count]) => right.get(topic) === count);
}
