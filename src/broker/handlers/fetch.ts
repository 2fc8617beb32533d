/** Fetch (1), versions 4-18: sessions (KIP-227), topic ids from 13, isolation, byte limits and waiting. */

import { type FetchRequest, type FetchResponse, fetch } from '../../protocol/apis/fetch.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { type FetchLimits, fetchPartitions, type PartitionFetch, releaseAll } from '../../replication/fetching.ts';
import type { ReadResult } from '../../replication/partition.ts';
import { nearestReplica, replicaSelectorOf } from '../../replication/read-replica.ts';
import { type FetchTarget, type PartitionNews, withTopicName } from '../fetch-sessions.ts';
import { CLOSE, handler, type Outcome, type RequestContext } from '../handler.ts';
import { LeaderHints } from '../leader-hints.ts';
import type { BrokerServices } from '../services.ts';
import { fetchMetadata, isMetadataFetch } from './fetch-metadata.ts';

type TopicResponse = FetchResponse['responses'][number];
type PartitionResponse = TopicResponse['partitions'][number];

const BY_TOPIC_ID_SINCE = 13;
/** Clients of earlier versions take KAFKA_STORAGE_ERROR for final. */
const STORAGE_ERROR_SINCE = 6;
const READ_COMMITTED = 1;
/** Clients that tell their rack can be sent to another replica, and read at one (KIP-392). */
const AT_FOLLOWERS_SINCE = 11;
const LEADER_HINTS_SINCE = 16;

export const handleFetch = (services: BrokerServices) =>
  handler(fetch, (request, context) => answer(services, request, context), { gatesItself: true });

async function answer(
  services: BrokerServices,
  request: FetchRequest,
  context: RequestContext,
): Promise<Outcome<FetchResponse>> {
  if (isMetadataFetch(request)) return fetchMetadata(services, request, context);
  if (!services.servingGate.isOpen && !(await services.servingGate.pass())) return CLOSE;
  const version = context.header.apiVersion;
  const follower = followerOf(request);
  const session = services.fetchSessions.begin({
    sessionId: request.sessionId,
    sessionEpoch: request.sessionEpoch,
    usesTopicIds: version >= BY_TOPIC_ID_SINCE,
    isFollower: follower !== undefined,
    targets: targetsOf(request, version, services),
    forgotten: forgottenOf(request, version, services),
  });
  if (session.errorCode !== ErrorCode.NONE) return { errorCode: session.errorCode, sessionId: 0, responses: [] };
  const nameOf = (id: string): string | undefined => services.topics.topicName(id);
  const targets = session.targets.map((target) => withTopicName(target, nameOf));
  const prefer = follower === undefined ? preferenceOf(request, context, services) : undefined;
  const fetches = targets.map((target) => locate(target, version, services, prefer));
  const results = await fetchPartitions(fetches, limitsOf(request, follower, version, services), {
    clock: services.clock,
    cancellation: context.cancellation,
    hurry: session.hurry,
  });
  if (context.cancellation.cancelled) {
    releaseAll(results);
    return { responses: [], sessionId: 0 };
  }
  const { sessionId, include } = session.conclude(results.map(newsOf));
  const hints =
    version < LEADER_HINTS_SINCE
      ? undefined
      : new LeaderHints(services.quorum.image(), context.connection.listenerName);
  const responses = responsesOf({ targets, results, include, version, hints });
  return { sessionId, responses, nodeEndpoints: hints?.endpoints() ?? [] };
}

function limitsOf(
  request: FetchRequest,
  follower: FetchLimits['follower'],
  version: number,
  services: BrokerServices,
): FetchLimits {
  const maxBytes = Math.min(request.maxBytes, services.config().get('fetch.max.bytes'));
  return {
    minBytes: Math.min(request.minBytes, maxBytes),
    maxBytes,
    maxWaitMs: request.maxWaitMs,
    isolation: request.isolationLevel === READ_COMMITTED ? 'read_committed' : 'read_uncommitted',
    follower,
    atFollower: version >= AT_FOLLOWERS_SINCE,
  };
}

/** The broker that asks; undefined for a consumer. */
function followerOf({ replicaId, replicaState }: FetchRequest): FetchLimits['follower'] {
  if (replicaState.replicaId >= 0) {
    return { brokerId: replicaState.replicaId, brokerEpoch: replicaState.replicaEpoch };
  }
  return replicaId >= 0 ? { brokerId: replicaId, brokerEpoch: -1 } : undefined;
}

type Preference = (found: PartitionFetch['target'], offset: number) => number;

