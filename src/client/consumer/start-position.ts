/** Where reading begins, and the offsets that this means now. */
import type { Offset, Timestamp, TopicPartition } from '../../base/units.ts';
import type { Cluster } from '../cluster.ts';
import { type ListOffsetsOptions, listOffsets } from '../list-offsets.ts';
import type { OutOfRangePolicy } from './options.ts';

export type StartPosition =
  | 'earliest'
  | 'latest'
  | { readonly offset: Offset }
  /** The first record at or after a time; the end where there is none. */
  | { readonly timestamp: Timestamp }
  /** So many offsets before the end, or the beginning where there are fewer. */
  | { readonly last: number };

export interface Bounds {
  readonly start: Offset;
  /** The end of the log when it was asked. */
  readonly end: Offset;
}

/** Offsets to start from and present ends, in the order of the partitions. */
export async function resolveBounds(
  cluster: Cluster,
  partitions: readonly (TopicPartition & { readonly from: StartPosition })[],
  options: ListOffsetsOptions,
): Promise<Bounds[]> {
  const ask = (at: (from: StartPosition) => 'earliest' | 'latest' | Timestamp) =>
    listOffsets(
      cluster,
      partitions.map(({ topic, partition, from }) => ({ topic, partition, at: at(from) })),
      options,
    );
  const [beginnings, ends, times] = await Promise.all([
    ask(() => 'earliest'),
    ask(() => 'latest'),
    ask((from) => (typeof from === 'object' && 'timestamp' in from ? from.timestamp : 'latest')),
  ]);
  return partitions.map(({ from }, index) => {
    const beginning = beginnings[index]!.offset;
    const end = ends[index]!.offset;
    if (from === 'earliest') return { start: beginning, end };
    if (from === 'latest') return { start: end, end };
    if ('offset' in from) return { start: from.offset, end };
    if ('last' in from) return { start: Math.max(beginning, end - from.last), end };
    const found = times[index]!.offset;
    return { start: found < 0 ? end : found, end };
  });
}

/** Where to go on in the partitions, by policy, in their order. */
export async function resolveReset(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  policy: Exclude<OutOfRangePolicy, 'fail'>,
  options: ListOffsetsOptions,
): Promise<Offset[]> {
  const ask = (at: 'earliest' | 'latest' | Timestamp): ReturnType<typeof listOffsets> =>
    listOffsets(
      cluster,
      partitions.map(({ topic, partition }) => ({ topic, partition, at })),
      options,
    );
  if (typeof policy === 'string') return (await ask(policy)).map(({ offset }) => offset);
  const since = cluster.dependencies.clock.wallMs() - policy.withinMs;
  const [found, ends] = await Promise.all([ask(since), ask('latest')]);
  return found.map(({ offset }, index) => (offset < 0 ? ends[index]!.offset : offset));
}
