/** How far a group is behind: what it has committed against the ends of the logs, and who reads what. */
import type { Offset, TopicPartition } from '../../base/units.ts';
import { partitionName } from '../../base/units.ts';
import type { Cluster } from '../cluster.ts';
import { listOffsets } from '../list-offsets.ts';
import type { GroupDescription, GroupMember } from './describe-groups.ts';
import { byPlace, groupOffsets } from './groups.ts';
import type { CallSettings } from './topics.ts';

export interface PartitionLag extends TopicPartition {
  /** The next record that the group reads; undefined where it never committed any. */
  readonly current: Offset | undefined;
  /** Undefined where the topic is gone. */
  readonly end: Offset | undefined;
  /** Records between the two; undefined where one of them is unknown. */
  readonly lag: number | undefined;
  /** Who reads the partition now; undefined where nobody does. */
  readonly member: GroupMember | undefined;
}

/** Every partition that the group has committed or reads, by topic and partition. */
export async function groupLag(
  cluster: Cluster,
  { id, members }: Pick<GroupDescription, 'id' | 'members'>,
  settings: CallSettings = {},
): Promise<PartitionLag[]> {
  const committed = new Map(
    (await groupOffsets(cluster, id, settings)).map((each) => [partitionName(each.topic, each.partition), each]),
  );
  const readers = new Map<string, GroupMember>();
  const places = new Map<string, TopicPartition>(committed);
  for (const member of members) {
    for (const place of member.assignment) {
      const name = partitionName(place.topic, place.partition);
      readers.set(name, member);
      places.set(name, place);
    }
  }
  const ends = await logEnds(cluster, [...places.values()], settings);
  return [...places]
    .map(([name, { topic, partition }]) => {
      const current = committed.get(name)?.offset;
      const end = ends.get(name);
      const lag = current === undefined || end === undefined ? undefined : Math.max(0, end - current);
      return { topic, partition, current, end, lag, member: readers.get(name) };
    })
    .sort(byPlace);
}

/** The ends of those partitions that are there; offsets may outlive their topic. */
export async function logEnds(
  cluster: Cluster,
  places: readonly TopicPartition[],
  settings: CallSettings,
): Promise<Map<string, Offset>> {
  const topics = [...new Set(places.map(({ topic }) => topic))];
  if (topics.length === 0) return new Map();
  const answer = await cluster.retrying(settings.signal, () => cluster.askMetadata(topics));
  const partitions = new Map(answer.topics.map(({ name, partitions: list }) => [name, list.length]));
  const there = places.filter(({ topic, partition }) => partition < (partitions.get(topic) ?? 0));
  const ends = await listOffsets(
    cluster,
    there.map(({ topic, partition }) => ({ topic, partition, at: 'latest' })),
    settings,
  );
  return new Map(ends.map(({ topic, partition, offset }) => [partitionName(topic, partition), offset]));
}
