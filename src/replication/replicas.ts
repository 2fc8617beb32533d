/**
 * The partitions that this broker hosts, by topic. Follows the controller's decisions (`host`, `retire`); finds the
 * partition a request means or says why it cannot be served here. Never decides who leads.
 */
import type { Clock } from '../base/clock.ts';
import { messageOf, SluiceError, systemErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type BrokerId, type Offset, partitionName, type TopicPartition } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Log } from '../storage/log.ts';
import type { LogConfig } from '../storage/log-config.ts';
import type { LogManager } from '../storage/log-manager.ts';
import type { LeaderEnvironment } from './leadership.ts';
import { Partition, type PartitionState } from './partition.ts';
import type { PartitionThrottle } from './throttle.ts';
import { isThrottled, NO_THROTTLE, throttledReplicas } from './throttle.ts';

/** Configuration of a topic as far as its replicas follow it. */
export interface ReplicaConfig {
  readonly log: LogConfig;
  readonly minInSyncReplicas: number;
  /** Entries of leader.replication.throttled.replicas and of follower.replication.throttled.replicas. */
  readonly throttledLeaders: readonly string[];
  readonly throttledFollowers: readonly string[];
}

/** Keeps the partitions that this broker follows up to date. */
export interface LeaderFollowing {
  /** Fetches from whoever leads the partition now. */
  follow(partition: Partition): void;
  unfollow(partition: Partition): void;
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

/** Stands for a partition whose log cannot be had: its directory is offline, or the disk full. */
class Offline {
  readonly awaited: Awaited;
  readonly isNew: boolean;

  constructor(awaited: Awaited, isNew: boolean) {
    this.awaited = awaited;
    this.isNew = isNew;
  }
}

/** A partition that was assigned just now and has no log yet. */
interface Awaited {
  readonly id: PartitionId;
  state: PartitionState;
  config: ReplicaConfig;
}

type Hosted = Partition | Offline | Awaited;

/**
 * Logs that are created in one turn of the event loop. A request for thousands of partitions must not keep everybody
 * else waiting: the rest follow in later turns, or as soon as somebody asks for one.
 */
const CREATIONS_A_TURN = 64;
const NAMES_IN_A_LINE = 20;

export interface ReplicasDependencies {
  readonly logs: LogManager;
  readonly directory: TopicDirectory;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Left out where there is no other broker, as the two that follow. */
  readonly environment?: LeaderEnvironment;
  readonly following?: LeaderFollowing;
  /** What throttled replicas of this broker count against. */
  readonly throttle?: PartitionThrottle;
}

const NOBODY: LeaderFollowing = { follow: () => undefined, unfollow: () => undefined };

export class Replicas {
  readonly #brokerId: BrokerId;
  readonly #logs: LogManager;
  readonly #directory: TopicDirectory;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #topics = new Map<string, Map<number, Hosted>>();
  readonly #environment: LeaderEnvironment | undefined;
  readonly #following: LeaderFollowing;
  readonly #throttle: PartitionThrottle;
  #awaited: Awaited[] = [];
  #createdThisTurn = 0;
  #withoutLog: string[] = [];
  #sliceScheduled = false;
  #count = 0;

  constructor(options: { readonly brokerId: BrokerId }, dependencies: ReplicasDependencies) {
    this.#environment = dependencies.environment;
    this.#following = dependencies.following ?? NOBODY;
    this.#throttle = dependencies.throttle ?? NO_THROTTLE;
    this.#logger = dependencies.logger;
    this.#clock = dependencies.clock;
    this.#brokerId = options.brokerId;
    this.#logs = dependencies.logs;
    this.#directory = dependencies.directory;
  }

  /** Number of hosted partitions. */
  get count(): number {
    return this.#count;
  }

  /** The hosted partitions whose log is in service or was. */
  *partitions(): Iterable<Partition> {
    for (const partitions of this.#topics.values()) {
      for (const hosted of partitions.values()) if (hosted instanceof Partition) yield hosted;
    }
  }

  /** The hosted partition, or the error that a client must get in its place. */
  find(topic: string, partition: number): Partition | ErrorCode {
    const known = this.#topics.get(topic)?.get(partition);
    const hosted = isAwaited(known) ? this.#open(known, { isNew: true }) : known;
    if (hosted instanceof Offline) return ErrorCode.KAFKA_STORAGE_ERROR;
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
    if (isAwaited(known) && known.id.topicId === id.topicId) {
      known.state = state;
      return;
    }
    if (known instanceof Partition && known.topicId === id.topicId) {
      known.update(state);
      this.#takeRole(known);
      return;
    }
    if (known === undefined) this.#count++;
    if (known instanceof Partition) this.#retire(known);
    const wasNew = known instanceof Offline && known.isNew && known.awaited.id.topicId === id.topicId;
    this.#begin({ id, state, config }, isNew || wasNew);
  }

  #begin(awaited: Awaited, isNew: boolean): void {
    this.#remember(awaited.id, awaited);
    if (isNew && this.#createdThisTurn >= CREATIONS_A_TURN) this.#awaited.push(awaited);
    else this.#open(awaited, { isNew });
    if (isNew) this.#continueNextTurn();
  }

  /** Follows where another broker leads. */
  #takeRole(partition: Partition): void {
    if (partition.isLeader || partition.log.failure !== undefined) this.#following.unfollow(partition);
    else this.#following.follow(partition);
  }

