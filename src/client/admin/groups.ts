/** Consumer groups: which there are, who is in them, what they have committed; and how they are changed or deleted. */
import type { BrokerId, LeaderEpoch, Offset, TopicPartition } from '../../base/units.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import { deleteGroups as deleteGroupsApi } from '../../protocol/apis/delete-groups.ts';
import { findCoordinator as findCoordinatorApi } from '../../protocol/apis/find-coordinator.ts';
import { listGroups as listGroupsApi } from '../../protocol/apis/list-groups.ts';
import { offsetCommit as offsetCommitApi } from '../../protocol/apis/offset-commit.ts';
import { offsetDelete as offsetDeleteApi } from '../../protocol/apis/offset-delete.ts';
import { offsetFetch as offsetFetchApi } from '../../protocol/apis/offset-fetch.ts';
import { ErrorCode, isRetriable } from '../../protocol/error-codes.ts';
import type { BrokerConnection } from '../broker-connection.ts';
import type { Cluster } from '../cluster.ts';
import { refusedBy } from '../errors.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import type { CallSettings } from './topics.ts';

/** FindCoordinator: the kind of name that is looked for. */
const KEY_TYPE_GROUP = 0;
const MANY_KEYS_SINCE = 4;
const MANY_GROUPS_SINCE = 8;
/** Later versions name topics by ids alone; offsets may outlive their topic. */
const LAST_BY_NAME = 9;

export interface ListedGroup {
  readonly id: string;
  /** `classic` or `consumer`; empty from a broker before Kafka 3.8. */
  readonly type: string;
  /** `Empty`, `Stable`, ...; empty from a broker before Kafka 2.6. */
  readonly state: string;
  /** `consumer` for groups of consumers. */
  readonly protocolType: string;
}

/** The groups of all brokers, in some states or of some types where these are given. */
export async function listGroups(
  cluster: Cluster,
  settings: CallSettings & { readonly states?: readonly string[]; readonly types?: readonly string[] } = {},
): Promise<ListedGroup[]> {
  const { states = [], types = [] } = settings;
  await cluster.retrying(settings.signal, () => cluster.askMetadata([]));
  const lists = await Promise.all(
    cluster.brokers.map(({ id }) =>
      cluster.retrying(settings.signal, async () => {
        const connection = await cluster.connection(id);
        const answer = await connection.request(listGroupsApi, { statesFilter: states, typesFilter: types });
        if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, `the groups of broker ${id}`);
        return answer.groups;
      }),
    ),
  );
  return lists
    .flat()
    .map(({ groupId: id, groupType: type, groupState: state, protocolType }) => ({ id, type, state, protocolType }))
    .sort((left, right) => (left.id < right.id ? -1 : 1));
}

/** The broker that answers for a group. Rejects with what the coordinator's election says; one attempt. */
async function findCoordinator(cluster: Cluster, groupId: string): Promise<BrokerId> {
  const connection = await cluster.connection('any');
  const many = connection.versions.choose(findCoordinatorApi) >= MANY_KEYS_SINCE;
  const body = many ? { key: '', coordinatorKeys: [groupId] } : { key: groupId, coordinatorKeys: [] };
  const answer = await connection.request(findCoordinatorApi, { ...body, keyType: KEY_TYPE_GROUP });
  const found = many ? answer.coordinators[0] : answer;
  const code = found?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
  if (found === undefined || code !== ErrorCode.NONE) throw refusedBy(code, `group ${groupId}`, found?.errorMessage);
  return found.nodeId;
}

/**
 * Asks a group's coordinator, and looks for it anew where it has moved or is not ready: `ask` throws what it was refused
 * as an error that says whether that may help.
 */
export function askCoordinator<T>(
  cluster: Cluster,
  groupId: string,
  settings: CallSettings,
  ask: (connection: BrokerConnection, coordinator: BrokerId) => Promise<T>,
): Promise<T> {
  return cluster.retrying(settings.signal, async () => {
    const coordinator = await findCoordinator(cluster, groupId);
    return ask(await cluster.connection(coordinator), coordinator);
  });
}

export interface GroupOffset extends TopicPartition {
  /** The next record to read. */
  readonly offset: Offset;
  /** -1 where the consumer did not say. */
  readonly leaderEpoch: LeaderEpoch;
  /** The consumer's own note. */
  readonly metadata: string;
}

