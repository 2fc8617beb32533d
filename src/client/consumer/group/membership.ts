/**
 * What a member of a group is to its consumer, and the consumer to it, whichever protocol the group speaks; and the life
 * of a member as a table. Holds no state.
 */
import { assert } from '../../../base/assert.ts';
import type { SluiceError } from '../../../base/errors.ts';
import type { TopicPartition } from '../../../base/units.ts';

/** What a consumer wants to read: topics by name, or all whose name matches. */
export type Subscription =
  | { readonly kind: 'topics'; readonly topics: readonly string[] }
  | { readonly kind: 'pattern'; readonly pattern: RegExp };

/** What stands in requests that only members may send. */
export interface MemberIdentity {
  readonly memberId: string;
  /** Generation, or member epoch; -1 for who is no member. */
  readonly epoch: number;
  readonly instanceId: string | null;
}

export const NOBODY: MemberIdentity = { memberId: '', epoch: -1, instanceId: null };

/** The consumer, as its membership sees it. None of these rejects: what fails in them is the consumer's to tell. */
export interface MembershipHost {
  readonly subscription: Subscription;
  /** What is held now. */
  readonly owned: readonly TopicPartition[];
  /** Gives partitions up: resolves when the reader has moved past their records, and what it processed is committed. */
  revoke(partitions: readonly TopicPartition[]): Promise<void>;
  /** They are somebody else's already. */
  lose(partitions: readonly TopicPartition[]): Promise<void>;
  /** Takes further partitions. */
  assign(partitions: readonly TopicPartition[]): Promise<void>;
  /** The membership has ended by a failure that no further attempt would mend. */
  fail(error: SluiceError): void;
}

export interface GroupMembership {
  readonly identity: MemberIdentity;
  /** Whether offsets are committed and fetched in the name of a member epoch (KIP-848). */
  readonly usesMemberEpoch: boolean;
  readonly state: MemberState;
  start(): void;
  subscriptionChanged(): void;
  /** A commit was refused with this code: what it says of the membership. */
  commitRefused(code: number): void;
  /** Leaves for now: the reader has not come back for too long. */
  suspend(): Promise<void>;
  /** The reader is back. */
  resume(): Promise<void>;
  /** Ends the membership; with `leave` the group hears of it. */
  close(leave: boolean): Promise<void>;
}

/**
 *   away ──start──▶ preparing ──prepared──▶ joining ──joined──▶ syncing ──assigned──▶ adopting ──adopted──▶ stable
 *     ▲                 ▲                      │                  │                     │                  │
 *     │                 └──────── again ───────┴──────────────────┴─────────────────────┴───── again ──────┘
 *     └── suspended, from everywhere; closed ends everything
 *
 * Under the newer protocol a member goes from joining to stable with its first answer, and adopts whenever the
 * coordinator tells of another assignment.
 */
export type MemberState = 'away' | 'preparing' | 'joining' | 'syncing' | 'adopting' | 'stable' | 'closed';
export type MemberEvent = 'start' | 'prepared' | 'joined' | 'assigned' | 'adopted' | 'again' | 'suspended' | 'closed';

/** Undefined where the event cannot happen. */
const NEXT: Readonly<Record<MemberState, Readonly<Record<MemberEvent, MemberState | undefined>>>> = {
  away: row({ start: 'preparing', suspended: 'away' }),
  preparing: row({ prepared: 'joining', again: 'preparing', suspended: 'away' }),
  joining: row({ joined: 'syncing', assigned: 'adopting', adopted: 'stable', again: 'preparing', suspended: 'away' }),
  syncing: row({ assigned: 'adopting', again: 'preparing', suspended: 'away' }),
  adopting: row({ assigned: 'adopting', adopted: 'stable', again: 'preparing', suspended: 'away' }),
  stable: row({ assigned: 'adopting', adopted: 'stable', again: 'preparing', suspended: 'away' }),
  closed: row({ closed: 'closed' }),
};

function row(of: Partial<Record<MemberEvent, MemberState>>): Record<MemberEvent, MemberState | undefined> {
  const none = { start: undefined, prepared: undefined, joined: undefined, assigned: undefined };
  return { ...none, adopted: undefined, again: undefined, suspended: undefined, closed: 'closed', ...of };
}

export function nextState(state: MemberState, event: MemberEvent): MemberState {
  const next = NEXT[state][event];
  assert(next !== undefined, `a member that is ${state} does not meet ${event}`);
  return next;
}
