/** OffsetFetch of one group: the offsets of some partitions or of all that have one. */
import { ZERO_UUID } from '../../../base/uuid.ts';
import type { OffsetFetchRequest, OffsetFetchResponse } from '../../../protocol/apis/offset-fetch.ts';
import { type ErrorCode as Code, ErrorCode } from '../../../protocol/error-codes.ts';
import type { CommittedOffset } from './committed-offsets.ts';
import type { OffsetContext } from './context.ts';

export type FetchGroup = OffsetFetchRequest['groups'][number];
export type FetchedGroup = NonNullable<OffsetFetchResponse['groups']>[number];
type FetchedPartition = FetchedGroup['topics'][number]['partitions'][number];

export function fetchRefusal({ groupId }: FetchGroup, errorCode: Code): FetchedGroup {
  return { groupId, topics: [], errorCode };
}

/**
 * `requireStable` refuses to tell an offset that an open transaction may change. Topics come with their names and, where
 * the request's version has them, ids.
 */
export function fetchOffsets(
  context: OffsetContext,
  request: FetchGroup,
  { requireStable }: { readonly requireStable: boolean },
): FetchedGroup {
  const { groupId, topics } = request;
  const { groups, offsets } = context;
  const errorCode =
    groups.get(groupId)?.checkOffsetFetch(request.memberId, request.memberEpoch) ?? ErrorCode.GROUP_ID_NOT_FOUND;
  const known = errorCode === ErrorCode.NONE ? offsets.topics(groupId) : undefined;
  // A group that is not there has no offsets: that is no error.
  if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.GROUP_ID_NOT_FOUND)
    return fetchRefusal(request, errorCode);
  const tell = (topic: string, partition: number, committed: CommittedOffset | undefined): FetchedPartition => {
    if (requireStable && offsets.isOpen(groupId, topic, partition)) {
      return noOffset(partition, ErrorCode.UNSTABLE_OFFSET_COMMIT);
    }
    return committed === undefined ? noOffset(partition) : told(partition, committed);
  };
  if (topics === null) {
    const all = [...(known ?? [])].map(([name, partitions]) => ({
      name,
      topicId: ZERO_UUID,
      partitions: [...partitions].map(([partition, committed]) => tell(name, partition, committed)),
    }));
    return { groupId, topics: all, errorCode: ErrorCode.NONE };
  }
  const some = topics.map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((partition) => {
      const committed = known?.get(name)?.get(partition);
      const isOther = committed !== undefined && isOtherTopic(committed.topicId, topicId);
      return tell(name, partition, isOther ? undefined : committed);
    }),
  }));
  return { groupId, topics: some, errorCode: ErrorCode.NONE };
}

/** The offset was committed to a topic of that name that is no more. */
function isOtherTopic(committed: string, wanted: string): boolean {
  return committed !== ZERO_UUID && wanted !== ZERO_UUID && committed !== wanted;
}

function noOffset(partitionIndex: number, errorCode: Code = ErrorCode.NONE): FetchedPartition {
  return { partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode };
}

function told(partitionIndex: number, { offset, leaderEpoch, metadata }: CommittedOffset): FetchedPartition {
  return {
    partitionIndex,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
    errorCode: ErrorCode.NONE,
  };
}
