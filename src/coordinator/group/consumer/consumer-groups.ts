/**
 * The broker-driven protocol of consumer groups (KIP-848) over the groups of one shard: requests in, records out.
 * Owns no I/O; `replay` alone changes what is durable.
 */
import type { MetadataDelta } from '../../../metadata/delta.ts';
import type { MetadataImage } from '../../../metadata/image.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../../protocol/apis/consumer-group-heartbeat.ts';
import type { HeartbeatRequest } from '../../../protocol/apis/heartbeat.ts';
import type { JoinGroupRequest, JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import type { LeaveGroupResponse } from '../../../protocol/apis/leave-group.ts';
import type { SyncGroupRequest, SyncGroupResponse } from '../../../protocol/apis/sync-group.ts';
import type { ErrorCode } from '../../../protocol/error-codes.ts';
import type { ClassicContext, GroupClient } from '../classic/context.ts';
import type { LeavingMember } from '../classic/leave.ts';
import type { Group } from '../group.ts';
import type { GroupResult } from '../records.ts';
import {
  type ClassicMembers,
  heartbeatAsClassic,
  joinAsClassic,
  leaveAsClassic,
  syncAsClassic,
} from './classic-members.ts';
import type { ConsumerGroupContext } from './context.ts';
import { type DescribedConsumerGroup, describeConsumerGroup } from './describe.ts';
import { ConsumerGroup } from './group.ts';
import { heartbeat } from './heartbeat.ts';
import { protocolChange } from './protocol-change.ts';
import { type ConsumerGroupRecord, replayConsumerGroup } from './replay.ts';
import { startAllTimers } from './timers.ts';

export class ConsumerGroups {
  readonly #context: ConsumerGroupContext;
  readonly #members: ClassicMembers;

  constructor(
    dependencies: Omit<ConsumerGroupContext, 'protocolChange' | 'newTopicsVersion'>,
    classic: ClassicContext,
  ) {
    this.#context = {
      ...dependencies,
      protocolChange: protocolChange({ context: () => this.#context, classic }),
      newTopicsVersion: -1,
    };
    this.#members = { context: this.#context, classic };
  }

  heartbeat(request: ConsumerGroupHeartbeatRequest, client: GroupClient): GroupResult<ConsumerGroupHeartbeatResponse> {
    return heartbeat(this.#context, request, client);
  }

  /** The group of that id where it is one of this protocol. */
  find(groupId: string): ConsumerGroup | undefined {
    const group = this.#context.groups.get(groupId);
    return group instanceof ConsumerGroup ? group : undefined;
  }

  // Requests of the classic protocol to such a group.

  join(group: ConsumerGroup, request: JoinGroupRequest, client: GroupClient): GroupResult<JoinGroupResponse> {
    return joinAsClassic(this.#members, group, request, client);
  }

  sync(group: ConsumerGroup, request: SyncGroupRequest): GroupResult<SyncGroupResponse> {
    return syncAsClassic(this.#members, group, request);
  }

  classicHeartbeat(group: ConsumerGroup, request: HeartbeatRequest): GroupResult<{ readonly errorCode: ErrorCode }> {
    return heartbeatAsClassic(this.#members, group, request);
  }

  leave(group: ConsumerGroup, leaving: readonly LeavingMember[]): GroupResult<LeaveGroupResponse> {
    return leaveAsClassic(this.#members, group, leaving);
  }

  describe(groupIds: readonly string[]): DescribedConsumerGroup[] {
    const { groups, settings, image } = this.#context;
    return groupIds.map((groupId) =>
      describeConsumerGroup(groupId, groups.get(groupId), {
        defaultAssignor: settings(groupId).assignors[0]!.name,
        image: image(),
      }),
    );
  }

  replay(record: ConsumerGroupRecord): void {
    replayConsumerGroup(this.#context.groups, record);
  }

  /** All records have been replayed: members have their sessions from now on. */
  loaded(groups: Iterable<Group>): void {
    this.#context.newTopicsVersion = this.#context.image().offset;
    for (const group of groups) if (group instanceof ConsumerGroup) startAllTimers(this.#context, group);
  }

  /** Groups whose topics changed look at them again when one of their members is heard of. */
  metadataChanged(delta: MetadataDelta, image: MetadataImage, groups: Iterable<Group>): void {
    const topics = [...delta.createdTopics, ...delta.deletedTopics, ...delta.changedTopics.map(({ topic }) => topic)];
    if (delta.createdTopics.length > 0) this.#context.newTopicsVersion = image.offset;
    if (topics.length === 0) return;
    for (const group of groups) {
      if (!(group instanceof ConsumerGroup) || group.metadataStale) continue;
      group.metadataStale = topics.some(({ name }) => group.isSubscribedTo(name));
    }
  }
}
