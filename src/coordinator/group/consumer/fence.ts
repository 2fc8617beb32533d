/** Members go: by their own will, or because they were silent or slow. */
import type { GroupRecord, GroupResult } from '../records.ts';
import type { ConsumerGroupContext } from './context.ts';
import type { ConsumerGroup } from './group.ts';
import { type ConsumerMember, patternOf } from './member.ts';
import { metadataHash } from './metadata-hash.ts';
import { epochRecord, memberTombstones, patternTombstone } from './records.ts';
import { Subscriptions } from './subscriptions.ts';
import { cancelTimers } from './timers.ts';

/** The next assignment, computed when another member is heard of, gives their partitions to others. */
export function fenceMembers<Reply>(
  context: ConsumerGroupContext,
  group: ConsumerGroup,
  members: readonly ConsumerMember[],
  reply: Reply,
): GroupResult<Reply> {
  if (members.length === 0) return { records: [], reply };
  const { groupId } = group;
  for (const { memberId } of members) cancelTimers(context, groupId, memberId);
  const downgrade = context.protocolChange.downgrade(group, new Set(members.map(({ memberId }) => memberId)));
  if (downgrade !== undefined) return { ...downgrade, reply };
  const records: GroupRecord[] = [];
  const subscriptions = new Subscriptions(group.subscriptions);
  for (const member of members) {
    records.push(...memberTombstones(groupId, member.memberId));
    subscriptions.replace(member, undefined);
  }
  for (const pattern of new Set(members.map(patternOf))) {
    if (pattern === undefined || subscriptions.subscribers(pattern) > 0) continue;
    records.push(patternTombstone(groupId, pattern));
    subscriptions.resolve(group.resolved.get(pattern), undefined);
  }
  records.push(epochRecord(groupId, group.groupEpoch + 1, metadataHash(subscriptions.topics(), context.image())));
  return { records, reply };
}
