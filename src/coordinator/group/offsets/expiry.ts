/** Which offsets and groups nobody needs any more: for their age, or because the topic is gone. */
import type { Timestamp } from '../../../base/units.ts';
import { type Uuid, ZERO_UUID } from '../../../base/uuid.ts';
import type { Group } from '../group.ts';
import { type GroupRecord, groupTombstone } from '../records.ts';
import type { CommittedOffset } from './committed-offsets.ts';
import type { OffsetContext } from './context.ts';

/**
 * Deletes offsets that are too old, and empty groups that have none left. The age counts from the commit, but in a group
 * whose members left from then: as long as a group is in use its offsets stay (KIP-211).
 */
export function expireOffsets(context: OffsetContext): GroupRecord[] {
  const records: GroupRecord[] = [];
  for (const group of context.groups.values()) {
    const nothingLeft = expireOffsetsOf(context, group, records);
    if (nothingLeft && group.isEmpty) records.push(...group.tombstones());
  }
  return records;
}

/** Whether the group has no offsets left. */
function expireOffsetsOf({ offsets, settings, clock }: OffsetContext, group: Group, records: GroupRecord[]): boolean {
  const { groupId } = group;
  const nowMs = clock.wallMs();
  const { offsetsRetentionMs } = settings();
  let nothingLeft = !offsets.isOpen(groupId);
  for (const [topic, partitions] of offsets.topics(groupId) ?? []) {
    const inUse = group.isSubscribedTo(topic);
    for (const [partition, committed] of partitions) {
      const gone =
        !inUse &&
        isExpired(committed, group.offsetAgeFrom(committed), { nowMs, offsetsRetentionMs }) &&
        !offsets.isOpen(groupId, topic, partition);
      if (gone) records.push(groupTombstone('offsetCommit', { group: groupId, topic, partition }));
      else nothingLeft = false;
    }
  }
  return nothingLeft;
}

function isExpired(
  { expireTimestamp }: CommittedOffset,
  ageFrom: Timestamp | undefined,
  { nowMs, offsetsRetentionMs }: { readonly nowMs: Timestamp; readonly offsetsRetentionMs: number },
): boolean {
  if (ageFrom === undefined) return false;
  return expireTimestamp === -1 ? nowMs - ageFrom >= offsetsRetentionMs : nowMs >= expireTimestamp;
}

/** Deletes the offsets of topics that were deleted. A topic created anew under the same name keeps its own. */
export function forgetTopics(
  { offsets }: OffsetContext,
  topics: readonly { readonly name: string; readonly id: Uuid }[],
): GroupRecord[] {
  const records: GroupRecord[] = [];
  for (const { name, id } of topics) {
    offsets.eachOfTopic(name, (group, partition, { topicId }) => {
      if (topicId !== ZERO_UUID && topicId !== id) return;
      records.push(groupTombstone('offsetCommit', { group, topic: name, partition }));
    });
  }
  return records;
}

/** Deletes whatever offsets a group has, those of open transactions included. */
export function forgetGroup({ offsets }: OffsetContext, group: string): GroupRecord[] {
  const records: GroupRecord[] = [];
  offsets.eachPartition(group, (topic, partition) => {
    records.push(groupTombstone('offsetCommit', { group, topic, partition }));
  });
  return records;
}
