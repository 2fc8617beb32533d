/** OffsetCommit and OffsetDelete: who may, and which records come of it. */
import type { OffsetCommitRequest, OffsetCommitResponse } from '../../../protocol/apis/offset-commit.ts';
import type { OffsetDeleteRequest, OffsetDeleteResponse } from '../../../protocol/apis/offset-delete.ts';
import { type ErrorCode as Code, ErrorCode } from '../../../protocol/error-codes.ts';
import type { CommitDecision } from '../group.ts';
import { type GroupRecord, type GroupResult, groupRecord, groupTombstone } from '../records.ts';
import type { OffsetContext } from './context.ts';

type CommitTopic = OffsetCommitRequest['topics'][number];
type CommitPartition = CommitTopic['partitions'][number];

/** From then on a client is told that its group is unknown; before, that it has an old generation. */
const UNKNOWN_GROUP_SINCE = 9;
/** An old client's commit names a time of its own to be kept; records since have no room for it. */
const WITH_EXPIRY_VERSION = 1;

/** The same error for everything that was asked for. */
export function commitRefusal(request: OffsetCommitRequest, errorCode: Code): OffsetCommitResponse {
  return {
    topics: request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  };
}

/** Topics come with their names and ids, whichever of them the request's version carries. */
export function commitOffsets(
  context: OffsetContext,
  request: OffsetCommitRequest,
  apiVersion: number,
): GroupResult<OffsetCommitResponse> {
  const decision = decide(context, request, apiVersion);
  if (decision.errorCode !== ErrorCode.NONE) return refused(request, decision.errorCode);
  const records: GroupRecord[] = [];
  const topics: OffsetCommitResponse['topics'][number][] = [];
  for (const topic of request.topics) {
    const partitions: OffsetCommitResponse['topics'][number]['partitions'][number][] = [];
    for (const partition of topic.partitions) {
      const { partitionIndex } = partition;
      if (isTooLong(context, partition)) {
        partitions.push({ partitionIndex, errorCode: ErrorCode.OFFSET_METADATA_TOO_LARGE });
        continue;
      }
      const errorCode = decision.checkPartition?.(topic.name, topic.topicId, partitionIndex) ?? ErrorCode.NONE;
      if (errorCode !== ErrorCode.NONE) return refused(request, errorCode);
      records.push(commitRecord(context, request, topic, partition));
      partitions.push({ partitionIndex, errorCode });
    }
    topics.push({ name: topic.name, topicId: topic.topicId, partitions });
  }
  return { records, reply: { topics } };
}

function refused(request: OffsetCommitRequest, errorCode: Code): GroupResult<OffsetCommitResponse> {
  return { records: [], reply: commitRefusal(request, errorCode) };
}

function decide(context: OffsetContext, request: OffsetCommitRequest, apiVersion: number): CommitDecision {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generationOrEpoch } = request;
  const group = context.groups.get(groupId);
  if (group === undefined) {
    // Somebody who needs no group of members, only a place for offsets: their record makes the group.
    if (generationOrEpoch < 0) return { errorCode: ErrorCode.NONE };
    const errorCode = apiVersion >= UNKNOWN_GROUP_SINCE ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION;
    return { errorCode };
  }
  const claim = { memberId, groupInstanceId, generationOrEpoch, transactional: false, apiVersion };
  const decision = group.checkOffsetCommit(claim);
  if (decision.errorCode === ErrorCode.NONE) context.renewSession(group, memberId);
  return decision;
}

function isTooLong({ settings }: OffsetContext, { committedMetadata }: CommitPartition): boolean {
  return committedMetadata !== null && committedMetadata.length > settings().offsetMetadataMaxLength;
}

function commitRecord(
  { clock }: OffsetContext,
  { groupId, retentionTimeMs }: OffsetCommitRequest,
  topic: CommitTopic,
  partition: CommitPartition,
): GroupRecord {
  const commitTimestamp = clock.wallMs();
  const expires = retentionTimeMs !== -1;
  const key = { group: groupId, topic: topic.name, partition: partition.partitionIndex };
  const value = {
    offset: partition.committedOffset,
    leaderEpoch: partition.committedLeaderEpoch,
    metadata: partition.committedMetadata ?? '',
    commitTimestamp,
    // A client may ask for longer than a timestamp can say.
    expireTimestamp: expires ? Math.min(commitTimestamp + retentionTimeMs, Number.MAX_SAFE_INTEGER) : -1,
    topicId: topic.topicId,
  };
  return groupRecord('offsetCommit', key, value, expires ? WITH_EXPIRY_VERSION : undefined);
}

export function deleteOffsets(
  { groups, offsets }: OffsetContext,
  { groupId, topics }: OffsetDeleteRequest,
): GroupResult<OffsetDeleteResponse> {
  const group = groups.get(groupId);
  const errorCode = group?.checkOffsetDelete() ?? ErrorCode.GROUP_ID_NOT_FOUND;
  if (group === undefined || errorCode !== ErrorCode.NONE) return { records: [], reply: { errorCode, topics: [] } };
  const records: GroupRecord[] = [];
  const deleteTopic = ({ name, partitions }: OffsetDeleteRequest['topics'][number]) => {
    const inUse = group.isSubscribedTo(name);
    for (const { partitionIndex } of inUse ? [] : partitions) {
      const isThere = offsets.get(groupId, name, partitionIndex) !== undefined;
      if (!isThere && !offsets.isOpen(groupId, name, partitionIndex)) continue;
      records.push(groupTombstone('offsetCommit', { group: groupId, topic: name, partition: partitionIndex }));
    }
    const answer = inUse ? ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode.NONE;
    return { name, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: answer })) };
  };
  return { reply: { errorCode, topics: topics.map(deleteTopic) }, records };
}
