/**
 * A change of the image as operations on znodes. Pure. A change that fits into one multi is made whole or not at all. A
 * larger one takes several, cut only where the state between is a valid one: a topic counts once its own znode is
 * there and loses its existence once it is marked as deleted; what is missing behind either is made up for by the next
 * controller that loads it (load-image.ts).
 */
import { SluiceError } from '../../../../base/errors.ts';
import type { LeaderEpoch, Offset } from '../../../../base/units.ts';
import type { MetadataDelta, TopicChange } from '../../../delta.ts';
import { configsOf, type MetadataImage, RESOURCE_TYPE, type TopicImage } from '../../../image.ts';
import { encodeRecord } from '../../../records.ts';
import type { Operation } from '../client/zookeeper.ts';
import {
  carriedPath,
  configData,
  configPath,
  deletedTopicPath,
  FEATURES,
  featuresData,
  knownBrokerData,
  knownBrokerPath,
  NO_DATA,
  PRODUCER_IDS,
  partitionPath,
  partitionsPath,
  producerIdsData,
  stateData,
  statePath,
  topicData,
  topicPath,
} from './znodes.ts';

export interface MultiLimits {
  /** Of operations in one multi. Servers carry out one after the other, and nothing else meanwhile. */
  readonly operations: number;
  /** Of one multi; well below the servers' jute.maxbuffer, since they add to it what they tell each other. */
  readonly bytes: number;
}

export const DEFAULT_LIMITS: MultiLimits = { operations: 1000, bytes: 524_288 };
/** A topic of more partitions is created and deleted in pieces even where all would fit. */
const WHOLE_TOPIC_PARTITIONS = 100;
/** Of an operation beside its path and data: kinds, lengths, access list. */
const OPERATION_OVERHEAD_BYTES = 64;

/** Operations that are not torn apart. */
type Atom = readonly Operation[];

export interface PlannedChange {
  readonly before: MetadataImage;
  readonly after: MetadataImage;
  readonly delta: MetadataDelta;
}

/**
 * Groups of operations, each for one multi, in order; at least one, which may be empty. Throws SluiceError
 * METADATA_WRITE_FAILED where a part that must not be torn exceeds the limits.
 */
export function planWrites(change: PlannedChange, epoch: LeaderEpoch, limits = DEFAULT_LIMITS): Operation[][] {
  return groupAtoms(atomsOf(change, epoch), limits);
}

/** Packs what must stay together into as few multis as fit. */
export function groupAtoms(atoms: Iterable<Atom>, limits: MultiLimits): Operation[][] {
  const groups: Operation[][] = [];
  let group: Operation[] = [];
  let bytes = 0;
  for (const atom of atoms) {
    const size = atom.reduce((total, operation) => total + sizeOf(operation), 0);
    if (size > limits.bytes || atom.length > limits.operations) throw tooLarge(atom, size, limits);
    if (group.length > 0 && (bytes + size > limits.bytes || group.length + atom.length > limits.operations)) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(...atom);
    bytes += size;
  }
  if (group.length > 0 || groups.length === 0) groups.push(group);
  return groups;
}

function sizeOf(operation: Operation): number {
  const data = 'data' in operation ? operation.data.length : 0;
  return operation.path.length + data + OPERATION_OVERHEAD_BYTES;
}

function tooLarge(atom: Atom, bytes: number, limits: MultiLimits): SluiceError {
  const what = `writing ${atom[0]!.path} takes ${bytes} bytes in ${atom.length} operations`;
  return new SluiceError(
    'METADATA_WRITE_FAILED',
    `${what}, more than the ${limits.bytes} bytes and ${limits.operations} operations of one write to ZooKeeper`,
    { remedy: 'Use several topics of fewer partitions.' },
  );
}

function* atomsOf({ before, after, delta }: PlannedChange, epoch: LeaderEpoch): Generator<Atom> {
  const gone = new Set(delta.deletedTopics.map(({ name }) => name));
  const created = new Set(delta.createdTopics.map(({ name }) => name));
  for (const topic of delta.deletedTopics) {
    const configured = configsOf(before, RESOURCE_TYPE.TOPIC, topic.name).size > 0;
    yield* deleteTopic(topic.name, topic.partitions.length, configured);
  }
  for (const topic of delta.createdTopics) yield* createTopic(topic, after, epoch);
  for (const change of delta.changedTopics) yield* changeTopic(change, epoch);
  for (const { resourceType, resourceName } of delta.changedConfigs) {
    // A new topic has its configs from the start, one that is gone has lost them.
    const isTopic = resourceType === RESOURCE_TYPE.TOPIC;
    if (isTopic && (created.has(resourceName) || gone.has(resourceName))) continue;
    yield* changeConfig({ before, after }, resourceType, resourceName);
  }
  if (delta.producerIdsChanged) {
    const block = { brokerId: -1, start: before.producerIds.next, next: after.producerIds.next };
    yield [{ kind: 'setData', path: PRODUCER_IDS, data: producerIdsData(block) }];
  }
  if (delta.featuresChanged) yield [{ kind: 'setData', path: FEATURES, data: featuresData(after.features) }];
  for (const [index, record] of after.carried.entries()) {
    if (index < before.carried.length) continue;
    yield [{ kind: 'create', path: carriedPath(index), data: encodeRecord(record) }];
  }
  for (const id of delta.changedBrokers) yield* changeBroker({ before, after }, id);
}

