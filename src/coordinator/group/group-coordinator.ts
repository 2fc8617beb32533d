/**
 * What this broker answers about groups: finds the shard of a group, asks it, and shapes the refusal where there is none.
 * Follows the cluster's metadata: which partitions of `__consumer_offsets` are led here, which topics are gone.
 */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { BrokerId } from '../../base/units.ts';
import type { MetadataDelta } from '../../metadata/delta.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/apis/consumer-group-heartbeat.ts';
import type { HeartbeatRequest, HeartbeatResponse } from '../../protocol/apis/heartbeat.ts';
import type { JoinGroupRequest, JoinGroupResponse } from '../../protocol/apis/join-group.ts';
import type { LeaveGroupResponse } from '../../protocol/apis/leave-group.ts';
import type { ListGroupsResponse } from '../../protocol/apis/list-groups.ts';
import type { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/apis/offset-commit.ts';
import type { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/apis/offset-delete.ts';
import type { SyncGroupRequest, SyncGroupResponse } from '../../protocol/apis/sync-group.ts';
import { type ErrorCode as Code, ErrorCode } from '../../protocol/error-codes.ts';
import type { Partition } from '../../replication/partition.ts';
import { CoordinatorRuntime, type RuntimeOptions } from '../runtime/runtime.ts';
import type { Shard } from '../runtime/shard.ts';
import type { GroupClient } from './classic/context.ts';
import { joinGroup } from './classic/join.ts';
import { type LeavingMember, leaveGroup } from './classic/leave.ts';
import { joinRefusal } from './classic/rebalance.ts';
import { heartbeat, syncGroup, syncRefusal } from './classic/sync.ts';
import type { ConsumerGroupSettings } from './consumer/context.ts';
import { consumerGroupRefusal, type DescribedConsumerGroup } from './consumer/describe.ts';
import {
  type DeletedGroup,
  type DescribedGroup,
  deleteGroup,
  describeClassicGroup,
  type ListedGroup,
  listGroups,
} from './describe.ts';
import { GroupShard } from './group-shard.ts';
import { commitOffsets, commitRefusal, deleteOffsets } from './offsets/commit.ts';
import { type FetchedGroup, type FetchGroup, fetchOffsets, fetchRefusal } from './offsets/fetch.ts';
import { partitionOfGroup } from './partition-of-group.ts';
import { decodeGroupRecord, encodeGroupRecord, type GroupRecord, type GroupResult } from './records.ts';
import type { GroupSettings } from './settings.ts';

export const OFFSETS_TOPIC = '__consumer_offsets';

export interface GroupCoordinatorOptions
  extends Pick<RuntimeOptions<GroupShard, GroupRecord>, 'codec' | 'loadChunkBytes' | 'commitTimeoutMs'> {
  readonly brokerId: BrokerId;
  readonly settings: () => GroupSettings;
  /** Of a consumer group with these configs of its own. */
  readonly consumerSettings: (own: ReadonlyMap<string, string>) => ConsumerGroupSettings;
  /** Partitions that the topic gets; once it exists it says so itself. */
  readonly partitions: () => number;
}

export interface GroupCoordinatorDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly image: () => MetadataImage;
  /** The hosted partition of the topic, or why there is none. */
  readonly find: (partition: number) => Partition | Code;
}

export class GroupCoordinator {
  readonly #options: GroupCoordinatorOptions;
  readonly #dependencies: GroupCoordinatorDependencies;
  readonly #runtime: CoordinatorRuntime<GroupShard, GroupRecord>;

  constructor(options: GroupCoordinatorOptions, dependencies: GroupCoordinatorDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    const { codec, loadChunkBytes, commitTimeoutMs, settings, consumerSettings } = options;
    this.#runtime = new CoordinatorRuntime(
      {
        codec,
        loadChunkBytes,
        commitTimeoutMs,
        format: { encode: encodeGroupRecord, decode: decodeGroupRecord },
        createState: (timers) => new GroupShard({ settings, consumerSettings }, timers, dependencies),
      },
      dependencies,
    );
  }

  /** Takes over the metadata at start. */
  start(): void {
    this.#followTopic(this.#dependencies.image());
  }

  /** Takes over a change of the metadata, after the hosted partitions did. */
  follow(delta: MetadataDelta, image: MetadataImage): void {
    const isOurs = ({ name }: { readonly name: string }): boolean => name === OFFSETS_TOPIC;
    const changed =
      delta.createdTopics.some(isOurs) ||
      delta.deletedTopics.some(isOurs) ||
      delta.changedTopics.some(({ topic }) => isOurs(topic));
    if (changed) this.#followTopic(image);
    for (const shard of this.#runtime.shards()) shard.state.metadataChanged(delta, image);
    const gone = delta.deletedTopics.filter((topic) => !isOurs(topic));
    if (gone.length === 0) return;
    for (const shard of this.#runtime.shards()) {
      // A shard that is loading finds the offsets later; they expire like those of any group that is gone.
      void shard.write<void>(
        (state) => state.topicsDeleted(gone),
        () => undefined,
      );
    }
  }

  close(): void {
    this.#runtime.close();
  }

  #followTopic(image: MetadataImage): void {
    const partitions = image.topics.byName.get(OFFSETS_TOPIC)?.partitions ?? [];
    for (const known of this.#runtime.partitions()) if (known >= partitions.length) this.#runtime.resign(known);
    partitions.forEach(({ leader }, index) => {
      const found = leader === this.#options.brokerId ? this.#dependencies.find(index) : undefined;
      if (typeof found === 'object') void this.#runtime.lead(found);
      else this.#runtime.resign(index);
    });
  }

  /** The partition of the topic that keeps a group. */
  partitionFor(groupId: string): number {
    const topic = this.#dependencies.image().topics.byName.get(OFFSETS_TOPIC);
    return partitionOfGroup(groupId, topic?.partitions.length ?? this.#options.partitions());
  }

  #write<Reply>(
    groupId: string,
    operation: (state: GroupShard) => GroupResult<Reply>,
    refuse: (errorCode: Code) => Reply,
  ): Promise<Reply> {
    const shard = this.#runtime.shard(this.partitionFor(groupId));
    return shard === undefined ? Promise.resolve(refuse(ErrorCode.NOT_COORDINATOR)) : shard.write(operation, refuse);
  }

  joinGroup(request: JoinGroupRequest, client: GroupClient): Promise<JoinGroupResponse> {
    const { groupId, memberId, sessionTimeoutMs } = request;
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#options.settings();
    if (groupId === '') return Promise.resolve(joinRefusal(ErrorCode.INVALID_GROUP_ID, memberId));
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      return Promise.resolve(joinRefusal(ErrorCode.INVALID_SESSION_TIMEOUT, memberId));
    }
    return new Promise((resolve) => {
      const answer = this.#write<JoinGroupResponse | undefined>(
        groupId,
        (state) => {
          const group = state.consumer.find(groupId);
          if (group !== undefined && !group.isEmpty) return state.consumer.join(group, request, client);
          return { ...joinGroup(state.classic, request, client, resolve), reply: undefined };
        },
        (errorCode) => joinRefusal(errorCode, ''),
      );
      // Undefined where the classic group answers, when it has its next generation.
      void answer.then((response) => {
        if (response !== undefined) resolve(response);
      });
    });
  }

  syncGroup(request: SyncGroupRequest): Promise<SyncGroupResponse> {
    const { groupId } = request;
    if (groupId === '') return Promise.resolve(syncRefusal(ErrorCode.INVALID_GROUP_ID));
    return new Promise((resolve) => {
      const answer = this.#write<SyncGroupResponse | undefined>(
        groupId,
        (state) => {
          const consumers = state.consumer.find(groupId);
          if (consumers !== undefined) return state.consumer.sync(consumers, request);
          const group = state.groups.classic(groupId);
          if (group === undefined || group.isEmpty) {
            return { records: [], reply: syncRefusal(ErrorCode.UNKNOWN_MEMBER_ID) };
          }
          return { ...syncGroup(state.classic, group, request, resolve), reply: undefined };
        },
        (errorCode) => syncRefusal(errorCode),
      );
      // Undefined where the group answers, when its leader has assigned.
      void answer.then((response) => {
        if (response !== undefined) resolve(response);
      });
    });
  }

  heartbeat(request: HeartbeatRequest): Promise<HeartbeatResponse> {
    const { groupId } = request;
    if (groupId === '') return Promise.resolve({ errorCode: ErrorCode.INVALID_GROUP_ID });
    return this.#write<HeartbeatResponse>(
      groupId,
      (state) => {
        const consumers = state.consumer.find(groupId);
        if (consumers !== undefined) return state.consumer.classicHeartbeat(consumers, request);
        const group = state.groups.classic(groupId);
        const errorCode = group === undefined ? ErrorCode.UNKNOWN_MEMBER_ID : heartbeat(state.classic, group, request);
        return { records: [], reply: { errorCode } };
      },
      // Nobody's session ends while the groups are loaded.
      (errorCode) => ({ errorCode: errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : errorCode }),
    );
  }

  leaveGroup(groupId: string, members: readonly LeavingMember[]): Promise<LeaveGroupResponse> {
    if (groupId === '') return Promise.resolve({ errorCode: ErrorCode.INVALID_GROUP_ID, members: [] });
    return this.#write<LeaveGroupResponse>(
      groupId,
      (state) => {
        const consumers = state.consumer.find(groupId);
        if (consumers !== undefined) return state.consumer.leave(consumers, members);
        const group = state.groups.classic(groupId);
        if (group !== undefined) return leaveGroup(state.classic, group, members);
        const answers = members.map(({ memberId, groupInstanceId }) => ({
          memberId,
          groupInstanceId,
          errorCode: ErrorCode.UNKNOWN_MEMBER_ID,
        }));
        return { records: [], reply: { errorCode: ErrorCode.NONE, members: answers } };
      },
      (errorCode) => ({ errorCode, members: [] }),
    );
  }

  consumerGroupHeartbeat(
    request: ConsumerGroupHeartbeatRequest,
    client: GroupClient,
  ): Promise<ConsumerGroupHeartbeatResponse> {
    return this.#write<ConsumerGroupHeartbeatResponse>(
      request.groupId,
      (state) => state.consumer.heartbeat(request, client),
      (errorCode) => ({ errorCode, memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null }),
    );
  }

  /** Groups of the newer protocol. */
  async describeConsumerGroups(groupIds: readonly string[]): Promise<DescribedConsumerGroup[]> {
    const described = groupIds.map((groupId) =>
      this.#write<DescribedConsumerGroup[]>(
        groupId,
        (state) => ({ records: [], reply: state.consumer.describe([groupId]) }),
        (errorCode) => [consumerGroupRefusal(groupId, errorCode)],
      ),
    );
    return (await Promise.all(described)).flat();
  }

  /** Topics come with names and ids. */
  commitOffsets(request: OffsetCommitRequest, apiVersion: number): Promise<OffsetCommitResponse> {
    return this.#write(
      request.groupId,
      (state) => commitOffsets(state.committing, request, apiVersion),
      (errorCode) => commitRefusal(request, errorCode),
    );
  }

  /** Topics come with names, and ids where the request's version has them. */
  fetchOffsets(request: FetchGroup, options: { readonly requireStable: boolean }): Promise<FetchedGroup> {
    return this.#write<FetchedGroup>(
      request.groupId,
      (state) => ({ records: [], reply: fetchOffsets(state.committing, request, options) }),
      (errorCode) => fetchRefusal(request, errorCode),
    );
  }

  deleteOffsets(request: OffsetDeleteRequest): Promise<OffsetDeleteResponse> {
    if (request.groupId === '') return Promise.resolve({ errorCode: ErrorCode.INVALID_GROUP_ID, topics: [] });
    return this.#write<OffsetDeleteResponse>(
      request.groupId,
      (state) => deleteOffsets(state.committing, request),
      (errorCode) => ({ errorCode, topics: [] }),
    );
  }

  /** The groups of this broker; a shard that is still loading makes the whole answer an error. */
  async listGroups(filters: Parameters<typeof listGroups>[1]): Promise<ListGroupsResponse> {
    const answers = await Promise.all(
      [...this.#runtime.shards()].map((shard: Shard<GroupShard, GroupRecord>) =>
        shard.read<ListedGroup[] | Code>(
          (state) => listGroups(state, filters),
          (errorCode) => errorCode,
        ),
      ),
    );
    const groups: ListedGroup[] = [];
    for (const answer of answers) {
      if (typeof answer !== 'number') groups.push(...answer);
      else if (answer !== ErrorCode.NOT_COORDINATOR) return { errorCode: answer, groups: [] };
    }
    return { errorCode: ErrorCode.NONE, groups };
  }

  describeGroups(groupIds: readonly string[], apiVersion: number): Promise<DescribedGroup[]> {
    return Promise.all(
      groupIds.map((groupId) =>
        this.#write<DescribedGroup>(
          groupId,
          (state) => ({ records: [], reply: describeClassicGroup(state, groupId, apiVersion) }),
          (errorCode) => ({ errorCode, groupId, groupState: '', protocolType: '', protocolData: '', members: [] }),
        ),
      ),
    );
  }

  deleteGroups(groupIds: readonly string[]): Promise<DeletedGroup[]> {
    return Promise.all(
      groupIds.map((groupId) =>
        this.#write<DeletedGroup>(
          groupId,
          (state) => deleteGroup(state, groupId),
          (errorCode) => ({ groupId, errorCode }),
        ),
      ),
    );
  }
}
