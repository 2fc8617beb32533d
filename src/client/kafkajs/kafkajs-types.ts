/** The shapes of kafkajs that this entry takes and gives. Offsets and timestamps are text, as there. */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { logCreator, logLevel } from './kafkajs-logger.ts';

export interface RetryOptions {
  /** Longest pause between attempts. Default 30000. */
  readonly maxRetryTime?: number;
  /** First pause. Default 300. */
  readonly initialRetryTime?: number;
  readonly factor?: number;
  readonly multiplier?: number;
  /** Default 5. */
  readonly retries?: number;
  readonly restartOnFailure?: (error: Error) => Promise<boolean>;
}

export interface KafkaConfig {
  readonly brokers: readonly string[] | (() => readonly string[] | Promise<readonly string[]>);
  readonly clientId?: string;
  readonly ssl?: TlsOptions | boolean;
  /** Not served: whoever sets it is told. */
  readonly sasl?: object;
  readonly connectionTimeout?: number;
  readonly requestTimeout?: number;
  readonly enforceRequestTimeout?: boolean;
  readonly retry?: RetryOptions;
  readonly logLevel?: logLevel;
  readonly logCreator?: logCreator;
}

export interface IHeaders {
  [key: string]: Buffer | string | (Buffer | string)[] | undefined;
}

export interface Message {
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly partition?: number;
  readonly headers?: IHeaders;
  readonly timestamp?: string;
}

export interface PartitionMetadata {
  readonly partitionErrorCode: number;
  readonly partitionId: number;
  readonly leader: number;
  readonly replicas: number[];
  readonly isr: number[];
  readonly offlineReplicas?: number[];
}

export interface PartitionerArgs {
  readonly topic: string;
  readonly partitionMetadata: PartitionMetadata[];
  readonly message: Message;
}

export type ICustomPartitioner = () => (args: PartitionerArgs) => number;

export interface ProducerConfig {
  readonly createPartitioner?: ICustomPartitioner;
  readonly retry?: RetryOptions;
  readonly metadataMaxAge?: number;
  readonly allowAutoTopicCreation?: boolean;
  readonly idempotent?: boolean;
  readonly transactionalId?: string;
  readonly transactionTimeout?: number;
  readonly maxInFlightRequests?: number;
}

export interface TopicMessages {
  readonly topic: string;
  readonly messages: readonly Message[];
}

interface SendSettings {
  /** -1 all in-sync replicas (default), 1 the leader, 0 nobody answers. */
  readonly acks?: number;
  readonly timeout?: number;
  readonly compression?: number;
}

export interface ProducerRecord extends TopicMessages, SendSettings {}

export interface ProducerBatch extends SendSettings {
  readonly topicMessages?: readonly TopicMessages[];
}

export interface RecordMetadata {
  readonly topicName: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset?: string;
  readonly logAppendTime?: string;
  readonly logStartOffset?: string;
}

export interface KafkaMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: string;
  readonly attributes: number;
  readonly offset: string;
  readonly headers: IHeaders;
}

export interface ConsumerConfig {
  readonly groupId: string;
  readonly partitionAssigners?: readonly unknown[];
  readonly metadataMaxAge?: number;
  readonly sessionTimeout?: number;
  readonly rebalanceTimeout?: number;
  readonly heartbeatInterval?: number;
  readonly maxBytesPerPartition?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly maxWaitTimeInMs?: number;
  readonly retry?: RetryOptions;
  readonly allowAutoTopicCreation?: boolean;
  readonly maxInFlightRequests?: number | null;
  readonly readUncommitted?: boolean;
  readonly rackId?: string;
}

export interface PartitionOffset {
  readonly partition: number;
  readonly offset: string;
}

export interface TopicOffsets {
  readonly topic: string;
  readonly partitions: PartitionOffset[];
}

export interface OffsetsByTopicPartition {
  readonly topics: TopicOffsets[];
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: number[];
}

export interface TopicPartitionOffset extends PartitionOffset {
  readonly topic: string;
}

export interface TopicPartitionOffsetAndMetadata extends TopicPartitionOffset {
  readonly metadata?: string | null;
}

export interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: string;
  readonly messages: KafkaMessage[];
  isEmpty(): boolean;
  firstOffset(): string | null;
  lastOffset(): string;
  offsetLag(): string;
  offsetLagLow(): string;
}

export interface EachMessagePayload {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
  heartbeat(): Promise<void>;
  /** Pauses the partition; returns what takes it up again. */
  pause(): () => void;
}

export interface EachBatchPayload {
  readonly batch: Batch;
  resolveOffset(offset: string): void;
  heartbeat(): Promise<void>;
  pause(): () => void;
  commitOffsetsIfNecessary(offsets?: OffsetsByTopicPartition): Promise<void>;
  uncommittedOffsets(): OffsetsByTopicPartition;
  isRunning(): boolean;
  isStale(): boolean;
}

export type EachMessageHandler = (payload: EachMessagePayload) => Promise<void>;
export type EachBatchHandler = (payload: EachBatchPayload) => Promise<void>;
export type ConsumerEachMessagePayload = EachMessagePayload;
export type ConsumerEachBatchPayload = EachBatchPayload;

export interface ConsumerRunConfig {
  /** Default true. */
  readonly autoCommit?: boolean;
  readonly autoCommitInterval?: number | null;
  readonly autoCommitThreshold?: number | null;
  /** Default true: what `eachBatch` has returned from is processed. */
  readonly eachBatchAutoResolve?: boolean;
  /** Default 1. */
  readonly partitionsConsumedConcurrently?: number;
  readonly eachBatch?: EachBatchHandler;
  readonly eachMessage?: EachMessageHandler;
}

export interface ConsumerSubscribeTopic {
  readonly topic: string | RegExp;
  readonly fromBeginning?: boolean;
}

export interface ConsumerSubscribeTopics {
  readonly topics: readonly (string | RegExp)[];
  readonly fromBeginning?: boolean;
}
