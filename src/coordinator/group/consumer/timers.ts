/**
 * When members are put out of a group: silent for too long (session), too slow in giving up partitions (rebalance), or
 * as members of the classic protocol too slow in joining again (join) or in fetching their assignment (sync).
 */
import type { GroupResult } from '../records.ts';
import type { ConsumerGroupContext } from './context.ts';
import { fenceMembers } from './fence.ts';
import { ConsumerGroup } from './group.ts';
import { type ConsumerMember, MEMBER_STATE } from './member.ts';

const NOTHING: GroupResult<void> = { records: [], reply: undefined };

type TimerKind = 'session' | 'rebalance' | 'join' | 'sync';
const KINDS: readonly TimerKind[] = ['session', 'rebalance', 'join', 'sync'];

/** Group ids may hold any character; their length in front keeps keys apart. */
function keyOf(kind: TimerKind, groupId: string, memberId: string): string {
  return `consumer-${kind}:${groupId.length}:${groupId}:${memberId}`;
}

function arm(
  context: ConsumerGroupContext,
  kind: TimerKind,
  groupId: string,
  memberId: string,
  delayMs: number,
  applies: (member: ConsumerMember) => boolean = () => true,
): void {
  context.timers.schedule(keyOf(kind, groupId, memberId), delayMs, () => {
    const group = context.groups.get(groupId);
    const member = group instanceof ConsumerGroup ? group.members.get(memberId) : undefined;
    if (!(group instanceof ConsumerGroup) || member === undefined || !applies(member)) return NOTHING;
    context.logger.info('a member is put out of its group', { group: groupId, member: memberId, late: kind });
    return fenceMembers(context, group, [member], undefined);
  });
}

/** The member was heard of. */
export function startSession(context: ConsumerGroupContext, groupId: string, member: ConsumerMember): void {
  const timeoutMs = member.classic?.sessionTimeoutMs ?? context.settings(groupId).sessionTimeoutMs;
  arm(context, 'session', groupId, member.memberId, timeoutMs);
}

/** The member must give up partitions within its rebalance timeout, or does not any more. */
export function watchRevocation(context: ConsumerGroupContext, groupId: string, member: ConsumerMember): void {
  const { memberId, memberEpoch, state, rebalanceTimeoutMs } = member;
  if (state !== MEMBER_STATE.UNREVOKED_PARTITIONS) {
    context.timers.cancel(keyOf('rebalance', groupId, memberId));
    return;
  }
  arm(context, 'rebalance', groupId, memberId, rebalanceTimeoutMs, (now) => now.memberEpoch === memberEpoch);
}

/** A member of the classic protocol was told to join again. Told twice, it has the time since the first. */
export function expectJoin(context: ConsumerGroupContext, groupId: string, member: ConsumerMember): void {
  const key = keyOf('join', groupId, member.memberId);
  if (context.timers.has(key)) return;
  arm(context, 'join', groupId, member.memberId, member.rebalanceTimeoutMs);
}

/** It has joined and must fetch its assignment. */
export function expectSync(context: ConsumerGroupContext, groupId: string, member: ConsumerMember): void {
  context.timers.cancel(keyOf('join', groupId, member.memberId));
  arm(context, 'sync', groupId, member.memberId, member.rebalanceTimeoutMs);
}

export function synced(context: ConsumerGroupContext, groupId: string, memberId: string): void {
  context.timers.cancel(keyOf('sync', groupId, memberId));
}

export function cancelTimers(context: ConsumerGroupContext, groupId: string, memberId: string): void {
  for (const kind of KINDS) context.timers.cancel(keyOf(kind, groupId, memberId));
}

/** After a load nothing is known of when members were last heard of: all begin anew. */
export function startAllTimers(context: ConsumerGroupContext, group: ConsumerGroup): void {
  for (const member of group.members.values()) {
    startSession(context, group.groupId, member);
    if (member.classic === null) watchRevocation(context, group.groupId, member);
  }
}
