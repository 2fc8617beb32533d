/** The cluster as the `cluster` commands see it: brokers, every partition, what each broker holds. */
import type { BrokerId } from '../base/units.ts';
import type { Admin } from '../client/admin/admin.ts';
import type { ClusterDescription } from '../client/admin/brokers.ts';
import type { PlannedPartition } from '../client/admin/rebalance-plan.ts';
import type { PartitionView } from '../client/metadata-cache.ts';

export interface PlacedPartition extends PlannedPartition, Pick<PartitionView, 'leader' | 'inSync'> {
  readonly internal: boolean;
}

export interface ClusterState extends ClusterDescription {
  readonly partitions: readonly PlacedPartition[];
}

/** Without `sizes` no broker is asked by itself: one that cannot be reached keeps nobody from hearing of the others. */
export async function clusterState(
  admin: Admin,
  { sizes = true }: { readonly sizes?: boolean } = {},
): Promise<ClusterState> {
  const [described, topics] = await Promise.all([admin.describeCluster(), admin.listTopics()]);
  const up = described.brokers.filter(({ fenced }) => !fenced).map(({ id }) => id);
  const bytes = sizes ? await replicaBytes(admin, up) : new Map<string, number>();
  const partitions = topics.flatMap(({ name: topic, internal, partitions: list }) =>
    list.map(({ partition, replicas, leader, inSync }) => {
      return { topic, partition, replicas, leader, inSync, internal, bytes: bytes.get(`${topic}/${partition}`) ?? 0 };
    }),
  );
  return { ...described, partitions };
}

/** The size of the largest replica of each partition, which the others come to. */
async function replicaBytes(admin: Admin, brokers: readonly BrokerId[]): Promise<ReadonlyMap<string, number>> {
  const bytes = new Map<string, number>();
  for (const directory of await admin.describeLogDirectories({ brokers })) {
    for (const replica of directory.replicas) {
      const key = `${replica.topic}/${replica.partition}`;
      bytes.set(key, Math.max(bytes.get(key) ?? 0, replica.bytes));
    }
  }
  return bytes;
}

/** Whether a partition has fewer replicas in sync than it has. */
export function isUnderReplicated({ replicas, inSync }: PlacedPartition): boolean {
  return inSync.length < replicas.length;
}
