/** Who held what before a rebalance, with contradictory claims settled: what sticky assignors start from. */
import { partitionName, type TopicPartition } from '../../../base/units.ts';
import type { Held, JoinedMember, PartitionCounts } from './assignor.ts';

export interface OwnedPartitions {
  /** By member id: partitions that exist, that it still wants, and that nobody claims with more right. */
  readonly byMember: ReadonlyMap<string, readonly TopicPartition[]>;
  /** Names of partitions that two members claim in one generation: nobody's until both have let go. */
  readonly contested: ReadonlySet<string>;
}

interface Claim {
  readonly memberId: string;
  readonly generation: number;
}

/** The later generation wins a partition; two claims of one generation are both void. */
export function ownedPartitions(
  members: readonly JoinedMember[],
  topics: PartitionCounts,
  heldBy: (member: JoinedMember) => Held,
): OwnedPartitions {
  const claims = new Map<string, Claim>();
  const contested = new Set<string>();
  const held = members.map((member) => ({ member, ...heldBy(member) }));
  for (const { member, partitions, generation } of held) {
    for (const each of partitions) {
      if (!exists(each, topics) || !member.topics.includes(each.topic)) continue;
      const name = partitionName(each.topic, each.partition);
      const other = claims.get(name);
      if (other !== undefined && other.generation === generation && other.memberId !== member.memberId) {
        contested.add(name);
      } else if (other === undefined || generation > other.generation) {
        contested.delete(name);
        claims.set(name, { memberId: member.memberId, generation });
      }
    }
  }
  const byMember = new Map<string, readonly TopicPartition[]>();
  for (const { member, partitions } of held) {
    const own = partitions.filter(({ topic, partition }) => {
      const name = partitionName(topic, partition);
      return claims.get(name)?.memberId === member.memberId && !contested.has(name);
    });
    byMember.set(member.memberId, own);
  }
  return { byMember, contested };
}

function exists({ topic, partition }: TopicPartition, topics: PartitionCounts): boolean {
  return partition < (topics.get(topic) ?? 0);
}
