/** Fetch (1), versions 4-18: sessions (KIP-227), topic ids from 13, isolation, byte limits and waiting. */

import { type FetchRequest, type FetchResponse, fetch } from '../../protocol/apis/fetch.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { fetchPartitions, type PartitionFetch, releaseAll } from '../../replication/fetching.ts';
import type { ReadResult } from '../../replication/partition.ts';
import { type FetchTarget, type PartitionNews, withTopicName } from '../fetch-sessions.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';
import { fetchMetadata, isMetadataFetch } from './fetch-metadata.ts';

type TopicResponse = FetchResponse['responses'][number];
type PartitionResponse = TopicResponse['partitions'][number];

const BY_TOPIC_ID_SINCE = 13;
/** Clients of earlier versions take KAFKA_STORAGE_ERROR for final. */
const STORAGE_ERROR_SINCE = 6;
const READ_COMMITTED = 1;

export const handleFetch = (services: BrokerServices) =>
  handler(fetch, async (request, context): Promise<FetchResponse> => {
    if (isMetadataFetch(request)) return fetchMetadata(services, request, context);
    const version = context.header.apiVersion;
    const session = services.fetchSessions.begin({
      sessionId: request.sessionId,
      sessionEpoch: request.sessionEpoch,
      usesTopicIds: version >= BY_TOPIC_ID_SINCE,
      targets: targetsOf(request, version, services),
      forgotten: forgottenOf(request, version, services),
    });
    if (session.errorCode !== ErrorCode.NONE) return { errorCode: session.errorCode, sessionId: 0, responses: [] };
    const nameOf = (id: string): string | undefined => services.topics.topicName(id);
    const targets = session.targets.map((target) => withTopicName(target, nameOf));
    const fetches = targets.map((target) => locate(target, version, services));
    const maxBytes = Math.min(request.maxBytes, services.config().get('fetch.max.bytes'));
    const results = await fetchPartitions(
      fetches,
      {
        minBytes: Math.min(request.minBytes, maxBytes),
        maxBytes,
        maxWaitMs: request.maxWaitMs,
        isolation: request.isolationLevel === READ_COMMITTED ? 'read_committed' : 'read_uncommitted',
      },
      { clock: services.clock, cancellation: context.cancellation },
    );
    if (context.cancellation.cancelled) {
      releaseAll(results);
      return { responses: [], sessionId: 0 };
    }
    const { sessionId, include } = session.conclude(results.map(newsOf));
    return { sessionId, responses: responsesOf(targets, results, include, version) };
  });

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

function locate(target: FetchTarget, version: number, services: BrokerServices): PartitionFetch {
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
  };
}

function newsOf(result: ReadResult): PartitionNews {
  return {
    errorCode: result.errorCode,
    highWatermark: result.highWatermark,
    startOffset: result.startOffset,
    bytes: result.region?.length ?? 0,
    diverging: result.divergingEpoch !== undefined,
  };
}

/** Groups what has to be told by topic, in the order in which the partitions were read. */
function responsesOf(
  targets: readonly FetchTarget[],
  results: readonly ReadResult[],
  include: readonly boolean[],
  version: number,
): TopicResponse[] {
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
    partitions.push(partitionResponse(target.partition, results[index]!, version));
  });
  return responses;
}

function partitionResponse(partitionIndex: number, result: ReadResult, version: number): PartitionResponse {
  const unknowable = result.errorCode === ErrorCode.KAFKA_STORAGE_ERROR && version < STORAGE_ERROR_SINCE;
  return {
    partitionIndex,
    errorCode: unknowable ? ErrorCode.NOT_LEADER_OR_FOLLOWER : result.errorCode,
    highWatermark: result.highWatermark,
    lastStableOffset: result.lastStableOffset,
    logStartOffset: result.startOffset,
    divergingEpoch: result.divergingEpoch ?? {},
    currentLeader: {},
    snapshotId: {},
    abortedTransactions: result.abortedTransactions,
    records: result.region ?? EMPTY,
  };
}

const EMPTY = Buffer.alloc(0);
