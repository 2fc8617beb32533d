/** What members of the classic protocol write to each other: subscriptions, and the leader's assignments. Pure. */
import { SluiceError } from '../../../base/errors.ts';
import type { TopicPartition } from '../../../base/units.ts';
import {
  consumerProtocolVersion,
  readSubscription,
  writeAssignment,
  writeSubscription,
} from '../../../protocol/consumer-protocol.ts';
import type { Held, JoinedMember, PartitionCounts, PartitionRacks } from '../assignors/assignor.ts';
import { byTopic } from './partition-sets.ts';
import type { GroupSettings } from './settings.ts';

export interface SubscriptionFacts {
  readonly topics: readonly string[];
  readonly owned: readonly TopicPartition[];
  readonly generation: number;
  readonly held: Held | undefined;
}

/** One entry an assignor, in order of preference. */
export function offeredProtocols(
  { assignors, rack }: GroupSettings,
  { topics, owned, generation, held }: SubscriptionFacts,
): { name: string; metadata: Buffer }[] {
  return assignors.map((assignor) => ({
    name: assignor.name,
    metadata: writeSubscription({
      topics,
      userData: assignor.userData(held),
      ownedPartitions: byTopic(owned),
      generationId: generation,
      rackId: rack === '' ? null : rack,
    }),
  }));
}

interface Joined {
  readonly protocolName: string | null;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly metadata: Buffer;
  }[];
}

interface AssigningLeader {
  /** What any member wants. */
  readonly topics: readonly string[];
  assign(counts: PartitionCounts, racks: PartitionRacks): { memberId: string; assignment: Buffer }[];
}

/** Throws a SluiceError where the group chose an assignor that this member never offered, or a member is unreadable. */
export function assignGroup({ assignors, groupId }: GroupSettings, { protocolName, members }: Joined): AssigningLeader {
  const assignor = assignors.find(({ name }) => name === protocolName);
  if (assignor === undefined) {
    throw new SluiceError('UNKNOWN_ASSIGNOR', `group ${groupId} chose the assignor ${protocolName}`, {
      remedy: 'Give all members of the group one assignor in common.',
    });
  }
  const versions = new Map(members.map(({ memberId, metadata }) => [memberId, consumerProtocolVersion(metadata) ?? 0]));
  const joined = members.map(readMember);
  return {
    topics: [...new Set(joined.flatMap(({ topics }) => topics))].sort(),
    assign: (counts, racks) =>
      [...assignor.assign(joined, counts, racks)].map(([memberId, partitions]) => ({
        memberId,
        assignment: writeAssignment(versions.get(memberId) ?? 0, byTopic(partitions)),
      })),
  };
}

function readMember({ memberId, groupInstanceId, metadata }: Joined['members'][number]): JoinedMember {
  const subscription = readSubscription(metadata);
  if (subscription === undefined) {
    throw new SluiceError('UNREADABLE_SUBSCRIPTION', `member ${memberId} subscribed in an unknown format`, {
      remedy: 'See which client that member is.',
    });
  }
  return {
    memberId,
    instanceId: groupInstanceId,
    topics: subscription.topics,
    owned: subscription.ownedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    ),
    generation: subscription.generationId,
    userData: subscription.userData,
    rack: subscription.rackId ?? null,
  };
}
