/** Elections that somebody asks for (KIP-183, KIP-460), and the balance that restores preferred leaders by itself. */
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { type MetadataImage, NO_LEADER, type TopicImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { ElectLeadersRequest, ElectLeadersResponse } from '../protocol/apis/elect-leaders.ts';
import { ErrorCode, errorMessage } from '../protocol/error-codes.ts';
import { places } from './elections.ts';
import { changePartition } from './partition-change.ts';
import { type PartitionRules, partitionRules } from './partition-rules.ts';
import type { Decision } from './pending-image.ts';
import { type Refusal, refuse } from './refusal.ts';

/** ElectLeadersRequest.electionType. */
const PREFERRED = 0;
const UNCLEAN = 1;
/** Kafka's maxElectionsPerImbalance: one round changes no more, so that other decisions come through. */
const MAX_CHANGES_A_ROUND = 1000;

type TopicResult = ElectLeadersResponse['replicaElectionResults'][number];

export function electLeaders(
  image: MetadataImage,
  request: ElectLeadersRequest,
  config: BrokerConfig,
): Decision<ElectLeadersResponse> {
  const { electionType, topicPartitions } = request;
  if (topicPartitions?.length === 0) {
    return { records: [], result: { errorCode: ErrorCode.NONE, replicaElectionResults: [] } };
  }
  if (electionType !== PREFERRED && electionType !== UNCLEAN) {
    const refusal = refuse(ErrorCode.INVALID_REQUEST, `Unknown election type ${electionType}`);
    return { records: [], result: electLeadersRefused(request, refusal) };
  }
  const election = new RequestedElection(image, electionType, config);
  const replicaElectionResults =
    topicPartitions === null
      ? [...image.topics.byName.values()].map((topic) => election.everywhere(topic))
      : topicPartitions.map(({ topic, partitions }) => election.of(topic, partitions));
  return { records: election.records, result: { errorCode: ErrorCode.NONE, replicaElectionResults } };
}

/** What one refusal says of every partition of a request. */
export function electLeadersRefused(request: ElectLeadersRequest, refusal: Refusal): ElectLeadersResponse {
  const results = (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => ({ partitionId, ...refusal })),
  }));
  return { errorCode: refusal.errorCode, replicaElectionResults: results };
}

class RequestedElection {
  readonly records: MetadataRecord[] = [];
  readonly #image: MetadataImage;
  readonly #config: BrokerConfig;
  readonly #unclean: boolean;
  /** A partition that stands twice in a request is elected once. */
  readonly #done = new Set<string>();

  constructor(image: MetadataImage, electionType: number, config: BrokerConfig) {
    this.#image = image;
    this.#config = config;
    this.#unclean = electionType === UNCLEAN;
  }

  /** All partitions of a topic but those that have the leader that was asked for. */
  everywhere(topic: TopicImage): TopicResult {
    const { topic: name, partitionResult } = this.of(topic.name, [...topic.partitions.keys()]);
    return {
      topic: name,
      partitionResult: partitionResult.filter(({ errorCode }) => errorCode !== ErrorCode.ELECTION_NOT_NEEDED),
    };
  }

  of(name: string, partitions: readonly number[]): TopicResult {
    const topic = this.#image.topics.byName.get(name);
    const rules = topic === undefined ? undefined : partitionRules(this.#image, topic, this.#config);
    const partitionResult = partitions.map((partitionId) => {
      const refusal =
        topic === undefined || rules === undefined
          ? refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${name}`)
          : this.#elect(topic, partitionId, rules);
      return { partitionId, ...(refusal ?? { errorCode: ErrorCode.NONE, errorMessage: null }) };
    });
    return { topic: name, partitionResult };
  }

  #elect(topic: TopicImage, partitionId: number, rules: PartitionRules): Refusal | undefined {
    const partition = topic.partitions[partitionId];
    if (partition === undefined) {
      return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such partition as ${topic.name}-${partitionId}`);
    }
    const key = `${topic.id}/${partitionId}`;
    const { leader, replicas } = partition;
    const needless = this.#unclean ? leader !== NO_LEADER : leader === replicas[0];
    if (needless || this.#done.has(key)) return inWords(ErrorCode.ELECTION_NOT_NEEDED);
    const election = this.#unclean ? 'unclean' : 'preferred';
    const change = changePartition(topic, partitionId, { election }, rules);
    if (change === undefined) {
      const { ELIGIBLE_LEADERS_NOT_AVAILABLE, PREFERRED_LEADER_NOT_AVAILABLE } = ErrorCode;
      return inWords(this.#unclean ? ELIGIBLE_LEADERS_NOT_AVAILABLE : PREFERRED_LEADER_NOT_AVAILABLE);
    }
    this.#done.add(key);
    this.records.push(change.record);
    return undefined;
  }
}

function inWords(errorCode: ErrorCode): Refusal {
  return refuse(errorCode, errorMessage(errorCode));
}

/**
 * Gives brokers back the leaderships that are theirs by preference, where the share that others have of them exceeds
 * `leader.imbalance.per.broker.percentage`. Only replicas in sync are elected. The result tells whether there is more.
 */
export function balanceLeaders(image: MetadataImage, config: BrokerConfig): Decision<boolean> {
  const unbalanced = unbalancedBrokers(image, config.get('leader.imbalance.per.broker.percentage'));
  const records: MetadataRecord[] = [];
  if (unbalanced.size === 0) return { records, result: false };
  for (const { topic, partitionId, partition } of places(image)) {
    const [preferred] = partition.replicas;
    if (partition.leader === preferred || !unbalanced.has(preferred!)) continue;
    if (records.length === MAX_CHANGES_A_ROUND) return { records, result: true };
    const rules = partitionRules(image, topic, config);
    const change = changePartition(topic, partitionId, { election: 'preferred' }, rules);
    if (change !== undefined) records.push(change.record);
  }
  return { records, result: false };
}

function unbalancedBrokers(image: MetadataImage, percentage: number): ReadonlySet<BrokerId> {
  const preferred = new Map<BrokerId, { total: number; elsewhere: number }>();
  for (const { partition } of places(image)) {
    const broker = partition.replicas[0]!;
    const counts = preferred.get(broker) ?? { total: 0, elsewhere: 0 };
    preferred.set(broker, counts);
    counts.total++;
    if (partition.leader !== broker) counts.elsewhere++;
  }
  const exceeds = ({ total, elsewhere }: { total: number; elsewhere: number }): boolean =>
    elsewhere * 100 > percentage * total;
  return new Set([...preferred].filter(([, counts]) => exceeds(counts)).map(([broker]) => broker));
}
