/** Compares what the replicas of a partition stored, below the high watermark and above the highest log start. */
import type { AnomalyList } from './anomalies.ts';
import type { Partition, ReplicaLine, StoredBatch } from './history.ts';

export function compareReplicas(partition: Partition, replicas: readonly ReplicaLine[], anomalies: AnomalyList): void {
  if (replicas.length === 0) return;
  const from = Math.max(...replicas.map(({ startOffset }) => startOffset));
  const upTo = Math.max(...replicas.map(({ highWatermark }) => highWatermark));
  const within = ({ batches }: ReplicaLine): StoredBatch[] =>
    batches.filter(([base, last]) => last >= from && base < upTo);
  const [first, ...others] = replicas as [ReplicaLine, ...ReplicaLine[]];
  const expected = within(first);
  for (const other of others) {
    const found = within(other);
    const length = Math.max(expected.length, found.length);
    for (let index = 0; index < length; index++) {
      const [left, right] = [expected[index], found[index]];
      if (left !== undefined && right !== undefined && left.every((part, at) => part === right[at])) continue;
      const detail = `broker ${first.broker} has ${describe(left)}, broker ${other.broker} ${describe(right)}`;
      anomalies.add('replicas differ', partition, `${detail}, below the high watermark ${upTo}`);
      break;
    }
  }
}

function describe(batch: StoredBatch | undefined): string {
  return batch === undefined ? 'nothing more' : `${batch[0]}-${batch[1]} ${batch[2]}`;
}
