/**
 * The life of a classic group as a table, complete by type.
 *
 *              ┌────────────────────(nobody is left)────────────────────┐
 *              v                                                        │
 *           empty ──(rebalance)──> preparingRebalance ──(all joined)──> completingRebalance
 *                                          ^                 ^               │
 *                                     (rebalance)            └─(rebalance)───┤
 *                                          │                                 │
 *                                        stable <──(assignment committed)────┘
 *
 * preparingRebalance: members join; whoever does not in time is dropped. completingRebalance: they have the new
 * generation and wait for the leader's assignment. dead: deleted, or another broker's now.
 */
import { assert } from '../../../base/assert.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';

export type ClassicState = 'empty' | 'preparingRebalance' | 'completingRebalance' | 'stable' | 'dead';

export type ClassicEvent =
  /** Somebody came, went or changed: all must join again. */
  | 'rebalance'
  /** Everybody joined, or the time for it is over: a generation with members begins. */
  | 'joined'
  /** The time for joining is over and nobody is left. */
  | 'emptied'
  /** The leader's assignment is committed. */
  | 'assigned'
  /** The group was deleted, or its partition has another coordinator. */
  | 'removed';

/** Null where the event cannot happen: it would be a bug of the coordinator. */
export const CLASSIC_TRANSITIONS: Readonly<Record<ClassicState, Readonly<Record<ClassicEvent, ClassicState | null>>>> =
  {
    empty: { rebalance: 'preparingRebalance', joined: null, emptied: null, assigned: null, removed: 'dead' },
    preparingRebalance: {
      rebalance: null,
      joined: 'completingRebalance',
      emptied: 'empty',
      assigned: null,
      removed: 'dead',
    },
    completingRebalance: {
      rebalance: 'preparingRebalance',
      joined: null,
      emptied: null,
      assigned: 'stable',
      removed: 'dead',
    },
    stable: { rebalance: 'preparingRebalance', joined: null, emptied: null, assigned: null, removed: 'dead' },
    dead: { rebalance: null, joined: null, emptied: null, assigned: null, removed: 'dead' },
  };

export function nextState(state: ClassicState, event: ClassicEvent): ClassicState {
  const next = CLASSIC_TRANSITIONS[state][event];
  assert(next !== null, `a classic group that is ${state} cannot meet "${event}"`);
  return next;
}

/** Whether a rebalance may begin. */
export const canRebalance = (state: ClassicState): boolean => CLASSIC_TRANSITIONS[state].rebalance !== null;

/** As clients are told. */
export const CLASSIC_STATE_NAMES: Readonly<Record<ClassicState, string>> = {
  empty: 'Empty',
  preparingRebalance: 'PreparingRebalance',
  completingRebalance: 'CompletingRebalance',
  stable: 'Stable',
  dead: 'Dead',
};

/** What a member that is who it says, in its generation, is told of its heartbeat. */
export const HEARTBEAT_ANSWERS: Readonly<Record<ClassicState, ErrorCode>> = {
  empty: ErrorCode.UNKNOWN_MEMBER_ID,
  preparingRebalance: ErrorCode.REBALANCE_IN_PROGRESS,
  // The assignment may take a while: meanwhile members that have joined are alive like any others.
  completingRebalance: ErrorCode.NONE,
  stable: ErrorCode.NONE,
  dead: ErrorCode.COORDINATOR_NOT_AVAILABLE,
};

/** What becomes of the SyncGroup of a member in its generation. */
export type SyncAction = 'unknownMember' | 'rejoin' | 'await' | 'answer' | 'unavailable';

export const SYNC_ACTIONS: Readonly<Record<ClassicState, SyncAction>> = {
  empty: 'unknownMember',
  preparingRebalance: 'rejoin',
  completingRebalance: 'await',
  stable: 'answer',
  dead: 'unavailable',
};

/** What becomes of the JoinGroup of somebody who is a member already. */
export type RejoinAction = 'unknownMember' | 'update' | 'updateIfChanged' | 'updateIfChangedOrLeader' | 'unavailable';

export const REJOIN_ACTIONS: Readonly<Record<ClassicState, RejoinAction>> = {
  empty: 'unknownMember',
  preparingRebalance: 'update',
  completingRebalance: 'updateIfChanged',
  // A leader joins again to have the partitions assigned anew, such as after a topic grew.
  stable: 'updateIfChangedOrLeader',
  dead: 'unavailable',
};

/** What a member that commits offsets in its generation is told. */
export const COMMIT_ANSWERS: Readonly<Record<ClassicState, ErrorCode>> = {
  empty: ErrorCode.NONE,
  preparingRebalance: ErrorCode.NONE,
  // It has joined the new generation, but what it read was assigned to it in the one before.
  completingRebalance: ErrorCode.REBALANCE_IN_PROGRESS,
  stable: ErrorCode.NONE,
  dead: ErrorCode.COORDINATOR_NOT_AVAILABLE,
};
