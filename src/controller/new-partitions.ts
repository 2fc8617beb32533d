/**
 * The replicas of new partitions, placed or given by hand, and their records. Shared by the creation of topics and the
 * addition of partitions.
 */
import type { Random } from '../base/random.ts';
import type { BrokerId } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { isActiveBroker, LEADER_RECOVERY, type MetadataImage } from '../metadata/image.ts';
import { partitionRecord } from '../metadata/image-records.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { defaultDirectory } from './log-directories.ts';
import { placeReplicas } from './placement.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Replicas of each new partition, in order. */
export type Assignments = readonly (readonly BrokerId[])[];

/** Places replicas by racks; INVALID_REPLICATION_FACTOR where there are too few brokers. */
export function placePartitions(
  image: MetadataImage,
  request: { readonly partitions: number; readonly replicationFactor: number },
  random: Random,
): Assignments | Refusal {
  const usable = [...image.brokers.values()].filter(
    ({ inControlledShutdown, logDirs, cordonedLogDirs }) =>
      !inControlledShutdown && (logDirs.length === 0 || cordonedLogDirs.length < logDirs.length),
  );
  const placed = placeReplicas(usable, request, random);
  if (typeof placed !== 'string') return placed;
  const why = `Unable to replicate the partition ${request.replicationFactor} time(s): ${placed}`;
  return refuse(ErrorCode.INVALID_REPLICATION_FACTOR, why);
}

/** Checks replicas given by hand: registered brokers, none twice, as many for each partition. */
export function checkAssignments(
  image: MetadataImage,
  assignments: Assignments,
  options: { readonly firstPartition: number; readonly replicationFactor?: number },
): Refusal | undefined {
  const wrong = (message: string): Refusal => refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message);
  const factor = options.replicationFactor ?? assignments[0]?.length ?? 0;
  for (const [index, replicas] of assignments.entries()) {
    const partition = options.firstPartition + index;
    if (replicas.length === 0) return wrong(`The assignment of partition ${partition} has no replicas.`);
    const unknown = replicas.find((id) => !image.brokers.has(id));
    if (unknown !== undefined)
      return wrong(`The assignment of partition ${partition} names broker ${unknown}, which is not registered.`);
    const twice = replicas.find((id, at) => replicas.indexOf(id) !== at);
    if (twice !== undefined) return wrong(`The assignment of partition ${partition} names broker ${twice} twice.`);
    if (replicas.length !== factor) {
      return wrong(
        `The assignment of partition ${partition} has ${replicas.length} replica(s), others have ${factor}.`,
      );
    }
    if (!replicas.some((id) => isActiveBroker(image, id))) {
      return wrong(`All brokers in the assignment of partition ${partition} are fenced or shutting down.`);
    }
  }
  return undefined;
}

/** Keeps each broker within its cap; `added` counts replicas that the same request has already been granted. */
export function checkBrokerCaps(
  image: MetadataImage,
  assignments: Assignments,
  added: Map<BrokerId, number>,
  maxPerBroker: number,
): Refusal | undefined {
  const counts = new Map(added);
  for (const replicas of assignments) {
    for (const id of replicas) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  for (const [id, count] of counts) {
    const total = (image.replicaCounts.get(id) ?? 0) + count;
    if (total <= maxPerBroker) continue;
    const why = `Broker ${id} would hold ${total} replicas; allowed: sluice.partitions.per.broker.max, which is ${maxPerBroker}.`;
    return refuse(ErrorCode.POLICY_VIOLATION, why);
  }
  for (const [id, count] of counts) added.set(id, count);
  return undefined;
}

/** The records of new partitions: led by the first replica that is up, in sync with all that are. */
export function partitionRecords(
  image: MetadataImage,
  topicId: Uuid,
  firstPartition: number,
  assignments: Assignments,
): MetadataRecord[] {
  return assignments.map((replicas, index) => {
    const isr = replicas.filter((id) => isActiveBroker(image, id));
    return partitionRecord(topicId, firstPartition + index, {
      replicas,
      isr,
      removingReplicas: [],
      addingReplicas: [],
      leader: isr[0]!,
      leaderRecoveryState: LEADER_RECOVERY.RECOVERED,
      leaderEpoch: 0,
      partitionEpoch: 0,
      directories: replicas.map((id) => defaultDirectory(image, id)),
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    });
  });
}
