/** The record of a classic group: members, generation and assignment as of the last time that all agreed. */
import { assert } from '../../../base/assert.ts';
import { type GroupRecord, type GroupRecordOf, groupRecord } from '../records.ts';
import { ClassicGroup } from './classic-group.ts';
import { metadataOf, NO_ASSIGNMENT } from './member.ts';

/** The group as it is, with these assignments by member id. */
export function classicGroupRecord(group: ClassicGroup, assignments: ReadonlyMap<string, Buffer>): GroupRecord {
  return groupRecord(
    'groupMetadata',
    { group: group.groupId },
    {
      protocolType: group.protocolType,
      generation: group.generation,
      protocol: group.protocol,
      leader: group.leader,
      currentStateTimestamp: group.stateTimestamp,
      members: [...group.members.values()].map((member) => {
        const subscription = metadataOf(member, group.protocol);
        assert(subscription !== undefined, 'every member supports the protocol of its generation');
        return {
          memberId: member.memberId,
          groupInstanceId: member.groupInstanceId,
          clientId: member.clientId,
          clientHost: member.clientHost,
          rebalanceTimeout: member.rebalanceTimeoutMs,
          sessionTimeout: member.sessionTimeoutMs,
          subscription,
          assignment: assignments.get(member.memberId) ?? NO_ASSIGNMENT,
        };
      }),
    },
  );
}

/** A group that exists, and nothing else: written when its first member comes. */
export function newGroupRecord(group: ClassicGroup): GroupRecord {
  const { groupId, stateTimestamp } = group;
  return groupRecord(
    'groupMetadata',
    { group: groupId },
    {
      protocolType: '',
      generation: 0,
      protocol: null,
      leader: null,
      currentStateTimestamp: stateTimestamp,
      members: [],
    },
  );
}

/** The group that a record describes. */
export function groupFromRecord({ key, value }: GroupRecordOf<'groupMetadata'>): ClassicGroup {
  assert(value !== null, 'a tombstone describes no group');
  const { protocolType, protocol } = value;
  const group = new ClassicGroup(key.group, value.members.length === 0 ? 'empty' : 'stable', {
    generation: value.generation,
    protocolType: protocolType === '' ? undefined : protocolType,
    protocol,
    leader: value.leader,
    stateTimestamp: value.currentStateTimestamp,
  });
  for (const member of value.members) {
    group.add({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      protocolType,
      rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
      sessionTimeoutMs: member.sessionTimeout,
      // The buffers of a record are views of the log's chunk, which must not be kept alive by them.
      protocols: [{ name: protocol ?? '', metadata: Buffer.from(member.subscription) }],
      assignment: Buffer.from(member.assignment),
      awaitingJoin: undefined,
      awaitingSync: undefined,
      isNew: false,
    });
  }
  group.noteSubscriptions();
  return group;
}
