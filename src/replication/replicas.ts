/**
 * The partitions that this broker hosts, by topic. Follows the controller's decisions (`host`, `retire`); finds the
 * partition a request means or says why it cannot be served here. Never decides who leads.
 */
import { messageOf, SluiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerId, TopicPartition } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Log } from '../storage/log.ts';
import type { LogConfig } from '../storage/log-config.ts';
import type { LogManager } from '../storage/log-manager.ts';
import { Partition, type PartitionState } from './partition.ts';

/** Configuration of a topic as far as its replicas follow it. */
export interface ReplicaConfig {
  readonly log: LogConfig;
  readonly minInSyncReplicas: number;
}

/** What the cluster knows of topics, hosted here or not. */
export interface TopicDirectory {
  hasPartition(topic: string, partition: number): boolean;
  topicName(id: Uuid): string | undefined;
}

/** A partition by topic id, name and number. */
export interface PartitionId extends TopicPartition {
  readonly topicId: Uuid;
}

/** Stands for a partition whose log cannot be had: its directory is offline. */
type Offline = 'offline';

export class Replicas {
  readonly #brokerId: BrokerId;
  readonly #logs: LogManager;
  readonly #directory: TopicDirectory;
  readonly #logger: Logger;
  readonly #topics = new Map<string, Map<number, Partition | Offline>>();
  #count = 0;

  constructor(
    options: { readonly brokerId: BrokerId },
    dependencies: { readonly logs: LogManager; readonly directory: TopicDirectory; readonly logger: Logger },
  ) {
    this.#logger = dependencies.logger;
    this.#brokerId = options.brokerId;
    this.#logs = dependencies.logs;
    this.#directory = dependencies.directory;
  }

  /** Number of hosted partitions. */
  get count(): number {
    return this.#count;
  }

  /** The hosted partition, or the error that a client must get in its place. */
  find(topic: string, partition: number): Partition | ErrorCode {
    const hosted = this.#topics.get(topic)?.get(partition);
    if (hosted === 'offline') return ErrorCode.KAFKA_STORAGE_ERROR;
    if (hosted !== undefined) return hosted.log.failure === undefined ? hosted : ErrorCode.KAFKA_STORAGE_ERROR;
    return this.#directory.hasPartition(topic, partition)
      ? ErrorCode.NOT_LEADER_OR_FOLLOWER
      : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  }

  /** As `find`, for requests that name the topic by id: a recreated topic has another. */
  findById(topicId: Uuid, partition: number): Partition | ErrorCode {
    const topic = this.#directory.topicName(topicId);
    if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID;
    const found = this.find(topic, partition);
    if (typeof found !== 'number' && found.topicId !== topicId) return ErrorCode.INCONSISTENT_TOPIC_ID;
    return found;
  }

  /**
   * Starts to host a partition, creating its log where there is none, or takes over its new state. `isNew` says that it
   * was assigned to this broker just now; otherwise its log may lie in a directory that is offline.
   */
  host(id: PartitionId, state: PartitionState, config: ReplicaConfig, { isNew }: { readonly isNew: boolean }): void {
    const known = this.#topics.get(id.topic)?.get(id.partition);
    if (known !== undefined && known !== 'offline' && known.topicId === id.topicId) {
      known.update(state);
      return;
    }
    const log = this.#openLog(id, config, isNew);
    let partitions = this.#topics.get(id.topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(id.topic, partitions);
    }
    if (known === undefined) this.#count++;
    if (log === 'offline') {
      partitions.set(id.partition, log);
      return;
    }
    const { minInSyncReplicas } = config;
    const { topicId } = id;
    const partition = new Partition({ topicId, log, brokerId: this.#brokerId, state, minInSyncReplicas });
    partitions.set(id.partition, partition);
  }

  #openLog(id: PartitionId, config: ReplicaConfig, isNew: boolean): Log | Offline {
    try {
      const log = this.#logs.getOrCreate(id, id.topicId, config.log, { isNew });
      log.setConfig(config.log);
      return log;
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      const { topic, partition } = id;
      this.#logger.error('a partition is offline', { topic, partition, reason: messageOf(error) });
      return 'offline';
    }
  }

  /** Applies a changed configuration to all hosted partitions of a topic, at once. */
  configure(topic: string, config: ReplicaConfig): void {
    for (const partition of this.#topics.get(topic)?.values() ?? []) {
      if (partition === 'offline') continue;
      partition.log.setConfig(config.log);
      partition.setMinInSyncReplicas(config.minInSyncReplicas);
    }
  }

  /** Stops to host a topic and deletes its logs. */
  deleteTopic(topic: string): void {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) return;
    this.#topics.delete(topic);
    for (const [partition, hosted] of partitions) {
      this.#count--;
      if (hosted !== 'offline') hosted.retire();
      this.#logs.delete({ topic, partition });
    }
  }
}
