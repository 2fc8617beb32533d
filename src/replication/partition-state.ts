/** What the controller decides about one partition, as its replicas take it over. */
import type { BrokerId, LeaderEpoch } from '../base/units.ts';
import type { PartitionImage } from '../metadata/image.ts';

export interface PartitionState {
  /** -1 where nobody leads. */
  readonly leader: BrokerId;
  /** Rises with every election. */
  readonly leaderEpoch: LeaderEpoch;
  /** Rises with every change. */
  readonly partitionEpoch: number;
  readonly replicas: readonly BrokerId[];
  readonly inSyncReplicas: readonly BrokerId[];
}

export function partitionStateOf(image: PartitionImage): PartitionState {
  const { leader, leaderEpoch, partitionEpoch, replicas, isr } = image;
  return { leader, leaderEpoch, partitionEpoch, replicas, inSyncReplicas: isr };
}
