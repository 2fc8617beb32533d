import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import type { MetadataImage } from '../../../metadata/image.ts';
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

/** What a group becomes that changes its protocol while it lives. */
export interface Conversion {
  /** The group as a consumer group; not in the directory, and changed by no one. */
  readonly group: ConsumerGroup;
  /** Turn the one into the other when they are replayed. */
  readonly records: readonly GroupRecord[];
}

/** What consumer groups need of the classic protocol. */
export interface ProtocolChange {
  /** Makes a consumer group of a classic group that has members, and sends its waiting members to join again. */
  upgrade(group: Group): Conversion | Refusal;
  /**
   * Makes a classic group of a consumer group of which, `leaving` apart, only members of the classic protocol are left;
   * undefined where that may not be. `started` is called once the records are replayed.
   */
  downgrade(group: ConsumerGroup, leaving: ReadonlySet<string>): Downgrade | undefined;
}

export interface Downgrade {
  readonly records: readonly GroupRecord[];
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
