/**
 * What becomes of one partition when something about it is to change: the leader, the in-sync set, the eligible leader
 * replicas (KIP-966) and a reassignment under way all follow from each other here and nowhere else, as in Kafka's
 * PartitionChangeBuilder. Pure; knows no requests.
 */
import type { BrokerId } from '../base/units.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { LEADER_RECOVERY, NO_LEADER, type PartitionImage, type TopicImage } from '../metadata/image.ts';
import { mergePartition } from '../metadata/image-draft.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import type { PartitionChangeRecord } from '../protocol/state/metadata-records.ts';
import { directoryOf } from './log-directories.ts';
import type { PartitionRules } from './partition-rules.ts';

/**
 * Whom an election takes: `preferred` the first replica where it is in sync; `online` keeps the leader as long as that
 * may lead; `unclean` takes anybody before it leaves the partition without a leader.
 */
export type Election = 'preferred' | 'online' | 'unclean';

/** What shall be different; what is left out stays. */
export interface PartitionTarget {
  readonly isr?: readonly BrokerId[];
  readonly replicas?: readonly BrokerId[];
  readonly removingReplicas?: readonly BrokerId[];
  readonly addingReplicas?: readonly BrokerId[];
  readonly leaderRecoveryState?: number;
  /** Its log may have lost its tail: it is no longer eligible. */
  readonly unclean?: BrokerId;
  readonly directory?: { readonly brokerId: BrokerId; readonly directory: Uuid };
  readonly election?: Election;
}

type Fields = { -readonly [K in keyof PartitionChangeRecord]?: PartitionChangeRecord[K] };

interface Assignment {
  readonly isr: readonly BrokerId[];
  readonly replicas: readonly BrokerId[];
  readonly removingReplicas: readonly BrokerId[];
  readonly addingReplicas: readonly BrokerId[];
}

export interface PartitionChange {
  readonly record: MetadataRecord;
  /** The partition once the record has been applied. */
  readonly partition: PartitionImage;
}

/** The change that brings a partition to its target, undefined where it is there. */
export function changePartition(
  topic: TopicImage,
  partitionId: number,
  target: PartitionTarget,
  rules: PartitionRules,
): PartitionChange | undefined {
  const partition = topic.partitions[partitionId]!;
  const fields = fieldsOf(partition, target, rules);
  if (Object.keys(fields).length === 0) return undefined;
  const record = newRecord('partitionChange', { topicId: topic.id, partitionId, ...fields });
  return { record, partition: mergePartition(partition, record.value as PartitionChangeRecord) };
}

function fieldsOf(partition: PartitionImage, target: PartitionTarget, rules: PartitionRules): Fields {
  const fields: Fields = {};
  const assignment = completed({
    isr: target.isr ?? partition.isr,
    replicas: target.replicas ?? partition.replicas,
    removingReplicas: target.removingReplicas ?? partition.removingReplicas,
    addingReplicas: target.addingReplicas ?? partition.addingReplicas,
  });
  let { isr } = assignment;
  let eligible = eligibleReplicas(partition, assignment, target.unclean, rules);
  const elected = elect(partition, { ...assignment, eligible, election: target.election ?? 'online' }, rules);
  if (elected.leader !== partition.leader) {
    fields.leader = elected.leader;
    if (eligible.includes(elected.leader)) {
      isr = [elected.leader];
      eligible = rules.minInSync > 1 ? eligible.filter((id) => id !== elected.leader) : [];
    }
    if (elected.unclean) {
      isr = [elected.leader];
      eligible = [];
      if (partition.leaderRecoveryState !== LEADER_RECOVERY.RECOVERING) {
        fields.leaderRecoveryState = LEADER_RECOVERY.RECOVERING;
      }
    }
  }
  // Who is no replica any more must not go on in the same epoch.
  if (fields.leader === undefined && partition.replicas.some((id) => !assignment.replicas.includes(id))) {
    fields.leader = partition.leader;
  }
  if (!rules.eligibleLeaders) eligible = [];
  if (!same(eligible, partition.eligibleLeaderReplicas)) fields.eligibleLeaderReplicas = [...eligible];
  // Without eligible leader replicas the last one in sync stays on record: it alone is known to have everything.
  if ((isr.length > 0 || rules.eligibleLeaders) && !same(isr, partition.isr)) fields.isr = [...isr];
  noteLastLeader(partition, fields, rules);
  noteAssignment(partition, assignment, target, rules, fields);
  const recovery = target.leaderRecoveryState ?? partition.leaderRecoveryState;
  if (recovery !== partition.leaderRecoveryState) fields.leaderRecoveryState = recovery;
  return fields;
}

