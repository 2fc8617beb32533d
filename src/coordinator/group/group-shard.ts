/**
 * The groups and offsets of one partition of `__consumer_offsets`, and what is asked of them. Ties the protocols, the
 * offsets and the administration together; decides nothing that they decide.
 */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { ProducerId } from '../../base/units.ts';
import { type Uuid, ZERO_UUID } from '../../base/uuid.ts';
import type { MetadataDelta } from '../../metadata/delta.ts';
import { configsOf, type MetadataImage, RESOURCE_TYPE } from '../../metadata/image.ts';
import type { RecordPlace, ShardState, ShardTimers } from '../runtime/shard-state.ts';
import { ClassicGroup } from './classic/classic-group.ts';
import type { ClassicContext } from './classic/context.ts';
import { groupFromRecord } from './classic/group-record.ts';
import { loadedGroup, unloadedGroup } from './classic/lifecycle.ts';
import { renewSession } from './classic/rebalance.ts';
import { ConsumerGroups } from './consumer/consumer-groups.ts';
import type { ConsumerGroupSettings } from './consumer/context.ts';
import { isConsumerGroupRecord } from './consumer/replay.ts';
import type { Group } from './group.ts';
import { Groups } from './groups.ts';
import { CommittedOffsets } from './offsets/committed-offsets.ts';
import type { OffsetContext } from './offsets/context.ts';
import { expireOffsets, forgetTopics } from './offsets/expiry.ts';
import type { GroupRecord, GroupRecordOf, GroupResult } from './records.ts';
import type { GroupSettings } from './settings.ts';

export interface GroupShardOptions {
  readonly settings: () => GroupSettings;
  /** Of a group with these configs of its own. */
  readonly consumerSettings: (own: ReadonlyMap<string, string>) => ConsumerGroupSettings;
}

export interface GroupShardDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly image: () => MetadataImage;
}

const EXPIRY_KEY = 'expire-offsets';

export class GroupShard implements ShardState<GroupRecord> {
  readonly groups = new Groups();
  readonly offsets = new CommittedOffsets();
  readonly classic: ClassicContext;
  readonly consumer: ConsumerGroups;
  readonly committing: OffsetContext;
  readonly #timers: ShardTimers<GroupRecord>;
  readonly #settings: () => GroupSettings;

  constructor(
    { settings, consumerSettings }: GroupShardOptions,
    timers: ShardTimers<GroupRecord>,
    { clock, random, logger, image }: GroupShardDependencies,
  ) {
    const { groups, offsets } = this;
    this.#timers = timers;
    this.#settings = settings;
    this.classic = { groups, timers, settings, clock, random, logger };
    this.consumer = new ConsumerGroups(
      {
        groups,
        timers,
        settings: (groupId) => consumerSettings(configsOf(image(), RESOURCE_TYPE.GROUP, groupId)),
        image,
        clock,
        random,
        logger,
      },
      this.classic,
    );
    this.committing = {
      groups,
      offsets,
      settings,
      clock,
      renewSession: (group, memberId) => this.#renewSession(group, memberId),
    };
  }

  replay(record: GroupRecord, place: RecordPlace): void {
    switch (record.kind) {
      case 'legacyOffsetCommit':
        this.#replayOffset(asOffsetCommit(record), place);
        return;
      case 'offsetCommit':
        this.#replayOffset(record, place);
        return;
      case 'groupMetadata':
        if (record.value === null) this.groups.delete(record.key.group);
        else this.groups.set(groupFromRecord(record));
        return;
      default:
        if (isConsumerGroupRecord(record)) this.consumer.replay(record);
    }
  }

  endTransaction(producerId: ProducerId, committed: boolean): void {
    this.offsets.endTransaction(producerId, committed);
  }

  loaded(): void {
    for (const group of this.groups.values()) {
      if (group instanceof ClassicGroup) loadedGroup(this.classic, group);
    }
    this.consumer.loaded(this.groups.values());
    this.#scheduleExpiry();
  }

  unloaded(): void {
    for (const group of this.groups.values()) {
      if (group instanceof ClassicGroup) unloadedGroup(this.classic, group);
    }
  }

  /** Groups of the newer protocol are assigned anew when their topics change. */
  metadataChanged(delta: MetadataDelta, image: MetadataImage): void {
    this.consumer.metadataChanged(delta, image, this.groups.values());
  }

  /** The offsets of topics that were deleted go too. */
  topicsDeleted(topics: readonly { readonly name: string; readonly id: Uuid }[]): GroupResult<void> {
    return { records: forgetTopics(this.committing, topics), reply: undefined };
  }

  #replayOffset({ key, value }: GroupRecordOf<'offsetCommit'>, place: RecordPlace): void {
    // Offsets may be all that there is of a group.
    if (value !== null && this.groups.get(key.group) === undefined) {
      this.groups.set(new ClassicGroup(key.group, 'empty'));
    }
    this.offsets.replay(key, value, place);
  }

  #scheduleExpiry(): void {
    this.#timers.schedule(EXPIRY_KEY, this.#settings().offsetsRetentionCheckMs, () => {
      this.#scheduleExpiry();
      return { records: expireOffsets(this.committing), reply: undefined };
    });
  }

  #renewSession(group: Group, memberId: string): void {
    if (!(group instanceof ClassicGroup)) return;
    const member = group.members.get(memberId);
    const counts = group.state === 'stable' || group.state === 'preparingRebalance';
    if (counts && member !== undefined) renewSession(this.classic, group, member);
  }
}

/** The record's form before Kafka 0.9. */
function asOffsetCommit({ key, value }: GroupRecordOf<'legacyOffsetCommit'>): GroupRecordOf<'offsetCommit'> {
  const { offset, metadata, commitTimestamp } = value ?? { offset: -1, metadata: '', commitTimestamp: -1 };
  const more = { leaderEpoch: -1, expireTimestamp: -1, topicId: ZERO_UUID };
  return {
    kind: 'offsetCommit',
    key,
    value: value === null ? null : { offset, metadata, commitTimestamp, ...more },
  };
}
