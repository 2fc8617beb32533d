/**
 * Whether the records before a position are still those that were read (KIP-320): after a change of leader the new one
 * is asked where the epoch ended in which they were written. One question a broker, however many partitions.
 */
import type { BrokerId, LeaderEpoch, Offset } from '../../base/units.ts';
import { offsetForLeaderEpoch } from '../../protocol/apis/offset-for-leader-epoch.ts';
import { ErrorCode, isRetriable } from '../../protocol/error-codes.ts';
import type { Cluster } from '../cluster.ts';
import { mayRetry } from '../errors.ts';
import type { Wanted } from './fetch-request.ts';
import type { ReadPosition } from './read-position.ts';

/** Where the leader's records part from what was read; -1 and -1 where it knows nothing of that epoch. */
export interface Divergence {
  readonly epoch: LeaderEpoch;
  readonly endOffset: Offset;
}

export interface CheckedPosition {
  readonly position: ReadPosition;
  /** The epoch that was asked about. */
  readonly leaderEpoch: LeaderEpoch;
  /** Undefined where all is as it was read; 'unknown' where nobody could say. */
  readonly divergence: Divergence | 'unknown' | undefined;
}

/** Whether the partition has had another leader since the position was known to be right. */
export function needsValidation(position: ReadPosition, topic: Wanted['topic']): boolean {
  return position.epoch >= 0 && leaderEpochOf({ position, topic }) > position.validatedIn;
}

/** Asks the leaders. Rejects with what no further attempt would mend. */
export async function checkPositions(cluster: Cluster, unsure: readonly Wanted[]): Promise<CheckedPosition[]> {
  const byLeader = new Map<BrokerId, Wanted[]>();
  for (const each of unsure) {
    const { leader } = each.topic.partitions[each.position.partition]!;
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), each]);
  }
  const asked = [...byLeader].map(async ([leader, group]) => {
    try {
      return await askLeader(cluster, leader, group);
    } catch (error) {
      if (!mayRetry(error)) throw error;
      return group.map((each) => checked(each, 'unknown'));
    }
  });
  return (await Promise.all(asked)).flat();
}

async function askLeader(cluster: Cluster, leader: BrokerId, group: readonly Wanted[]): Promise<CheckedPosition[]> {
  const connection = await cluster.connection(leader);
  // A broker that cannot be asked truncates as it ever did.
  if (!connection.versions.serves(offsetForLeaderEpoch)) return group.map((each) => checked(each, undefined));
  const names = [...new Set(group.map(({ topic }) => topic.name))];
  const topics = names.map((topic) => ({
    topic,
    partitions: group
      .filter((each) => each.topic.name === topic)
      .map((each) => ({
        partition: each.position.partition,
        currentLeaderEpoch: leaderEpochOf(each),
        leaderEpoch: each.position.epoch,
      })),
  }));
  const answer = await connection.request(offsetForLeaderEpoch, { replicaId: -1, topics });
  return group.map((each) => {
    const { position, topic } = each;
    const partitions = answer.topics.find((one) => one.topic === topic.name)?.partitions;
    const end = partitions?.find(({ partition }) => partition === position.partition);
    if (end === undefined || isRetriable(end.errorCode)) return checked(each, 'unknown');
    // What is wrong for good is the fetch's to tell.
    if (end.errorCode !== ErrorCode.NONE) return checked(each, undefined);
    const { leaderEpoch: epoch, endOffset } = end;
    return checked(each, epoch < position.epoch || endOffset < position.next ? { epoch, endOffset } : undefined);
  });
}

function checked({ position, topic }: Wanted, divergence: CheckedPosition['divergence']): CheckedPosition {
  return { position, leaderEpoch: leaderEpochOf({ position, topic }), divergence };
}

function leaderEpochOf({ position, topic }: Wanted): LeaderEpoch {
  return topic.partitions[position.partition]?.leaderEpoch ?? -1;
}
