/** Commits a group's offsets and asks for them, as a member or as nobody. One attempt each. */
import { type LeaderEpoch, type Offset, partitionName, type TopicPartition } from '../../../base/units.ts';
import { ZERO_UUID } from '../../../base/uuid.ts';
import { offsetCommit } from '../../../protocol/apis/offset-commit.ts';
import { offsetFetch } from '../../../protocol/apis/offset-fetch.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import { refusedBy } from '../../errors.ts';
import type { CoordinatorLink } from './coordinator-link.ts';
import type { MemberIdentity } from './membership.ts';

/** Later versions name topics by ids alone. */
const LAST_BY_NAME = 9;
const MANY_GROUPS_SINCE = 8;

export interface OffsetToCommit extends TopicPartition {
  /** The next record to read. */
  readonly offset: Offset;
  readonly leaderEpoch?: LeaderEpoch;
  /** The consumer's own note. */
  readonly metadata?: string;
}

export interface CommittedOffset extends TopicPartition {
  /** -1 where nothing is committed. */
  readonly offset: Offset;
  /** Of the leader that wrote what lies before the offset; -1 where that is not known. */
  readonly leaderEpoch: LeaderEpoch;
  readonly metadata: string;
}

function grouped<T extends TopicPartition, P>(list: readonly T[], entry: (each: T) => P) {
  const topics = new Map<string, P[]>();
  for (const each of list) {
    const known = topics.get(each.topic);
    if (known === undefined) topics.set(each.topic, [entry(each)]);
    else known.push(entry(each));
  }
  return [...topics];
}

/** The first refusal of any partition; NONE where all were committed. Rejects where there was no answer. */
export async function commitOffsets(
  link: CoordinatorLink,
  { memberId, epoch, instanceId }: MemberIdentity,
  offsets: readonly OffsetToCommit[],
): Promise<number> {
  const topics = grouped(offsets, ({ partition, offset, leaderEpoch, metadata }) => ({
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch ?? -1,
    committedMetadata: metadata ?? '',
  })).map(([name, partitions]) => ({ name, topicId: ZERO_UUID, partitions }));
  const { groupId } = link;
  const body = { groupId, memberId, generationIdOrMemberEpoch: epoch, groupInstanceId: instanceId, topics };
  const answer = await link.request('offsets', offsetCommit, body, { atMostVersion: LAST_BY_NAME });
  const codes = answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
  // What an answer leaves out nobody knows to be committed.
  const asked = new Set(offsets.map(({ topic, partition }) => partitionName(topic, partition)));
  const unsaid = codes.length < asked.size ? ErrorCode.UNKNOWN_SERVER_ERROR : ErrorCode.NONE;
  const refusal = codes.find((code) => code !== ErrorCode.NONE) ?? unsaid;
  link.forgetAfter(refusal);
  return refusal;
}

/**
 * What is committed, in the order of the partitions; not before open transactions have decided. Rejects with the first
 * refusal. `member` is given by members of the newer protocol.
 */
export async function fetchCommitted(
  link: CoordinatorLink,
  member: MemberIdentity | undefined,
  partitions: readonly TopicPartition[],
): Promise<CommittedOffset[]> {
  const { groupId } = link;
  const topics = grouped(partitions, ({ partition }) => partition).map(([name, partitionIndexes]) => ({
    name,
    topicId: ZERO_UUID,
    partitionIndexes,
  }));
  const identity = { memberId: member?.memberId ?? null, memberEpoch: member?.epoch ?? -1 };
  const answer = await link.request(
    'offsets',
    offsetFetch,
    (connection) =>
      connection.versions.choose(offsetFetch, LAST_BY_NAME) >= MANY_GROUPS_SINCE
        ? { groupId: '', topics: [], groups: [{ groupId, ...identity, topics }], requireStable: true }
        : { groupId, topics, groups: [], requireStable: connection.versions.choose(offsetFetch, LAST_BY_NAME) >= 7 },
    { atMostVersion: LAST_BY_NAME },
  );
  const group = answer.groups[0] ?? answer;
  const found = group.topics.flatMap((topic) => topic.partitions.map((each) => ({ topic: topic.name, ...each })));
  const refusal = [group, ...found].find(({ errorCode }) => errorCode !== ErrorCode.NONE)?.errorCode;
  if (refusal !== undefined) {
    link.forgetAfter(refusal);
    throw refusedBy(refusal, `the offsets of group ${groupId}`);
  }
  const byPlace = new Map(found.map((each) => [`${each.topic}/${each.partitionIndex}`, each]));
  return partitions.map(({ topic, partition }) => {
    const each = byPlace.get(`${topic}/${partition}`);
    if (each === undefined) {
      const about = `the offset of group ${groupId} in ${partitionName(topic, partition)}`;
      throw refusedBy(ErrorCode.UNKNOWN_SERVER_ERROR, about, 'the answer left it out');
    }
    const { committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata } = each;
    return { topic, partition, offset, leaderEpoch, metadata: metadata ?? '' };
  });
}
