import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import type { MetadataImage } from '../../../metadata/image.ts';
import type { ErrorCode } from '../../../protocol/error-codes.ts';
import type { ShardTimers } from '../../runtime/shard-state.ts';
import type { Assignor } from '../assignors/assignor.ts';
import type { Group } from '../group.ts';
import type { GroupRecord } from '../records.ts';
import type { ConsumerGroup } from './group.ts';
import type { Refusal } from './refusal.ts';
import type { GroupDirectory } from './replay.ts';

/** Kafka's options of consumer groups, those that were set for the group itself considered. */
export interface ConsumerGroupSettings {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** Shortest time between two target assignments. */
  readonly assignmentIntervalMs: number;
  readonly maxMembers: number;
  /** The first is the default. */
  readonly assignors: readonly Assignor[];
  /** Longest time after which patterns are matched again. */
  readonly patternRefreshMs: number;
  /** group.consumer.migration.policy. */
  readonly mayUpgrade: boolean;
  readonly mayDowngrade: boolean;
}

/** A classic group as a consumer group. */
export interface Upgrade {
  /** Not in the directory: the records make it when they are replayed. */
  readonly group: ConsumerGroup;
  readonly records: readonly GroupRecord[];
  /** The request that wanted it is served: members that wait join again, and all have their sessions. */
  begin(): void;
}

/** A consumer group has become a classic one: in the directory at once, undone by `settle` where it was not written. */
export interface Downgrade {
  readonly records: readonly GroupRecord[];
  readonly settle: (errorCode: ErrorCode) => void;
}

/** How a group changes its protocol while it lives. */
export interface ProtocolChange {
  /** Of a classic group with members. */
  upgrade(group: Group): Upgrade | Refusal;
  /** Where only members of the classic protocol are left without `leaving`, and it may be; undefined otherwise. */
  downgrade(group: ConsumerGroup, leaving: ReadonlySet<string>): Downgrade | undefined;
}

/** What the protocol works on and with. */
export interface ConsumerGroupContext {
  readonly groups: GroupDirectory;
  readonly timers: ShardTimers<GroupRecord>;
  readonly settings: (groupId: string) => ConsumerGroupSettings;
  readonly image: () => MetadataImage;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly protocolChange: ProtocolChange;
  /** Offset of the metadata that last brought a topic. */
  newTopicsVersion: number;
}
