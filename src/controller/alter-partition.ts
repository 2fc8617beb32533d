/**
 * A leader's changes to its in-sync set (AlterPartition, KIP-497), decided on an image. A leader counts a change only
 * once it is answered here; what it sends on old knowledge is refused and changes nothing.
 */
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import {
  LEADER_RECOVERY,
  type MetadataImage,
  NO_LEADER,
  type PartitionImage,
  type TopicImage,
} from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/apis/alter-partition.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { electionOf } from './elections.ts';
import { changePartition } from './partition-change.ts';
import { type PartitionRules, partitionRules } from './partition-rules.ts';
import type { Decision } from './pending-image.ts';
import type { Refusal } from './refusal.ts';
import { staleBroker } from './registration.ts';

type TopicRequest = AlterPartitionRequest['topics'][number];
type PartitionRequest = TopicRequest['partitions'][number];
type TopicResult = AlterPartitionResponse['topics'][number];
type PartitionResult = TopicResult['partitions'][number];

export function alterPartition(
  image: MetadataImage,
  request: AlterPartitionRequest,
  config: BrokerConfig,
): Decision<AlterPartitionResponse> {
  const { brokerId } = request;
  if (staleBroker(image, brokerId, request.brokerEpoch) !== undefined) {
    return { records: [], result: { errorCode: ErrorCode.STALE_BROKER_EPOCH, topics: [] } };
  }
  const records: MetadataRecord[] = [];
  const topics = request.topics.map(({ topicId, partitions }): TopicResult => {
    const topic = image.topics.byId.get(topicId);
    if (topic === undefined) {
      return { topicId, partitions: partitions.map((each) => refused(each, ErrorCode.UNKNOWN_TOPIC_ID)) };
    }
    const rules = partitionRules(image, topic, config);
    const results = partitions.map((wanted) => alter(image, { topic, brokerId, wanted, rules }, records));
    return { topicId, partitions: results };
  });
  return { records, result: { errorCode: ErrorCode.NONE, topics } };
}

export function alterPartitionRefused({ errorCode }: Refusal): AlterPartitionResponse {
  return { errorCode, topics: [] };
}

interface Alteration {
  readonly topic: TopicImage;
  readonly brokerId: BrokerId;
  readonly wanted: PartitionRequest;
  readonly rules: PartitionRules;
}

function alter(image: MetadataImage, alteration: Alteration, records: MetadataRecord[]): PartitionResult {
  const { topic, brokerId, wanted, rules } = alteration;
  const { partitionIndex } = wanted;
  const partition = topic.partitions[partitionIndex];
  if (partition === undefined) return refused(wanted, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  const members = membersOf(wanted);
  const errorCode =
    fencedBy(partition, brokerId, wanted) ??
    wrongSet(partition, wanted, members) ??
    (members.every((member) => isEligible(image, member)) ? undefined : ErrorCode.INELIGIBLE_REPLICA);
  if (errorCode !== undefined) return refused(wanted, errorCode);
  const target = {
    isr: members.map((member) => member.brokerId),
    leaderRecoveryState: wanted.leaderRecoveryState,
    election: electionOf(rules),
  };
  const change = changePartition(topic, partitionIndex, target, rules);
  const now = change?.partition ?? partition;
  // Better a leader that cannot write than none.
  if (now.leader === NO_LEADER) return refused(wanted, ErrorCode.INELIGIBLE_REPLICA);
  if (change !== undefined) records.push(change.record);
  // It gave up, or the change completes a reassignment that takes it away: it is made, but this leader's time is over.
  if (now.leader !== brokerId) return refused(wanted, ErrorCode.NEW_LEADER_ELECTED);
  return {
    partitionIndex,
    errorCode: ErrorCode.NONE,
    leaderId: now.leader,
    leaderEpoch: now.leaderEpoch,
    isr: [...now.isr],
    leaderRecoveryState: now.leaderRecoveryState,
    partitionEpoch: now.partitionEpoch,
  };
}

function refused({ partitionIndex }: PartitionRequest, errorCode: ErrorCode): PartitionResult {
  return { partitionIndex, errorCode, leaderId: 0, leaderEpoch: 0, isr: [], partitionEpoch: 0 };
}

interface Member {
  readonly brokerId: BrokerId;
  /** -1 where the leader does not know it. */
  readonly brokerEpoch: number;
}

/** Before version 3 a leader names its followers without their epochs. */
function membersOf({ newIsr, newIsrWithEpochs }: PartitionRequest): readonly Member[] {
  if (newIsrWithEpochs.length > 0) return newIsrWithEpochs;
  return newIsr.map((brokerId) => ({ brokerId, brokerEpoch: -1 }));
}

/** Who knows more than this controller shall look for the one that told it; who knows less is late. */
function fencedBy(partition: PartitionImage, brokerId: BrokerId, wanted: PartitionRequest): ErrorCode | undefined {
  if (wanted.leaderEpoch > partition.leaderEpoch) return ErrorCode.NOT_CONTROLLER;
  if (wanted.partitionEpoch > partition.partitionEpoch) return ErrorCode.NOT_CONTROLLER;
  if (wanted.leaderEpoch < partition.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH;
  if (brokerId !== partition.leader) return ErrorCode.INVALID_REQUEST;
  if (wanted.partitionEpoch < partition.partitionEpoch) return ErrorCode.INVALID_UPDATE_VERSION;
  return undefined;
}

function wrongSet(
  partition: PartitionImage,
  { leaderRecoveryState }: PartitionRequest,
  members: readonly Member[],
): ErrorCode | undefined {
  const ids = members.map(({ brokerId }) => brokerId);
  const isSet = new Set(ids).size === ids.length && ids.every((id) => partition.replicas.includes(id));
  const { RECOVERED, RECOVERING } = LEADER_RECOVERY;
  if (!isSet || ids.length === 0) return ErrorCode.INVALID_REQUEST;
  // Unlike Kafka's, a leader that cannot write may leave the set, and with it the lead to one of the others.
  const mayLeave = leaderRecoveryState === RECOVERED && partition.leaderRecoveryState === RECOVERED;
  if (!ids.includes(partition.leader) && !mayLeave) return ErrorCode.INVALID_REQUEST;
  if (leaderRecoveryState !== RECOVERED && leaderRecoveryState !== RECOVERING) return ErrorCode.INVALID_REQUEST;
  if (leaderRecoveryState !== RECOVERING) return undefined;
  // Nobody is in sync with a leader that recovers from an unclean election, and there is no way back to recovering.
  const mayRecover = ids.length === 1 && partition.leaderRecoveryState === RECOVERING;
  return mayRecover ? undefined : ErrorCode.INVALID_REQUEST;
}

/** A broker that restarted since its leader saw it in sync may have lost what it had then (KIP-903). */
function isEligible(image: MetadataImage, { brokerId, brokerEpoch }: Member): boolean {
  const broker = image.brokers.get(brokerId);
  if (broker === undefined || broker.fenced || broker.inControlledShutdown) return false;
  return brokerEpoch === -1 || brokerEpoch === broker.epoch;
}
