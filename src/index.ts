/** The public interface of the package. */
import type { EmbeddedBroker, EmbeddedBrokerOptions } from './broker/embedded.ts';

export { SluiceError } from './base/errors.ts';
export type { Outcome } from './client/admin/outcome.ts';
export type { NewTopic, TopicDescription } from './client/admin/topics.ts';
export type { ClassicAssignor } from './client/consumer/assignors/assignor.ts';
export type { CloseOptions } from './client/consumer/consumer.ts';
export type { ConsumerEvents } from './client/consumer/consumer-events.ts';
export type { ConsumerOptions, OffsetReset, RebalanceCallback } from './client/consumer/consumer-options.ts';
export { PartitionError } from './client/errors.ts';
export type { ProducerOptions } from './client/producer/options.ts';
export type { Partitioner, PartitionerChoice } from './client/producer/partitioner.ts';
export type { ProducerMetrics } from './client/producer/producer.ts';
export type { ProducerEvents } from './client/producer/producer-events.ts';
export { Client, type ClientOptions } from './client/public/client.ts';
export type { ClientAdmin as Admin } from './client/public/client-admin.ts';
export type {
  ClientConsumer as Consumer,
  ClientConsumerOptions,
  CommitPoint,
  ReceivedBatch,
} from './client/public/client-consumer.ts';
export type {
  ClientProducer as Producer,
  ClientProducerOptions,
  DeliveryCallback,
  OutgoingRecord,
  Receipt,
} from './client/public/client-producer.ts';
export type { ReceivedRecord } from './client/public/received-record.ts';
export {
  buffer,
  type Content,
  type Deserializer,
  json,
  type Serde,
  type Serializer,
  string,
} from './client/public/serializers.ts';

/**
 * Starts a broker in this process, see `EmbeddedBrokerOptions`. Loaded when it is first called: programs that only use the
 * clients carry no broker.
 */
export async function startBroker(options?: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const embedded = await import('./broker/embedded.ts');
  return embedded.startBroker(options);
}

export type { EmbeddedBroker, EmbeddedBrokerOptions };