function* changeBroker(images: Omit<PlannedChange, 'delta'>, id: number): Generator<Atom> {
  const existed = images.before.brokers.has(id);
  const broker = images.after.brokers.get(id);
  const path = knownBrokerPath(id);
  if (broker === undefined) {
    if (existed) yield [{ kind: 'delete', path }];
  } else yield [{ kind: existed ? 'setData' : 'create', path, data: knownBrokerData(broker) }];
}

function* changeConfig(
  { before, after }: Omit<PlannedChange, 'delta'>,
  resourceType: number,
  resourceName: string,
): Generator<Atom> {
  const path = configPath(resourceType, resourceName);
  if (path === undefined) return;
  const existed = configsOf(before, resourceType, resourceName).size > 0;
  const configs = configsOf(after, resourceType, resourceName);
  if (configs.size > 0) yield [{ kind: existed ? 'setData' : 'create', path, data: configData(configs) }];
  else if (existed) yield [{ kind: 'delete', path }];
}

function* createTopic(topic: TopicImage, after: MetadataImage, epoch: LeaderEpoch): Generator<Atom> {
  const { name, id, partitions } = topic;
  const head: Operation[] = [
    { kind: 'create', path: topicPath(name), data: topicData(id, partitions) },
    { kind: 'create', path: partitionsPath(name), data: NO_DATA },
  ];
  const configs = configsOf(after, RESOURCE_TYPE.TOPIC, name);
  if (configs.size > 0) {
    head.push({ kind: 'create', path: configPath(RESOURCE_TYPE.TOPIC, name)!, data: configData(configs) });
  }
  const states = partitions.map((_, partition) => createPartition(topic, partition, epoch));
  if (partitions.length <= WHOLE_TOPIC_PARTITIONS) yield [...head, ...states.flat()];
  else {
    yield head;
    yield* states;
  }
}

function createPartition(topic: TopicImage, partition: number, epoch: LeaderEpoch): Operation[] {
  return [
    { kind: 'create', path: partitionPath(topic.name, partition), data: NO_DATA },
    {
      kind: 'create',
      path: statePath(topic.name, partition),
      data: stateData(topic.partitions[partition]!, epoch),
    },
  ];
}

/** What is left of a topic, from its leaves to its root. `configured`: whether it has configs of its own. */
export function* deleteTopic(name: string, partitions: number, configured: boolean): Generator<Atom> {
  const leaves = Array.from({ length: partitions }, (_, partition): Operation[] => [
    { kind: 'delete', path: statePath(name, partition) },
    { kind: 'delete', path: partitionPath(name, partition) },
  ]);
  const root: Operation[] = [
    { kind: 'delete', path: partitionsPath(name) },
    { kind: 'delete', path: topicPath(name) },
  ];
  if (configured) root.push({ kind: 'delete', path: configPath(RESOURCE_TYPE.TOPIC, name)! });
  if (partitions <= WHOLE_TOPIC_PARTITIONS) {
    yield [...leaves.flat(), ...root];
    return;
  }
  const mark = deletedTopicPath(name);
  yield [{ kind: 'create', path: mark, data: NO_DATA }];
  yield* leaves;
  yield [...root, { kind: 'delete', path: mark }];
}

/**
 * Who holds the partitions stands in the topic's znode, who leads them in their own. Where both change and do not fit
 * together, the order is such that the in-sync replicas are always among the replicas.
 */
function* changeTopic({ previous, topic, partitions }: TopicChange, epoch: LeaderEpoch): Generator<Atom> {
  const known = previous.partitions.length;
  const states = partitions.map((partition): Operation[] => {
    if (partition >= known) return createPartition(topic, partition, epoch);
    const data = stateData(topic.partitions[partition]!, epoch);
    return [{ kind: 'setData', path: statePath(topic.name, partition), data }];
  });
  if (!partitions.some((partition) => isReassigned(previous, topic, partition))) {
    yield* states;
    return;
  }
  const head: Operation = { kind: 'setData', path: topicPath(topic.name), data: topicData(topic.id, topic.partitions) };
  if (partitions.length <= WHOLE_TOPIC_PARTITIONS) yield [head, ...states.flat()];
  else if (partitions.some((partition) => gainsReplicas(previous, topic, partition))) {
    yield [head];
    yield* states;
  } else {
    yield* states;
    yield [head];
  }
}

function isReassigned(previous: TopicImage, topic: TopicImage, partition: number): boolean {
  const before = previous.partitions[partition];
  const after = topic.partitions[partition]!;
  return (
    before === undefined ||
    !sameIds(before.replicas, after.replicas) ||
    !sameIds(before.addingReplicas, after.addingReplicas) ||
    !sameIds(before.removingReplicas, after.removingReplicas)
  );
}

function gainsReplicas(previous: TopicImage, topic: TopicImage, partition: number): boolean {
  const before = previous.partitions[partition]?.replicas ?? [];
  return topic.partitions[partition]!.replicas.some((id) => !before.includes(id));
}

function sameIds(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((id, index) => id === right[index]);
}

/** Where the stream of a controller's epoch begins: offsets rise over controllers. */
export function firstOffset(epoch: LeaderEpoch): Offset {
  return epoch * 2 ** 32;
}
