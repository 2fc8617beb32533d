/** Groups as kafkajs describes them. */

import { writeAssignment } from '../../protocol/consumer-protocol.ts';
import type { GroupDescription as InnerGroup } from '../admin/describe-groups.ts';
import { byTopic } from '../consumer/group/partition-sets.ts';

export interface MemberDescription {
  readonly clientHost: string;
  readonly clientId: string;
  readonly memberId: string;
  /** As `AssignerProtocol.MemberAssignment` of kafkajs reads it. */
  readonly memberAssignment: Buffer;
  /** Not known here. */
  readonly memberMetadata: Buffer;
}

export interface GroupDescription {
  readonly errorCode: number;
  readonly groupId: string;
  readonly members: MemberDescription[];
  readonly protocol: string;
  readonly protocolType: string;
  readonly state: string;
}

export function describedGroup({ id, members, assignor, state }: InnerGroup): GroupDescription {
  return {
    errorCode: 0,
    groupId: id,
    protocol: assignor,
    protocolType: 'consumer',
    state,
    members: members.map((member) => ({
      clientHost: member.host,
      clientId: member.clientId,
      memberId: member.id,
      memberAssignment: writeAssignment(0, byTopic(member.assignment)),
      memberMetadata: Buffer.alloc(0),
    })),
  };
}
