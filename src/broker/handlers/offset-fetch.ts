/** OffsetFetch (9), versions 1-10: one group, from version 8 on many; topics by name, from version 10 on by id. */
import { ZERO_UUID } from '../../base/uuid.ts';
import type { FetchedGroup, FetchGroup } from '../../coordinator/group/offsets/fetch.ts';
import { type OffsetFetchRequest, type OffsetFetchResponse, offsetFetch } from '../../protocol/apis/offset-fetch.ts';
import { type ErrorCode as Code, ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

const MANY_GROUPS_SINCE = 8;
const BY_TOPIC_ID_SINCE = 10;
/** Before version 2 an answer has no error of its own: every partition carries it. */
const OWN_ERROR_SINCE = 2;

export const handleOffsetFetch = (services: BrokerServices) =>
  handler(offsetFetch, async (request, context): Promise<OffsetFetchResponse> => {
    const version = context.header.apiVersion;
    const groups = await Promise.all(
      groupsOf(request, version).map((group) =>
        version >= BY_TOPIC_ID_SINCE
          ? fetchById(services, group, request.requireStable)
          : services.groups.fetchOffsets(group, request),
      ),
    );
    return version >= MANY_GROUPS_SINCE ? { topics: [], groups } : oneGroup(request, groups[0]!, version);
  });

function groupsOf(request: OffsetFetchRequest, version: number): readonly FetchGroup[] {
  if (version >= MANY_GROUPS_SINCE) return request.groups;
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null;
  return [{ groupId: request.groupId, memberId: null, memberEpoch: -1, topics }];
}

function oneGroup({ topics }: OffsetFetchRequest, group: FetchedGroup, version: number): OffsetFetchResponse {
  const errorCode = group.errorCode ?? ErrorCode.NONE;
  if (errorCode === ErrorCode.NONE || version >= OWN_ERROR_SINCE) {
    return {
      topics: group.topics.map(({ name, partitions }) => ({ name: name ?? '', partitions })),
      errorCode,
      groups: [],
    };
  }
  const failed = (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: noOffsets(partitionIndexes, errorCode as Code),
  }));
  return { topics: failed, groups: [] };
}

function noOffsets(partitions: readonly number[], errorCode: Code): FetchedGroup['topics'][number]['partitions'] {
  return partitions.map((partitionIndex) => {
    return { partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode };
  });
}

async function fetchById(services: BrokerServices, group: FetchGroup, requireStable: boolean): Promise<FetchedGroup> {
  const { byId, byName } = services.quorum.image().topics;
  if (group.topics === null) {
    const fetched = await services.groups.fetchOffsets(group, { requireStable });
    const topics = fetched.topics.flatMap((topic) => {
      const topicId = byName.get(topic.name ?? '')?.id;
      // Without an id there is no way to tell of a topic that is gone.
      return topicId === undefined ? [] : [{ ...topic, topicId }];
    });
    return { ...fetched, topics };
  }
  const named = group.topics.map((topic) => ({ ...topic, name: byId.get(topic.topicId)?.name ?? '' }));
  const known = named.filter(({ name }) => name !== '');
  const fetched = await services.groups.fetchOffsets({ ...group, topics: known }, { requireStable });
  if (fetched.errorCode !== ErrorCode.NONE) return fetched;
  const unknown = named.filter(({ name }) => name === '');
  const failed = unknown.map(({ name, topicId, partitionIndexes }) => {
    return { name, topicId, partitions: noOffsets(partitionIndexes, ErrorCode.UNKNOWN_TOPIC_ID) };
  });
  return { ...fetched, topics: [...fetched.topics, ...failed] };
}
