import { partitionName, type TopicPartition } from '../../../base/units.ts';

/** Those of the first that are not among the second. */
export function without<T extends TopicPartition>(all: readonly T[], gone: readonly TopicPartition[]): T[] {
  const names = new Set(gone.map(({ topic, partition }) => partitionName(topic, partition)));
  return all.filter(({ topic, partition }) => !names.has(partitionName(topic, partition)));
}

/** Partition numbers by topic, both in order. */
export function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const known = topics.get(topic);
    if (known === undefined) topics.set(topic, [partition]);
    else known.push(partition);
  }
  return [...topics]
    .map(([topic, numbers]) => ({ topic, partitions: numbers.sort((left, right) => left - right) }))
    .sort((left, right) => (left.topic < right.topic ? -1 : 1));
}
