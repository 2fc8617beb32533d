/**
 * Moves one member a step towards the target assignment (KIP-848):
 *
 *                      must give up partitions
 *             STABLE ───────────────────────────▶ UNREVOKED_PARTITIONS
 *               ▲  ╲ some of its partitions                │ gave them up
 *               │   ╲ are held by others                   ▼
 *               │    ╲───────────────────▶ UNRELEASED_PARTITIONS or STABLE, in the target's epoch
 *               └── all of them are free ──────┘
 *
 * A partition is handed over only once its former owner has let go of it: nobody ever holds what another holds.
 */
import type { Uuid } from '../../../base/uuid.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import type { TopicPartitions } from '../assignors/assignor.ts';
import { type ConsumerMember, inEpoch, MEMBER_STATE } from './member.ts';
import { mayOwnAny, NONE_ASSIGNED, type TopicPartitionList } from './partitions.ts';
import { type Refusal, refuse } from './refusal.ts';

export interface Reconciliation {
  readonly member: ConsumerMember;
  readonly targetEpoch: number;
  readonly target: TopicPartitions;
  /** The member changed its subscription with this very request: what it does not want any more goes at once. */
  readonly subscriptionChanged: boolean;
  readonly subscribedTopicIds: ReadonlySet<Uuid>;
  /** Whether some member holds the partition. */
  isOwned(topicId: Uuid, partition: number): boolean;
  /** What the member says that it holds; null where it does not say. */
  readonly owned: readonly TopicPartitionList[] | null;
}

/** The member's next state; the same object where nothing changes. */
export function reconcile(given: Reconciliation): ConsumerMember | Refusal {
  const { member, targetEpoch, subscriptionChanged, owned } = given;
  switch (member.state) {
    case MEMBER_STATE.STABLE:
      if (member.memberEpoch !== targetEpoch) return nextAssignment(given, member.memberEpoch);
      return subscriptionChanged ? dropUnsubscribed(given) : member;
    case MEMBER_STATE.UNREVOKED_PARTITIONS:
      if (mayOwnAny(owned, member.pendingRevocation)) return subscriptionChanged ? dropUnsubscribed(given) : member;
      return nextAssignment(given, member.memberEpoch);
    case MEMBER_STATE.UNRELEASED_PARTITIONS:
      return nextAssignment(given, member.memberEpoch);
    case MEMBER_STATE.UNKNOWN:
      if (owned === null || owned.length > 0) {
        return refuse(ErrorCode.FENCED_MEMBER_EPOCH, 'the state of the member is not known; it must join again');
      }
      return nextAssignment(given, targetEpoch);
  }
}

/** Takes away what the member does not want any more, without looking at the target. */
function dropUnsubscribed({ member, subscribedTopicIds, owned }: Reconciliation): ConsumerMember {
  const unwanted = [...member.assigned].filter(([topicId]) => !subscribedTopicIds.has(topicId));
  if (unwanted.length === 0) return member;
  const assigned = new Map(member.assigned);
  const pending = new Map(member.pendingRevocation);
  for (const [topicId, partitions] of unwanted) {
    assigned.delete(topicId);
    pending.set(topicId, new Map([...(pending.get(topicId) ?? []), ...partitions]));
  }
  const moved = { ...inEpoch(member, member.memberEpoch), assigned };
  if (!mayOwnAny(owned, pending)) return moved;
  return { ...moved, state: MEMBER_STATE.UNREVOKED_PARTITIONS, pendingRevocation: pending };
}

interface Split {
  /** Held and wanted. */
  readonly kept: Map<Uuid, Map<number, number>>;
  /** Held and not wanted. */
  readonly revoked: Map<Uuid, Map<number, number>>;
  /** Wanted, not held, and free. */
  readonly free: Map<Uuid, number[]>;
  /** Wanted, but held by others. */
  unreleased: boolean;
}

function nextAssignment(given: Reconciliation, memberEpoch: number): ConsumerMember {
  const { member, targetEpoch, owned } = given;
  const { kept, revoked, free, unreleased } = split(given);
  if (revoked.size > 0 && mayOwnAny(owned, revoked)) {
    // Stays in its epoch until it says that it has let go.
    return {
      ...inEpoch(member, memberEpoch),
      state: MEMBER_STATE.UNREVOKED_PARTITIONS,
      assigned: kept,
      pendingRevocation: revoked,
    };
  }
  for (const [topicId, partitions] of free) {
    const assigned = kept.get(topicId) ?? new Map<number, number>();
    for (const partition of partitions) assigned.set(partition, targetEpoch);
    kept.set(topicId, assigned);
  }
  return {
    ...inEpoch(member, targetEpoch),
    state: unreleased ? MEMBER_STATE.UNRELEASED_PARTITIONS : MEMBER_STATE.STABLE,
    assigned: kept,
    pendingRevocation: NONE_ASSIGNED,
  };
}

function split(given: Reconciliation): Split {
  const { member, target, subscribedTopicIds } = given;
  const result: Split = { kept: new Map(), revoked: new Map(), free: new Map(), unreleased: false };
  for (const topicId of new Set([...target.keys(), ...member.assigned.keys()])) {
    // A topic that the member has just given up may still stand in a target from before.
    const wanted = subscribedTopicIds.has(topicId) ? target.get(topicId) : undefined;
    splitHeld(result, topicId, member.assigned.get(topicId), wanted);
    const missing = [...(wanted ?? [])].filter((partition) => !result.kept.get(topicId)?.has(partition));
    const free = missing.filter((partition) => isFree(given, topicId, partition));
    if (free.length < missing.length) result.unreleased = true;
    if (free.length > 0) result.free.set(topicId, free);
  }
  return result;
}

function splitHeld(
  result: Split,
  topicId: Uuid,
  held: ReadonlyMap<number, number> | undefined,
  wanted: ReadonlySet<number> | undefined,
): void {
  for (const [partition, epoch] of held ?? []) {
    const side = wanted?.has(partition) === true ? result.kept : result.revoked;
    const partitions = side.get(topicId) ?? new Map<number, number>();
    side.set(topicId, partitions.set(partition, epoch));
  }
}

/** What the member itself was about to give up is free for it: nobody else can hold it meanwhile. */
function isFree({ member, isOwned }: Reconciliation, topicId: Uuid, partition: number): boolean {
  return !isOwned(topicId, partition) || member.pendingRevocation.get(topicId)?.has(partition) === true;
}