  #retire(partition: Partition): void {
    this.#following.unfollow(partition);
    partition.retire();
  }

  #remember({ topic, partition }: PartitionId, hosted: Hosted): void {
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(topic, partitions);
    }
    partitions.set(partition, hosted);
  }

  /** Tells of the partitions that ought to have had a log since the last call, in one line. */
  tellMissing(): void {
    const names = this.#withoutLog.splice(0);
    if (names.length === 0) return;
    this.#logger.warn('Partitions without a log begin anew, empty', {
      count: names.length,
      partitions: names.slice(0, NAMES_IN_A_LINE),
    });
  }

  /** Creates no more logs: the directories are about to be closed. What is awaited is created at the next start. */
  stop(): void {
    this.#awaited = [];
  }

  #continueNextTurn(): void {
    if (this.#sliceScheduled) return;
    this.#sliceScheduled = true;
    this.#clock.afterTurn(() => {
      this.#sliceScheduled = false;
      this.#createdThisTurn = 0;
      for (const awaited of this.#awaited.splice(0, CREATIONS_A_TURN)) {
        const { topic, partition } = awaited.id;
        // Somebody asked for it in the meantime, or its topic is gone.
        if (this.#topics.get(topic)?.get(partition) === awaited) this.#open(awaited, { isNew: true });
      }
      if (this.#awaited.length > 0) this.#continueNextTurn();
    });
  }

  #open(awaited: Awaited, { isNew }: { readonly isNew: boolean }): Partition | Offline {
    const { id, state, config } = awaited;
    this.#createdThisTurn++;
    // A replica that was never in sync had nothing yet that could be missed.
    const missed = !isNew && state.inSyncReplicas.includes(this.#brokerId);
    if (missed && this.#logs.get(id) === undefined) this.#withoutLog.push(partitionName(id.topic, id.partition));
    const log = this.#openLog(id, config, isNew);
    if (log === undefined) {
      const offline = new Offline(awaited, isNew);
      this.#remember(id, offline);
      return offline;
    }
    const { minInSyncReplicas } = config;
    const partition = new Partition(
      {
        topicId: id.topicId,
        log,
        brokerId: this.#brokerId,
        state,
        minInSyncReplicas,
        highWatermark: this.#logs.checkpointedHighWatermark(id) ?? 0,
        throttle: this.#throttleOf(id.partition, config),
      },
      this.#environment,
    );
    this.#remember(id, partition);
    this.#takeRole(partition);
    return partition;
  }

  #throttleOf(partition: number, { throttledLeaders, throttledFollowers }: ReplicaConfig): PartitionThrottle {
    const { leader, follower } = this.#throttle;
    return {
      leader: isThrottled(throttledReplicas(throttledLeaders, this.#brokerId), partition) ? leader : undefined,
      follower: isThrottled(throttledReplicas(throttledFollowers, this.#brokerId), partition) ? follower : undefined,
    };
  }

  #openLog(id: PartitionId, config: ReplicaConfig, isNew: boolean): Log | undefined {
    const { topic, partition } = id;
    try {
      const log = this.#logs.getOrCreate(id, id.topicId, config.log, { isNew });
      log.setConfig(config.log);
      return log;
    } catch (error) {
      if (!(error instanceof SluiceError) && systemErrorCode(error) === undefined) throw error;
      this.#logger.error('a partition is offline', { topic, partition, reason: messageOf(error) });
      return undefined;
    }
  }

  /** A partition's log was moved to another directory. */
  logMoved(log: Log): void {
    const hosted = this.#topics.get(log.topic)?.get(log.partition);
    if (hosted instanceof Partition) hosted.replaceLog(log);
  }

  /** Applies a changed configuration to all hosted partitions of a topic, at once. */
  configure(topic: string, config: ReplicaConfig): void {
    for (const partition of this.#topics.get(topic)?.values() ?? []) {
      if (!(partition instanceof Partition)) {
        (partition instanceof Offline ? partition.awaited : partition).config = config;
        continue;
      }
      partition.log.setConfig(config.log);
      partition.throttle = this.#throttleOf(partition.partition, config);
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
      if (hosted instanceof Partition) this.#retire(hosted);
      this.#logs.delete({ topic, partition });
    }
  }

  /** Stops to host a partition that was assigned to others, and deletes its log. */
  removePartition({ topic, partition }: TopicPartition): void {
    const partitions = this.#topics.get(topic);
    const hosted = partitions?.get(partition);
    if (partitions === undefined || hosted === undefined) return;
    partitions.delete(partition);
    if (partitions.size === 0) this.#topics.delete(topic);
    this.#count--;
    if (hosted instanceof Partition) this.#retire(hosted);
    this.#logs.delete({ topic, partition });
  }

  /** A log directory failed: partitions in it are neither led nor followed any more. */
  directoryFailed(): void {
    for (const partition of this.partitions()) {
      if (partition.log.failure === undefined) continue;
      this.#following.unfollow(partition);
      partition.fail();
    }
  }

  /** Tries again to create logs that could not be created: a full disk may have room by now. */
  retryOffline(): void {
    for (const partitions of this.#topics.values()) {
      for (const hosted of partitions.values()) {
        if (!(hosted instanceof Offline)) continue;
        if (hosted.isNew || this.#logs.isAbsent(hosted.awaited.id)) this.#open(hosted.awaited, { isNew: true });
      }
    }
  }

  /** What is to be kept of a log in replication-offset-checkpoint: what was there, where nobody uses the log yet. */
  highWatermarkOf(log: Log): Offset | undefined {
    const hosted = this.#topics.get(log.topic)?.get(log.partition);
    const isUsed = hosted instanceof Partition && hosted.log === log;
    return isUsed ? log.highWatermark : this.#logs.checkpointedHighWatermark(log);
  }
}

function isAwaited(hosted: Hosted | undefined): hosted is Awaited {
  return hosted !== undefined && !(hosted instanceof Partition) && !(hosted instanceof Offline);
}
