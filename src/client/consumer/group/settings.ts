/** What a member of a group is told by its consumer's options. */
import type { ClassicAssignor } from '../assignors/assignor.ts';

export interface GroupSettings {
  readonly groupId: string;
  readonly instanceId: string | null;
  readonly rack: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** How long a rebalance may wait for this member, and how long its reader may stay away. */
  readonly maxPollIntervalMs: number;
  /** In order of preference; the classic protocol's. */
  readonly assignors: readonly ClassicAssignor[];
  /** The newer protocol's; null leaves it to the broker. */
  readonly serverAssignor: string | null;
}
