/** Administration of a cluster: everything that brokers serve besides records. One method an operation; see the files. */
import type { BrokerId, TopicPartition } from '../../base/units.ts';
import type { Cluster } from '../cluster.ts';
import { type ListOffsetsOptions, listOffsets, type OffsetQuestion } from '../list-offsets.ts';
import * as brokers from './brokers.ts';
import * as configs from './configs.ts';
import { describeGroup, type GroupDescription } from './describe-groups.ts';
import * as features from './features.ts';
import { groupLag } from './group-lag.ts';
import * as groups from './groups.ts';
import { allOrThrow } from './outcome.ts';
import * as partitions from './partitions.ts';
import * as reassignments from './reassignments.ts';
import * as topics from './topics.ts';

type Settings = topics.CallSettings;
type Trial = Settings & { readonly validateOnly?: boolean };

export class Admin {
  readonly #cluster: Cluster;

  /** The cluster is shared; whoever made it closes it. */
  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  createTopics(list: readonly topics.NewTopic[], settings?: Trial) {
    return topics.createTopics(this.#cluster, list, settings);
  }

  /** One topic; rejects where it is refused. */
  async createTopic(topic: topics.NewTopic, settings?: Trial): Promise<topics.CreatedTopic> {
    return allOrThrow(await this.createTopics([topic], settings))[0]!;
  }

  deleteTopics(names: readonly string[], settings?: Settings) {
    return topics.deleteTopics(this.#cluster, names, settings);
  }

  /** One topic; rejects where it is refused. */
  async deleteTopic(name: string, settings?: Settings): Promise<void> {
    allOrThrow(await this.deleteTopics([name], settings));
  }

  createPartitions(list: readonly topics.MorePartitions[], settings?: Trial) {
    return topics.createPartitions(this.#cluster, list, settings);
  }

  listTopics(settings?: Settings) {
    return topics.listTopics(this.#cluster, settings);
  }

  describeTopics(names: readonly string[], settings?: Settings) {
    return topics.describeTopics(this.#cluster, names, settings);
  }

  describeConfigs(
    resources: readonly (configs.ConfigResource & { readonly options?: readonly string[] })[],
    settings?: configs.DescribeConfigsSettings,
  ) {
    return configs.describeConfigs(this.#cluster, resources, settings);
  }

  alterConfigs(changes: readonly configs.ConfigChange[], settings?: Trial) {
    return configs.alterConfigs(this.#cluster, changes, settings);
  }

  listConfigResources(types?: readonly configs.ResourceType[], settings?: Settings) {
    return configs.listConfigResources(this.#cluster, types, settings);
  }

  deleteRecords(list: readonly partitions.DeleteRecordsBefore[], settings?: Settings) {
    return partitions.deleteRecords(this.#cluster, list, settings);
  }

  describeProducers(list: readonly TopicPartition[], settings?: Settings) {
    return partitions.describeProducers(this.#cluster, list, settings);
  }

  offsetsForLeaderEpochs(list: readonly (TopicPartition & { readonly leaderEpoch: number })[], settings?: Settings) {
    return partitions.offsetsForLeaderEpochs(this.#cluster, list, settings);
  }

  listOffsets(questions: readonly OffsetQuestion[], options?: ListOffsetsOptions) {
    return listOffsets(this.#cluster, questions, options);
  }

  describeCluster(settings?: Settings) {
    return brokers.describeCluster(this.#cluster, settings);
  }

  /** Begins to move replicas, or takes that back. */
  reassignPartitions(list: readonly reassignments.Reassignment[], settings?: Settings) {
    return reassignments.reassignPartitions(this.#cluster, list, settings);
  }

  /** The reassignments that are under way. */
  ongoingReassignments(list?: readonly TopicPartition[], settings?: Settings) {
    return reassignments.ongoingReassignments(this.#cluster, list, settings);
  }

  /** Of some partitions, or of all that need it. */
  electLeaders(kind: reassignments.ElectionKind, list?: readonly TopicPartition[], settings?: Settings) {
    return reassignments.electLeaders(this.#cluster, kind, list, settings);
  }

  /** Strikes a broker that is gone for good off the cluster's list. */
  unregisterBroker(id: BrokerId, settings?: Settings) {
    return reassignments.unregisterBroker(this.#cluster, id, settings);
  }

  describeVersions(settings?: Settings) {
    return brokers.describeVersions(this.#cluster, settings);
  }

  describeFeatures(settings?: Settings) {
    return features.describeFeatures(this.#cluster, settings);
  }

  /** Changes levels of features; all of them or none. */
  updateFeatures(updates: readonly features.FeatureUpdate[], settings?: Trial) {
    return features.updateFeatures(this.#cluster, updates, settings);
  }

  describeLogDirectories(
    settings?: Settings & { readonly brokers?: readonly BrokerId[]; readonly topics?: readonly string[] },
  ) {
    return brokers.describeLogDirectories(this.#cluster, settings);
  }

  moveReplicas(moves: readonly brokers.ReplicaMove[], settings?: Settings) {
    return brokers.moveReplicas(this.#cluster, moves, settings);
  }

  listGroups(settings?: Settings & { readonly states?: readonly string[]; readonly types?: readonly string[] }) {
    return groups.listGroups(this.#cluster, settings);
  }

  /** Rejects with GROUP_ID_NOT_FOUND where there is no such group. */
  describeGroup(id: string, settings?: Settings) {
    return describeGroup(this.#cluster, id, settings);
  }

  /** How far a described group is behind. */
  groupLag(group: Pick<GroupDescription, 'id' | 'members'>, settings?: Settings) {
    return groupLag(this.#cluster, group, settings);
  }

  groupOffsets(id: string, settings?: Settings) {
    return groups.groupOffsets(this.#cluster, id, settings);
  }

  /** Moves a group that has no members to other offsets. */
  commitGroupOffsets(
    id: string,
    offsets: readonly (TopicPartition & { readonly offset: number; readonly metadata?: string })[],
    settings?: Settings,
  ) {
    return groups.commitGroupOffsets(this.#cluster, id, offsets, settings);
  }

  deleteGroupOffsets(id: string, partitions: readonly TopicPartition[], settings?: Settings) {
    return groups.deleteGroupOffsets(this.#cluster, id, partitions, settings);
  }

  deleteGroups(ids: readonly string[], settings?: Settings) {
    return groups.deleteGroups(this.#cluster, ids, settings);
  }
}
