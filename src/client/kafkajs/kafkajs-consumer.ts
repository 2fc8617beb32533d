/**
 * kafkajs's consumer: subscriptions, seeks and pauses here, the loop in `batch-runner.ts`. Heartbeats go on by themselves,
 * however long a handler takes.
 */
import { systemClock } from '../../base/clock.ts';
import type { TopicPartition } from '../../base/units.ts';
import { partitionName } from '../../base/units.ts';
import { describeGroup } from '../admin/describe-groups.ts';
import type { ClassicAssignor } from '../consumer/assignors/assignor.ts';
import { roundRobinAssignor } from '../consumer/assignors/round-robin.ts';
import { Consumer } from '../consumer/consumer.ts';
import { sleep } from '../retry.ts';
import { BatchRunner, type ConsumerEventPayloads } from './batch-runner.ts';
import {
  asKafkaJS,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  toKafkaJSError,
} from './kafkajs-errors.ts';
import { Instrumentation, type InstrumentationEvent } from './kafkajs-events.ts';
import { describedGroup, type GroupDescription } from './kafkajs-groups.ts';
import type { Logger } from './kafkajs-logger.ts';
import type {
  ConsumerConfig,
  ConsumerRunConfig,
  ConsumerSubscribeTopic,
  ConsumerSubscribeTopics,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './kafkajs-types.ts';
import type { OwnCluster } from './own-cluster.ts';

export const CONSUMER_EVENTS = {
  CONNECT: 'consumer.connect',
  DISCONNECT: 'consumer.disconnect',
  STOP: 'consumer.stop',
  CRASH: 'consumer.crash',
  GROUP_JOIN: 'consumer.group_join',
  REBALANCING: 'consumer.rebalancing',
  COMMIT_OFFSETS: 'consumer.commit_offsets',
  START_BATCH_PROCESS: 'consumer.start_batch_process',
  END_BATCH_PROCESS: 'consumer.end_batch_process',
} as const;

/** Under kafkajs's own name, so that members of both kinds may be in one group. */
const kafkajsRoundRobin: ClassicAssignor = { ...roundRobinAssignor, name: 'RoundRobinAssigner' };

/** Stands for the assigner that kafkajs's groups use; others of its kind are not taken. */
export const PartitionAssigners = { roundRobin: 'RoundRobinAssigner' } as const;

const LATEST = -1;
const EARLIEST = -2;
const MAX_BYTES = 10 * 1024 * 1024;
const RESTART_PAUSE_MS = 300;

export class KafkaJSConsumer {
  readonly events = CONSUMER_EVENTS;
  readonly #own: OwnCluster;
  readonly #config: ConsumerConfig;
  readonly #logger: Logger;
  readonly #instrumentation: Instrumentation<ConsumerEventPayloads>;
  #topics: (string | RegExp)[] = [];
  #fromBeginning: boolean | undefined;
  #isConnected = false;
  #consumer: Consumer | undefined;
  #runner: BatchRunner | undefined;
  #runConfig: ConsumerRunConfig | undefined;
  #joined: () => void = () => undefined;
  /** Seeks to partitions that are not held yet, by name. */
  readonly #seeks = new Map<string, TopicPartitionOffset>();
  /** Topics, or partitions, that the user paused. */
  readonly #paused = new Map<string, ReadonlySet<number> | 'all'>();

  constructor(own: OwnCluster, config: ConsumerConfig, logger: Logger) {
    if (!config.groupId) throw new KafkaJSNonRetriableError('Consumer groupId must be a non-empty string.');
    const others = config.partitionAssigners?.some((each) => each !== PartitionAssigners.roundRobin) ?? false;
    if (others) throw new KafkaJSNotImplemented('Only PartitionAssigners.roundRobin is supported');
    this.#own = own;
    this.#config = config;
    this.#logger = logger.namespace('Consumer');
    this.#instrumentation = new Instrumentation(systemClock);
  }

  async connect(): Promise<void> {
    if (this.#isConnected) return;
    await this.#own.connect();
    this.#isConnected = true;
    this.#instrumentation.emit('consumer.connect', null);
  }

  async disconnect(): Promise<void> {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    try {
      await this.stop();
    } finally {
      await this.#own.close();
    }
    this.#instrumentation.emit('consumer.disconnect', null);
  }

  /** Adds to what is subscribed. One `fromBeginning` counts for all. */
  async subscribe(subscription: ConsumerSubscribeTopics | ConsumerSubscribeTopic): Promise<void> {
    if (this.#consumer !== undefined)
      throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running');
    const { fromBeginning = false } = subscription;
    const topics = 'topics' in subscription ? subscription.topics : [subscription.topic];
    if (!Array.isArray(topics)) throw new KafkaJSNonRetriableError('Argument "topics" must be an array');
    for (const topic of topics) {
      if (typeof topic !== 'string' && !(topic instanceof RegExp)) {
        throw new KafkaJSNonRetriableError(
          `Invalid topic ${String(topic)} (${typeof topic}), the topic name has to be a String or a RegExp`,
        );
      }
    }
    if (this.#fromBeginning !== undefined && this.#fromBeginning !== fromBeginning) {
      throw new KafkaJSNotImplemented('fromBeginning has to be the same for all topics of a consumer');
    }
    this.#fromBeginning = fromBeginning;
    this.#topics.push(...topics);
  }

  /** Resolves as soon as the consumer is at work. Called again, it goes on with the new settings. */
  async run(config: ConsumerRunConfig = {}): Promise<void> {
    if (this.#consumer !== undefined) {
      this.#logger.warn('consumer#run was called, but the consumer is already running', {
        groupId: this.#config.groupId,
      });
      return;
    }
    if (!this.#isConnected) throw new KafkaJSError('The consumer is disconnected');
    this.#runConfig = config;
    await this.#start(config);
  }

  /** Resolves when the consumer has joined its group, or cannot. */
  #start(config: ConsumerRunConfig): Promise<void> {
    const consumer = this.#makeConsumer();
    this.#consumer = consumer;
    const { groupId, retry } = this.#config;
    const { clock, random } = this.#own.current.dependencies;
    const parts = { consumer, groupId, clock, random, logger: this.#logger, events: this.#instrumentation, retry };
    const runner = new BatchRunner(config, parts, {
      isPaused: (place) => this.#isPaused(place),
      pause: (place) => this.#pausePartition(place),
      resume: (place) => this.resume([{ topic: place.topic, partitions: [place.partition] }]),
    });
    this.#runner = runner;
    consumer.subscribe(this.#subscription());
    return new Promise((resolve) => {
      this.#joined = resolve;
      void runner.run().then((crash) => {
        resolve();
        if (crash !== undefined) void this.#crashed(crash.error, crash.isFinal);
      });
    });
  }

  #subscription(): readonly string[] | RegExp {
    if (this.#topics.every((topic) => typeof topic === 'string')) return this.#topics;
    const patterns = this.#topics.map((topic) =>
      typeof topic === 'string' ? topic.replace(/[.\\]/g, '\\$&') : topic.source.replace(/^\^|\$$/g, ''),
    );
    return new RegExp(patterns.map((each) => `(?:${each})`).join('|'));
  }

  #makeConsumer(): Consumer {
    const config = this.#config;
    const { sessionTimeout = 30_000, heartbeatInterval = 3000, rebalanceTimeout = 60_000 } = config;
    return new Consumer(this.#own.current, {
      groupId: config.groupId,
      groupProtocol: 'classic',
      assignors: [kafkajsRoundRobin],
      sessionTimeoutMs: sessionTimeout,
      heartbeatIntervalMs: Math.min(heartbeatInterval, sessionTimeout / 3),
      maxPollIntervalMs: rebalanceTimeout,
      autoCommit: false,
      offsetReset: this.#fromBeginning === true ? 'earliest' : 'latest',
      isolation: config.readUncommitted === true ? 'read_uncommitted' : 'read_committed',
      maxWaitMs: config.maxWaitTimeInMs ?? 5000,
      minBytes: config.minBytes,
      maxBytes: config.maxBytes ?? MAX_BYTES,
      partitionMaxBytes: config.maxBytesPerPartition,
      prefetchBytes: config.maxBytes ?? MAX_BYTES,
      rack: config.rackId,
      onAssigned: (partitions) => this.#onAssigned(partitions),
      onRevoked: async (partitions) => {
        this.#instrumentation.emit('consumer.rebalancing', { groupId: config.groupId, memberId: this.#memberId });
        await this.#runner?.giveUp(partitions, true);
      },
      onLost: (partitions) => this.#runner?.giveUp(partitions, false),
    });
  }

  get #memberId(): string {
    return this.#consumer?.memberId ?? '';
  }

  #onAssigned(partitions: readonly TopicPartition[]): void {
    const consumer = this.#consumer!;
    const memberAssignment: Record<string, number[]> = {};
    for (const place of partitions) {
      memberAssignment[place.topic] = [...(memberAssignment[place.topic] ?? []), place.partition];
      if (this.#isPaused(place)) consumer.pause([place]);
      const seek = this.#seeks.get(partitionName(place.topic, place.partition));
      if (seek !== undefined) this.#seekNow(seek);
    }
    const about = { groupId: this.#config.groupId, memberId: this.#memberId, memberAssignment };
    this.#logger.info('Consumer has joined the group', about);
    this.#instrumentation.emit('consumer.group_join', { ...about, groupProtocol: kafkajsRoundRobin.name });
    this.#joined();
  }

  /** Goes on by itself where that may help, unless the user says no. */
  async #crashed(error: Error, isFinal: boolean): Promise<void> {
    const { groupId, retry } = this.#config;
    const restart = !isFinal && (await this.#mayRestart(error));
    const { name, message, stack } = error;
    this.#logger.error(`Crash: ${name}: ${message}`, { groupId, stack });
    this.#instrumentation.emit('consumer.crash', { error, groupId, restart });
    await this.stop().catch((failure: unknown) =>
      this.#logger.error(`Stopping failed: ${toKafkaJSError(failure).message}`),
    );
    if (!restart || !this.#isConnected || this.#runConfig === undefined) return;
    const { clock } = this.#own.current.dependencies;
    await sleep(clock, retry?.initialRetryTime ?? RESTART_PAUSE_MS);
    if (this.#isConnected && this.#consumer === undefined) await this.#start(this.#runConfig);
  }

  async #mayRestart(error: Error): Promise<boolean> {
    try {
      return (await this.#config.retry?.restartOnFailure?.(error)) ?? true;
    } catch (failure) {
      this.#logger.error(`restartOnFailure failed: ${toKafkaJSError(failure).message}`, {
        groupId: this.#config.groupId,
      });
      return true;
    }
  }

  /** Ends the loop after the message at hand, commits, and leaves the group. `run` begins anew. */
  async stop(): Promise<void> {
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    this.#runner?.stop();
    this.#joined();
    await asKafkaJS(consumer.close());
    if (this.#consumer !== consumer) return;
    this.#consumer = undefined;
    this.#runner = undefined;
    this.#instrumentation.emit('consumer.stop', null);
  }

  async commitOffsets(list: readonly TopicPartitionOffsetAndMetadata[]): Promise<void> {
    const offsets = list.map(({ topic, partition, offset, metadata }) => {
      return { topic, partition, offset: Number(offset), metadata: metadata ?? undefined };
    });
    await asKafkaJS(this.#running().commit(offsets));
  }

  /** -1 is the end, -2 the beginning. Of partitions that are not held yet it counts once they are. */
  seek(seek: TopicPartitionOffset): void {
    if (!Number.isSafeInteger(Number(seek.offset)) || Number(seek.offset) < EARLIEST) {
      throw new KafkaJSNonRetriableError(`Offset must be a positive integer, or -1 or -2; received ${seek.offset}`);
    }
    if (this.#running().holds(seek)) this.#seekNow(seek);
    else this.#seeks.set(partitionName(seek.topic, seek.partition), seek);
  }

  #seekNow({ topic, partition, offset }: TopicPartitionOffset): void {
    const consumer = this.#running();
    const place = { topic, partition };
    this.#seeks.delete(partitionName(topic, partition));
    this.#runner?.seekTo(place);
    const to = Number(offset);
    if (to === LATEST || to === EARLIEST) {
      const seeking = to === LATEST ? consumer.seekToEnd([place]) : consumer.seekToBeginning([place]);
      seeking.catch((error: unknown) => this.#logger.error(`Seek failed: ${toKafkaJSError(error).message}`, place));
    } else consumer.seek(place, to);
  }

  async describeGroup(): Promise<GroupDescription> {
    return describedGroup(await asKafkaJS(describeGroup(this.#own.current, this.#config.groupId)));
  }

  pause(topics: readonly { readonly topic: string; readonly partitions?: readonly number[] }[]): void {
    for (const { topic, partitions } of topics) {
      const known = this.#paused.get(topic);
      if (partitions === undefined) this.#paused.set(topic, 'all');
      else if (known !== 'all') this.#paused.set(topic, new Set([...(known ?? []), ...partitions]));
    }
    const consumer = this.#running();
    consumer.pause(consumer.assignment.filter((place) => consumer.holds(place) && this.#isPaused(place)));
  }

  #pausePartition({ topic, partition }: TopicPartition): void {
    this.pause([{ topic, partitions: [partition] }]);
  }

  resume(topics: readonly { readonly topic: string; readonly partitions?: readonly number[] }[]): void {
    const consumer = this.#running();
    for (const { topic, partitions } of topics) {
      const known = this.#paused.get(topic);
      const held = consumer.assignment.filter((place) => place.topic === topic).map(({ partition }) => partition);
      const left = partitions === undefined ? [] : [...(known === 'all' ? held : (known ?? []))];
      const rest = left.filter((partition) => !partitions!.includes(partition));
      if (rest.length === 0) this.#paused.delete(topic);
      else this.#paused.set(topic, new Set(rest));
    }
    const isFree = (place: TopicPartition): boolean => !this.#isPaused(place) && this.#runner?.isBusy(place) !== true;
    consumer.resume(consumer.assignment.filter((place) => consumer.holds(place) && isFree(place)));
  }

  paused(): TopicPartitions[] {
    const paused = new Map<string, number[]>();
    for (const place of this.#running().assignment) {
      if (this.#isPaused(place)) paused.set(place.topic, [...(paused.get(place.topic) ?? []), place.partition]);
    }
    return [...paused].map(([topic, partitions]) => ({ topic, partitions }));
  }

  #isPaused({ topic, partition }: TopicPartition): boolean {
    const paused = this.#paused.get(topic);
    return paused === 'all' || paused?.has(partition) === true;
  }

  on<Name extends keyof ConsumerEventPayloads>(
    name: Name,
    listener: (event: InstrumentationEvent<ConsumerEventPayloads[Name]>) => void,
  ): () => void {
    return this.#instrumentation.on(name, listener);
  }

  logger(): Logger {
    return this.#logger;
  }

  #running(): Consumer {
    if (this.#consumer !== undefined) return this.#consumer;
    throw new KafkaJSNonRetriableError('Consumer group was not initialized, consumer#run must be called first');
  }
}
