/** Where a consumer had better read a partition (KIP-392): decided by the leader, from the racks of the in-sync replicas. */
import type { Clock } from '../base/clock.ts';
import type { BrokerId, Offset } from '../base/units.ts';
import type { FollowerProgress } from './follower-progress.ts';
import type { Partition } from './partition.ts';

/** What replica.selector.class can name. */
export type ReplicaSelector = 'leader' | 'rack';

const RACK_AWARE = 'org.apache.kafka.common.replica.RackAwareReplicaSelector';
const LEADER = 'org.apache.kafka.common.replica.LeaderSelector';

/** Undefined for a class that does not run here. */
export function replicaSelectorOf(className: string | null): ReplicaSelector | undefined {
  if (className === null || className === '' || className === LEADER) return 'leader';
  return className === RACK_AWARE ? 'rack' : undefined;
}

export interface Racks {
  /** Rack of a broker that the consumer can reach; undefined where it cannot, null where the broker has none. */
  rackOf(brokerId: BrokerId): string | null | undefined;
  readonly brokerId: BrokerId;
}

const HERE: BrokerId = -1;

/** A replica in the consumer's rack that has the offset; -1 where it is right here, or no other is better. */
export function nearestReplica(
  partition: Partition,
  { offset, rack }: { readonly offset: Offset; readonly rack: string },
  racks: Racks,
  { clock }: { readonly clock: Clock },
): BrokerId {
  const { leadership } = partition;
  if (leadership === undefined || rack === '' || racks.rackOf(racks.brokerId) === rack) return HERE;
  const nowMs = clock.monotonicMs();
  let best: FollowerProgress | undefined;
  for (const follower of leadership.followers) {
    const { brokerId, startOffset, endOffset } = follower;
    if (!leadership.inSync.committed.includes(brokerId) || endOffset < offset || startOffset > offset) continue;
    if (racks.rackOf(brokerId) !== rack) continue;
    const ahead = best === undefined ? 1 : endOffset - best.endOffset || best.lagMs(nowMs) - follower.lagMs(nowMs);
    if (ahead > 0) best = follower;
  }
  return best?.brokerId ?? HERE;
}
