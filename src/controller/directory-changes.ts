/** Directories that brokers report as failed or cordoned, and replicas that lie elsewhere now (KIP-858), decided on an image. */
import type { BrokerId } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { applyRecords, isActiveBroker, type MetadataImage, type TopicImage } from '../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../protocol/apis/assign-replicas-to-dirs.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { changesWhere, electionOf } from './elections.ts';
import { directoryOf, isOnlineDirectory } from './log-directories.ts';
import { changePartition } from './partition-change.ts';
import { partitionRules } from './partition-rules.ts';
import type { Decision } from './pending-image.ts';
import type { Refusal } from './refusal.ts';
import { staleBroker } from './registration.ts';

interface DirectoryReport {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: number;
  readonly offlineLogDirs: readonly Uuid[];
  /** null where the broker does not know yet. */
  readonly cordonedLogDirs: readonly Uuid[] | null;
}

/** The broker is registered in this epoch. */
export function directoryRecords(
  image: MetadataImage,
  { brokerId, brokerEpoch, offlineLogDirs, cordonedLogDirs }: DirectoryReport,
  config: BrokerConfig,
): MetadataRecord[] {
  const broker = image.brokers.get(brokerId)!;
  const records: MetadataRecord[] = [];
  const offline = broker.logDirs.filter((directory) => offlineLogDirs.includes(directory));
  if (offline.length > 0) {
    records.push(...outOf(image, brokerId, new Set(offline), config));
    const logDirs = broker.logDirs.filter((directory) => !offline.includes(directory));
    // Without any directory a broker stops, and is fenced for that.
    if (logDirs.length > 0) {
      records.push(newRecord('brokerRegistrationChange', { brokerId, brokerEpoch, logDirs }));
    }
  }
  if (cordonedLogDirs !== null && !sameMembers(cordonedLogDirs, broker.cordonedLogDirs)) {
    records.push(
      newRecord('brokerRegistrationChange', { brokerId, brokerEpoch, cordonedLogDirs: [...cordonedLogDirs] }),
    );
  }
  return records;
}

/** Takes the broker's replicas in these directories out of in-sync sets and leaderships. */
function outOf(
  image: MetadataImage,
  brokerId: BrokerId,
  directories: ReadonlySet<Uuid>,
  config: BrokerConfig,
): MetadataRecord[] {
  return changesWhere(
    image,
    config,
    ({ partition }) => partition.replicas.includes(brokerId) && directories.has(directoryOf(partition, brokerId)),
    ({ partition }, rules) => ({
      isr: partition.isr.filter((id) => id !== brokerId),
      election: electionOf(rules),
    }),
    (id) => id !== brokerId && isActiveBroker(image, id),
  );
}

function sameMembers(left: readonly Uuid[], right: readonly Uuid[]): boolean {
  return left.length === right.length && left.every((each) => right.includes(each));
}

type DirectoryResult = AssignReplicasToDirsResponse['directories'][number];
type TopicResult = DirectoryResult['topics'][number];

export function assignReplicasToDirectories(
  image: MetadataImage,
  request: AssignReplicasToDirsRequest,
  config: BrokerConfig,
): Decision<AssignReplicasToDirsResponse> {
  const { brokerId } = request;
  if (staleBroker(image, brokerId, request.brokerEpoch) !== undefined) {
    return { records: [], result: { errorCode: ErrorCode.STALE_BROKER_EPOCH, directories: [] } };
  }
  const records: MetadataRecord[] = [];
  const directories = request.directories.map(({ id, topics }): DirectoryResult => {
    const results = topics.map(({ topicId, partitions }): TopicResult => {
      const topic = image.topics.byId.get(topicId);
      const indices = partitions.map(({ partitionIndex }) => partitionIndex);
      return {
        topicId,
        partitions: indices.map((partitionIndex) => {
          const place = { topic, partitionIndex, directory: id };
          return { partitionIndex, errorCode: assign(image, brokerId, place, config, records) };
        }),
      };
    });
    return { id, topics: results };
  });
  return {
    records: [...records, ...lostRecords(image, brokerId, records, config)],
    result: { errorCode: ErrorCode.NONE, directories },
  };
}

export function assignReplicasRefused({ errorCode }: Refusal): AssignReplicasToDirsResponse {
  return { errorCode, directories: [] };
}

function assign(
  image: MetadataImage,
  brokerId: BrokerId,
  {
    topic,
    partitionIndex,
    directory,
  }: { readonly topic: TopicImage | undefined; readonly partitionIndex: number; readonly directory: Uuid },
  config: BrokerConfig,
  records: MetadataRecord[],
): ErrorCode {
  if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID;
  const partition = topic.partitions[partitionIndex];
  if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  if (!partition.replicas.includes(brokerId)) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
  const rules = partitionRules(image, topic, config);
  const change = changePartition(topic, partitionIndex, { directory: { brokerId, directory } }, rules);
  if (change !== undefined) records.push(change.record);
  return ErrorCode.NONE;
}

/** Replicas that were assigned to a directory that is offline are out of sync from then on. */
function lostRecords(
  image: MetadataImage,
  brokerId: BrokerId,
  assigned: readonly MetadataRecord[],
  config: BrokerConfig,
): MetadataRecord[] {
  if (assigned.length === 0) return [];
  const { image: next } = applyRecords(image, assigned, image.offset + assigned.length, image.epoch);
  return changesWhere(
    next,
    config,
    ({ partition }) =>
      (partition.isr.includes(brokerId) || partition.leader === brokerId) &&
      !isOnlineDirectory(next, brokerId, directoryOf(partition, brokerId)),
    ({ partition }, rules) => ({ isr: partition.isr.filter((id) => id !== brokerId), election: electionOf(rules) }),
    (id) => id !== brokerId && isActiveBroker(next, id),
  );
}