/** Which replica a consumer had better read; undefined where it does not matter. */
function preferenceOf(
  { rackId }: FetchRequest,
  { connection }: RequestContext,
  services: BrokerServices,
): Preference | undefined {
  if (rackId === '' || replicaSelectorOf(services.config().get('replica.selector.class')) !== 'rack') return undefined;
  const { brokers } = services.quorum.image();
  const rackOf = (id: number): string | null | undefined => {
    const broker = brokers.get(id);
    const isThere = broker?.endpoints.some(({ name }) => name === connection.listenerName) === true && !broker.fenced;
    return isThere ? broker.rack : undefined;
  };
  const racks = { brokerId: services.brokerId, rackOf };
  return (found, offset) =>
    typeof found === 'number' ? -1 : nearestReplica(found, { offset, rack: rackId }, racks, services);
}

function targetsOf(request: FetchRequest, version: number, services: BrokerServices): FetchTarget[] {
  const targets: FetchTarget[] = [];
  for (const topic of request.topics) {
    const name = version >= BY_TOPIC_ID_SINCE ? services.topics.topicName(topic.topicId) : topic.topic;
    for (const partition of topic.partitions) {
      targets.push({
        topic: name,
        topicId: topic.topicId,
        partition: partition.partition,
        offset: partition.fetchOffset,
        maxBytes: partition.partitionMaxBytes,
        // Any negative epoch is none here, unlike in ListOffsets.
        currentLeaderEpoch: Math.max(-1, partition.currentLeaderEpoch),
        lastFetchedEpoch: partition.lastFetchedEpoch,
        startOffset: partition.logStartOffset,
      });
    }
  }
  return targets;
}

function forgottenOf(request: FetchRequest, version: number, services: BrokerServices) {
  return request.forgottenTopicsData.flatMap((topic) => {
    const name = version >= BY_TOPIC_ID_SINCE ? services.topics.topicName(topic.topicId) : topic.topic;
    return topic.partitions.map((partition) => ({ topic: name, topicId: topic.topicId, partition }));
  });
}

function locate(
  target: FetchTarget,
  version: number,
  services: BrokerServices,
  prefer: Preference | undefined,
): PartitionFetch {
  const found =
    version >= BY_TOPIC_ID_SINCE
      ? services.replicas.findById(target.topicId, target.partition)
      : services.replicas.find(target.topic ?? '', target.partition);
  return {
    target: found,
    offset: target.offset,
    maxBytes: target.maxBytes,
    currentLeaderEpoch: target.currentLeaderEpoch,
    lastFetchedEpoch: target.lastFetchedEpoch,
    startOffset: target.startOffset,
    preferredReplica: prefer?.(found, target.offset) ?? -1,
  };
}

function newsOf(result: ReadResult): PartitionNews {
  return {
    errorCode: result.errorCode,
    highWatermark: result.highWatermark,
    startOffset: result.startOffset,
    bytes: result.region?.length ?? 0,
    diverging: result.divergingEpoch !== undefined,
    redirected: result.preferredReplica >= 0,
  };
}

/** Groups what has to be told by topic, in the order in which the partitions were read. */
function responsesOf(told: {
  readonly targets: readonly FetchTarget[];
  readonly results: readonly ReadResult[];
  readonly include: readonly boolean[];
  readonly version: number;
  readonly hints: LeaderHints | undefined;
}): TopicResponse[] {
  const { targets, results, include, version, hints } = told;
  const responses: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = [];
  const byTopic = new Map<string, PartitionResponse[]>();
  targets.forEach((target, index) => {
    if (include[index] !== true) return;
    const key = version >= BY_TOPIC_ID_SINCE ? target.topicId : (target.topic ?? '');
    let partitions = byTopic.get(key);
    if (partitions === undefined) {
      partitions = [];
      byTopic.set(key, partitions);
      responses.push({ topic: target.topic ?? '', topicId: target.topicId, partitions });
    }
    const result = results[index]!;
    const leader = isElsewhere(result.errorCode) ? hints?.leaderOf(target.topic ?? '', target.partition) : undefined;
    partitions.push({ ...partitionResponse(target.partition, result, version), currentLeader: leader ?? {} });
  });
  return responses;
}

function isElsewhere(errorCode: ReadResult['errorCode']): boolean {
  return errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH;
}

function partitionResponse(
  partitionIndex: number,
  result: ReadResult,
  version: number,
): Omit<PartitionResponse, 'currentLeader'> {
  const unknowable = result.errorCode === ErrorCode.KAFKA_STORAGE_ERROR && version < STORAGE_ERROR_SINCE;
  return {
    partitionIndex,
    errorCode: unknowable ? ErrorCode.NOT_LEADER_OR_FOLLOWER : result.errorCode,
    highWatermark: result.highWatermark,
    lastStableOffset: result.lastStableOffset,
    logStartOffset: result.startOffset,
    divergingEpoch: result.divergingEpoch ?? {},
    snapshotId: {},
    abortedTransactions: result.abortedTransactions,
    preferredReadReplica: result.preferredReplica,
    records: result.region ?? EMPTY,
  };
}

const EMPTY = Buffer.alloc(0);