/** Every offset that the group has committed, by topic and partition. */
export async function groupOffsets(
  cluster: Cluster,
  groupId: string,
  settings: CallSettings = {},
): Promise<GroupOffset[]> {
  const topics = await askCoordinator(cluster, groupId, settings, async (connection) => {
    const many = connection.versions.choose(offsetFetchApi, LAST_BY_NAME) >= MANY_GROUPS_SINCE;
    const body = many
      ? { groupId: '', topics: [], groups: [{ groupId, topics: null }] }
      : { groupId, topics: null, groups: [] };
    const answer = await connection.request(offsetFetchApi, body, { atMostVersion: LAST_BY_NAME });
    const group = many ? answer.groups[0] : answer;
    const code = group?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    if (group === undefined || code !== ErrorCode.NONE) throw refusedBy(code, `group ${groupId}`);
    const refused = group.topics
      .flatMap(({ partitions }) => partitions)
      .find(({ errorCode }) => errorCode !== ErrorCode.NONE);
    if (refused !== undefined) throw refusedBy(refused.errorCode, `the offsets of group ${groupId}`);
    return group.topics;
  });
  return topics
    .flatMap(({ name: topic, partitions }) =>
      partitions
        .filter(({ committedOffset }) => committedOffset >= 0)
        .map(({ partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata }) => {
          return { topic, partition, offset, leaderEpoch, metadata: metadata ?? '' };
        }),
    )
    .sort(byPlace);
}

/** By topic, then by partition. */
export function byPlace(left: TopicPartition, right: TopicPartition): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1;
  return left.partition - right.partition;
}

/** Partitions by topic, as requests name them. */
function byTopic<T extends TopicPartition, P>(list: readonly T[], entry: (each: T) => P) {
  const topics = new Map<string, P[]>();
  for (const each of list) topics.set(each.topic, [...(topics.get(each.topic) ?? []), entry(each)]);
  return [...topics].map(([name, partitions]) => ({ name, partitions }));
}

/** Commits offsets in the group's name. Refused with UNKNOWN_MEMBER_ID while the group has members. */
export async function commitGroupOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly (TopicPartition & { readonly offset: Offset; readonly metadata?: string })[],
  settings: CallSettings = {},
): Promise<Outcome<TopicPartition>[]> {
  const topics = byTopic(offsets, ({ partition, offset, metadata }) => ({
    partitionIndex: partition,
    committedOffset: offset,
    committedMetadata: metadata ?? '',
  })).map((topic) => ({ ...topic, topicId: ZERO_UUID }));
  const answers = await askCoordinator(cluster, groupId, settings, async (connection) => {
    const body = { groupId, memberId: '', topics };
    const answer = await connection.request(offsetCommitApi, body, { atMostVersion: LAST_BY_NAME });
    return placesOf(groupId, answer.topics);
  });
  return answers.map(({ topic, partition, errorCode }) =>
    outcomeOf({ topic, partition }, `group ${groupId}, ${topic}-${partition}`, errorCode),
  );
}

/** Forgets offsets. Refused with GROUP_SUBSCRIBED_TO_TOPIC while a member reads the topic. */
export async function deleteGroupOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
  settings: CallSettings = {},
): Promise<Outcome<TopicPartition>[]> {
  const topics = byTopic(partitions, ({ partition }) => ({ partitionIndex: partition }));
  const answers = await askCoordinator(cluster, groupId, settings, async (connection) => {
    const answer = await connection.request(offsetDeleteApi, { groupId, topics });
    if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, `group ${groupId}`);
    return placesOf(groupId, answer.topics);
  });
  return answers.map(({ topic, partition, errorCode }) =>
    outcomeOf({ topic, partition }, `group ${groupId}, ${topic}-${partition}`, errorCode),
  );
}

interface PartitionError extends TopicPartition {
  readonly errorCode: number;
}

/** The answer by partition; throws where the coordinator is another one, or not ready: then nothing was done. */
function placesOf(
  groupId: string,
  topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[];
  }[],
): PartitionError[] {
  const places = topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex: partition, errorCode }) => ({ topic, partition, errorCode })),
  );
  const misdirected = places.find(({ errorCode }) => isRetriable(errorCode));
  if (misdirected !== undefined) throw refusedBy(misdirected.errorCode, `group ${groupId}`);
  return places;
}

/** Deletes groups that have no members, with their offsets. */
export function deleteGroups(
  cluster: Cluster,
  groupIds: readonly string[],
  settings: CallSettings = {},
): Promise<Outcome<{ readonly id: string }>[]> {
  return Promise.all(
    groupIds.map(async (id) => {
      const errorCode = await askCoordinator(cluster, id, settings, async (connection) => {
        const answer = await connection.request(deleteGroupsApi, { groupsNames: [id] });
        const code = answer.results[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
        if (isRetriable(code)) throw refusedBy(code, `group ${id}`);
        return code;
      });
      return outcomeOf({ id }, `group ${id}`, errorCode);
    }),
  );
}
