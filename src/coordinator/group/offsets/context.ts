import type { Clock } from '../../../base/clock.ts';
import type { Group } from '../group.ts';
import type { Groups } from '../groups.ts';
import type { GroupSettings } from '../settings.ts';
import type { CommittedOffsets } from './committed-offsets.ts';

/** What commits and fetches of offsets work on and with. */
export interface OffsetContext {
  readonly groups: Groups;
  readonly offsets: CommittedOffsets;
  readonly settings: () => GroupSettings;
  readonly clock: Clock;
  /** A member has shown that it lives. */
  readonly renewSession: (group: Group, memberId: string) => void;
}
