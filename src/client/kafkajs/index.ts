/** The entry `sluice/kafkajs`: kafkajs's API over this client. What is covered stands in docs/clients.md. */
import { CODECS } from '../../records/compression/codecs.ts';
import { Kafka } from './kafka.ts';
import { ConfigResourceTypes } from './kafkajs-admin.ts';
import { PartitionAssigners } from './kafkajs-consumer.ts';
import * as errors from './kafkajs-errors.ts';
import { logLevel } from './kafkajs-logger.ts';
import { Partitioners } from './kafkajs-partitioners.ts';

export type { ConsumerEventPayloads } from './batch-runner.ts';
export { Kafka } from './kafka.ts';
export { ConfigResourceTypes, type ITopicConfig, type KafkaJSAdmin as Admin } from './kafkajs-admin.ts';
export { type KafkaJSConsumer as Consumer, PartitionAssigners } from './kafkajs-consumer.ts';
export {
  KafkaJSAggregateError,
  KafkaJSConnectionError,
  KafkaJSCreateTopicError,
  KafkaJSDeleteGroupsError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSOffsetOutOfRange,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  KafkaJSTimeout,
} from './kafkajs-errors.ts';
export type { InstrumentationEvent } from './kafkajs-events.ts';
export type { GroupDescription, MemberDescription } from './kafkajs-groups.ts';
export { type LogEntry, type Logger, type LoggerEntryContent, type logCreator, logLevel } from './kafkajs-logger.ts';
export { Partitioners } from './kafkajs-partitioners.ts';
export type { KafkaJSProducer as Producer } from './kafkajs-producer.ts';
export type * from './kafkajs-types.ts';

export const CompressionTypes = {
  None: CODECS.none,
  GZIP: CODECS.gzip,
  Snappy: CODECS.snappy,
  LZ4: CODECS.lz4,
  ZSTD: CODECS.zstd,
} as const;

/** For programs that register codecs: all of them are there already, and what is put here is not used. */
export const CompressionCodecs: Record<number, unknown> = {};

const { toKafkaJSError: _, asKafkaJS: __, ...kafkaJSErrors } = errors;

/** For programs that import kafkajs as a whole. */
export default {
  ...kafkaJSErrors,
  Kafka,
  logLevel,
  Partitioners,
  PartitionAssigners,
  CompressionTypes,
  CompressionCodecs,
  ConfigResourceTypes,
};
