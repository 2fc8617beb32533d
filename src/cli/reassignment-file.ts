/** A plan of moves that comes from a file: as kafka-reassign-partitions has it, or as `cluster rebalance --json` prints it. */
import { readWhole } from '../base/byte-source.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import { type BrokerId, partitionName, type TopicPartition } from '../base/units.ts';
import type { ReplicaMove } from '../client/admin/brokers.ts';
import type { RebalancePlan } from '../client/admin/rebalance-plan.ts';
import type { ClusterState } from './cluster-state.ts';

export interface WantedReplicas extends TopicPartition {
  readonly target: readonly BrokerId[];
  /** Of each target, `any` where the broker chooses. */
  readonly directories: readonly string[] | undefined;
}

/** What Kafka's tool has for a directory that the broker chooses. */
const ANY_DIRECTORY = 'any';

/** Throws SluiceError INVALID_ARGUMENT. */
export async function readReassignments(file: string): Promise<WantedReplicas[]> {
  let parsed: unknown;
  try {
    parsed = JSON.parse((await readWhole(file)).toString('utf8'));
  } catch (error) {
    throw new SluiceError('INVALID_ARGUMENT', `--from-file ${file}: ${messageOf(error)}`, { cause: error });
  }
  const { partitions, moves } = (parsed ?? {}) as { readonly partitions?: unknown; readonly moves?: unknown };
  const list = moves ?? partitions;
  if (!Array.isArray(list) || list.length === 0) throw badFile(file, 'there are no partitions');
  return list.map((each: unknown, index) => {
    const {
      topic,
      partition,
      replicas,
      target = replicas,
      ...rest
    } = (each ?? {}) as Readonly<Record<string, unknown>>;
    const directories = rest['log_dirs'];
    const isPlace = typeof topic === 'string' && Number.isSafeInteger(partition) && Number(partition) >= 0;
    const isList =
      Array.isArray(target) && target.length > 0 && target.every((id) => Number.isSafeInteger(id) && id >= 0);
    if (!isPlace || !isList || new Set(target).size !== target.length)
      throw badFile(file, `entry ${index + 1} is not whole`);
    if (directories !== undefined && !(isTexts(directories) && directories.length === target.length))
      throw badFile(file, `entry ${index + 1} needs as many log_dirs as replicas`);
    return { topic, partition: Number(partition), target: target as BrokerId[], directories };
  });
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Where brokers are to put replicas, as far as the file says that. */
export function directoriesIn(wanted: readonly WantedReplicas[]): ReplicaMove[] {
  return wanted.flatMap(({ topic, partition, target, directories = [] }) =>
    target.flatMap((broker, index) => {
      const path = directories[index] ?? ANY_DIRECTORY;
      return path === ANY_DIRECTORY ? [] : [{ broker, topic, partition, path }];
    }),
  );
}

function badFile(file: string, why: string): SluiceError {
  return new SluiceError('INVALID_ARGUMENT', `--from-file ${file}: ${why}`, {
    remedy: 'Give {"partitions": [{"topic": "orders", "partition": 0, "replicas": [1, 2, 3]}]}',
  });
}

/** The moves that lead from how things are to how they shall be. Throws where a partition or a broker is not there. */
export function planned(wanted: readonly WantedReplicas[], { partitions, brokers }: ClusterState): RebalancePlan {
  const places = new Map(partitions.map((each) => [partitionName(each.topic, each.partition), each]));
  const known = new Set(brokers.filter(({ fenced }) => !fenced).map(({ id }) => id));
  const moves = wanted.flatMap(({ topic, partition, target }) => {
    const name = partitionName(topic, partition);
    const place = places.get(name);
    if (place === undefined) throw new SluiceError('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${name}`);
    const missing = target.find((id) => !known.has(id));
    if (missing !== undefined) {
      throw new SluiceError('BROKER_NOT_AVAILABLE', `broker ${missing}, which shall hold ${name}, is not up`);
    }
    return target.join() === place.replicas.join() ? [] : [{ ...place, target }];
  });
  return { moves, stuck: [] };
}
