/** Kafka's names of the APIs of its protocol, by their keys. */
export const API_NAMES: readonly string[] = [
  ...['Produce', 'Fetch', 'ListOffsets', 'Metadata'],
  ...['LeaderAndIsr', 'StopReplica', 'UpdateMetadata', 'ControlledShutdown'],
  ...['OffsetCommit', 'OffsetFetch', 'FindCoordinator', 'JoinGroup'],
  ...['Heartbeat', 'LeaveGroup', 'SyncGroup', 'DescribeGroups'],
  ...['ListGroups', 'SaslHandshake', 'ApiVersions', 'CreateTopics'],
  ...['DeleteTopics', 'DeleteRecords', 'InitProducerId', 'OffsetForLeaderEpoch'],
  ...['AddPartitionsToTxn', 'AddOffsetsToTxn', 'EndTxn', 'WriteTxnMarkers'],
  ...['TxnOffsetCommit', 'DescribeAcls', 'CreateAcls', 'DeleteAcls'],
  ...['DescribeConfigs', 'AlterConfigs', 'AlterReplicaLogDirs', 'DescribeLogDirs'],
  ...['SaslAuthenticate', 'CreatePartitions', 'CreateDelegationToken', 'RenewDelegationToken'],
  ...['ExpireDelegationToken', 'DescribeDelegationToken', 'DeleteGroups', 'ElectLeaders'],
  ...['IncrementalAlterConfigs', 'AlterPartitionReassignments', 'ListPartitionReassignments', 'OffsetDelete'],
  ...['DescribeClientQuotas', 'AlterClientQuotas', 'DescribeUserScramCredentials', 'AlterUserScramCredentials'],
  ...['Vote', 'BeginQuorumEpoch', 'EndQuorumEpoch', 'DescribeQuorum'],
  ...['AlterPartition', 'UpdateFeatures', 'Envelope', 'FetchSnapshot'],
  ...['DescribeCluster', 'DescribeProducers', 'BrokerRegistration', 'BrokerHeartbeat'],
  ...['UnregisterBroker', 'DescribeTransactions', 'ListTransactions', 'AllocateProducerIds'],
  ...['ConsumerGroupHeartbeat', 'ConsumerGroupDescribe', 'ControllerRegistration', 'GetTelemetrySubscriptions'],
  ...['PushTelemetry', 'AssignReplicasToDirs', 'ListConfigResources', 'DescribeTopicPartitions'],
  ...['ShareGroupHeartbeat', 'ShareGroupDescribe', 'ShareFetch', 'ShareAcknowledge'],
  ...['AddRaftVoter', 'RemoveRaftVoter', 'UpdateRaftVoter', 'InitializeShareGroupState'],
  ...['ReadShareGroupState', 'WriteShareGroupState', 'DeleteShareGroupState', 'ReadShareGroupStateSummary'],
  ...['StreamsGroupHeartbeat', 'StreamsGroupDescribe', 'DescribeShareGroupOffsets', 'AlterShareGroupOffsets'],
  ...['DeleteShareGroupOffsets', 'StreamsGroupTopologyDescriptionUpdate', 'UnregisterController'],
];

export function apiName(key: number): string {
  return API_NAMES[key] ?? `Unknown(${key})`;
}
