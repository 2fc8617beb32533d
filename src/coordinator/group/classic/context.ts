import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import type { ShardTimers } from '../../runtime/shard-state.ts';
import type { Groups } from '../groups.ts';
import type { GroupRecord, GroupResult } from '../records.ts';
import type { GroupSettings } from '../settings.ts';

/** What the classic protocol works on and with. */
export interface ClassicContext {
  readonly groups: Groups;
  readonly timers: ShardTimers<GroupRecord>;
  readonly settings: () => GroupSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Who sent a request. */
export interface GroupClient {
  readonly clientId: string;
  /** As Kafka shows it: `/127.0.0.1`. */
  readonly clientHost: string;
  readonly apiVersion: number;
}

/** Nothing to write; whoever must be told has been, or will be. */
export const NOTHING: GroupResult<void> = { records: [], reply: undefined };
