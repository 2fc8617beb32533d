/** Metadata (3), versions 0-13: brokers, topics by name or id, and the creation of topics on first use. */

import { ZERO_UUID } from '../../base/uuid.ts';
import { isInternalTopic, topicNameProblem } from '../../controller/topic-names.ts';
import type { TopicImage } from '../../metadata/image.ts';
import { type MetadataRequest, type MetadataResponse, metadata } from '../../protocol/apis/metadata.ts';
import { type ErrorCode as Code, ErrorCode } from '../../protocol/error-codes.ts';
import { CLUSTER_OPERATIONS, operationBits, TOPIC_OPERATIONS } from '../../security/operations.ts';
import { brokersOf, partitionsOf } from '../cluster-view.ts';
import { handler, type RequestContext } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type TopicResponse = MetadataResponse['topics'][number];

const BY_TOPIC_ID_SINCE = 12;
/** Earlier versions have no null: an empty list means all topics. */
const NULL_MEANS_ALL_SINCE = 1;
const NOT_ASKED = -(2 ** 31);

export const handleMetadata = (services: BrokerServices) =>
  handler(metadata, async (request, context): Promise<MetadataResponse> => {
    if (namesNothing(request, context.header.apiVersion)) return refused(request);
    const topics = await topicsOf(request, context, services);
    const image = services.quorum.image();
    const operations = request.includeTopicAuthorizedOperations ? operationBits(TOPIC_OPERATIONS) : NOT_ASKED;
    return {
      brokers: brokersOf(services.quorum.image(), context.connection.listenerName).map(({ id, host, port, rack }) => {
        return { nodeId: id, host, port, rack };
      }),
      clusterId: image.clusterId,
      controllerId: services.quorum.controllerId(),
      topics: topics.map((topic) => ({ ...topic, topicAuthorizedOperations: operations })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? operationBits(CLUSTER_OPERATIONS)
        : NOT_ASKED,
    };
  });

/** Whether a topic is asked for by what this version cannot answer: a null name, or an id before version 12. */
function namesNothing({ topics }: MetadataRequest, version: number): boolean {
  if (topics === null) return false;
  if (version < BY_TOPIC_ID_SINCE) return topics.some(({ name, topicId }) => name === null || topicId !== ZERO_UUID);
  // One id makes the request one by ids; what has none is not looked at then.
  const byName = topics.every(({ topicId }) => topicId === ZERO_UUID);
  return byName && topics.some(({ name }) => name === null);
}

/** As Kafka refuses a request as a whole: every topic gets the error, nothing else is told. */
function refused({ topics }: MetadataRequest): MetadataResponse {
  const errorCode = ErrorCode.INVALID_REQUEST;
  return {
    brokers: [],
    topics: (topics ?? []).map(({ name, topicId }) => ({ errorCode, name: name ?? '', topicId, partitions: [] })),
    errorCode,
  };
}

async function topicsOf(
  request: MetadataRequest,
  context: RequestContext,
  services: BrokerServices,
): Promise<TopicResponse[]> {
  const { topics } = request;
  if (topics === null || (topics.length === 0 && context.header.apiVersion < NULL_MEANS_ALL_SINCE)) {
    return [...services.quorum.image().topics.byName.values()].map((topic) => found(topic, services));
  }
  const ids = new Set(topics.map(({ topicId }) => topicId).filter((topicId) => topicId !== ZERO_UUID));
  if (ids.size > 0) {
    return [...ids].map((topicId) => {
      const topic = services.quorum.image().topics.byId.get(topicId);
      return topic === undefined ? missing(null, ErrorCode.UNKNOWN_TOPIC_ID, topicId) : found(topic, services);
    });
  }
  const names = [...new Set(topics.map(({ name }) => name!))];
  const unknown = names.filter((name) => !services.quorum.image().topics.byName.has(name));
  const created = request.allowAutoTopicCreation && services.config().get('auto.create.topics.enable');
  const failures =
    unknown.length > 0 && request.allowAutoTopicCreation
      ? await services.topicCreation.create(unknown)
      : new Map<string, Code>();
  return names.map((name) => {
    const topic = services.quorum.image().topics.byName.get(name);
    if (topic !== undefined) return found(topic, services);
    if (topicNameProblem(name) !== undefined)
      return missing(name, failures.get(name) ?? ErrorCode.INVALID_TOPIC_EXCEPTION);
    // Created by the controller and not told to this broker yet.
    const underWay = created && !failures.has(name);
    const fallback = underWay ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    return missing(name, failures.get(name) ?? fallback);
  });
}

function missing(name: string | null, errorCode: Code, topicId = ZERO_UUID): TopicResponse {
  return { errorCode, name, topicId, isInternal: name !== null && isInternalTopic(name), partitions: [] };
}

function found(topic: TopicImage, services: BrokerServices): TopicResponse {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: partitionsOf(services.quorum.image(), topic),
  };
}
