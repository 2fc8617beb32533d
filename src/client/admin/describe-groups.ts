/** One group in full, whichever protocol its members speak: state, members, what each of them has. */
import type { BrokerId, TopicPartition } from '../../base/units.ts';
import { consumerGroupDescribe } from '../../protocol/apis/consumer-group-describe.ts';
import { describeGroups as describeGroupsApi } from '../../protocol/apis/describe-groups.ts';
import { readAssignment } from '../../protocol/consumer-protocol.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { BrokerConnection } from '../broker-connection.ts';
import type { Cluster } from '../cluster.ts';
import { refusedBy } from '../errors.ts';
import { askCoordinator, byPlace } from './groups.ts';
import type { CallSettings } from './topics.ts';

export interface GroupMember {
  readonly id: string;
  /** Of a static member; null for any other. */
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  readonly assignment: readonly TopicPartition[];
}

export interface GroupDescription {
  readonly id: string;
  /** Which protocol its members speak. */
  readonly type: 'classic' | 'consumer';
  readonly state: string;
  /** What assigns: the protocol that the members agreed on, or the broker's assignor; empty where there is none. */
  readonly assignor: string;
  /** Generation of a group of the newer protocol; -1 of a classic one, which does not tell. */
  readonly epoch: number;
  readonly coordinator: BrokerId;
  readonly members: readonly GroupMember[];
}

/** Rejects with GROUP_ID_NOT_FOUND where there is no such group. */
export function describeGroup(cluster: Cluster, id: string, settings: CallSettings = {}): Promise<GroupDescription> {
  return askCoordinator(cluster, id, settings, async (connection, coordinator) => {
    const described = (await describeConsumerGroup(connection, id)) ?? (await describeClassicGroup(connection, id));
    return { ...described, id, coordinator };
  });
}

type Described = Omit<GroupDescription, 'id' | 'coordinator'>;

/** Undefined where it is a classic group, or the broker knows no other. */
async function describeConsumerGroup(connection: BrokerConnection, id: string): Promise<Described | undefined> {
  if (!connection.versions.serves(consumerGroupDescribe)) return undefined;
  const answer = await connection.request(consumerGroupDescribe, {
    groupIds: [id],
    includeAuthorizedOperations: false,
  });
  const group = answer.groups[0];
  const code = group?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
  if (code === ErrorCode.GROUP_ID_NOT_FOUND || code === ErrorCode.UNSUPPORTED_VERSION) return undefined;
  if (group === undefined || code !== ErrorCode.NONE) throw refusedBy(code, `group ${id}`, group?.errorMessage);
  return {
    type: 'consumer',
    state: group.groupState,
    assignor: group.assignorName,
    epoch: group.groupEpoch,
    members: group.members.map(({ memberId, instanceId, clientId, clientHost: host, assignment }) => ({
      id: memberId,
      instanceId,
      clientId,
      host,
      assignment: assignment.topicPartitions
        .flatMap(({ topicName: topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
        .sort(byPlace),
    })),
  };
}

async function describeClassicGroup(connection: BrokerConnection, id: string): Promise<Described> {
  const answer = await connection.request(describeGroupsApi, { groups: [id], includeAuthorizedOperations: false });
  const group = answer.groups[0];
  const code = group?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
  if (group === undefined || code !== ErrorCode.NONE) throw refusedBy(code, `group ${id}`, group?.errorMessage);
  // Before version 6 a group that is not there was a dead one.
  if (group.groupState === 'Dead') throw refusedBy(ErrorCode.GROUP_ID_NOT_FOUND, `group ${id}`);
  return {
    type: 'classic',
    state: group.groupState,
    assignor: group.protocolData,
    epoch: -1,
    members: group.members.map(({ memberId, groupInstanceId, clientId, clientHost: host, memberAssignment }) => ({
      id: memberId,
      instanceId: groupInstanceId,
      clientId,
      host,
      assignment: (readAssignment(memberAssignment)?.assignedPartitions ?? [])
        .flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
        .sort(byPlace),
    })),
  };
}