/** A reassignment ends once all that is added is in sync; where replicas get fewer, once all that stay are. */
function completed(assignment: Assignment): Assignment {
  const { addingReplicas: adding, removingReplicas: removing } = assignment;
  if (adding.length === 0 && removing.length === 0) return assignment;
  const isr = assignment.isr.filter((id) => !removing.includes(id));
  const replicas = assignment.replicas.filter((id) => !removing.includes(id));
  if (isr.length === 0 || replicas.length === 0) return assignment;
  const awaited = adding.length < removing.length ? replicas : adding;
  if (!awaited.every((id) => isr.includes(id))) return assignment;
  return { isr, replicas, removingReplicas: [], addingReplicas: [] };
}

/**
 * Who left the in-sync set while that was, or by that became, too small to acknowledge anything has all that was
 * acknowledged. Rising ids, as Kafka keeps them.
 */
function eligibleReplicas(
  partition: PartitionImage,
  { isr, replicas }: Assignment,
  unclean: BrokerId | undefined,
  rules: PartitionRules,
): readonly BrokerId[] {
  if (!rules.eligibleLeaders) return partition.eligibleLeaderReplicas;
  if (isr.length >= rules.minInSync) return [];
  const candidates = new Set([...partition.eligibleLeaderReplicas, ...partition.isr]);
  return [...candidates]
    .filter((id) => !isr.includes(id) && id !== unclean && replicas.includes(id))
    .sort((left, right) => left - right);
}

interface Candidates extends Assignment {
  readonly eligible: readonly BrokerId[];
  readonly election: Election;
}

interface Elected {
  readonly leader: BrokerId;
  readonly unclean: boolean;
}

function elect(partition: PartitionImage, candidates: Candidates, rules: PartitionRules): Elected {
  const { isr, replicas, eligible, election } = candidates;
  const isUp = (id: BrokerId): boolean => rules.mayLead(id, directoryOf(partition, id));
  const mayLead = (id: BrokerId): boolean =>
    (isr.includes(id) || (isr.length === 0 && eligible.includes(id))) && isUp(id);
  const first = election === 'preferred' ? [replicas[0]!, partition.leader] : [partition.leader];
  const clean = [...first, ...replicas].find(mayLead);
  if (clean !== undefined) return { leader: clean, unclean: false };
  const lastLeader = lastKnownLeader(partition, candidates, rules);
  if (lastLeader !== undefined && isUp(lastLeader)) return { leader: lastLeader, unclean: true };
  const anybody = election === 'unclean' ? replicas.find(isUp) : undefined;
  return anybody === undefined ? { leader: NO_LEADER, unclean: false } : { leader: anybody, unclean: true };
}

/** With nobody left who is known to have everything, who led last has the most (KIP-966, balanced recovery). */
function lastKnownLeader(
  { lastKnownElr }: PartitionImage,
  { isr, eligible }: Candidates,
  rules: PartitionRules,
): BrokerId | undefined {
  if (!rules.eligibleLeaders || isr.length > 0 || eligible.length > 0) return undefined;
  return lastKnownElr.length === 1 ? lastKnownElr[0] : undefined;
}

function noteLastLeader(partition: PartitionImage, fields: Fields, rules: PartitionRules): void {
  if (!rules.eligibleLeaders || fields.leader === undefined) return;
  if (fields.leader === NO_LEADER) {
    // Only when the partition loses its leader: later elections that fail know no better.
    if (partition.lastKnownElr.length === 0 && partition.leader !== NO_LEADER) fields.lastKnownElr = [partition.leader];
  } else if (partition.lastKnownElr.length > 0) fields.lastKnownElr = [];
}

function noteAssignment(
  partition: PartitionImage,
  { replicas, removingReplicas, addingReplicas }: Assignment,
  { directory }: PartitionTarget,
  rules: PartitionRules,
  fields: Fields,
): void {
  const before = partition.replicas.map((id) => directoryOf(partition, id));
  const directories = replicas.map((id) => {
    if (directory?.brokerId === id) return directory.directory;
    return partition.replicas.includes(id) ? directoryOf(partition, id) : rules.defaultDirectory(id);
  });
  // Where no directory was ever told, none is known now.
  const known = directories.some((each) => each !== ZERO_UUID) || partition.directories.length > 0;
  if (known && !same(directories, before)) fields.directories = directories;
  if (!same(replicas, partition.replicas)) fields.replicas = [...replicas];
  if (!same(removingReplicas, partition.removingReplicas)) fields.removingReplicas = [...removingReplicas];
  if (!same(addingReplicas, partition.addingReplicas)) fields.addingReplicas = [...addingReplicas];
}

function same<T>(left: readonly T[], right: readonly T[]): boolean {
  return left.length === right.length && left.every((item, at) => item === right[at]);
}
