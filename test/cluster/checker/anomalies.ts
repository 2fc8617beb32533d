/** The kinds of anomaly, and a bounded list of those found. */
import type { Partition } from './history.ts';

export const ANOMALIES = {
  'two values': 'two values at one offset',
  'two offsets': 'one value at two offsets',
  'two partitions': 'a value in another partition than it was sent to',
  lost: 'acknowledged, below the highest offset read, never read',
  unseen: 'acknowledged, not found by a fresh reader from the start',
  'failed read': 'a read of a value whose write failed or was aborted',
  'uncommitted read': 'a read of a value before its transaction was asked to commit',
  'skipped poll': 'an offset that holds a value was passed over within an assignment',
  'backward poll': 'an offset not above the one before within an assignment',
  'stale offset': 'a send got an offset not above one acknowledged before it was invoked',
  reordered: 'two sends of one producer to one partition are in the log in the other order',
  unwritten: 'a value that nobody wrote',
  'unwritten acknowledged': 'an acknowledgement of a value that nobody sent',
  'two leaders': 'two leaders in one epoch',
  'two owners': 'two owners of a partition in one generation of a group',
  'replicas differ': 'batches of two replicas differ below the high watermark',
} as const;

export type AnomalyKind = keyof typeof ANOMALIES;

export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly partition: Partition | undefined;
  readonly detail: string;
}

/** Enough to understand a failure; a broken broker would fill the memory. */
const MOST_OF_A_KIND = 20;

export class AnomalyList {
  readonly found: Anomaly[] = [];
  /** Of each kind, those beyond the list as well. */
  readonly counts = new Map<AnomalyKind, number>();

  add(kind: AnomalyKind, partition: Partition | undefined, detail: string): void {
    const count = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, count);
    if (count <= MOST_OF_A_KIND) this.found.push({ kind, partition, detail });
  }

  get total(): number {
    let sum = 0;
    for (const count of this.counts.values()) sum += count;
    return sum;
  }
}

/** The counts, then what was listed; empty without anomalies. */
export function describeAnomalies(list: {
  readonly anomalies: readonly Anomaly[];
  readonly counts: ReadonlyMap<AnomalyKind, number>;
}): string {
  const counts = [...list.counts].map(([kind, count]) => `${count} × ${kind}: ${ANOMALIES[kind]}`);
  return [
    ...counts,
    ...list.anomalies.map(({ kind, partition, detail }) => `  ${kind}, partition ${partition}: ${detail}`),
  ].join('\n');
}
