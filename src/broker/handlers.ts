/** The APIs that this broker serves. ApiVersions tells exactly these; adding one is one line here. */
import type { Handler } from './handler.ts';
import { handleAllocateProducerIds } from './handlers/allocate-producer-ids.ts';
import { handleAlterConfigs } from './handlers/alter-configs.ts';
import { handleAlterPartition } from './handlers/alter-partition.ts';
import { handleAlterPartitionReassignments } from './handlers/alter-partition-reassignments.ts';
import { handleAlterReplicaLogDirs } from './handlers/alter-replica-log-dirs.ts';
import { handleApiVersions } from './handlers/api-versions.ts';
import { handleAssignReplicasToDirs } from './handlers/assign-replicas-to-dirs.ts';
import { handleBrokerHeartbeat } from './handlers/broker-heartbeat.ts';
import { handleBrokerRegistration } from './handlers/broker-registration.ts';
import { handleConsumerGroupDescribe } from './handlers/consumer-group-describe.ts';
import { handleConsumerGroupHeartbeat } from './handlers/consumer-group-heartbeat.ts';
import { handleCreatePartitions } from './handlers/create-partitions.ts';
import { handleCreateTopics } from './handlers/create-topics.ts';
import { handleDeleteGroups } from './handlers/delete-groups.ts';
import { handleDeleteRecords } from './handlers/delete-records.ts';
import { handleDeleteTopics } from './handlers/delete-topics.ts';
import { handleDescribeCluster } from './handlers/describe-cluster.ts';
import { handleDescribeConfigs } from './handlers/describe-configs.ts';
import { handleDescribeGroups } from './handlers/describe-groups.ts';
import { handleDescribeLogDirs } from './handlers/describe-log-dirs.ts';
import { handleDescribeProducers } from './handlers/describe-producers.ts';
import { handleDescribeTopicPartitions } from './handlers/describe-topic-partitions.ts';
import { handleElectLeaders } from './handlers/elect-leaders.ts';
import { handleEnvelope } from './handlers/envelope.ts';
import { handleFetch } from './handlers/fetch.ts';
import { handleFetchSnapshot } from './handlers/fetch-snapshot.ts';
import { handleFindCoordinator } from './handlers/find-coordinator.ts';
import { handleHeartbeat } from './handlers/heartbeat.ts';
import { handleIncrementalAlterConfigs } from './handlers/incremental-alter-configs.ts';
import { handleInitProducerId } from './handlers/init-producer-id.ts';
import { handleJoinGroup } from './handlers/join-group.ts';
import { handleLeaveGroup } from './handlers/leave-group.ts';
import { handleListConfigResources } from './handlers/list-config-resources.ts';
import { handleListGroups } from './handlers/list-groups.ts';
import { handleListOffsets } from './handlers/list-offsets.ts';
import { handleListPartitionReassignments } from './handlers/list-partition-reassignments.ts';
import { handleMetadata } from './handlers/metadata.ts';
import { handleOffsetCommit } from './handlers/offset-commit.ts';
import { handleOffsetDelete } from './handlers/offset-delete.ts';
import { handleOffsetFetch } from './handlers/offset-fetch.ts';
import { handleOffsetForLeaderEpoch } from './handlers/offset-for-leader-epoch.ts';
import { handleProduce } from './handlers/produce.ts';
import { handleSyncGroup } from './handlers/sync-group.ts';
import { handleUnregisterBroker } from './handlers/unregister-broker.ts';
import { handleUpdateFeatures } from './handlers/update-features.ts';
import type { BrokerServices } from './services.ts';

const TABLE: readonly ((services: BrokerServices) => Handler)[] = [
  handleProduce,
  handleFetch,
  handleListOffsets,
  handleMetadata,
  handleCreateTopics,
  handleDeleteTopics,
  handleDeleteRecords,
  handleOffsetCommit,
  handleOffsetFetch,
  handleFindCoordinator,
  handleJoinGroup,
  handleHeartbeat,
  handleLeaveGroup,
  handleSyncGroup,
  handleDescribeGroups,
  handleListGroups,
  handleInitProducerId,
  handleOffsetForLeaderEpoch,
  handleDescribeConfigs,
  handleAlterConfigs,
  handleAlterReplicaLogDirs,
  handleDescribeLogDirs,
  handleCreatePartitions,
  handleDeleteGroups,
  handleIncrementalAlterConfigs,
  handleOffsetDelete,
  handleDescribeCluster,
  handleDescribeProducers,
  handleListConfigResources,
  handleUpdateFeatures,
  handleConsumerGroupHeartbeat,
  handleConsumerGroupDescribe,
  handleDescribeTopicPartitions,
  handleEnvelope,
  handleFetchSnapshot,
  handleAllocateProducerIds,
  handleElectLeaders,
  handleAlterPartitionReassignments,
  handleListPartitionReassignments,
  handleAlterPartition,
  handleBrokerRegistration,
  handleBrokerHeartbeat,
  handleUnregisterBroker,
  handleAssignReplicasToDirs,
];

/** One handler for each served API, over the same services. */
export function createHandlers(services: BrokerServices): Handler[] {
  const handlers = TABLE.map((create) => create(services));
  // ApiVersions tells all of them, itself included.
  const told = (): Handler[] => handlers.filter(({ traits }) => traits.peerOnly !== true);
  handlers.push(handleApiVersions(services, () => told().map(({ api }) => api)));
  return handlers;
}
